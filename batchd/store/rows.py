"""The rows of one task: claimed, read, locked, written. Keys are compared and ordered by the database alone.

The pending predicate is the owner's SQL. It stands between line breaks in brackets, so that a trailing comment
ends, and only ever beside the task's own table, so that its column names mean that table's.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Select, TableClause
from sqlalchemy.exc import DBAPIError

from batchd.core.guards import guard_of
from batchd.core.keys import RowKey, UnusableKeyError
from batchd.core.model import KeyPage, OpenRequest, RowNow, SourceRow
from batchd.core.tasks import TaskDefinition
from batchd.errors import DatabaseError, DataRefusedError
from batchd.store import tables
from batchd.store.dialects.base import Fault, LedgerDialect
from batchd.store.dialects.row_write import RowWrite
from batchd.store.gates import gated_identities
from batchd.store.keyed import KeyedTable, table_clause

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
        # Read once: a task is asked for them with every row.
        self._inputs, self._outputs = definition.inputs, definition.outputs
        self._whole = _Look((*self._inputs, *self._outputs), self._outputs, definition.guard_column)
        self._quick = _Look(self._outputs, self._outputs, definition.guard_column)

    @property
    def _wanted(self) -> ColumnElement[Any]:
        """What a row must be like to be claimed."""
        return self._pending

    def claimable(self, after: tuple[Any, ...] | None, limit: int) -> KeyPage:
        """Pending rows without a gate, in key order; only their keys, so that gated rows cost little."""
        found = self._connection.execute(self._claimable((), after, limit)).all()
        keys = [key for key, _ in self._encoded(found)]
        return KeyPage(tuple(self._ungated(keys)), self._last(found, limit), len(found) - len(keys))

    def claimable_rows(self, after: tuple[Any, ...] | None, limit: int) -> tuple[KeyPage, list[SourceRow]]:
        """The same with the rows as :meth:`read` gives them; in one look, where the database leaves out the gated."""
        if not self._definition.has_integer_key:
            page = self.claimable(after, limit)
            return page, self.read(page.keys)
        found = self._connection.execute(self._claimable(self._whole.names, after, limit)).all()
        rows = [self._source_row(key, values) for key, values in self._encoded(found)]
        keys = tuple(row.key for row in rows)
        return KeyPage(keys, self._last(found, limit), len(found) - len(keys)), rows

    def _claimable(self, names: Sequence[str], after: tuple[Any, ...] | None, limit: int) -> Select[Any]:
        """The next claimable rows in key order: their keys, and columns of these names."""
        query = sa.select(*self._keys, *(self._source.clause.c[name] for name in names)).where(
            self._wanted, *(key.is_not(None) for key in self._keys), *self._beyond(after)
        )
        if self._definition.has_integer_key:
            query = query.where(self._is_ungated(after))
        return query.order_by(*self._keys).limit(limit)

    def _last(self, found: Sequence[Any], limit: int) -> tuple[Any, ...] | None:
        return tuple(found[-1][: len(self._keys)]) if len(found) == limit else None

    def count_claimable(self) -> int:
        """How many pending rows are not in work, failed, held or done."""
        if self._definition.has_integer_key:
            return int(self._of_claimable(sa.func.count()) or 0)
        return sum(len(page) for page in self._pages())

    def least_claimable(self, column: str) -> Any:
        """The least value of a column in the same rows, as the driver gives it; None where there is none."""
        # Not the row's own columns, which are those that the task was made for.
        value: ColumnElement[Any] = sa.column(column)
        if self._definition.has_integer_key:
            return self._of_claimable(sa.func.min(value))
        found = (row[0] for page in self._pages() for _, row in self._source.find(page, (), value))
        return min((one for one in found if one is not None), default=None)

    def _of_claimable(self, told: ColumnElement[Any]) -> Any:
        query = (
            sa.select(told)
            .select_from(self._source.clause)
            .where(self._wanted, self._keys[0].is_not(None), self._is_ungated())
        )
        return self._connection.scalar(query)

    def read(self, keys: Sequence[RowKey]) -> list[SourceRow]:
        """The rows in the order of ``keys``; those that vanished are left out."""
        found = {key.identity: row for key, row in self._source.find(keys, self._whole.names)}
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
            return self._locked(keys, self._whole)
        seen = {one.key.identity: one.guard_value for one in requests}
        now = self._locked(keys, self._quick)
        moved = [
            row.key for row in now.values() if row.guard_value is None or row.guard_value != seen[row.key.identity]
        ]
        return now | self._locked(moved, self._whole)

    def write(self, values: Sequence[tuple[RowKey, Mapping[str, Any]]]) -> None:
        """Writes answers and markers. Raises DataRefusedError where the values are refused."""
        if not values:
            return
        clocks = {
            name: self._dialect.row_now(zoned=marker.zoned)
            for name, marker in self._definition.on_success.items()
            if marker.source == "now"
        }
        columns, decode = list(values[0][1]), self._source.codec.decode
        rows = [(*decode(key), *(said[name] for name in columns)) for key, said in values]
        written = self._written(RowWrite(self._source.clause, self._source.key, columns, rows, clocks))
        if written != len(values):
            raise DatabaseError(
                f"table {self._definition.written_table}: {len(values)} rows were to be written, {written} were found; "
                "nothing of this step was kept",
                next_command="check that key names a unique key: batchd check-config",
            )

    def _written(self, write: RowWrite) -> int:
        # Here, and not for every statement: a constraint of the ledger that fails is not the row's fault.
        try:
            return self._put(write)
        except DBAPIError as error:
            if self._dialect.fault(error) in {Fault.DATA, Fault.DUPLICATE}:
                raise DataRefusedError(values_refused(self._dialect.code(error))) from error
            raise

    def _put(self, write: RowWrite) -> int:
        """Writes, in the database's own way; returns how many rows were found."""
        return self._dialect.update_rows(self._connection, write)

    def _locked(self, keys: Sequence[RowKey], look: "_Look") -> dict[tuple[int, str], RowNow]:
        found = self._source.find(keys, look.names, self._flag(), locked=True)
        guarded = look is self._whole
        return {
            key.identity: RowNow(
                key, bool(row[-1]), look.guard(row) if guarded else None, look.guard_value(row), look.before(row)
            )
            for key, row in found
        }

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

    def _is_ungated(self, after: tuple[Any, ...] | None = None) -> ColumnElement[bool]:
        gate = tables.gate
        # Said of the gates as well, so that none is looked at that no row of the page can have.
        beyond = () if after is None else (gate.c.key_int > after[0],)
        its: Select[Any] = sa.select(gate.c.key_int).where(
            gate.c.task_id == self._task_id, gate.c.key_int == self._keys[0], gate.c.key_hash == "", *beyond
        )
        return self._dialect.without(its.correlate(self._source.clause))

    def _ungated(self, keys: Sequence[RowKey]) -> Sequence[RowKey]:
        if self._definition.has_integer_key or not keys:
            return keys
        gated = gated_identities(self._connection, self._dialect, self._task_id, keys)
        return [key for key in keys if key.identity not in gated]

    def _pages(self) -> Iterator[Sequence[RowKey]]:
        page = self.claimable(None, _PAGE)
        yield page.keys
        while page.last is not None:
            page = self.claimable(page.last, _PAGE)
            yield page.keys

    def _encoded(self, rows: Sequence[Any]) -> Iterator[tuple[RowKey, tuple[Any, ...]]]:
        """Key and other values of each row whose key can be used."""
        parts = len(self._keys)
        for row in rows:
            try:
                key = self._source.codec.encode(row[:parts])
            except UnusableKeyError:
                continue
            yield key, row[parts:]

    def _source_row(self, key: RowKey, row: tuple[Any, ...]) -> SourceRow:
        # The inputs come first of what is read.
        inputs = dict(zip(self._inputs, row, strict=False))
        return SourceRow(key, inputs, self._whole.guard(row), self._whole.guard_value(row))


class _Look:
    """What of a row is read: its columns' names, and where each of them stands in what comes back.

    Args:
        compared: columns that the guard is made of; they come first, each once.
        outputs: those among them whose values are kept as they were.
        guard_column: the quick guard, where the task has one.
    """

    def __init__(self, compared: Sequence[str], outputs: Sequence[str], guard_column: str | None) -> None:
        first = dict.fromkeys(compared)
        self.names = tuple(dict.fromkeys([*first, *([guard_column] if guard_column else [])]))
        self._compared = len(first)
        self._outputs = [(name, self.names.index(name)) for name in outputs]
        self._guard_at = None if guard_column is None else self.names.index(guard_column)

    def guard(self, row: tuple[Any, ...]) -> str:
        """The hash over what is compared."""
        return guard_of(row[: self._compared])

    def before(self, row: tuple[Any, ...]) -> dict[str, Any]:
        """The columns to be written, as they are."""
        return {name: row[at] for name, at in self._outputs}

    def guard_value(self, row: tuple[Any, ...]) -> str | None:
        """The guard column's value as text; None where there is none."""
        value = None if self._guard_at is None else row[self._guard_at]
        if value is None:
            return None
        text = value.hex() if isinstance(value, bytes) else str(value)
        # The ledger's column has an end, a user's need not have one; and what is long may be content of the row. Of
        # what can't be printed, half a character can't be kept.
        return text if len(text) <= _LONGEST_GUARD and text.isprintable() else guard_of([value])
