"""Many rows of one of the ledger's own tables, written as its database does that best."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import BigInteger, ColumnElement, Connection, Table

from batchd.core.tasks import KeyColumn
from batchd.store.chunks import portions
from batchd.store.dialects.base import LedgerDialect
from batchd.store.dialects.row_write import RowWrite
from batchd.store.tables import LEDGER

# So many at once: each is in memory twice meanwhile, as it is and as the driver is given it.
_ROWS = 5000


class LedgerRows:
    """Rows of one table of the ledger, added and changed in bulk.

    Args:
        connection: the transaction.
        dialect: what differs between databases.
        table: one of :mod:`batchd.store.tables`.
    """

    def __init__(self, connection: Connection, dialect: LedgerDialect, table: Table) -> None:
        self._connection = connection
        self._dialect = dialect
        schema = connection.get_execution_options().get("schema_translate_map", {}).get(LEDGER)
        self._table = sa.table(table.name, *(sa.column(one.name, one.type) for one in table.c), schema=schema)

    def add(self, columns: Sequence[str], rows: Iterable[tuple[Any, ...]], clock: str | None = None) -> None:
        """Adds rows that have a value for each of ``columns``; the column ``clock`` gets the time."""
        for some in portions(rows, _ROWS):
            write = RowWrite(self._table, (), columns, some, self._clocks(clock))
            self._dialect.insert_ledger_rows(self._connection, write)

    def change(
        self,
        keys: Sequence[str],
        columns: Sequence[str],
        rows: Iterable[tuple[Any, ...]],
        *,
        clock: str | None = None,
        unset: str | None = None,
    ) -> None:
        """Writes ``columns`` of the rows found by ``keys``; a row's key comes first in it.

        A row in which the column ``unset`` is not NULL stays as it is.
        """
        named = [_key_column(self._table.c[name]) for name in keys]
        for some in portions(rows, _ROWS):
            write = RowWrite(self._table, named, columns, some, self._clocks(clock), unset)
            self._dialect.update_ledger_rows(self._connection, write)

    def _clocks(self, clock: str | None) -> Mapping[str, ColumnElement[Any]]:
        return {} if clock is None else {clock: self._dialect.now()}


def _key_column(column: ColumnElement[Any]) -> KeyColumn:
    """With SQL Server's words for its type, as ``sql/mssql`` has them: the others need none."""
    name = str(column.key)
    if isinstance(column.type, sa.Unicode):
        length = f"NVARCHAR({column.type.length})"
        return KeyColumn(name=name, kind="text", sql_type=length, collation="Latin1_General_100_BIN2")
    return KeyColumn(name=name, kind="integer", sql_type="BIGINT" if isinstance(column.type, BigInteger) else "INTEGER")
