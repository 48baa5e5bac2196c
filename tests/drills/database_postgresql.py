"""PostgreSQL in a drill: what is kept is a template, and each case gets a copy of it."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401 - loaded before the fork, for all children

from tests.conformance.stores import formatted
from tests.drills.database_server import PATIENCE, ServerDatabase
from tests.drills.databases import LONG_AGO, REFUSAL, Change

_AUDIT = "CREATE TRIGGER person_audit AFTER UPDATE OF name ON person FOR EACH ROW EXECUTE FUNCTION noted()"
_TABLES = (
    "CREATE TABLE person (id INT PRIMARY KEY, resume TEXT, name TEXT, done_at TIMESTAMPTZ)",
    "CREATE TABLE audit (id INT, name TEXT)",
    """CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO audit VALUES (NEW.id, NEW.name); RETURN NULL; END $$""",
    _AUDIT,
)
_FORGET = "DROP SCHEMA batchd CASCADE"


class Server(ServerDatabase):
    """A database and its template."""

    changes: Mapping[Change, Sequence[str]] = {
        "add odd rows": ("INSERT INTO person (id, resume) VALUES (900, NULL)",),
        "finish three rows meanwhile": (
            f"""CREATE FUNCTION meanwhile() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                UPDATE person SET done_at = '{LONG_AGO}' WHERE id IN (3, 21, 22); RETURN NULL; END $$""",
            "CREATE TRIGGER meanwhile AFTER INSERT ON batchd_batch FOR EACH ROW EXECUTE FUNCTION meanwhile()",
        ),
        "steal a lease": (
            """CREATE FUNCTION thief() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                NEW.lease_owner := NULL; NEW.lease_epoch := NEW.lease_epoch + 1; RETURN NEW; END $$""",
            """CREATE TRIGGER thief BEFORE UPDATE OF state ON batchd_batch FOR EACH ROW
                WHEN (NEW.state = 'submitting' AND NEW.id = 2) EXECUTE FUNCTION thief()""",
        ),
        "refuse a row": (
            f"""CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                RAISE EXCEPTION USING MESSAGE = '{REFUSAL}', ERRCODE = 'check_violation'; END $$""",
            """CREATE TRIGGER refuses BEFORE UPDATE OF name ON person FOR EACH ROW
                WHEN (NEW.id = 3) EXECUTE FUNCTION refuses()""",
        ),
        "accept the row": ("DROP TRIGGER refuses ON person",),
        "hide a column": ("DROP TRIGGER person_audit ON person", "ALTER TABLE person RENAME COLUMN name TO full_name"),
        "show the column": ("ALTER TABLE person RENAME COLUMN full_name TO name", _AUDIT),
    }

    def connect(self, database: str, *, patience: int = PATIENCE) -> Any:
        return psycopg.connect(
            host=self.admin.host, port=self.admin.port, user=self.admin.username, password=self.admin.password,
            dbname=database, autocommit=True,
            options=f"-c timezone=UTC -c lock_timeout={patience}s -c search_path=public,batchd",
        )  # fmt: skip

    def statement(self, sql: str, *, with_values: bool) -> str:
        return formatted(sql) if with_values else sql

    def errors(self) -> type[Exception]:
        return psycopg.errors.LockNotAvailable

    @property
    def _template(self) -> str:
        return f"{self.name}_kept"

    def create(self) -> None:
        self.at_the_server(_dropped(self.name), f"CREATE DATABASE {self.name}")
        for statement in _TABLES:
            self.execute(statement)

    def keep(self) -> None:
        self.at_the_server(_dropped(self._template), _copied(self.name, self._template))

    def put_back(self) -> None:
        # Processes that were killed may not have been missed yet.
        self.at_the_server(_dropped(self.name), _copied(self._template, self.name))

    def forget_ledger(self) -> None:
        self.execute(_FORGET)

    def clock(self) -> dt.datetime:
        ((now,),) = self.execute("SELECT clock_timestamp()")
        return now  # type: ignore[no-any-return]

    def close(self) -> None:
        """Removes both."""
        self.at_the_server(_dropped(self.name), _dropped(self._template))


def _dropped(name: str) -> str:
    return f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"


def _copied(template: str, name: str) -> str:
    return f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"
