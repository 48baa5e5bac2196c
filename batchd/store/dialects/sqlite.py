"""SQLite: one file, one writer at a time.

``BEGIN IMMEDIATE`` takes the write lock at the start, so a transaction that reads and then writes can neither
deadlock nor act on rows that changed in between; a deferred ``BEGIN`` fails with "database is locked" instead.
"""

import contextlib
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import URL, ColumnElement, Connection, Engine, ExceptionContext, Select, TableClause, event
from sqlalchemy.exc import DataError, DBAPIError

from batchd.core.schema import ColumnInfo
from batchd.core.tasks import ColumnKind, KeyColumn, KeyEquality, KeyKind
from batchd.errors import ConfigError, DatabaseError
from batchd.store.dialects.base import Fault

_CLOCK = "%Y-%m-%d %H:%M:%f"
_BUSY_SECONDS = 30.0
_READ_ONLY = "batchd_read_only"
# What the driver raises before SQLite sees the value: whole numbers beyond 64 bits, halves of characters.
_DRIVER_REFUSALS = (OverflowError, UnicodeEncodeError)


class SqliteDialect:
    """SQLite's ways."""

    name = "sqlite"
    has_schemas = False

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
        event.listen(engine, "handle_error", _refused_by_driver)
        return engine

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

    def row_now(self) -> ColumnElement[Any]:
        """Text to the second, as ``CURRENT_TIMESTAMP`` writes it."""
        return sa.func.strftime("%Y-%m-%d %H:%M:%S", "now")

    def locked(self, rows: Select[Any]) -> Select[Any]:
        """BEGIN IMMEDIATE holds the only write lock there is."""
        return rows

    def update_rows(
        self,
        connection: Connection,
        table: TableClause,
        key_columns: Sequence[str],
        changes: Sequence[tuple[tuple[Any, ...], Mapping[str, Any]]],
        constants: Mapping[str, ColumnElement[Any]],
    ) -> int:
        """One prepared UPDATE for all rows: with no round trips this beats a staging table."""
        columns = list(changes[0][1])
        statement = (
            sa.update(table)
            .where(*(table.c[name] == sa.bindparam(f"batchd_key_{at}") for at, name in enumerate(key_columns)))
            .values({name: sa.bindparam(f"batchd_value_{at}") for at, name in enumerate(columns)} | dict(constants))
        )
        parameters = [
            {f"batchd_key_{at}": part for at, part in enumerate(key)}
            | {f"batchd_value_{at}": values[name] for at, name in enumerate(columns)}
            for key, values in changes
        ]
        return connection.execute(statement, parameters).rowcount

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
            )
            for row in _table_info(connection, table, schema)
        }

    def fault(self, error: Exception) -> Fault:
        """By SQLite's result code: busy, locked and a full disk pass, constraint and mismatch are the row's own."""
        code = _result_code(error)
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL}:
            return Fault.AGAIN
        if code in {sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG}:
            return Fault.DATA
        if isinstance(error, DBAPIError) and isinstance(error.orig, _DRIVER_REFUSALS):
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

    def sql_folder(self, root: Path) -> Path:
        """``sql/sqlite``."""
        return root / "sqlite"


def read_only(connection: Connection) -> Connection:
    """Marks a connection whose next transaction takes no write lock."""
    return connection.execution_options(**{_READ_ONLY: True})


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


def _refused_by_driver(context: ExceptionContext) -> Exception | None:
    # These are no database errors to the driver, so SQLAlchemy would let them pass as they are.
    error = context.original_exception
    if isinstance(error, _DRIVER_REFUSALS):
        return DataError(context.statement, context.parameters, error, hide_parameters=True)
    return None


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
        return "time"
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
