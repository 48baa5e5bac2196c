"""The vendor's limit on enqueued tokens: how many a batch has, what fits, and what a refusal teaches.

A vendor counts the input tokens of all batches of an account and model that it has not finished, and refuses what
would pass a limit that it tells nobody beforehand. There is no tokenizer here: what a batch will be counted as is
estimated from its bytes, by what the vendor counted for the task's last batches.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# The vendor's code for a batch that would pass the limit.
TOKEN_LIMIT = "token_limit_exceeded"  # noqa: S105 - a code, no secret

# Three bytes a token: enough for text of any language, too few for long runs of digits.
_FIRST_RATE = 1 / 3
_MARGIN = 0.005
# What one batch has shown may be chance; what ten have shown is not.
_DOUBT = 0.05
_MOST_MARGIN = 0.25
# A batch of which less than this was answered says little about the whole.
_LEAST_ANSWERED = 0.5

_WORTH_REVISING = 0.1

# So many parts of the limit are in flight at most: more would make small files for no gain.
_MOST_PARTS = 16
# Open batches of a task that are not at the vendor: they wait, so that what is freed is used at once.
_WAITING = 2

_LOWERED = 0.8
_NUDGED = 0.95
_RAISED = 1.05
# One refusal alone does not cut what was known by more than this.
_DEEPEST_CUT = 0.5
_TIMES_ALONE = 3
# Seconds without a refusal until the limit is tried a little higher; what the vendor told is doubted less often.
_PROBE_AFTER = 1800.0
_PROBE_TOLD_AFTER = 86_400.0

# What a ledger's column holds has more; no limit has so many.
_DIGITS = 16
# A number that goes on, as "2M", "1.5" and "2 million" do, says something else than its digits.
_TOLD = re.compile(
    r"\blimit(?::| of| is)?\s*(\d{1,3}(?:[,._ ]\d{3})+|\d+)(?![\w.,]*\w)(?!\s*(?:[kmb]|thousand|[mb]illion)\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A batch that ended: its bytes, its requests, how many the vendor counted tokens for, and those tokens."""

    bytes: int
    requests: int
    answered: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Learnt:
    """What refusals have taught of a limit: ``tokens`` None where there were none.

    ``told`` says that the vendor named the number; ``age`` is how many seconds ago it last changed or was confirmed.
    """

    tokens: int | None = None
    told: bool = False
    age: float = math.inf


@dataclass(frozen=True, slots=True)
class Standing:
    """What is enqueued at one account for one model.

    Attributes:
        learnt: the limit, as far as refusals have shown it.
        in_flight: tokens of each task's batches that the vendor has, or may have, or is about to get.
        created: batches of the account that were sent in the last hour, of any model.
    """

    learnt: Learnt = field(default_factory=Learnt)
    in_flight: Mapping[str, int] = field(default_factory=dict)
    created: int = 0

    @property
    def enqueued(self) -> int:
        """Tokens of all tasks."""
        return sum(self.in_flight.values())


@dataclass(frozen=True, slots=True)
class Enqueued:
    """A batch as the ledger counts it.

    Attributes:
        tokens: estimated when it was built.
        beside: tokens that were enqueued beside it when it was sent last; None before.
        age: seconds since then.
        waits: its tokens did not fit yet, or it is too early.
        had_turn: it was its turn, and it did not fit.
        passed: tokens that were sent since then.
        is_written: False for a batch that the ledger has no figure of yet.
    """

    batch_id: int
    model: str
    tokens: int
    beside: int | None = None
    age: float = 0.0
    waits: bool = False
    had_turn: bool = False
    passed: int = 0
    is_written: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """A batch that the vendor refused for its limit.

    Attributes:
        tokens: of the batch itself.
        attempted: tokens that would have been enqueued with it, as we count them.
        told: the limit that the vendor named; None where it named none.
        age: seconds since it was sent.
    """

    tokens: int
    attempted: int
    told: int | None
    age: float


def model_of(name: str | None) -> str:
    """A model as the ledger names it: some endpoints need none."""
    return (name or "")[:200]


def tokens_per_byte(samples: Sequence[Sample]) -> float:
    """What a byte of a batch file will be counted as, with a small margin; a cautious guess without samples."""
    usable = [one for one in samples if _is_usable(one)]
    if not usable:
        return _FIRST_RATE
    weight = sum(one.bytes for one in usable)
    mean = sum(_scaled(one) for one in usable) / weight
    spread = math.sqrt(sum(one.bytes * (_scaled(one) / one.bytes - mean) ** 2 for one in usable) / weight)
    margin = _MARGIN + _DOUBT / len(usable) + spread / mean
    return mean * (1 + min(margin, _MOST_MARGIN))


def _is_usable(one: Sample) -> bool:
    return one.tokens > 0 and one.bytes > 0 and one.answered >= max(1.0, _LEAST_ANSWERED * one.requests)


def _scaled(one: Sample) -> float:
    """The vendor counted what it answered; the limit is about all that was asked."""
    return one.tokens * max(one.requests / one.answered, 1.0)


def estimated(size: int, rate: float) -> int:
    """Tokens of a file of so many bytes, never none."""
    return max(math.ceil(size * rate), 1)


def revised(tokens: int, size: int, rate: float) -> int:
    """The tokens of a batch that was estimated when it was built, by what has been learnt since.

    Small changes are left alone: so many batches that were built as equal parts of the limit must still fit together.
    """
    now = estimated(size, rate)
    return now if abs(now - tokens) > _WORTH_REVISING * tokens else tokens


def fair_bytes(limit: int | None, open_batches: int, rate: float) -> float:
    """Bytes of a file that takes a fair part of the limit, so that several batches can be in flight.

    Args:
        limit: tokens that may be enqueued; None where nobody knows of a limit.
        open_batches: how many the task may have open.
        rate: tokens per byte.
    """
    if limit is None:
        return math.inf
    parts = min(max(open_batches - _WAITING, 1), _MOST_PARTS)
    # Rounded down, so that so many parts are the limit and never a token more.
    return max(math.floor(limit // parts / rate), 1)


def limit_of(configured: int | None, learnt: Learnt) -> int | None:
    """The tokens that may be enqueued; None where neither config nor vendor has named a limit."""
    known = [one for one in (configured, learnt.tokens) if one is not None]
    return min(known, default=None)


def fits(tokens: int, enqueued: int, limit: int | None) -> bool:
    """True where a batch may be sent; one that is larger than the limit only where nothing else is enqueued."""
    return limit is None or enqueued == 0 or enqueued + tokens <= limit


def told_limit(message: str) -> int | None:
    """The limit that a vendor names in its refusal; None where it names none."""
    found = _TOLD.search(message)
    number = int(re.sub(r"\D", "", found.group(1))[:_DIGITS]) if found else 0
    return number or None


def lowered(learnt: Learnt, configured: int | None, refused: Refused) -> Learnt:
    """What is known of the limit after a refusal; never more than before."""
    known, told = limit_of(configured, learnt), refused.told
    if told is not None and (known is None or told < known or told < refused.attempted):
        return Learnt(min(told, known or told), told=True, age=0.0)
    if told is not None and refused.age >= learnt.age:
        # It was sent before that was learnt, beside others that were refused with it.
        return learnt
    # It names none; or one that we keep to, and counts more than we do, or for others too.
    most = refused.attempted if known is None else min(refused.attempted, known)
    guess = max(int((_LOWERED if told is None else _NUDGED) * most), int(_DEEPEST_CUT * (known or 0)), refused.tokens)
    return Learnt(min(guess, most), told=False, age=0.0)


def probed(learnt: Learnt, configured: int | None) -> Learnt | None:
    """The limit to try while batches wait for it, a little higher; None while it is too early, or is not learnt."""
    if learnt.tokens is None or (configured is not None and learnt.tokens >= configured):
        return None
    if learnt.age < (_PROBE_TOLD_AFTER if learnt.told else _PROBE_AFTER):
        return None
    higher = max(math.ceil(learnt.tokens * _RAISED), learnt.tokens + 1)
    return Learnt(higher if configured is None else min(higher, configured), told=learnt.told, age=0.0)


def goes_by_rows(entry: Enqueued, requests: int, attempt: int, told: int | None) -> bool:
    """True for a refused batch that had better go again row by row, in smaller files, than as it is.

    Args:
        entry: the batch.
        requests: how many it holds; a single one can't be divided.
        attempt: how often it was sent. A vendor that names no limit may have counted what had just ended.
        told: the limit that the vendor named.
    """
    if requests == 1:
        return False
    if told is not None:
        return told < entry.tokens
    return not entry.beside and attempt >= _TIMES_ALONE
