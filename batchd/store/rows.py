"""The rows of one task: claimed, read, locked, written. Keys are compared and ordered by the database alone.

The pending predicate is the owner's SQL. It stands between line breaks in brackets, so that a trailing comment
ends, and only ever beside the task's own table, so that its column names mean that table's.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, TableClause
from sqlalchemy.exc import DBAPIError

from batchd.core.guards import guard_of
from batchd.core.keys import RowKey, UnusableKeyError
from batchd.core.model import KeyPage, OpenRequest, RowNow, SourceRow
from batchd.core.tasks import TaskDefinition
from batchd.errors import DatabaseError, DataRefusedError
from batchd.store import tables
from batchd.store.dialects.base import Fault, LedgerDialect
from batchd.store.dialects.row_write import Change, RowWrite
from batchd.store.gates import gated_identities
from batchd.store.keyed import Found, KeyedTable, table_clause

FLAG = "batchd_pending"
_PAGE = 5000
_LONGEST_GUARD = 64


def source_table(definition: TaskDefinition, dialect: LedgerDialect) -> TableClause:
    """The task's table with the columns batchd may touch."""
    others = [*definition.inputs, *(() if definition.target else definition.outputs)]
    others += [definition.guard_column] if definition.guard_column else []
    return table_clause(dialect, definition.table, definition.table_schema, definition.key, others)


def pending_clause(pending: str | None) -> ColumnElement[Any]:
    """The predicate as SQL; a task without one has every row pending."""
    return sa.literal_column(f"(\n{pending}\n)") if pending else sa.literal_column("(1 = 1)")


def values_refused(code: str) -> str:
    """Our sentence for values that the database refuses; its own words quote them."""
    return f"the database refused the values ({code})"


class SqlRows:
    """Reads and writes the rows of one task, in its own table."""

    def __init__(
        self, connection: Connection, dialect: LedgerDialect, task_id: int, definition: TaskDefinition
    ) -> None:
        self._connection = connection
        self._dialect = dialect
        self._task_id = task_id
        self._definition = definition
        self._source = KeyedTable(connection, dialect, source_table(definition, dialect), definition.key)
        self._keys = self._source.keys
        self._pending = pending_clause(definition.pending)

    @property
    def _wanted(self) -> ColumnElement[Any]:
        """What a row must be like to be claimed."""
        return self._pending

    def claimable(self, after: tuple[Any, ...] | None, limit: int) -> KeyPage:
        """Pending rows without a gate, in key order; only their keys, so that gated rows cost little."""
        query = sa.select(*self._keys).where(
            self._wanted, *(key.is_not(None) for key in self._keys), *self._beyond(after)
        )
        if self._definition.has_integer_key:
            query = query.where(~self._integer_gate())
        found = self._connection.execute(query.order_by(*self._keys).limit(limit)).all()
        keys, unusable = self._encoded(found)
        last = tuple(found[-1]) if len(found) == limit else None
        return KeyPage(tuple(self._ungated(keys)), last, unusable)

    def count_claimable(self) -> int:
        """How many pending rows are not in work, failed, held or done."""
        if self._definition.has_integer_key:
            query = (
                sa.select(sa.func.count())
                .select_from(self._source.clause)
                .where(self._wanted, self._keys[0].is_not(None), ~self._integer_gate())
            )
            return int(self._connection.scalar(query) or 0)
        return sum(len(page) for page in self._pages())

    def read(self, keys: Sequence[RowKey]) -> list[SourceRow]:
        """The rows in the order of ``keys``; those that vanished are left out."""
        found = {key.identity: row for key, row in self._source.find(keys, self._guarded())}
        return [self._source_row(key, found[key.identity]) for key in keys if key.identity in found]

    def pending_among(self, keys: Sequence[RowKey]) -> frozenset[tuple[int, str]]:
        """Identities of those keys whose row is pending now, and can be written."""
        return frozenset(key.identity for key, _ in self._source.find(keys, where=self._wanted))

    def pending_after(self, keys: Sequence[RowKey]) -> frozenset[tuple[int, str]]:
        """Identities of those keys whose row, just written, is still pending by the task's own condition."""
        return frozenset(key.identity for key, _ in self._source.find(keys, where=self._pending))

    def lock(self, requests: Sequence[OpenRequest]) -> dict[tuple[int, str], RowNow]:
        """Reads the rows under the lock. An equal guard column saves reading the inputs."""
        keys = [one.key for one in requests]
        if self._definition.guard_column is None:
            return {
                key.identity: self._row_now(key, row, guarded=True) for key, row in self._locked(keys, self._guarded())
            }
        seen = {one.key.identity: one.guard_value for one in requests}
        quick = [*self._definition.outputs, self._definition.guard_column]
        now = {key.identity: self._row_now(key, row, guarded=False) for key, row in self._locked(keys, quick)}
        moved = [
            row.key for row in now.values() if row.guard_value is None or row.guard_value != seen[row.key.identity]
        ]
        for key, row in self._locked(moved, self._guarded()):
            now[key.identity] = self._row_now(key, row, guarded=True)
        return now

    def write(self, values: Sequence[tuple[RowKey, Mapping[str, Any]]]) -> None:
        """Writes answers and markers. Raises DataRefusedError where the values are refused."""
        if not values:
            return
        clocks = {
            name: self._dialect.row_now(zoned=marker.zoned)
            for name, marker in self._definition.on_success.items()
            if marker.source == "now"
        }
        changes = [(self._source.codec.decode(key), columns) for key, columns in values]
        written = self._written(changes, clocks)
        if written != len(values):
            raise DatabaseError(
                f"table {self._definition.written_table}: {len(values)} rows were to be written, {written} were found; "
                "nothing of this step was kept",
                next_command="check that key names a unique key: batchd check-config",
            )

    def _written(self, changes: Sequence[Change], clocks: Mapping[str, ColumnElement[Any]]) -> int:
        # Here, and not for every statement: a constraint of the ledger that fails is not the row's fault.
        try:
            return self._put(changes, clocks)
        except DBAPIError as error:
            if self._dialect.fault(error) in {Fault.DATA, Fault.DUPLICATE}:
                raise DataRefusedError(values_refused(self._dialect.code(error))) from error
            raise

    def _put(self, changes: Sequence[Change], clocks: Mapping[str, ColumnElement[Any]]) -> int:
        """Writes, in the database's own way; returns how many rows were found."""
        write = RowWrite(self._source.clause, self._source.key, changes, clocks)
        return self._dialect.update_rows(self._connection, write)

    def _guarded(self) -> list[str]:
        guard = [self._definition.guard_column] if self._definition.guard_column else []
        return list(dict.fromkeys([*self._definition.inputs, *self._definition.outputs, *guard]))

    def _locked(self, keys: Sequence[RowKey], names: Sequence[str]) -> Found:
        return self._source.find(keys, names, self._flag(), locked=True)

    def _flag(self) -> ColumnElement[Any]:
        return sa.case((self._pending, 1), else_=0).label(FLAG)

    def _beyond(self, after: tuple[Any, ...] | None) -> list[ColumnElement[bool]]:
        # a >= x AND (a > x OR (b >= y AND (b > y OR …))): the one form that every database can seek with.
        if after is None:
            return []
        beyond = self._keys[-1] > after[-1]
        for column, part in zip(reversed(self._keys[:-1]), reversed(after[:-1]), strict=True):
            beyond = sa.and_(column >= part, sa.or_(column > part, beyond))
        return [beyond]

    def _integer_gate(self) -> ColumnElement[bool]:
        gate = tables.gate
        return sa.exists().where(
            gate.c.task_id == self._task_id, gate.c.key_int == self._keys[0], gate.c.key_hash == ""
        )

    def _ungated(self, keys: Sequence[RowKey]) -> Sequence[RowKey]:
        if self._definition.has_integer_key or not keys:
            return keys
        gated = gated_identities(self._connection, self._task_id, keys)
        return [key for key in keys if key.identity not in gated]

    def _pages(self) -> Iterator[Sequence[RowKey]]:
        page = self.claimable(None, _PAGE)
        yield page.keys
        while page.last is not None:
            page = self.claimable(page.last, _PAGE)
            yield page.keys

    def _encoded(self, rows: Sequence[Any]) -> tuple[list[RowKey], int]:
        keys, unusable = [], 0
        for row in rows:
            try:
                keys.append(self._source.codec.encode(tuple(row)))
            except UnusableKeyError:
                unusable += 1
        return keys, unusable

    def _source_row(self, key: RowKey, row: Mapping[str, Any]) -> SourceRow:
        return SourceRow(
            key=key,
            inputs={name: row[name] for name in self._definition.inputs},
            guard=self._guard(row),
            guard_value=self._guard_value(row),
        )

    def _row_now(self, key: RowKey, row: Mapping[str, Any], *, guarded: bool) -> RowNow:
        return RowNow(
            key=key,
            pending=bool(row[FLAG]),
            guard=self._guard(row) if guarded else None,
            guard_value=self._guard_value(row),
            before={name: row[name] for name in self._definition.outputs},
        )

    def _guard(self, row: Mapping[str, Any]) -> str:
        names = dict.fromkeys([*self._definition.inputs, *self._definition.outputs])
        return guard_of(row[name] for name in names)

    def _guard_value(self, row: Mapping[str, Any]) -> str | None:
        if self._definition.guard_column is None:
            return None
        value = row[self._definition.guard_column]
        if value is None:
            return None
        text = value.hex() if isinstance(value, bytes) else str(value)
        # The ledger's column has an end, a user's need not have one; and what is long may be content of the row. Of
        # what can't be printed, half a character can't be kept.
        return text if len(text) <= _LONGEST_GUARD and text.isprintable() else guard_of([value])
