"""The limit on enqueued tokens: what a batch is estimated at, what fits, and what refusals teach."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.core.quota import (
    Enqueued,
    Learnt,
    Refused,
    Sample,
    Standing,
    estimated,
    fair_bytes,
    fits,
    goes_by_rows,
    limit_of,
    lowered,
    model_of,
    probed,
    revised,
    tokens_per_byte,
    told_limit,
)

TOKENS = st.integers(1, 10**10)
MAYBE = st.none() | TOKENS
AGES = st.floats(0, 1e7)
LEARNT = st.builds(Learnt, MAYBE, st.booleans(), AGES)
REFUSED = st.builds(
    lambda tokens, beside, told, age: Refused(tokens, tokens + beside, told, age), TOKENS, TOKENS, MAYBE, AGES
)
RATES = st.floats(0.01, 5)
HOUR, DAY = 3600.0, 86_400.0


def batches(rate: float, *sizes: int) -> list[Sample]:
    """Batches of ten requests that the vendor counted at this rate."""
    return [Sample(size, 10, 10, round(size * rate)) for size in sizes]


# --- estimates


@given(RATES, st.lists(st.integers(10_000, 10**8), min_size=1, max_size=20))
def test_a_rate_that_is_always_the_same_is_learnt_with_a_small_margin(rate: float, sizes: list[int]) -> None:
    """Never less than what the vendor counts, and little more; less so the more batches have shown it."""
    learnt = tokens_per_byte(batches(rate, *sizes))

    assert 1.0 <= learnt / rate * 1.01
    assert learnt / rate <= 1.02 + 0.05 / len(sizes)


def test_a_rate_that_varies_has_a_wider_margin() -> None:
    """The next batch may be one of those that count more."""
    steady = tokens_per_byte(batches(0.3, 10_000, 10_000))
    varying = tokens_per_byte(batches(0.27, 10_000) + batches(0.33, 10_000))

    assert 0.33 <= varying
    assert steady < varying


def test_without_batches_the_first_guess_is_on_the_safe_side_of_plain_text() -> None:
    """English has four bytes a token, other languages no fewer than three; batches that say nothing count as none."""
    guess = tokens_per_byte([])
    nothing = [Sample(1000, 10, 0, 0), Sample(1000, 10, 3, 90), Sample(0, 10, 10, 90)]

    assert 1 / 3 <= guess <= 1 / 2
    assert guess == tokens_per_byte(nothing)


def test_requests_that_were_not_answered_count_as_the_others() -> None:
    """The vendor counts an expired line towards the limit, and tells no tokens of it."""
    whole = tokens_per_byte([Sample(10_000, 100, 100, 2000)])
    half = tokens_per_byte([Sample(10_000, 100, 50, 1000)])

    assert whole == half


@given(st.integers(0, 10**9), RATES)
def test_no_batch_is_estimated_at_nothing(size: int, rate: float) -> None:
    """A batch counts for one token at least, and for its whole size."""
    assert max(size * rate, 1) <= estimated(size, rate) <= max(size * rate, 1) + 1


@given(st.integers(1, 10**7), st.integers(1, 10**9), RATES)
def test_an_estimate_is_revised_where_that_matters(tokens: int, size: int, rate: float) -> None:
    """What was built as an equal part of the limit stays one, until what is learnt differs by a tenth."""
    now = revised(tokens, size, rate)

    fresh = estimated(size, rate)
    assert now == (tokens if abs(fresh - tokens) <= 0.1 * tokens else fresh)


@given(st.integers(1, 10**11), st.integers(1, 100), RATES)
def test_fair_parts_fit_together(limit: int, open_batches: int, rate: float) -> None:
    """As many batches of fair size as may be in flight are no more than the limit; two of the open ones wait."""
    in_flight = min(max(open_batches - 2, 1), 16)
    size = fair_bytes(limit, open_batches, rate)
    whole = size * rate * in_flight

    assert size >= 1
    assert size == 1 or in_flight * (estimated(math.floor(size), rate) - 1) <= limit
    assert size == 1 or whole >= limit - in_flight * (rate + 1)


def test_without_a_limit_a_file_may_be_as_large_as_it_likes() -> None:
    """Nobody shares what nobody limits."""
    assert math.inf == fair_bytes(None, 10, 0.3)


# --- what fits


@given(TOKENS, st.integers(0, 10**10), TOKENS)
def test_the_limit_is_never_passed_but_by_a_batch_that_goes_alone(tokens: int, enqueued: int, limit: int) -> None:
    """What is larger than the whole limit would never be sent otherwise."""
    assert fits(tokens, enqueued, limit) == (enqueued + tokens <= limit or enqueued == 0)


@given(TOKENS, st.integers(0, 10**10))
def test_without_a_limit_everything_fits(tokens: int, enqueued: int) -> None:
    """Neither config nor vendor has named one."""
    assert fits(tokens, enqueued, None)


@given(MAYBE, LEARNT)
def test_the_smaller_of_the_limits_counts(configured: int | None, learnt: Learnt) -> None:
    """The config's is never passed, whatever was learnt."""
    known = {configured, learnt.tokens} - {None}
    limit = limit_of(configured, learnt)

    assert (None if not known else min(known)) == limit  # type: ignore[type-var]


def test_what_is_enqueued_is_what_all_tasks_have_there() -> None:
    """The limit is the account's, not the task's."""
    assert 7 == Standing(in_flight={"a": 3, "b": 4}).enqueued


# --- what refusals teach


@given(LEARNT, MAYBE, REFUSED)
def test_a_refusal_never_raises_the_limit(learnt: Learnt, configured: int | None, refused: Refused) -> None:
    """It falls, or stays; to something."""
    known = limit_of(configured, learnt)
    after = limit_of(configured, lowered(learnt, configured, refused))

    assert after is not None or (known is None and refused.told is not None and refused.age >= learnt.age)
    assert after is None or 1 <= after <= (known or after)


@given(TOKENS, TOKENS, st.booleans(), AGES)
def test_a_limit_that_is_told_is_believed(told: int, more: int, was_told: bool, age: float) -> None:  # noqa: FBT001
    """The vendor's own number, where it is less than what was known."""
    learnt = Learnt(told + more, was_told, age)

    assert Learnt(told, told=True, age=0.0) == lowered(learnt, None, Refused(1, told + 1, told, age=0.0))
    assert Learnt(told, told=True, age=0.0) == lowered(Learnt(), told + more, Refused(1, 5, told, age=0.0))


@given(st.integers(100, 10**10), st.floats(1.0, 1.5))
def test_a_refusal_without_a_number_takes_a_fifth_of_what_was_tried(attempted: int, known: float) -> None:
    """Never all of it: the batch itself must fit."""
    tokens = attempted // 50
    refused = Refused(tokens, attempted, None, age=0.0)
    after = lowered(Learnt(int(attempted * known)), None, refused).tokens or 0

    assert after < attempted
    assert int(0.8 * attempted) <= after
    assert tokens <= after


def test_a_refusal_within_the_limit_that_was_told_is_somebody_elses_batch() -> None:
    """What others enqueue, or our estimate misses, takes a little of the limit."""
    learnt = Learnt(1000, told=True, age=HOUR)

    after = lowered(learnt, None, Refused(100, 900, 1000, age=60.0))

    assert 800 < (after.tokens or 0) < 900


def test_what_was_sent_before_the_limit_was_told_teaches_nothing_more() -> None:
    """Ten batches sent at once are refused for one reason; it is not learnt ten times."""
    learnt = Learnt(1000, told=True, age=60.0)

    assert learnt == lowered(learnt, None, Refused(100, 900, 1000, age=90.0))


@given(LEARNT, MAYBE, st.lists(REFUSED, max_size=60))
def test_no_number_of_refusals_ends_with_nothing(
    learnt: Learnt, configured: int | None, refusals: list[Refused]
) -> None:
    """However often it is refused, something may be sent."""
    for refused in refusals:
        learnt = lowered(learnt, configured, refused)
        assert learnt.tokens is None or learnt.tokens >= 1


# --- probing upwards


@given(LEARNT, MAYBE)
def test_a_probe_is_small_and_never_passes_the_configured_limit(learnt: Learnt, configured: int | None) -> None:
    """A few percent at a time."""
    higher = probed(learnt, configured)

    if higher is not None:
        assert learnt.tokens is not None
        assert higher.tokens is not None
        assert learnt.tokens < higher.tokens <= learnt.tokens * 1.06 + 2
        assert configured is None or higher.tokens <= configured


@pytest.mark.parametrize(
    ("learnt", "is_due"),
    [
        (Learnt(1000, told=False, age=60.0), False),
        (Learnt(1000, told=False, age=HOUR), True),
        (Learnt(1000, told=True, age=HOUR), False),
        (Learnt(1000, told=True, age=DAY), True),
        (Learnt(), False),
    ],
)
def test_a_limit_is_tried_higher_after_a_while(learnt: Learnt, is_due: bool) -> None:  # noqa: FBT001
    """Sooner where it was only guessed; a limit that nobody refused is no learnt one."""
    assert is_due == (probed(learnt, None) is not None)


def test_probing_finds_the_limit_again_and_ends_there() -> None:
    """From a twentieth of the configured limit back to it, step by step."""
    learnt, steps = Learnt(50, told=False, age=DAY), 0
    while (higher := probed(learnt, 1000)) is not None:
        learnt, steps = Learnt(higher.tokens, higher.told, age=DAY), steps + 1

    assert 1000 == learnt.tokens
    assert steps < 80


# --- the vendor's words


@pytest.mark.parametrize(
    ("message", "limit"),
    [
        (
            "Enqueued token limit reached for gpt-6-luna in organization org-1. Limit: 2000 enqueued tokens. Please …",
            2000,
        ),
        ("Limit: 2,000,000 enqueued tokens.", 2_000_000),
        ("The number of enqueued tokens has surpassed the configured limit of 200,000.", 200_000),
        ("The number of enqueued tokens has surpassed the configured limit", None),
        ("Enqueued token limit reached for gpt-6-luna", None),
        ("Limit: 0 enqueued tokens", None),
        ("the limit is 2M tokens", None),
        ("the limit is 2 million tokens", None),
        ("a limit of 1.5 million", None),
        ("Limit: 5,000K.", None),
        ("unlimited 5", None),
        ("", None),
    ],
)
def test_the_limit_is_read_from_the_vendors_words_where_it_stands_there(message: str, limit: int | None) -> None:
    """Its number, and no other one: not a model's version."""
    assert limit == told_limit(message)


@given(st.text())
def test_no_words_of_a_vendor_break_anything(message: str) -> None:
    """A limit is a number that a ledger can hold."""
    limit = told_limit(f"Limit: {message}")

    assert limit is None or 0 < limit < 2**63


# --- what is refused for its own size


@pytest.mark.parametrize(
    ("entry", "requests", "attempt", "told", "by_rows"),
    [
        (Enqueued(1, "m", 900, 0), 10, 1, 1000, False),  # it fits alone: it waits for the others
        (Enqueued(1, "m", 1100, 0), 10, 1, 1000, True),
        (Enqueued(1, "m", 1100, 5000), 10, 1, 1000, True),  # it will be refused however often it is sent
        (Enqueued(1, "m", 1100, 0), 1, 1, 1000, False),  # a single request can't be divided
        (Enqueued(1, "m", 1100, 0), 10, 1, None, False),  # the vendor may not have freed the last one yet
        (Enqueued(1, "m", 1100, 0), 10, 3, None, True),
        (Enqueued(1, "m", 1100, 500), 10, 3, None, False),
    ],
)
def test_a_batch_that_can_only_be_refused_goes_again_in_smaller_files(
    entry: Enqueued, requests: int, attempt: int, told: int | None, *, by_rows: bool
) -> None:
    """Not where it is the others' tokens that were too many."""
    assert by_rows == goes_by_rows(entry, requests, attempt, told)


def test_a_model_is_named_as_the_ledger_can_hold_it() -> None:
    """Moderations need none; no name breaks an INSERT."""
    assert ("", "m", 200) == (model_of(None), model_of("m"), len(model_of("m" * 300)))
