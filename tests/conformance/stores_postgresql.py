"""PostgreSQL under test: a template database with the ledger, cloned for each test."""

import contextlib
import datetime as dt
import itertools
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import URL

from batchd.core.tasks import KeyEquality, TaskDefinition
from batchd.store.installation import adopt_moved
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

_LEDGER = "batchd"
# A person who must not wait for a test that has left a lock behind.
_PERSON = f"-c timezone=UTC -c lock_timeout=10s -c search_path=public,{_LEDGER}"


class PostgresqlServer:
    """A server that tests may make databases on, with a template of them."""

    def __init__(self, url: str) -> None:
        self.url = sa.make_url(url)
        self._numbers = itertools.count()
        self._maintenance = self.connect(str(self.url.database), autocommit=True)
        self._template = f"batchd_test_{secrets.token_hex(4)}"
        self.login, self._password = f"{self._template}_login", secrets.token_hex(8)

    def prepare(self) -> None:
        """Makes the template."""
        self._maintenance.execute(f"CREATE DATABASE {self._template}")
        with self.connect(self._template, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION citext")
        database = self.open(self._template)
        upgrade(database.engine, database.dialect, database.url)
        database.engine.dispose()
        self._make_login(runtime_role(database))

    def _make_login(self, role: Sequence[str]) -> None:
        with self._alone(), self.connect(self._template, autocommit=True) as connection:
            for statement in role:
                connection.execute(statement)
            connection.execute(f"CREATE ROLE {self.login} LOGIN PASSWORD '{self._password}' IN ROLE batchd_runtime")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        # Roles belong to the whole server, where others may be making the same ones; that may take a while.
        self._maintenance.execute("SET lock_timeout = '5min'")
        self._maintenance.execute("SELECT pg_advisory_lock(1)")
        try:
            yield
        finally:
            self._maintenance.execute("SELECT pg_advisory_unlock(1)")

    def connect(self, database: str, *, autocommit: bool) -> psycopg.Connection[Any]:
        """A connection of the administrator."""
        return psycopg.connect(
            host=self.url.host, port=self.url.port, user=self.url.username, password=self.url.password,
            dbname=database, autocommit=autocommit, options=_PERSON,
        )  # fmt: skip

    def open(self, database: str) -> Database:
        """As batchd opens it, for the administrator."""
        return open_database(_text(self.url.set(database=database)))

    def open_as_batchd(self, database: str) -> Database:
        """As batchd opens it, for its runtime login."""
        url = self.url.set(database=database, username=self.login, password=self._password)
        return open_database(_text(url))

    def clone(self) -> str:
        """A new database with an empty ledger."""
        name = f"{self._template}_{next(self._numbers)}"
        self._maintenance.execute(f"CREATE DATABASE {name} TEMPLATE {self._template} STRATEGY FILE_COPY")
        return name

    def drop(self, database: str) -> None:
        """Removes it, whoever is connected."""
        self._maintenance.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def close(self) -> None:
        """Removes what it made."""
        self.drop(self._template)
        self._maintenance.execute(f"DROP ROLE IF EXISTS {self.login}")
        self._maintenance.close()


class PostgresqlUnderTest:
    """A database of its own for one test."""

    name = "postgresql"
    types: Mapping[Kind, str] = {
        "integer": "INTEGER",
        "bigint": "BIGINT",
        "decimal": "NUMERIC(20, 6)",
        "number": "DOUBLE PRECISION",
        "boolean": "BOOLEAN",
        "varchar": "VARCHAR(200)",
        "text": "TEXT",
        "json": "JSONB",
        "varbinary": "BYTEA",
        "binary": "BYTEA",
        "guid": "UUID",
        "date": "DATE",
        "datetime": "TIMESTAMP",
        "moment": "TIMESTAMPTZ",
    }
    equalities: Mapping[KeyEquality, str] = {
        "exact": "TEXT",
        "nocase": "CITEXT",
    }
    indexes = frozenset({"partial", "expression"})
    takes_offsets = True
    refuses_not = frozenset[str]()
    usual_equality: KeyEquality = "exact"

    def __init__(self, server: PostgresqlServer) -> None:
        self._server = server
        self._database = server.clone()
        self._opened: list[Database] = []
        self._person = server.connect(self._database, autocommit=True)

    def prepare(self) -> None:
        self._owner = self.open_as_owner()
        adopt_moved(self._owner.engine, self._owner.dialect, self._owner.url)
        self.execute("UPDATE batchd_installation SET installation_id = ?", secrets.token_hex(16))

    def open(self) -> Database:
        return self._hurried(self._server.open_as_batchd(self._database))

    def open_as_owner(self) -> Database:
        return self._hurried(self._server.open(self._database))

    def _hurried(self, database: Database) -> Database:
        hurry(database.engine, "SET lock_timeout = '50ms'", "COMMIT")
        self._opened.append(database)
        return database

    def grant(self, definition: TaskDefinition) -> None:
        for statement in grants_of(self._owner, definition, self._server.login):
            self.execute(statement)

    def grant_read(self, table: str) -> None:
        self.execute(f"GRANT SELECT ON {self.quote(table)} TO {self._server.login}")

    def close(self) -> None:
        """Closes whatever was opened, and removes the database."""
        for database in self._opened:
            database.engine.dispose()
        self._person.close()
        self._server.drop(self._database)

    def create_table(self, table: str, *columns: ColumnSpec, key: Sequence[str] = ()) -> None:
        self.execute(table_sql(self, table, columns, key))

    def refuse_updates(self, table: str, words: str) -> None:
        self.execute(
            f"CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION USING MESSAGE = '{words}', ERRCODE = 'check_violation'; END $$"
        )
        self.execute(f"CREATE TRIGGER refuses BEFORE UPDATE ON {self.quote(table)} EXECUTE FUNCTION refuses()")

    def audit_updates(self, table: str) -> None:
        self.create_table("audit", ColumnSpec("n", "integer"))
        self.execute(
            "CREATE FUNCTION audits() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS "
            "$$ BEGIN INSERT INTO public.audit (n) VALUES (1), (2); RETURN NULL; END $$"
        )
        self.execute(
            f"CREATE TRIGGER audits AFTER UPDATE ON {self.quote(table)} FOR EACH ROW EXECUTE FUNCTION audits()"
        )

    def execute(self, sql: str, *parameters: Any) -> list[Any]:
        return rows_of(self._person.execute(formatted(sql), parameters) if parameters else self._person.execute(sql))

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def clock(self) -> dt.datetime:
        ((now,),) = self.execute("SELECT CAST(clock_timestamp() AS timestamptz(3))")
        return moment(now)

    @contextlib.contextmanager
    def locked(self) -> Iterator[psycopg.Connection[Any]]:
        with contextlib.closing(self._server.connect(self._database, autocommit=False)) as connection:
            connection.execute("LOCK TABLE batchd_task, batchd_batch, batchd_gate IN EXCLUSIVE MODE")
            yield connection

    def passing_error(self) -> Exception:
        return sa.exc.OperationalError("COMMIT", {}, psycopg.errors.SerializationFailure("could not serialize"))


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)
