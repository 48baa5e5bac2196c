"""Rows to be written, as every database is given them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, TableClause

from batchd.core.tasks import KeyColumn

# A row's key, and what its columns get.
Change = tuple[tuple[Any, ...], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class RowWrite:
    """Many rows of one table, found or added by key.

    Attributes:
        table: with every column that is named here.
        keys: the key's columns, in the order of each change's key.
        changes: at least one; each names the same columns.
        clocks: what is written to every row: SQL that tells the time.
    """

    table: TableClause
    keys: Sequence[KeyColumn]
    changes: Sequence[Change]
    clocks: Mapping[str, ColumnElement[Any]]

    @property
    def columns(self) -> list[str]:
        """The columns that each change names."""
        return list(self.changes[0][1])
