"""Real servers made to fail: a database of its own on each, and logins that may do less than others."""

import contextlib
import secrets
import time
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy import URL, Connection, Engine

from batchd.store.dialects import dialect_for
from batchd.store.dialects.base import Fault, LedgerDialect

_PATIENCE = 30.0
_ITEM = (
    "CREATE TABLE item (id INT PRIMARY KEY, name VARCHAR(5), amount INT NOT NULL, small SMALLINT, parent INT, "
    "kind INT, born DATE, doc JSON, sole INT UNIQUE, twice INT GENERATED ALWAYS AS (amount * 2) STORED, "
    "CHECK (kind > 0), FOREIGN KEY (parent) REFERENCES parent (id))"
)
_TABLES = (
    "CREATE TABLE parent (id INT PRIMARY KEY)",
    _ITEM,
    "INSERT INTO parent VALUES (1)",
    "INSERT INTO item (id, amount, parent, sole) VALUES (1, 1, 1, 1), (2, 2, 1, 2)",
    "CREATE VIEW sums AS SELECT kind, SUM(amount) AS amount FROM item GROUP BY kind",
    "CREATE TABLE guarded (id INT PRIMARY KEY, amount INT)",
    "INSERT INTO guarded VALUES (1, 1)",
)
_TRIGGER = {
    "postgresql": (
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not you'; END $$",
        "CREATE TRIGGER refuses BEFORE UPDATE ON guarded FOR EACH ROW EXECUTE FUNCTION refuse()",
    ),
    "mysql": (
        "CREATE TRIGGER refuses BEFORE UPDATE ON guarded FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'",
    ),
}


class FailingServer:
    """A server of either kind, with a database of its own.

    Attributes:
        name: "postgresql" or "mysql", as the dialect is called.
        url: of the administrator, in that database.
        dialect: what classifies.
    """

    def __init__(self, url: str) -> None:
        administrator = sa.make_url(url)
        self.dialect: LedgerDialect = dialect_for(administrator)
        self.name = self.dialect.name
        self._ending = contextlib.ExitStack()
        self._made = f"batchd_failing_{secrets.token_hex(4)}"
        self._above = self._opened(administrator)
        self.administer(f"CREATE DATABASE {self._made}")
        self.url = administrator.set(database=self._made)
        self._engine = self._opened(self.url)

    def prepare(self) -> None:
        """Makes tables that refuse many things."""
        with self.transaction() as connection:
            for statement in (*_TABLES, *_TRIGGER[self.name]):
                connection.exec_driver_sql(statement)

    def close(self) -> None:
        """Removes the database; connections of tests may be left in it."""
        self._engine.dispose()
        force = " WITH (FORCE)" if self.name == "postgresql" else ""
        self.administer(f"DROP DATABASE {self._made}{force}")
        self.leave()

    def leave(self) -> None:
        """Closes the connections and no more: the server may be gone."""
        self._ending.close()

    def administer(self, statement: str) -> list[Any]:
        """Runs a statement of the administrator beside all transactions."""
        with self._above.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            found = connection.exec_driver_sql(statement)
            return list(found.all()) if found.returns_rows else []

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction on batchd's own engine."""
        with self._engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def login(self, *grants: str) -> Iterator[URL]:
        """A login that may do no more than these grants say, each written as in GRANT ... TO."""
        name, password = f"batchd_{secrets.token_hex(4)}", secrets.token_hex(4)
        host = "" if self.name == "postgresql" else "@'127.0.0.1'"
        self.administer(
            f"CREATE ROLE {name} LOGIN PASSWORD '{password}'"
            if self.name == "postgresql"
            else f"CREATE USER {name}{host} IDENTIFIED BY '{password}'"
        )
        with self.transaction() as connection:
            for grant in grants:
                connection.exec_driver_sql(f"GRANT {grant} TO {name}{host}")
        try:
            yield self.url.set(username=name, password=password)
        finally:
            if self.name == "postgresql":
                with self.transaction() as connection:
                    connection.exec_driver_sql(f"DROP OWNED BY {name}")
            self.administer(f"DROP {'ROLE' if self.name == 'postgresql' else 'USER'} {name}{host}")

    def session(self, connection: Connection) -> int:
        """The server's number of a connection."""
        asked = "SELECT pg_backend_pid()" if self.name == "postgresql" else "SELECT CONNECTION_ID()"
        return int(connection.exec_driver_sql(asked).scalar_one())

    def end_session(self, session: int) -> None:
        """The administrator ends a connection."""
        self.administer(f"SELECT pg_terminate_backend({session})" if self.name == "postgresql" else f"KILL {session}")

    def cancel(self, session: int) -> None:
        """The administrator ends a statement."""
        self.administer(
            f"SELECT pg_cancel_backend({session})" if self.name == "postgresql" else f"KILL QUERY {session}"
        )

    def wait_for_waiting(self, session: int) -> None:
        """Returns once a connection waits for a lock."""
        asked = (
            f"SELECT 1 FROM pg_stat_activity WHERE pid = {session} AND wait_event_type = 'Lock'"
            if self.name == "postgresql"
            else f"SELECT 1 FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = {session} "
            "AND trx_state = 'LOCK WAIT'"
        )
        give_up = time.monotonic() + _PATIENCE
        while not self.administer(asked):
            if time.monotonic() > give_up:
                message = "nobody came to wait for the lock"
                raise AssertionError(message)
            time.sleep(0.15)  # InnoDB shows nothing new to those who ask more often

    @contextlib.contextmanager
    def connection(self, url: URL) -> Iterator[Connection]:
        """A connection as batchd makes it, and only this one."""
        engine = self.dialect.create_engine(url)
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    def connect(self, url: URL) -> None:
        """Connects as batchd does, and asks for a number."""
        with self.connection(url) as connection:
            connection.exec_driver_sql("SELECT 1")

    def told(self, error: Exception) -> tuple[str, Fault]:
        """Code and fault."""
        return self.dialect.code(error), self.dialect.fault(error)

    def _opened(self, url: URL) -> Engine:
        engine = self.dialect.create_engine(url)
        self._ending.callback(engine.dispose)
        return engine
