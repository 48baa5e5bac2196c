"""Guards: a row that changed in any way has another guard, and one that did not has the same."""

import datetime as dt
import decimal
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.core.guards import GUARD_BYTES, guard_of

PLAIN_VALUES = st.none() | st.text() | st.integers() | st.binary() | st.floats(allow_nan=False)


@given(st.lists(PLAIN_VALUES))
def test_the_same_row_has_the_same_guard(values: list[Any]) -> None:
    """A guard is a fixed-length hash of what was read, and of nothing else."""
    guard = guard_of(values)

    assert guard_of(iter(list(values))) == guard
    assert len(guard) == 2 * GUARD_BYTES
    assert set(guard) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("0", 0), (0, None), (1, "1"), (1, 1.0), (1, None), (None, ""), (None, "None"), ("", b""),
        ("a", b"a"), (decimal.Decimal(1), 1), (decimal.Decimal(1), "1"), (dt.date(2026, 1, 1), "2026-01-01"),
        (dt.datetime(2026, 1, 1), dt.date(2026, 1, 1)),  # noqa: DTZ001 - databases give times without zones
        (dt.time(1, 2), dt.time(1, 3)), (uuid.UUID(int=1), uuid.UUID(int=2)),
        (uuid.UUID(int=1), str(uuid.UUID(int=1))),
        ("a", "a "), ("a", "A"), ("é", "e\u0301"), (1.5, 1.5000000000000002), (2**53, 2**53 + 1),
        (decimal.Decimal("1" * 37 + "1"), decimal.Decimal("1" * 37 + "2")),
    ],
)  # fmt: skip
def test_values_that_differ_have_other_guards(before: object, after: object) -> None:
    """Type, NULL, case, spaces, normal form and the last digit all count."""
    assert guard_of([before]) != guard_of([after])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (True, 1),
        (False, 0),
        (decimal.Decimal("1.50"), decimal.Decimal("1.5")),
        (b"ab", memoryview(b"ab")),
        (b"ab", bytearray(b"ab")),
    ],
)
def test_two_ways_to_say_one_value_have_one_guard(one: object, other: object) -> None:
    """What a driver may give in two shapes is no change of the row."""
    assert guard_of([one]) == guard_of([other])


@given(st.lists(PLAIN_VALUES), st.lists(PLAIN_VALUES))
def test_rows_that_differ_have_other_guards(first: list[Any], second: list[Any]) -> None:
    """Two rows have one guard only if they agree in every value, type and place."""
    same = [(type(value), value) for value in first] == [(type(value), value) for value in second]
    # -0.0 equals 0.0 and is written another way; that is a change too.
    same = same and repr(first) == repr(second)

    assert (guard_of(first) == guard_of(second)) == same


# Letters that also mark types, in which a border could hide.
SHORT = st.text("s0ib", max_size=4)


@given(SHORT, SHORT, SHORT)
def test_neighbouring_values_cannot_run_together(first: str, second: str, third: str) -> None:
    """("as", "b") is not ("a", "sb"), nor any other way to cut one text in two."""
    equal = guard_of([first + second, third]) == guard_of([first, second + third])

    assert equal == (second == "")


def test_a_border_cannot_be_forged() -> None:
    """A text that looks like the mark between two values is still one text."""
    assert guard_of(["as", "b"]) != guard_of(["a", "sb"])
    assert guard_of(["a", "b"]) != guard_of(["asb"])


def test_the_order_of_the_columns_counts() -> None:
    """Values that changed places are a change."""
    assert guard_of(["a", "b"]) != guard_of(["b", "a"])
    assert guard_of([]) != guard_of([None])


def test_a_value_of_any_other_type_is_guarded_too() -> None:
    """Durations, arrays and what else a driver gives count by how they are written."""
    assert guard_of([dt.timedelta(1)]) == guard_of([dt.timedelta(1)])
    assert guard_of([dt.timedelta(1)]) != guard_of([dt.timedelta(2)])
    assert guard_of([["a"]]) != guard_of([["b"]])
