"""SQL Server under test: one database for all tests of a session, emptied between them; making one takes seconds."""

import contextlib
import datetime as dt
import importlib
import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import URL

from batchd.core.tasks import KeyEquality, TaskDefinition
from batchd.store.migrate import upgrade
from batchd.store.opening import Database, open_database
from tests.conformance.stores import ColumnSpec, Kind, grants_of, hurry, moment, rows_of, runtime_role, table_sql

_LEDGER = "batchd"
# Babelfish speaks T-SQL too, and stands in where there is no SQL Server. What it can't show of SQL Server, and why.
BEYOND_BABELFISH = {
    "test_only_the_database_can_keep_a_key_unique": "it reflects no primary keys, and filtered indexes as whole ones",
    "test_a_missing_column_names_the_near_one": "it tells names in small letters",
    "test_reading_does_not_wait_for_a_writer": "its readers never wait",
    "test_a_row_that_is_to_be_filled_is_locked": "it takes no locks for a hint",
    "test_a_row_that_is_to_be_written_is_locked": "it takes no locks for a hint",
    "why a table may not be changed": "it gives all that only an owner may do the number of all else",
}
_UNQUALIFIED = re.compile(r"(?<![\w.\]])(batchd_(?!test_)\w+)")
# Children before their parents. The installation's row stays: it says which database this is.
_DROPPED = {"V": "VIEW", "U": "TABLE", "TR": "TRIGGER"}
_EMPTIED = ("event", "finding", "content", "gate", "request", "watch", "batch", "task_version", "task")


class MssqlServer:
    """A server that tests may make a database on. A connection takes long here, so a person keeps one."""

    person: Any
    owner: Database

    def __init__(self, url: str) -> None:
        self._url = sa.make_url(url)
        self.database = f"batchd_test_{secrets.token_hex(4)}"
        self.login, self._password = f"{self.database}_login", f"Aa1-{secrets.token_hex(12)}"
        self.is_stand_in = False
        self._ending = contextlib.ExitStack()

    def prepare(self) -> None:
        """Makes the database, with a ledger, and the runtime login."""
        with self._maintenance() as cursor:
            cursor.execute(f"CREATE DATABASE {self.database}")
        self.owner = self.open()
        self._ending.callback(self.owner.engine.dispose)
        upgrade(self.owner.engine, self.owner.dialect, self.owner.url)
        self.person = self._ending.enter_context(self.connect())
        self.person.execute("SELECT @@VERSION")
        self.is_stand_in = "Babelfish" in str(self.person.fetchone()[0])
        self._make_login()

    def _make_login(self) -> None:
        self.person.execute(f"CREATE LOGIN {self.login} WITH PASSWORD = '{self._password}'")
        self.person.execute(f"CREATE USER {self.login} FOR LOGIN {self.login}")
        for statement in runtime_role(self.owner):
            self.person.execute(statement)
        self.person.execute(f"ALTER ROLE batchd_runtime ADD MEMBER {self.login}")
        if self.is_stand_in:
            # It checks foreign keys with the rights of who inserts.
            self.person.execute(f"GRANT UPDATE ON {_LEDGER}.batchd_task_version TO {self.login}")

    def open(self) -> Database:
        """As batchd opens it, for the administrator."""
        return open_database(_text(self._url.set(database=self.database)))

    def open_as_batchd(self) -> Database:
        """As batchd opens it, for its runtime login."""
        return open_database(_text(self.runtime_url))

    @property
    def runtime_url(self) -> URL:
        """The runtime login's, with its password."""
        return self._url.set(database=self.database, username=self.login, password=self._password)

    @contextlib.contextmanager
    def connect(self, *, autocommit: bool = True) -> Iterator[Any]:
        """A cursor of the administrator, on a connection that ends with it; it does not wait for ever."""
        with _cursor(self.owner, autocommit=autocommit) as cursor:
            cursor.execute("SET LOCK_TIMEOUT 10000")
            yield cursor

    def empty(self) -> None:
        """Takes away what a test has left."""
        self.person.execute(
            # Cast, since the stand-in gives not all the letters of a name by itself.
            "SELECT o.type, CAST(s.name AS NVARCHAR(128)), CAST(o.name AS NVARCHAR(128)) FROM sys.objects o "
            "JOIN sys.schemas s ON s.schema_id = o.schema_id "
            "WHERE o.type IN ('V', 'U', 'TR') AND s.name NOT IN (?, 'sys') ORDER BY o.create_date DESC",
            _LEDGER,
        )
        found = self.person.fetchall()
        drops = [f"DROP {_DROPPED[kind.strip()]} {_quoted(schema)}.{_quoted(name)}" for kind, schema, name in found]
        deletes = [f"DELETE FROM {_LEDGER}.batchd_{table}" for table in _EMPTIED]
        self.person.execute("; ".join([*drops, *deletes]))
        self.person.execute(
            f"UPDATE {_LEDGER}.batchd_installation SET installation_id = ?, bound_to = ?",
            secrets.token_hex(16),
            self.owner.dialect.binding(self.owner.url),
        )

    def close(self) -> None:
        """Removes what it made."""
        self._ending.close()
        with self._maintenance() as cursor:
            # A session that has just ended may still count for a while.
            for wait in (0.2, 0.5, 2.0, 5.0, 0.0):
                try:
                    cursor.execute(f"DROP DATABASE IF EXISTS {self.database}")
                    break
                except Exception:  # whatever the driver's kind of it is
                    if not wait:
                        raise
                    time.sleep(wait)
            cursor.execute(f"IF SUSER_ID('{self.login}') IS NOT NULL DROP LOGIN {self.login}")

    @contextlib.contextmanager
    def _maintenance(self) -> Iterator[Any]:
        database = open_database(_text(self._url))
        with _cursor(database, autocommit=True) as cursor:
            yield cursor
        database.engine.dispose()


class MssqlUnderTest:
    """The server's database, empty again."""

    name = "mssql"
    types: Mapping[Kind, str] = {
        "integer": "INT",
        "bigint": "BIGINT",
        "decimal": "DECIMAL(20, 6)",
        "number": "FLOAT",
        "boolean": "BIT",
        "varchar": "NVARCHAR(200)",
        "text": "NVARCHAR(MAX)",
        "json": "NVARCHAR(MAX)",
        "varbinary": "VARBINARY(200)",
        "binary": "VARBINARY(MAX)",
        "guid": "UNIQUEIDENTIFIER",
        "date": "DATE",
        "datetime": "DATETIME2(6)",
        "moment": "DATETIMEOFFSET(6)",
        "rowversion": "ROWVERSION",
    }
    # All of its collations leave out spaces at the end where they compare.
    equalities: Mapping[KeyEquality, str] = {
        "rtrim": "NVARCHAR(200) COLLATE Latin1_General_100_BIN2",
        "nocase+rtrim": "NVARCHAR(200) COLLATE Latin1_General_CI_AI",
    }
    indexes = frozenset({"partial"})
    takes_offsets = True
    refuses_not = frozenset(["foreign key at commit", "unique at commit"])
    usual_equality: KeyEquality = "nocase+rtrim"

    def __init__(self, server: MssqlServer) -> None:
        self._server = server
        self._opened: list[Database] = []

    def differs(self, test: str) -> str:
        """Why this server can't show what a test of this name asks of SQL Server; "" where it can."""
        return BEYOND_BABELFISH.get(test, "") if self._server.is_stand_in else ""

    def prepare(self) -> None:
        if self._server.is_stand_in:
            # It checks foreign keys with the rights of who writes the row.
            self.refuses_not |= {"foreign key"}
        try:
            self._server.empty()
        except importlib.import_module("pyodbc").Error:
            if not self._server.is_stand_in:
                raise
            # It makes tables with quotes in their names, and can't drop them.
            self._server.close()
            self._server.prepare()

    def open(self) -> Database:
        return self._hurried(self._server.open_as_batchd())

    def open_as_owner(self) -> Database:
        return self._hurried(self._server.open())

    def _hurried(self, database: Database) -> Database:
        hurry(database.engine, "SET LOCK_TIMEOUT 50")
        self._opened.append(database)
        return database

    def close(self) -> None:
        """Closes whatever was opened."""
        for database in self._opened:
            database.engine.dispose()

    def grant(self, definition: TaskDefinition) -> None:
        for statement in grants_of(self._server.owner, definition, self._server.login):
            if not (self._server.is_stand_in and "VIEW DEFINITION" in statement):
                self.execute(statement)

    def grant_read(self, table: str) -> None:
        self.execute(f"GRANT SELECT ON {self.quote(table)} TO {self._server.login}")

    def create_table(self, table: str, *columns: ColumnSpec, key: Sequence[str] = ()) -> None:
        self.execute(table_sql(self, table, columns, key))

    def refuse_updates(self, table: str, words: str) -> None:
        self.execute(
            f"CREATE TRIGGER refuses ON {self.quote(table)} AFTER UPDATE AS BEGIN "
            f"IF @@ROWCOUNT > 0 BEGIN RAISERROR('{words}', 16, 1); ROLLBACK TRANSACTION; END END"
        )

    def audit_updates(self, table: str) -> None:
        self.create_table("audit", ColumnSpec("n", "integer"))
        if self._server.is_stand_in:
            # Its triggers have the rights of who changes the row.
            self.execute(f"GRANT INSERT ON audit TO {self._server.login}")
        # Without SET NOCOUNT ON: it tells its own counts, as many triggers of other people do.
        self.execute(
            f"CREATE TRIGGER audits ON {self.quote(table)} AFTER UPDATE AS BEGIN "
            "INSERT INTO audit (n) SELECT 1 FROM inserted; INSERT INTO audit (n) SELECT 2 FROM inserted; END"
        )

    def execute(self, sql: str, *parameters: Any) -> list[Any]:
        self._server.person.execute(_UNQUALIFIED.sub(rf"{_LEDGER}.\1", sql), *parameters)
        return rows_of(self._server.person)

    def quote(self, name: str) -> str:
        # Both are T-SQL; the stand-in reads no bracket that is doubled.
        if self._server.is_stand_in and "]" in name:
            return '"' + name.replace('"', '""') + '"'
        return "[" + name.replace("]", "]]") + "]"

    def clock(self) -> dt.datetime:
        ((now,),) = self.execute("SELECT CAST(SYSUTCDATETIME() AS DATETIME2(3))")
        return moment(now)

    @contextlib.contextmanager
    def locked(self) -> Iterator[Any]:
        with self._server.connect(autocommit=False) as cursor:
            for table in ("task", "batch"):
                cursor.execute(
                    f"UPDATE {_LEDGER}.batchd_{table} SET lease_epoch = lease_epoch"
                    if self._server.is_stand_in  # where readers never wait, whatever is locked
                    else f"SELECT id FROM {_LEDGER}.batchd_{table} WITH (UPDLOCK, HOLDLOCK)"
                )
            yield cursor

    def passing_error(self) -> Exception:
        # Its library of the system is there only where SQL Server is tested.
        error = importlib.import_module("pyodbc").Error(
            "40001", "[40001] [Microsoft][SQL Server] deadlock victim (1205) (SQLExecDirectW)"
        )
        return sa.exc.DBAPIError("COMMIT", {}, error)


@contextlib.contextmanager
def _cursor(database: Database, *, autocommit: bool) -> Iterator[Any]:
    with contextlib.closing(database.engine.raw_connection()) as connection:
        # Not to be used again: what a person sets on it is not for batchd.
        connection.detach()
        raw: Any = connection.dbapi_connection
        raw.autocommit = autocommit
        yield raw.cursor()


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def _quoted(name: str) -> str:
    # Brackets would do for SQL Server, but not every server that speaks T-SQL reads ``]]``.
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
