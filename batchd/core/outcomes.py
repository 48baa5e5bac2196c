"""The closed list of what can become of a request, and what each outcome means for its row."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Outcome(StrEnum):
    """Exactly one per request. The ledger repeats this list in a CHECK constraint."""

    APPLIED = "applied"
    STALE = "stale"
    GONE = "gone"
    INVALID = "invalid"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    POISON = "poison"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    ERRORED = "errored"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    MISSING = "missing"
    UNSENT = "unsent"
    UNRENDERABLE = "unrenderable"
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class Rule:
    """What an outcome means.

    Attributes:
        meaning: one line for people.
        paid: the vendor billed, or may have billed, this try.
        retried: due again by itself, within the limits of the task.
        keeps_result: the answer, or the vendor's error text, goes to ``batchd_content``.
        next_step: what a person can do about it, with ``{retry}`` and ``{reapply}`` for the commands; empty where
            nothing needs doing.
    """

    meaning: str
    paid: bool
    retried: bool
    keeps_result: bool
    next_step: str = ""


RULES: dict[Outcome, Rule] = {
    Outcome.APPLIED: Rule("written to the row", paid=True, retried=False, keeps_result=False),
    Outcome.STALE: Rule(
        "the row changed, or stopped being pending, while the batch was open",
        paid=True,
        retried=True,
        keeps_result=True,
        next_step="put the row back to what it was, then, free of charge: {reapply}; or ask anew: {retry}",
    ),
    Outcome.GONE: Rule("the row vanished while the batch was open", paid=True, retried=False, keeps_result=True),
    Outcome.INVALID: Rule(
        "the answer is not what the schema or the columns ask for",
        paid=True,
        retried=True,
        keeps_result=True,
        next_step="mend the column or the write-back, then, free of charge: {reapply}; "
        "or mend the prompt or the schema, then: {retry}",
    ),
    Outcome.TRUNCATED: Rule(
        "the answer was cut off at the token limit",
        paid=True,
        retried=False,
        keeps_result=True,
        next_step="raise the token limit in params, then: {retry}",
    ),
    Outcome.REFUSED: Rule(
        "the model or a content filter refused to answer",
        paid=True,
        retried=False,
        keeps_result=True,
        next_step="read the row and the prompt, then: {retry}",
    ),
    Outcome.POISON: Rule(
        "the database refused this row's values",
        paid=True,
        retried=False,
        keeps_result=True,
        next_step="mend the column or its constraint, then, free of charge: {reapply}; "
        "or mend the prompt, then: {retry}",
    ),
    Outcome.CONFLICT: Rule(
        "the vendor sent two different answers for one request",
        paid=True,
        retried=False,
        keeps_result=True,
        next_step="look at both kept answers and write one by hand; or ask anew: {retry}",
    ),
    Outcome.REJECTED: Rule(
        "the vendor refused the request for good",
        paid=False,
        retried=False,
        keeps_result=True,
        next_step="mend the row, the prompt or params, then: {retry}",
    ),
    Outcome.ERRORED: Rule(
        "the vendor failed to answer this time",
        paid=False,
        retried=True,
        keeps_result=True,
        next_step="once the vendor answers again: {retry}",
    ),
    Outcome.EXPIRED: Rule(
        "the vendor's window ended before it ran",
        paid=False,
        retried=True,
        keeps_result=False,
        next_step="once the vendor has room again: {retry}",
    ),
    Outcome.CANCELLED: Rule(
        "the batch was cancelled before it ran",
        paid=False,
        retried=False,
        keeps_result=False,
        next_step="when it is wanted again: {retry}",
    ),
    Outcome.MISSING: Rule(
        "in neither result file, even at a second look; counted as paid",
        paid=True,
        retried=True,
        keeps_result=False,
        next_step="ask the vendor what became of it; then: {retry}",
    ),
    Outcome.UNSENT: Rule(
        "never run: its batch was refused or given up",
        paid=False,
        retried=True,
        keeps_result=False,
        next_step="mend what its batch was refused for, then: {retry}",
    ),
    Outcome.UNRENDERABLE: Rule(
        "the prompt could not be rendered from this row",
        paid=False,
        retried=False,
        keeps_result=False,
        next_step="mend the row or the prompt, then: {retry}",
    ),
    Outcome.TOO_LARGE: Rule(
        "the request is larger than a batch file may be",
        paid=False,
        retried=False,
        keeps_result=False,
        next_step="shorten the row's text or the prompt, then: {retry}",
    ),
}

# Answers that were kept, and that a mended column, constraint or row may take as they are.
WORTH_REAPPLYING: tuple[Outcome, ...] = (Outcome.POISON, Outcome.INVALID, Outcome.STALE)
# All that may be tried. Not `conflict`: of two answers batchd chooses none.
REAPPLICABLE: tuple[Outcome, ...] = (*WORTH_REAPPLYING, Outcome.TRUNCATED, Outcome.REFUSED)


class GateState(StrEnum):
    """Why batchd must not claim a row now."""

    OPEN = "open"
    RETRY = "retry"
    FAILED = "failed"
    HELD = "held"
    DONE = "done"


class Tries(NamedTuple):
    """How often a row was tried: ``paid`` tries, and ``unpaid`` ones that cost nothing."""

    paid: int = 0
    unpaid: int = 0

    def after(self, outcome: Outcome) -> "Tries":
        """The tries once this outcome is counted."""
        if RULES[outcome].paid:
            return Tries(self.paid + 1, self.unpaid)
        return Tries(self.paid, self.unpaid + 1)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on the tries of one row: paid ones cost money, unpaid ones only time."""

    max_attempts: int = 3
    max_resends: int = 10


FIRST_DELAY = 10.0
LONGEST_DELAY = 6 * 3600.0


class GateVerdict(NamedTuple):
    """What becomes of a row's gate: a state with a delay in seconds, or no gate at all (``state`` is None)."""

    state: GateState | None
    delay: float = 0.0


def settle_gate(
    outcome: Outcome, tries: Tries, limits: Limits, *, still_pending: bool, first_delay: float = FIRST_DELAY
) -> GateVerdict:
    """Decides what becomes of a row's gate after ``outcome``.

    Args:
        outcome: what became of the request.
        tries: the row's tries, this one counted.
        limits: the task's bounds.
        still_pending: the task's predicate, evaluated after the write.
        first_delay: seconds to wait before the first repeat; it doubles with each try.
    """
    if outcome is Outcome.GONE:
        return GateVerdict(None)
    if outcome is Outcome.APPLIED:
        # A row that is still pending after its write would be claimed, and paid for, again and again.
        return GateVerdict(GateState.DONE if still_pending else None)
    if outcome is Outcome.STALE and not still_pending:
        return GateVerdict(None)
    if outcome is Outcome.CANCELLED:
        # A person wanted it so; another person, or the same one, frees the row.
        return GateVerdict(GateState.HELD)
    if not RULES[outcome].retried:
        return GateVerdict(GateState.FAILED)
    return _retry_or_fail(tries, limits, paid=RULES[outcome].paid, first_delay=first_delay)


def _retry_or_fail(tries: Tries, limits: Limits, *, paid: bool, first_delay: float) -> GateVerdict:
    if tries.paid >= limits.max_attempts or tries.unpaid > limits.max_resends:
        return GateVerdict(GateState.FAILED)
    tried = tries.paid if paid else tries.unpaid
    return GateVerdict(GateState.RETRY, growing_delay(tried, first_delay))


def growing_delay(tried: int, first_delay: float = FIRST_DELAY) -> float:
    """Seconds to wait after the ``tried``-th try: doubling from ``first_delay``, never above six hours."""
    return float(min(first_delay * 2 ** min(max(tried - 1, 0), 30), LONGEST_DELAY))
