"""SQL Server in a drill: making a database takes long there, so it is emptied, and what was kept is put back."""

import contextlib
import datetime as dt
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy.dialects.mssql.pyodbc

from batchd.store import tables
from batchd.store.opening import open_database
from tests.conformance.stores import moment
from tests.drills.database_server import PATIENCE, ServerDatabase
from tests.drills.databases import LEDGER, LONG_AGO, REFUSAL, Change

_UNQUALIFIED = re.compile(r"(?<![\w.])(batchd_(?!drill_)\w+)")
_TRIES = 20
_NUMBERED = ("task", "task_version", "batch", "finding", "event")
_AUDIT = """CREATE TRIGGER person_audit ON person AFTER UPDATE AS BEGIN SET NOCOUNT ON;
    IF UPDATE(name) INSERT INTO audit SELECT id, name FROM inserted; END"""
_TABLES = (
    "DROP TABLE IF EXISTS person",
    "DROP TABLE IF EXISTS audit",
    "CREATE TABLE person (id INT PRIMARY KEY, resume NVARCHAR(MAX), name NVARCHAR(MAX), done_at DATETIME2(3))",
    "CREATE TABLE audit (id INT, name NVARCHAR(MAX))",
    _AUDIT,
)


class Server(ServerDatabase):
    """A database with one more schema for what is kept."""

    changes: Mapping[Change, Sequence[str]] = {
        "add odd rows": ("INSERT INTO person (id, resume) VALUES (900, NULL)",),
        "finish three rows meanwhile": (
            f"""CREATE TRIGGER batchd.meanwhile ON batchd_batch AFTER INSERT AS BEGIN SET NOCOUNT ON;
                UPDATE dbo.person SET done_at = '{LONG_AGO}' WHERE id IN (3, 21, 22); END""",
        ),
        "steal a lease": (
            """CREATE TRIGGER batchd.thief ON batchd_batch AFTER UPDATE AS BEGIN SET NOCOUNT ON;
                IF UPDATE(state) AND EXISTS (SELECT 1 FROM inserted WHERE id = 2 AND state = 'submitting')
                UPDATE batchd_batch SET lease_owner = NULL, lease_epoch = lease_epoch + 1 WHERE id = 2; END""",
        ),
        "refuse a row": (
            f"""CREATE TRIGGER refuses ON person AFTER UPDATE AS BEGIN SET NOCOUNT ON;
                IF UPDATE(name) AND EXISTS (SELECT 1 FROM inserted WHERE id = 3)
                BEGIN RAISERROR('{REFUSAL}', 16, 1); ROLLBACK TRANSACTION; END END""",
        ),
        "accept the row": ("DROP TRIGGER refuses",),
        "hide a column": ("DROP TRIGGER person_audit", "EXEC sp_rename 'person.name', 'full_name', 'COLUMN'"),
        "show the column": ("EXEC sp_rename 'person.full_name', 'name', 'COLUMN'", _AUDIT),
    }

    def connect(self, database: str, *, patience: int = PATIENCE) -> Any:
        opened = open_database(self.admin.set(database=database).render_as_string(hide_password=False))
        connection = opened.engine.raw_connection()
        # Not to be used again: closed means ended.
        connection.detach()
        raw: Any = connection.dbapi_connection
        raw.autocommit = True
        with contextlib.closing(connection.cursor()) as cursor:
            cursor.execute(f"SET LOCK_TIMEOUT {patience * 1000}")
        return connection

    def statement(self, sql: str, *, with_values: bool) -> str:
        del with_values
        return _UNQUALIFIED.sub(r"batchd.\1", sql)

    def errors(self) -> type[Exception]:
        pyodbc: type[Exception] = sqlalchemy.dialects.mssql.pyodbc.dialect.import_dbapi().Error
        return pyodbc

    def create(self) -> None:
        self._make()
        self.forget_ledger()
        self._make_tables()

    def _make(self) -> None:
        """The database itself, if need be; another worker's that is made just now stands in its way."""
        for last in (False,) * _TRIES + (True,):
            try:
                self.at_the_server(f"IF DB_ID('{self.name}') IS NULL CREATE DATABASE {self.name}")
            except self.errors():
                if last:
                    raise
                time.sleep(1)
            else:
                return

    def _make_tables(self) -> None:
        for statement in _TABLES:
            self.execute(statement)

    def keep(self) -> None:
        self.execute("IF SCHEMA_ID('kept') IS NULL EXEC('CREATE SCHEMA kept')")
        for table in LEDGER:
            self.execute(f"DROP TABLE IF EXISTS kept.{table}")
            self.execute(f"SELECT * INTO kept.{table} FROM batchd_{table}")

    def put_back(self) -> None:
        self._make_tables()
        for trigger in ("meanwhile", "thief"):
            self.execute(f"DROP TRIGGER IF EXISTS batchd.{trigger}")
        if self.execute("SELECT OBJECT_ID('batchd.batchd_installation')") == [(None,)]:
            self.forget_ledger()
            self.upgrade()
        self.execute("; ".join(f"DELETE FROM batchd_{table}" for table in reversed(LEDGER)))
        self.execute("; ".join(map(_copied, LEDGER)))
        # Stories name a batch by its number.
        self.execute("DBCC CHECKIDENT('batchd.batchd_batch', RESEED, 1)")

    def forget_ledger(self) -> None:
        found = self.execute("SELECT name FROM sys.views WHERE SCHEMA_NAME(schema_id) = 'batchd'")
        for (view,) in found:
            self.execute(f"DROP VIEW batchd.{view}")
        for table in reversed(LEDGER):
            self.execute(f"DROP TABLE IF EXISTS batchd_{table}")

    def clock(self) -> dt.datetime:
        ((now,),) = self.execute("SELECT SYSUTCDATETIME()")
        return moment(now)

    def close(self) -> None:
        """Removes the database."""
        self.at_the_server(f"DROP DATABASE IF EXISTS {self.name}")


def _copied(table: str) -> str:
    """A table's rows as they were, with their numbers."""
    columns = ", ".join(f"[{column.name}]" for column in tables.metadata.tables[f"{tables.LEDGER}.batchd_{table}"].c)
    insert = f"INSERT INTO batchd_{table} ({columns}) SELECT {columns} FROM kept.{table}"
    if table not in _NUMBERED:
        return insert
    return f"SET IDENTITY_INSERT batchd_{table} ON; {insert}; SET IDENTITY_INSERT batchd_{table} OFF"
