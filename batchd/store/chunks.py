"""Splits long lists, since databases limit the parameters of a statement (SQL Server: 2,100)."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import ColumnElement

T = TypeVar("T")
_NUMBERS = 900
# SQL Server locks the whole table for a statement that would take 5,000 locks.
_RUN = 4000


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Runs of at most ``size`` items, in order; none for an empty list."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def portions(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The same of items that are made only as they are taken: never more than one run of them is in memory."""
    taken = iter(items)
    while portion := list(islice(taken, size)):
        yield portion


def numbered(column: ColumnElement[Any], numbers: Sequence[int]) -> Iterator[ColumnElement[bool]]:
    """Conditions that together find these whole numbers: one for a run without gaps, which most are, else a few."""
    ordered = sorted(set(numbers))
    if ordered and ordered[-1] - ordered[0] + 1 == len(ordered):
        for run in chunks(ordered, _RUN):
            yield column.between(run[0], run[-1])
        return
    for some in chunks(ordered, _NUMBERS):
        yield column.in_(list(some))
