"""A first look at a table that nobody has configured yet: its key, its columns, how full they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from batchd.core.schema import ColumnInfo
from batchd.store.dialects.base import LedgerDialect
from batchd.store.source import SourceTable

_ROWS = 200


@dataclass(frozen=True, slots=True)
class TableProfile:
    """What the first rows of a table show.

    Attributes:
        primary_key: its columns, empty where there is none.
        columns: as the database describes them; those that no driver reads are left out.
        quoted: each column as it is written in SQL.
        longest: characters of the longest text met, by column.
        with_null: columns that were NULL in at least one row; all columns where the table is empty.
    """

    primary_key: tuple[str, ...]
    columns: Mapping[str, ColumnInfo]
    quoted: Mapping[str, str]
    longest: Mapping[str, int]
    with_null: frozenset[str]


def profile(connection: Connection, dialect: LedgerDialect, table: str, schema: str | None) -> TableProfile:
    """Looks at the table and its first rows. Raises ConfigError where there is no such table."""
    source = SourceTable(connection, dialect, table, schema)
    primary = dialect.primary_key(connection, table, schema)
    quote = connection.dialect.identifier_preparer.quote
    columns = {name: column for name, column in source.columns.items() if not column.unreadable}
    rows = _first_rows(connection, table, schema, list(columns))
    return TableProfile(
        tuple(primary),
        columns,
        {name: quote(name) for name in columns},
        {name: _longest(rows, name) for name in columns},
        frozenset(name for name in columns if not rows or any(row[name] is None for row in rows)),
    )


def _first_rows(connection: Connection, table: str, schema: str | None, columns: list[str]) -> list[Mapping[str, Any]]:
    named = sa.table(table, *(sa.column(name) for name in columns), schema=schema)
    return [dict(row) for row in connection.execute(sa.select(named).limit(_ROWS)).mappings()]


def _longest(rows: list[Mapping[str, Any]], name: str) -> int:
    return max((len(row[name]) for row in rows if isinstance(row[name], str)), default=0)
