"""Whose batch is sent next: shares by weight, small ones past large ones, and nobody waits for ever."""

import itertools
import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.core.shares import Candidate, plan

TOKENS = st.integers(1, 500)
CANDIDATES = st.lists(
    st.builds(
        Candidate,
        batch_id=st.integers(1, 10**6),
        task=st.sampled_from("abc"),
        weight=st.sampled_from([0.5, 1.0, 3.0]),
        tokens=TOKENS,
        had_turn=st.booleans(),
        passed=st.integers(0, 2000),
    ),
    max_size=12,
    unique_by=lambda one: one.batch_id,
)
IN_FLIGHT = st.dictionaries(st.sampled_from("abc"), st.integers(0, 500))
LIMITS = st.integers(1, 1000)


def one(number: int, tokens: int, task: str = "a", weight: float = 1.0, *, passed: int | None = None) -> Candidate:
    """A candidate; ``passed`` says that it had its turn."""
    return Candidate(number, task, weight, tokens, had_turn=passed is not None, passed=passed or 0)


@given(CANDIDATES, IN_FLIGHT, LIMITS)
def test_no_plan_passes_the_limit(candidates: list[Candidate], in_flight: dict[str, int], limit: int) -> None:
    """At each step: what is sent fits beside what is there, or nothing is there."""
    tokens, enqueued = {one.batch_id: one.tokens for one in candidates}, sum(in_flight.values())
    send = plan(candidates, in_flight, limit).send
    levels = list(itertools.accumulate((tokens[number] for number in send), initial=enqueued))

    assert len(set(send)) == len(send)
    assert all(after <= limit or before == 0 for before, after in itertools.pairwise(levels))


@given(CANDIDATES, IN_FLIGHT, LIMITS)
def test_nothing_that_fits_is_left_behind_but_for_one_that_has_waited(
    candidates: list[Candidate], in_flight: dict[str, int], limit: int
) -> None:
    """An idle quota is a promise broken: whatever fits is sent, unless a batch has waited its whole turn."""
    planned = plan(candidates, in_flight, limit)
    left = [one for one in candidates if one.batch_id not in planned.send]
    enqueued = sum(in_flight.values()) + sum(one.tokens for one in candidates if one.batch_id in planned.send)
    waited = {one.batch_id for one in left if one.had_turn and one.passed >= limit}

    assert planned.turn is None or planned.turn in {one.batch_id for one in candidates}
    if not waited:
        assert all(enqueued + one.tokens > limit for one in left)
    else:
        assert planned.turn in waited


@given(CANDIDATES, IN_FLIGHT)
def test_without_a_limit_everything_is_sent(candidates: list[Candidate], in_flight: dict[str, int]) -> None:
    """In shares even so: the vendor runs first what it gets first."""
    assert {one.batch_id for one in candidates} == set(plan(candidates, in_flight, None).send)


def test_within_a_task_the_oldest_goes_first() -> None:
    """Batches are sent as they were built."""
    assert (1, 2, 3) == plan([one(3, 10), one(1, 10), one(2, 10)], {}, 30).send


def test_the_task_with_the_least_in_flight_for_its_weight_is_next() -> None:
    """A task of twice the weight gets twice as much."""
    light = [one(number, 10, "light", 1.0) for number in range(1, 10)]
    heavy = [one(number, 10, "heavy", 2.0) for number in range(11, 20)]

    sent = plan([*light, *heavy], {}, 90).send

    assert Counter(light=3, heavy=6) == Counter("light" if number < 10 else "heavy" for number in sent)


def test_a_small_batch_passes_one_that_does_not_fit_yet() -> None:
    """It would finish sooner; the one that waits keeps its turn."""
    planned = plan([one(1, 80), one(2, 20)], {"a": 60}, 100)

    assert ((2,), 1) == (planned.send, planned.turn)


def test_what_has_been_passed_by_a_whole_quota_is_passed_no_more() -> None:
    """Everything waits for it then, until it fits."""
    waiting = [one(1, 80, passed=100), one(2, 20)]

    assert ((), 1) == (plan(waiting, {"a": 60}, 100).send, plan(waiting, {"a": 60}, 100).turn)
    assert (1, 2) == plan(waiting, {"a": 0}, 100).send


def test_a_batch_larger_than_the_limit_goes_alone() -> None:
    """Otherwise it would never go."""
    assert () == plan([one(1, 200)], {"a": 1}, 100).send
    assert (1,) == plan([one(1, 200), one(2, 10)], {}, 100).send


@pytest.mark.parametrize("seed", range(5))
def test_no_batch_and_no_task_waits_for_ever(seed: int) -> None:
    """A large batch of a light task, among a never ending stream of small ones of a heavy task, is sent."""
    chance = random.Random(seed)  # noqa: S311 - a draw, no secret
    limit, large = 1000, one(0, 900, "light", 0.1)
    running: list[Candidate] = []
    numbers, passed, sent_past = itertools.count(1), 0, 0
    waiting = [one(next(numbers), chance.randint(50, 250), "heavy", 10.0) for _ in range(8)]
    running, waiting = waiting[:4], waiting[4:]
    for _ in range(200):
        in_flight = Counter({"heavy": sum(one.tokens for one in running)})
        planned = plan([large, *waiting], in_flight, limit)
        if 0 in planned.send:
            break
        if planned.turn == 0 or large.had_turn:
            large = replace(large, had_turn=True, passed=passed)
        sent = [one for one in waiting if one.batch_id in planned.send]
        passed, sent_past = passed + sum(one.tokens for one in sent), sent_past + len(sent)
        waiting = [one for one in waiting if one not in sent]
        running += sent
        running.pop(chance.randrange(len(running))) if running else None
        waiting.append(one(next(numbers), chance.randint(50, 250), "heavy", 10.0))
    else:
        pytest.fail(f"it was passed by {sent_past} batches of {passed} tokens, and is still not sent")

    assert passed <= 2 * limit
