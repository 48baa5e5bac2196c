"""Quiet hours: which moments they cover."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.core.quiet import quiet_hours

DAY = dt.date(2026, 11, 22)


def at(hour: int, minute: int = 0) -> dt.datetime:
    return dt.datetime.combine(DAY, dt.time(hour, minute), dt.UTC)


@pytest.mark.parametrize(
    ("hours", "moment", "expected"),
    [
        ("08:00-18:00", at(8), True),
        ("08:00-18:00", at(17, 59), True),
        ("08:00-18:00", at(18), False),
        ("08:00-18:00", at(7, 59), False),
        ("22:30-06:00", at(23), True),
        ("22:30-06:00", at(0), True),
        ("22:30-06:00", at(6), False),
        ("22:30-06:00", at(22, 29), False),
        (" 08:00 - 18:00 ", at(12), True),
        ("00:00-12:00", at(0), True),
    ],
)
def test_the_start_is_quiet_and_the_end_is_not(hours: str, moment: dt.datetime, *, expected: bool) -> None:
    """Also where they go past midnight."""
    assert expected == quiet_hours(hours).covers(moment)


@given(start=st.times(), end=st.times(), moment=st.times())
def test_what_is_not_quiet_one_way_round_is_quiet_the_other(start: dt.time, end: dt.time, moment: dt.time) -> None:
    """Each moment of a day belongs to one of the two."""
    one, other = f"{start:%H:%M}-{end:%H:%M}", f"{end:%H:%M}-{start:%H:%M}"
    now = dt.datetime.combine(DAY, moment, dt.UTC)
    if one == other:
        return

    assert quiet_hours(one).covers(now) is not quiet_hours(other).covers(now)


@pytest.mark.parametrize("hours", ["8:00-18:00", "08:00", "08:00-24:00", "08:00-08:00", "always", ""])
def test_what_is_no_time_of_day_is_refused(hours: str) -> None:
    """Hours without an end are a pause, which is another thing."""
    with pytest.raises(ValueError, match=r"times of day|pause"):
        quiet_hours(hours)
