"""A table of the user's whose rows are named by their key. It is compared by the database alone; values are bound."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, TableClause

from batchd.core.keys import KeyCodec, RowKey
from batchd.core.tasks import KeyColumn
from batchd.store.chunks import chunks
from batchd.store.dialects.base import LedgerDialect
from batchd.store.types import AsGiven

_COMPOSITE_KEYS_A_QUERY = 80
_ROWS_AT_ONCE = 100

# A row's key, and its values in the order that they were asked for.
Found = Iterator[tuple[RowKey, tuple[Any, ...]]]


def table_clause(
    dialect: LedgerDialect, name: str, schema: str | None, key: Sequence[KeyColumn], others: Sequence[str]
) -> TableClause:
    """A table with its key and the other columns that batchd may touch; values pass as they are."""
    keys = {column.name: dialect.key_type(column) for column in key}
    columns = (sa.column(one, keys.get(one, AsGiven())) for one in dict.fromkeys([*keys, *others]))
    return sa.table(name, *columns, schema=schema)


class KeyedTable:
    """Finds rows by their keys.

    Args:
        connection: the transaction.
        dialect: what differs between databases.
        clause: the table, from :func:`table_clause`.
        key: its key's columns.
    """

    def __init__(
        self, connection: Connection, dialect: LedgerDialect, clause: TableClause, key: Sequence[KeyColumn]
    ) -> None:
        self._connection = connection
        self._dialect = dialect
        self.clause = clause
        self.key = tuple(key)
        self.keys = [clause.c[column.name] for column in key]
        self.codec = KeyCodec(key)

    def find(
        self,
        keys: Sequence[RowKey],
        names: Sequence[str] = (),
        *more: ColumnElement[Any],
        where: ColumnElement[Any] | None = None,
        locked: bool = False,
    ) -> Found:
        """Those rows that are there, with the columns of these names, and more; all of them locked if so wished."""
        columns = [*self.keys, *(self.clause.c[name] for name in names), *more]
        size = self._dialect.most_values if len(self.keys) == 1 else _COMPOSITE_KEYS_A_QUERY
        for some in chunks(keys, size):
            query = sa.select(*columns).where(self._among(some), *([] if where is None else [where]))
            yield from self.found(self._dialect.locked(query, self.clause) if locked else query)

    def found(self, query: sa.Select[Any]) -> Found:
        """The rows of a query that selects :attr:`keys` first. Raises UnusableKeyError."""
        encode, parts = self.codec.encode, len(self.keys)
        rows = self._connection.execute(query)
        # A hundred at once: one by one they take twice the time, and all together as much memory as they like.
        return ((encode(row[:parts]), row[parts:]) for some in rows.partitions(_ROWS_AT_ONCE) for row in some)

    def _among(self, keys: Sequence[RowKey]) -> ColumnElement[bool]:
        decoded = [self.codec.decode(key) for key in keys]
        if len(self.keys) == 1:
            return self._dialect.among(self.keys[0], [parts[0] for parts in decoded])
        return sa.or_(
            *(sa.and_(*(column == part for column, part in zip(self.keys, parts, strict=True))) for parts in decoded)
        )
