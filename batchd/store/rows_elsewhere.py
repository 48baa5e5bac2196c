"""The rows of a task whose answers go to another table, so that its own may be a view, or one that nobody may change.

Only what is written can be locked. So the other table's rows are locked first, by the same key, and the task's own
rows are read after that, in the same transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection
from sqlalchemy.exc import DBAPIError

from batchd.core.guards import guard_of
from batchd.core.keys import RowKey
from batchd.core.model import KeyPage, OpenRequest, RowNow, SourceRow
from batchd.core.tasks import KeyColumn, Target, TaskDefinition
from batchd.errors import DataRefusedError, KeyTakenError
from batchd.store.dialects.base import Fault, LedgerDialect
from batchd.store.dialects.row_write import RowWrite
from batchd.store.keyed import KeyedTable, table_clause
from batchd.store.rows import SqlRows, values_refused

Standing = dict[tuple[int, str], dict[str, Any]]


class SqlRowsElsewhere(SqlRows):
    """Reads the rows of one task, and fills rows of another table that are there, or adds rows to it."""

    def __init__(
        self,
        connection: Connection,
        dialect: LedgerDialect,
        task_id: int,
        definition: TaskDefinition,
        target: Target,
    ) -> None:
        super().__init__(connection, dialect, task_id, definition)
        self._adds = target.mode == "insert"
        clause = table_clause(dialect, target.table, target.table_schema, target.key, definition.outputs)
        self._target = KeyedTable(connection, dialect, clause, target.key)

    @property
    def _wanted(self) -> ColumnElement[Any]:
        """Pending, and its row in the other table is there to be filled, or yet to be added."""
        there = row_there(self._target, self._source)
        return sa.and_(self._pending, ~there if self._adds else there)

    def claimable_rows(self, after: tuple[Any, ...] | None, limit: int) -> tuple[KeyPage, list[SourceRow]]:
        """In two looks, for two tables are to be read."""
        page = self.claimable(after, limit)
        return page, self.read(page.keys)

    def read(self, keys: Sequence[RowKey]) -> list[SourceRow]:
        """The rows in the order of ``keys``; those that vanished, or have no row to fill, are left out."""
        standing = self._standing(keys)
        found = {key.identity: row for key, row in self._source.find(keys, self._inputs)}
        return [
            SourceRow(key, dict(zip(self._inputs, row, strict=True)), _guard(row, standing.get(key.identity)), None)
            for key in keys
            if (row := found.get(key.identity)) is not None and (self._adds or key.identity in standing)
        ]

    def lock(self, requests: Sequence[OpenRequest]) -> dict[tuple[int, str], RowNow]:
        """Locks what is to be filled, then reads the rows; one that has no row to fill is gone."""
        keys = [one.key for one in requests]
        standing = self._standing(keys, locked=True)
        return {
            key.identity: self._now(key, row, standing.get(key.identity))
            for key, row in self._source.find(keys, self._inputs, self._flag())
            if self._adds or key.identity in standing
        }

    def _now(self, key: RowKey, row: tuple[Any, ...], standing: dict[str, Any] | None) -> RowNow:
        *inputs, flag = row
        if self._adds:
            # Somebody else has added it: there is nothing left to be done.
            pending, before = bool(flag) and standing is None, None
        else:
            pending, before = bool(flag), standing
        return RowNow(key, pending, _guard(inputs, standing), None, before)

    def _standing(self, keys: Sequence[RowKey], *, locked: bool = False) -> Standing:
        """What stands in the other table: the columns to be written, or only that there is a row already."""
        names = () if self._adds else self._outputs
        # A row that is not there can't be locked; the other table's unique key keeps it from being added twice.
        rows = self._target.find(keys, names, locked=locked and not self._adds)
        return {key.identity: dict(zip(names, row, strict=True)) for key, row in rows}

    def write(self, values: Sequence[tuple[RowKey, Mapping[str, Any]]]) -> None:
        """Writes answers and markers. Raises DataRefusedError where the values, or the keys, are refused."""
        super().write(values)
        if self._adds:
            self._check_kept([key for key, _ in values])

    def _check_kept(self, keys: Sequence[RowKey]) -> None:
        """A column may round or cut what it is given without a word; its row would be somebody else's."""
        if len(self._standing(keys)) != len(keys):
            raise DataRefusedError("a column of the key keeps another value than it was given")

    def _put(self, write: RowWrite) -> int:
        write = replace(write, table=self._target.clause, keys=self._target.key)
        if not self._adds:
            return self._dialect.update_rows(self._connection, write)
        try:
            return self._dialect.insert_rows(self._connection, write)
        except DBAPIError as error:
            if self._dialect.fault(error) is Fault.DUPLICATE:
                raise KeyTakenError(values_refused(self._dialect.code(error))) from error
            raise


def _guard(inputs: Sequence[Any], standing: dict[str, Any] | None) -> str:
    """Over what was read, and over what is about to be overwritten; the two may share names."""
    return guard_of([*inputs, *(standing or {}).values()])


def row_there(target: KeyedTable, source: KeyedTable) -> ColumnElement[bool]:
    """The other table has a row of the same key."""
    parts = zip(source.keys, target.keys, target.key, strict=True)
    same = (_alike(own, kind) == other for own, other, kind in parts)
    there: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(target.clause).where(*same)
    return there.correlate(source.clause).exists()


def _alike(column: ColumnElement[Any], other: KeyColumn) -> ColumnElement[Any]:
    # Two columns of different collations don't compare by themselves; the other table's index is the one to be used.
    return sa.collate(column, other.collation) if other.collation else column
