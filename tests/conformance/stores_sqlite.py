"""SQLite under test."""

import contextlib
import datetime as dt
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from batchd.core.tasks import KeyEquality, TaskDefinition
from batchd.store.migrate import upgrade
from batchd.store.opening import Database, open_database
from tests.conformance.stores import ColumnSpec, Kind, hurry, moment, rows_of, table_sql


class SqliteUnderTest:
    """SQLite in a file."""

    name = "sqlite"
    # Types are advice here: times, GUIDs and JSON are text; decimals would be floats.
    types: Mapping[Kind, str] = {
        "integer": "INTEGER",
        "bigint": "INTEGER",
        "number": "REAL",
        "varchar": "VARCHAR(200)",
        "text": "TEXT",
        "json": "JSON",
        "varbinary": "BLOB",
        "binary": "BLOB",
        "guid": "UNIQUEIDENTIFIER",
        "datetime": "DATETIME",
        "untyped": "",
    }
    equalities: Mapping[KeyEquality, str] = {
        "exact": "TEXT",
        "nocase": "TEXT COLLATE NOCASE",
        "rtrim": "TEXT COLLATE RTRIM",
    }
    indexes = frozenset({"partial", "expression"})
    takes_offsets = True
    refuses_not = frozenset(["not a date", "too long", "unique at commit"])
    usual_equality: KeyEquality = "exact"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "store.db"
        self._opened: list[Database] = []

    def prepare(self) -> None:
        database = self._open(create=True)
        upgrade(database.engine, database.dialect, database.url)

    def open(self) -> Database:
        return self._open(create=False)

    def open_as_owner(self) -> Database:
        return self.open()

    def _open(self, *, create: bool) -> Database:
        database = open_database(f"sqlite:///{self.path}", create=create)
        # That batchd itself waits for the disk is held in test_ledger_sql.
        hurry(database.engine, "PRAGMA busy_timeout = 0", "PRAGMA synchronous = OFF")
        self._opened.append(database)
        return database

    def close(self) -> None:
        """Closes whatever was opened."""
        for database in self._opened:
            database.engine.dispose()

    def grant(self, definition: TaskDefinition) -> None:
        """Whoever may open the file may do anything."""

    def grant_read(self, table: str) -> None:
        """The same."""

    def create_table(self, table: str, *columns: ColumnSpec, key: Sequence[str] = ()) -> None:
        self.execute(table_sql(self, table, columns, key))

    def refuse_updates(self, table: str, words: str) -> None:
        self.execute(
            f"CREATE TRIGGER refuses BEFORE UPDATE ON {self.quote(table)} BEGIN SELECT RAISE(ABORT, '{words}'); END"
        )

    def audit_updates(self, table: str) -> None:
        self.create_table("audit", ColumnSpec("n", "integer"))
        self.execute(
            f"CREATE TRIGGER audits AFTER UPDATE ON {self.quote(table)} "
            "BEGIN INSERT INTO audit (n) VALUES (1); INSERT INTO audit (n) VALUES (2); END"
        )

    def execute(self, sql: str, *parameters: Any) -> list[Any]:
        with closing(sqlite3.connect(self.path, timeout=30)) as connection, connection:
            connection.execute("PRAGMA synchronous = OFF")
            return rows_of(connection.execute(sql, parameters))

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def clock(self) -> dt.datetime:
        ((now,),) = self.execute("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')")
        return moment(now)

    @contextlib.contextmanager
    def locked(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection

    def passing_error(self) -> Exception:
        error = sqlite3.OperationalError("database is locked")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        error.sqlite_errorname = "SQLITE_BUSY"
        return sa.exc.OperationalError("COMMIT", {}, error)
