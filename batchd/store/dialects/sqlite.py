"""SQLite: one file, one writer at a time.

``BEGIN IMMEDIATE`` takes the write lock at the start, so a transaction that reads and then writes can neither
deadlock nor act on rows that changed in between; a deferred ``BEGIN`` fails with "database is locked" instead.
"""

import contextlib
import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Delete,
    Engine,
    FromClause,
    Insert,
    Select,
    Update,
    event,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from batchd.core.schema import ColumnInfo
from batchd.core.tasks import ColumnKind, KeyColumn, KeyEquality, KeyKind
from batchd.errors import ConfigError, DatabaseError
from batchd.store.dialects.base import Fault, Mask, Refusal
from batchd.store.dialects.reflected import needed_columns, primary_key, reflected_columns, table_names, unique_keys
from batchd.store.dialects.row_by_row import insert_each, update_each
from batchd.store.dialects.row_write import RowWrite
from batchd.store.dialects.servers import DRIVER_REFUSALS, listen_for_refusals
from batchd.store.scripts import literal
from batchd.store.types import AsGiven

_CLOCK = "%Y-%m-%d %H:%M:%f"
_BUSY_SECONDS = 30.0
_READ_ONLY = "batchd_read_only"


class SqliteDialect:
    """SQLite's ways."""

    name = "sqlite"
    default_schema: str | None = None
    has_schemas = False
    # A statement takes 999 before SQLite 3.32, and other values stand beside these.
    most_values = 900
    is_served = False
    loses_transactions = False

    def create_engine(self, url: URL, *, create: bool = False) -> Engine:
        """An engine on an existing file; ``create`` lets SQLite make it. Raises DatabaseError."""
        path = Path(str(url.database))
        if not create and not path.is_file():
            raise DatabaseError(
                f"there is no SQLite database at {path}",
                next_command="check database.url, or create it: batchd db upgrade",
            )
        engine = sa.create_engine(
            url, connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False}, hide_parameters=True
        )
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        listen_for_refusals(engine)
        return engine

    def reading(self, connection: Connection) -> Connection:
        """Its transaction takes no write lock."""
        return connection.execution_options(**{_READ_ONLY: True})

    def binding(self, url: URL) -> str:
        """The file's real path: a copy beside it, or elsewhere, is another installation."""
        return f"sqlite:{Path(str(url.database)).resolve()}"

    def now(self) -> ColumnElement[Any]:
        """Text with milliseconds, as the ledger keeps times."""
        return sa.func.strftime(_CLOCK, "now")

    def now_plus(self, seconds: float | ColumnElement[Any]) -> ColumnElement[Any]:
        """The clock moved by so many seconds."""
        modifier = sa.func.printf("%+.3f seconds", seconds)
        return sa.func.strftime(_CLOCK, "now", modifier)

    def seconds_between(self, later: ColumnElement[Any], earlier: ColumnElement[Any]) -> ColumnElement[Any]:
        """Julian days hold milliseconds well enough for waits."""
        return (sa.func.julianday(later) - sa.func.julianday(earlier)) * sa.literal_column("86400.0")

    def row_now(self, *, zoned: bool) -> ColumnElement[Any]:
        """Text to the second, as ``CURRENT_TIMESTAMP`` writes it."""
        del zoned
        return sa.func.strftime("%Y-%m-%d %H:%M:%S", "now")

    def key_type(self, column: KeyColumn) -> TypeEngine[Any]:
        """SQLite knows types of values, not of parameters."""
        del column
        return AsGiven()

    def among(self, column: ColumnElement[Any], values: Sequence[Any]) -> ColumnElement[bool]:
        """By a list."""
        return column.in_(list(values))

    def without(self, others: Select[Any]) -> ColumnElement[bool]:
        """Row by row, by the index."""
        return ~others.exists()

    def locked(self, rows: Select[Any], of: FromClause) -> Select[Any]:
        """BEGIN IMMEDIATE holds the only write lock there is."""
        del of
        return rows

    def update_rows(self, connection: Connection, write: RowWrite) -> int:
        """One prepared UPDATE for all rows: with no round trips this beats a staging table."""
        return update_each(connection, write)

    def insert_rows(self, connection: Connection, write: RowWrite) -> int:
        """One prepared INSERT for all rows."""
        return insert_each(connection, write)

    def update_ledger_rows(self, connection: Connection, write: RowWrite) -> None:
        """Like any others."""
        update_each(connection, write)

    def insert_ledger_rows(self, connection: Connection, write: RowWrite) -> None:
        """Like any others."""
        insert_each(connection, write)

    def asking(self, connection: Connection) -> Connection:
        """As for any reading."""
        return self.reading(connection)

    def together(self, connection: Connection) -> AbstractContextManager[object]:
        """One after the other: there is nobody to wait for."""
        del connection
        return contextlib.nullcontext()

    def trying(self, connection: Connection) -> AbstractContextManager[object]:
        """A statement that fails leaves the transaction as it was."""
        del connection
        return contextlib.nullcontext()

    def check_table(self, connection: Connection, table: str, schema: str | None) -> None:
        """Every table takes part in transactions."""
        del connection, table, schema

    def masks(self, connection: Connection, table: str, schema: str | None, names: Sequence[str]) -> list[Mask]:
        """Whoever may open the file reads everything."""
        del connection, table, schema, names
        return []

    def check_write(self, connection: Connection, write: Update | Insert | Delete) -> None:
        """Planned and not run."""
        connection.exec_driver_sql(f"EXPLAIN {write.compile(connection)}")

    def key_columns(
        self, connection: Connection, table: str, schema: str | None, names: Sequence[str]
    ) -> list[KeyColumn]:
        """SQLite compares by the column's collation."""
        declared = {row.name: str(row.type) for row in _table_info(connection, table, schema)}
        return [
            KeyColumn(
                name=name,
                kind=_key_kind(table, name, declared[name]),
                equality=_equality(connection, table, schema, name),
            )
            for name in names
        ]

    def columns(self, connection: Connection, table: str, schema: str | None) -> dict[str, ColumnInfo]:
        """Declared types are advice to SQLite; the length in VARCHAR(n) is kept as the user's wish."""
        return {
            row.name: ColumnInfo(
                kind=_column_kind(str(row.type)),
                max_length=_max_length(str(row.type)),
                nullable=not row.notnull,
                # Text, which keeps whatever offset it has.
                zoned=_column_kind(str(row.type)) in {"time", "clock"},
            )
            for row in _table_info(connection, table, schema)
        }

    def table_names(self, connection: Connection, schema: str | None) -> list[str]:
        """As reflected."""
        return table_names(connection, schema, has_schemas=False)

    def needed_columns(self, connection: Connection, table: str, schema: str | None) -> list[str]:
        """As reflected; the one INTEGER PRIMARY KEY is the number of the row, which fills itself."""
        columns = reflected_columns(connection, table, schema)
        keys = [one for one in columns.values() if one.get("primary_key")]
        numbers = {one["name"] for one in keys if len(keys) == 1 and str(one["type"]) == "INTEGER"}
        return [name for name in needed_columns(connection, table, schema) if name not in numbers]

    def primary_key(self, connection: Connection, table: str, schema: str | None) -> list[str]:
        """As reflected."""
        return primary_key(connection, table, schema)

    def unique_keys(self, connection: Connection, table: str, schema: str | None) -> list[list[str]]:
        """As reflected."""
        return unique_keys(connection, table, schema)

    def fault(self, error: Exception) -> Fault:
        """By SQLite's result code: busy, locked and a full disk pass, constraint and mismatch are the row's own."""
        code = _result_code(error)
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL}:
            return Fault.AGAIN
        if self.code(error) in {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}:
            return Fault.DUPLICATE
        if code in {sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG}:
            return Fault.DATA
        if isinstance(error, DBAPIError) and isinstance(error.orig, DRIVER_REFUSALS):
            return Fault.DATA
        return Fault.FATAL

    def code(self, error: Exception) -> str:
        """Such as SQLITE_CONSTRAINT_CHECK."""
        orig = getattr(error, "orig", error)
        return str(getattr(orig, "sqlite_errorname", "") or type(orig).__name__)

    def prepare(self, engine: Engine) -> None:
        """Write-ahead logging lets people read while batchd writes; it stays with the file."""
        with contextlib.closing(engine.raw_connection()) as connection:
            # Not within a transaction, which every connection of the engine would begin.
            connection.cursor().execute("PRAGMA journal_mode = WAL")

    def refusal(self, error: Exception) -> Refusal | None:
        """There is no login and no network to explain."""
        del error
        return None

    def statements(self, script: str, ledger_schema: str | None) -> list[str]:
        """``sqlite3.complete_statement`` knows quotes, comments and triggers."""
        del ledger_schema
        found, current = [], ""
        for line in script.splitlines(keepends=True):
            current += line
            if line.rstrip().endswith(";") and sqlite3.complete_statement(current):
                found.append(current.strip())
                current = ""
        return found

    def script_for(self, script: str, ledger_schema: str | None) -> str:
        """As it is."""
        del ledger_schema
        return script

    def literal(self, text: str) -> str:
        """As standard SQL has it."""
        return literal(text)


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own BEGIN is deferred; ours is sent by _begin.
    connection.isolation_level = None
    # One row with bytes that are no UTF-8 must not keep all others from being read; it can't be rendered.
    connection.text_factory = _text
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _begin(connection: Connection) -> None:
    deferred = connection.get_execution_options().get(_READ_ONLY)
    connection.exec_driver_sql("BEGIN" if deferred else "BEGIN IMMEDIATE")


def _result_code(error: Exception) -> int:
    orig = getattr(error, "orig", error)
    # Extended codes carry the primary one in their low byte.
    return int(getattr(orig, "sqlite_errorcode", 0)) & 0xFF


def _table_info(connection: Connection, table: str, schema: str | None) -> Sequence[Any]:
    source = sa.func.pragma_table_xinfo(table, schema) if schema else sa.func.pragma_table_xinfo(table)
    rows = source.table_valued("name", "type", "notnull", "pk", "hidden")
    return connection.execute(sa.select(rows.c.name, rows.c.type, rows.c.notnull)).all()


def _equality(connection: Connection, table: str, schema: str | None, name: str) -> KeyEquality:
    # No pragma tells a column's collation, and its indexes may have others; so the column itself is asked.
    source = sa.table(table, sa.column(name), schema=schema)
    letter = sa.select(sa.literal("a"))
    probe = sa.union_all(sa.select(source.c[name].label("value")).where(sa.false()), letter).subquery()
    nocase, rtrim = connection.execute(
        sa.select(probe.c.value == sa.literal("A"), probe.c.value == sa.literal("a "))
    ).one()
    return "nocase" if nocase else "rtrim" if rtrim else "exact"


def _key_kind(table: str, name: str, declared: str) -> KeyKind:
    kinds: dict[ColumnKind, KeyKind] = {
        "integer": "integer",
        "text": "text",
        "any": "text",
        "binary": "binary",
        "guid": "text",
    }
    kind = kinds.get(_column_kind(declared))
    if kind is None:
        raise ConfigError(
            f"column {name!r} of table {table!r} is {declared}; a key must be whole numbers, text or bytes, "
            "since fractions and times do not compare exactly",
            next_command="name another unique column in key = [...]",
        )
    return kind


def _column_kind(declared: str) -> ColumnKind:
    # SQLite's own affinity rules, in their order (sqlite.org/datatype3.html §3.1), with times told apart first.
    upper = declared.upper()
    if "DATE" in upper or "TIME" in upper:
        return "time" if "DATE" in upper or "TIMESTAMP" in upper else "clock"
    if "INT" in upper:
        return "integer"
    if any(word in upper for word in ("CHAR", "CLOB", "TEXT", "JSON", "UUID", "UNIQUEIDENTIFIER")):
        return "text"
    if "BLOB" in upper:
        return "binary"
    if "BOOL" in upper:
        return "boolean"
    return "number" if upper else "any"


def _max_length(declared: str) -> int | None:
    opening, closing = declared.find("("), declared.find(")")
    if "CHAR" not in declared.upper() or opening < 0 or closing < opening:
        return None
    length = declared[opening + 1 : closing].strip()
    return int(length) if length.isdigit() else None
