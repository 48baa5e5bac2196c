"""Rows to be written, as every database is given them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, TableClause

from batchd.core.tasks import KeyColumn


@dataclass(frozen=True, slots=True)
class RowWrite:
    """Many rows of one table, found or added by key.

    Attributes:
        table: with every column that is named here.
        keys: the key's columns.
        columns: what is written beside the key.
        rows: at least one; each has the key's parts, in the order of ``keys``, then a value for each of ``columns``.
        clocks: what is written to every row: SQL that tells the time.
        unset: a column that must be NULL where a row is changed; rows in which it is not are passed over.
    """

    table: TableClause
    keys: Sequence[KeyColumn]
    columns: Sequence[str]
    rows: Sequence[tuple[Any, ...]]
    clocks: Mapping[str, ColumnElement[Any]]
    unset: str | None = None

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """The condition of ``unset``, where there is one."""
        return [] if self.unset is None else [self.table.c[self.unset].is_(None)]

    @property
    def names(self) -> list[str]:
        """Names of what each row has, in its order."""
        return [*(key.name for key in self.keys), *self.columns]
