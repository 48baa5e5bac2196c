"""How long a batch is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.core.outcomes import LONGEST_DELAY
from batchd.core.pacing import LONGEST_POLL, poll_delay, submit_delay

SECONDS = st.floats(0, 1e6)


@given(SECONDS, SECONDS)
def test_a_look_is_never_sooner_than_asked_nor_much_later(age: float, check_interval: float) -> None:
    """The check interval is the shortest pause; ten minutes, or that interval, the longest."""
    assert check_interval <= poll_delay(age, check_interval) <= max(check_interval, LONGEST_POLL)


@given(SECONDS, SECONDS, SECONDS)
def test_older_batches_are_looked_at_no_more_often(age: float, older: float, check_interval: float) -> None:
    """The pause never shrinks with age."""
    assert poll_delay(age, check_interval) <= poll_delay(age + older, check_interval)


@pytest.mark.parametrize(("age", "pause"), [(0, 60), (240, 60), (1200, 300), (2400, 600), (86_400, 600)])
def test_the_pause_is_a_quarter_of_the_age(age: float, pause: float) -> None:
    """Between a minute and ten, by the age of the batch."""
    assert pause == poll_delay(age, 60)


def test_a_day_costs_few_looks() -> None:
    """A batch that takes the whole window is looked at some 150 times."""
    age, looks = 0.0, 0
    while age < 86_400:
        age, looks = age + poll_delay(age, 60), looks + 1

    assert 100 < looks < 200


@given(st.integers(1, 40), SECONDS, st.none() | SECONDS)
def test_what_the_vendor_asks_for_is_granted(attempt: int, interval: float, asked: float | None) -> None:
    """Never sooner than the vendor said, and bounded where it said nothing."""
    delay = submit_delay(attempt, interval, asked)

    assert delay >= (asked or 0)
    assert delay <= max(asked or 0, LONGEST_DELAY)


def test_repeated_submits_wait_longer_each_time() -> None:
    """The pause doubles from the check interval."""
    assert [submit_delay(attempt, 60) for attempt in (1, 2, 3)] == [60, 120, 240]


@given(SECONDS, SECONDS)
def test_where_others_wait_for_its_tokens_a_batch_is_looked_at_more_often(age: float, check_interval: float) -> None:
    """Within the same bounds: the vendor is asked no more often than the config says."""
    sooner = poll_delay(age, check_interval, wanted=True)

    assert check_interval <= sooner <= poll_delay(age, check_interval)


def test_what_is_freed_is_seen_soon() -> None:
    """The end of a batch of some hours is seen within a fiftieth of them."""
    assert 72 == poll_delay(3600, 60, wanted=True)
