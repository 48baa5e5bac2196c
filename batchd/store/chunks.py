"""Splits long lists, since databases limit the parameters of a statement (SQL Server: 2,100)."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Runs of at most ``size`` items, in order; none for an empty list."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
