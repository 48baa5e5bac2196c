"""MariaDB under test: a database that is made anew for each test, which takes no longer than emptying it."""

import contextlib
import datetime as dt
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pymysql  # type: ignore[import-untyped]
import sqlalchemy as sa

from batchd.core.tasks import KeyEquality, TaskDefinition
from batchd.store.migrate import upgrade
from batchd.store.opening import Database, open_database
from tests.conformance.stores import (
    ColumnSpec,
    Kind,
    formatted,
    grants_of,
    hurry,
    moment,
    rows_of,
    runtime_role,
    table_sql,
)


class MariadbServer:
    """A server that tests may make databases on; one database at a time, since grants outlive a database."""

    def __init__(self, url: str) -> None:
        self.url = sa.make_url(url)
        self.database = f"batchd_test_{secrets.token_hex(4)}"
        self.login, self._password = f"{self.database}@%", secrets.token_hex(8)
        self.account = f"'{self.database}'@'%'"

    def prepare(self) -> None:
        """Nothing: each test makes the database."""

    def make_login(self, cursor: Any) -> None:
        """Makes the runtime login anew, without the rights on a user's table that it had before."""
        cursor.execute(f"CREATE OR REPLACE USER {self.account} IDENTIFIED BY '{self._password}'")
        cursor.execute(f"GRANT batchd_runtime TO {self.account}")
        cursor.execute(f"SET DEFAULT ROLE batchd_runtime FOR {self.account}")

    def connect(self) -> Any:
        """A connection of the administrator, who must not wait for a test that has left a lock behind."""
        return pymysql.connect(
            host=str(self.url.host), port=int(self.url.port or 3306), user=str(self.url.username),
            password=str(self.url.password), charset="utf8mb4", autocommit=True,
            init_command="SET lock_wait_timeout = 10, innodb_lock_wait_timeout = 10, time_zone = '+00:00'",
        )  # fmt: skip

    def open(self) -> Database:
        """As batchd opens it, for the administrator."""
        return open_database(self.url.set(database=self.database).render_as_string(hide_password=False))

    def open_as_batchd(self) -> Database:
        """As batchd opens it, for its runtime login."""
        url = self.url.set(database=self.database, username=self.database, password=self._password)
        return open_database(url.render_as_string(hide_password=False))

    def close(self) -> None:
        """Removes what it made."""
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SET foreign_key_checks = 0")
            cursor.execute(f"DROP DATABASE IF EXISTS {self.database}")
            cursor.execute(f"DROP USER IF EXISTS {self.account}")


class MariadbUnderTest:
    """A database of its own for one test."""

    name = "mariadb"
    types: Mapping[Kind, str] = {
        "integer": "INT",
        "bigint": "BIGINT",
        "decimal": "DECIMAL(20, 6)",
        "number": "DOUBLE",
        "boolean": "BOOLEAN",
        "varchar": "VARCHAR(200)",
        "text": "LONGTEXT",
        "json": "JSON",
        "varbinary": "VARBINARY(200)",
        "binary": "LONGBLOB",
        "guid": "UUID",
        "date": "DATE",
        "datetime": "DATETIME(6)",
        "moment": "TIMESTAMP(6) NULL",
    }
    equalities: Mapping[KeyEquality, str] = {
        "exact": "VARCHAR(200) COLLATE utf8mb4_nopad_bin",
        "rtrim": "VARCHAR(200) COLLATE utf8mb4_bin",
        "nocase": "VARCHAR(200) COLLATE utf8mb4_general_nopad_ci",
        "nocase+rtrim": "VARCHAR(200) COLLATE utf8mb4_general_ci",
    }
    indexes = frozenset({"prefix"})
    takes_offsets = False
    refuses_not = frozenset(["foreign key at commit", "unique at commit"])
    usual_equality: KeyEquality = "nocase+rtrim"

    def __init__(self, server: MariadbServer) -> None:
        self._server = server
        self._opened: list[Database] = []
        self._person = server.connect()

    def prepare(self) -> None:
        # A whole database may go in any order.
        self.execute("SET foreign_key_checks = 0")
        self.execute(f"CREATE OR REPLACE DATABASE {self._server.database}")
        self.execute("SET foreign_key_checks = 1")
        self._person.select_db(self._server.database)
        self._owner = self.open_as_owner()
        upgrade(self._owner.engine, self._owner.dialect, self._owner.url)
        for statement in runtime_role(self._owner):
            self.execute(statement)
        with self._person.cursor() as cursor:
            self._server.make_login(cursor)

    def open(self) -> Database:
        database = self._kept(self._server.open_as_batchd())
        hurry(database.engine, "SET innodb_lock_wait_timeout = 0, lock_wait_timeout = 10")
        return database

    def open_as_owner(self) -> Database:
        # Not hurried: an index that is made waits for the server's own tables, which other tests' indexes are in too.
        return self._kept(self._server.open())

    def _kept(self, database: Database) -> Database:
        self._opened.append(database)
        return database

    def close(self) -> None:
        """Closes whatever was opened."""
        for database in self._opened:
            database.engine.dispose()
        self._person.close()

    def grant(self, definition: TaskDefinition) -> None:
        for statement in grants_of(self._owner, definition, self._server.login):
            self.execute(statement)

    def grant_read(self, table: str) -> None:
        self.execute(f"GRANT SELECT ON {self.quote(table)} TO {self._server.account}")

    def create_table(self, table: str, *columns: ColumnSpec, key: Sequence[str] = ()) -> None:
        self.execute(table_sql(self, table, columns, key))

    def refuse_updates(self, table: str, words: str) -> None:
        self.execute(
            f"CREATE TRIGGER refuses BEFORE UPDATE ON {self.quote(table)} FOR EACH ROW "
            f"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{words}'"
        )

    def audit_updates(self, table: str) -> None:
        self.create_table("audit", ColumnSpec("n", "integer"))
        self.execute(
            f"CREATE TRIGGER audits AFTER UPDATE ON {self.quote(table)} FOR EACH ROW "
            "INSERT INTO audit (n) VALUES (1), (2)"
        )

    def execute(self, sql: str, *parameters: Any) -> list[Any]:
        with self._person.cursor() as cursor:
            cursor.execute(formatted(sql) if parameters else sql, parameters or None)
            return rows_of(cursor)

    def quote(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def clock(self) -> dt.datetime:
        ((now,),) = self.execute("SELECT UTC_TIMESTAMP(3)")
        return moment(now)

    @contextlib.contextmanager
    def locked(self) -> Iterator[Any]:
        with contextlib.closing(self._server.connect()) as connection, connection.cursor() as cursor:
            connection.select_db(self._server.database)
            connection.begin()
            for table in ("batchd_task", "batchd_batch"):
                cursor.execute(f"SELECT id FROM {table} FOR UPDATE")
            yield connection

    def passing_error(self) -> Exception:
        return sa.exc.OperationalError("COMMIT", {}, pymysql.err.OperationalError(1213, "Deadlock found"))
