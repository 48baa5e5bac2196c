"""Outcomes: what each means for its row, and that no row is paid for over and over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.core.outcomes import (
    LONGEST_DELAY,
    RULES,
    GateState,
    GateVerdict,
    Limits,
    Outcome,
    Tries,
    growing_delay,
    settle_gate,
)

SENT = [one for one in Outcome if one not in {Outcome.UNRENDERABLE, Outcome.TOO_LARGE}]
LIMITS = Limits(max_attempts=3, max_resends=10)
PAID = {"applied", "stale", "gone", "invalid", "truncated", "refused", "poison", "conflict", "missing"}
RETRIED = {"stale", "invalid", "errored", "expired", "missing", "unsent"}
KEPT = PAID - {"applied", "missing"} | {"rejected", "errored"}


def test_every_outcome_has_a_rule() -> None:
    """The list is closed: nothing that can happen to a request is without a meaning."""
    assert set(Outcome) == set(RULES)
    assert all(rule.meaning for rule in RULES.values())


def test_the_rules_are_those_that_are_promised() -> None:
    """Which outcomes cost a try, come again by themselves, and keep what was paid for."""
    assert {one.value for one, rule in RULES.items() if rule.paid} == PAID
    assert {one.value for one, rule in RULES.items() if rule.retried} == RETRIED
    assert {one.value for one, rule in RULES.items() if rule.keeps_result} == KEPT


def test_an_outcome_that_ends_in_failure_says_what_to_do() -> None:
    """Whatever is neither a success nor due again by itself has a next step for a person."""
    silent = {one for one, rule in RULES.items() if not rule.next_step and not rule.retried}

    assert silent == {Outcome.APPLIED, Outcome.GONE}


@pytest.mark.parametrize("outcome", list(Outcome))
def test_an_outcome_counts_one_try(outcome: Outcome) -> None:
    """Either a paid one or an unpaid one, by its rule."""
    expected = Tries(3, 5) if RULES[outcome].paid else Tries(2, 6)

    assert expected == Tries(2, 5).after(outcome)


@pytest.mark.parametrize(
    ("outcome", "still_pending", "state"),
    [
        (Outcome.APPLIED, False, None),
        (Outcome.APPLIED, True, GateState.DONE),
        (Outcome.GONE, False, None),
        (Outcome.GONE, True, None),
        (Outcome.STALE, False, None),
        (Outcome.STALE, True, GateState.RETRY),
        (Outcome.INVALID, True, GateState.RETRY),
        (Outcome.INVALID, False, GateState.RETRY),
        (Outcome.TRUNCATED, True, GateState.FAILED),
        (Outcome.REFUSED, True, GateState.FAILED),
        (Outcome.POISON, True, GateState.FAILED),
        (Outcome.CONFLICT, True, GateState.FAILED),
        (Outcome.REJECTED, True, GateState.FAILED),
        (Outcome.ERRORED, True, GateState.RETRY),
        (Outcome.EXPIRED, True, GateState.RETRY),
        (Outcome.CANCELLED, True, GateState.HELD),
        (Outcome.MISSING, True, GateState.RETRY),
        (Outcome.UNSENT, True, GateState.RETRY),
        (Outcome.UNRENDERABLE, True, GateState.FAILED),
        (Outcome.TOO_LARGE, True, GateState.FAILED),
    ],
)
def test_a_gate_after_the_first_try(outcome: Outcome, still_pending: bool, state: GateState | None) -> None:  # noqa: FBT001
    """The table of what becomes of a row, while no limit is reached."""
    verdict = settle_gate(outcome, Tries().after(outcome), LIMITS, still_pending=still_pending)

    assert state == verdict.state
    assert (verdict.delay > 0) == (state is GateState.RETRY)


@pytest.mark.parametrize("outcome", [Outcome(name) for name in sorted(RETRIED)])
def test_the_last_try_is_the_last(outcome: Outcome) -> None:
    """At the limit, the gate fails; one try before it, the row is due again."""
    limit = LIMITS.max_attempts if RULES[outcome].paid else LIMITS.max_resends + 1

    def state_after(tries: int) -> GateState | None:
        counted = Tries(paid=tries) if RULES[outcome].paid else Tries(unpaid=tries)
        return settle_gate(outcome, counted, LIMITS, still_pending=True).state

    assert [GateState.RETRY] * (limit - 1) == [state_after(tries) for tries in range(1, limit)]
    assert state_after(limit) == GateState.FAILED


def test_paid_tries_that_are_used_up_stop_free_ones_too() -> None:
    """A row with no paid try left is not sent again, since the next answer might cost."""
    verdict = settle_gate(Outcome.ERRORED, Tries(paid=3, unpaid=1), LIMITS, still_pending=True)

    assert GateVerdict(GateState.FAILED) == verdict


@given(
    st.lists(st.tuples(st.sampled_from(SENT), st.booleans()), max_size=60),
    st.integers(1, 5),
    st.integers(0, 12),
)
def test_no_row_is_tried_beyond_its_limits(
    happened: list[tuple[Outcome, bool]], max_attempts: int, max_resends: int
) -> None:
    """Whatever the vendor and the row do, paid and unpaid tries stay within the task's bounds."""
    limits, tries = Limits(max_attempts, max_resends), Tries()
    for outcome, still_pending in happened:
        tries = tries.after(outcome)
        if settle_gate(outcome, tries, limits, still_pending=still_pending).state is not GateState.RETRY:
            break

    assert tries.paid <= max_attempts
    assert tries.unpaid <= max_resends + 1


@given(
    st.sampled_from(list(Outcome)),
    st.integers(0, 20),
    st.integers(0, 20),
    st.booleans(),
)
def test_more_tries_never_make_a_row_due_again(
    outcome: Outcome,
    paid: int,
    unpaid: int,
    still_pending: bool,  # noqa: FBT001
) -> None:
    """A row that has failed at some count fails at every higher one."""

    def is_due(tries: Tries) -> bool:
        return settle_gate(outcome, tries, LIMITS, still_pending=still_pending).state is GateState.RETRY

    tries = Tries(paid, unpaid)
    assert is_due(tries) or not is_due(tries._replace(paid=paid + 1))
    assert is_due(tries) or not is_due(tries._replace(unpaid=unpaid + 1))


@given(st.integers(-1, 10_000), st.floats(0, 1e6))
def test_delays_grow_and_are_bounded(tried: int, first: float) -> None:
    """Each wait is at least the one before, and none is longer than six hours."""
    assert 0 <= growing_delay(tried, first) <= growing_delay(tried + 1, first) <= LONGEST_DELAY


def test_delays_double() -> None:
    """From the first delay on, until the bound."""
    assert [growing_delay(tried, 60.0) for tried in range(4)] == [60.0, 60.0, 120.0, 240.0]
    assert growing_delay(100) == LONGEST_DELAY
