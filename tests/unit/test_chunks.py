"""Long lists, split; and whole numbers found by as few conditions as will do."""

import sqlite3

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from batchd.store.chunks import chunks, numbered

_COLUMN: sa.ColumnElement[int] = sa.column("n", sa.Integer())


def found(numbers: list[int]) -> list[int]:
    """What a table of 1 to 40 gives for them."""
    database = sqlite3.connect(":memory:")
    database.execute(
        "CREATE TABLE t AS WITH RECURSIVE s (n) AS (SELECT 1 UNION SELECT n + 1 FROM s WHERE n < 40) SELECT n FROM s"
    )
    conditions = [str(one.compile(compile_kwargs={"literal_binds": True})) for one in numbered(_COLUMN, numbers)]
    return [n for one in conditions for (n,) in database.execute(f"SELECT n FROM t WHERE {one} ORDER BY n")]


@given(st.lists(st.integers(1, 40)))
def test_exactly_these_numbers_are_found(numbers: list[int]) -> None:
    """Each once, in whatever order and however often they are named."""
    assert sorted(set(numbers)) == found(numbers)


def test_a_run_without_gaps_is_one_short_condition() -> None:
    """A chunk of a batch nearly always is one, and a statement of two numbers is sooner read than one of thousands."""
    assert ["n BETWEEN :n_1 AND :n_2"] == [str(one) for one in numbered(_COLUMN, range(5, 2005))]


@given(st.lists(st.integers()), st.integers(1, 9))
def test_chunks_are_the_list_in_order(items: list[int], size: int) -> None:
    """None is lost, and none is longer than asked for."""
    parts = [list(part) for part in chunks(items, size)]

    assert items == [item for part in parts for item in part]
    assert all(1 <= len(part) <= size for part in parts)
