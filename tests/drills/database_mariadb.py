"""MariaDB in a drill: the database is made anew for each case, and what was kept is in another one."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pymysql  # type: ignore[import-untyped]
import sqlalchemy.dialects.mysql.pymysql  # noqa: F401 - loaded before the fork, for all children

from tests.conformance.stores import formatted, moment
from tests.drills.database_server import PATIENCE, ServerDatabase
from tests.drills.databases import LEDGER, LONG_AGO, REFUSAL, Change

# A trigger is not told which columns are written; whoever finishes a row otherwise leaves its name empty.
_AUDIT = """CREATE TRIGGER person_audit AFTER UPDATE ON person FOR EACH ROW BEGIN
    IF NEW.name IS NOT NULL OR OLD.name IS NOT NULL THEN INSERT INTO audit VALUES (NEW.id, NEW.name); END IF; END"""
_TABLES = (
    "CREATE TABLE person (id INT PRIMARY KEY, resume TEXT, name TEXT, done_at DATETIME(3))",
    "CREATE TABLE audit (id INT, name TEXT)",
    _AUDIT,
)


class Server(ServerDatabase):
    """A database, and one more for what is kept."""

    changes: Mapping[Change, Sequence[str]] = {
        "add odd rows": ("INSERT INTO person (id, resume) VALUES (900, NULL)",),
        "finish three rows meanwhile": (
            f"""CREATE TRIGGER meanwhile AFTER INSERT ON batchd_batch FOR EACH ROW
                UPDATE person SET done_at = '{LONG_AGO}' WHERE id IN (3, 21, 22)""",
        ),
        "steal a lease": (
            """CREATE TRIGGER thief BEFORE UPDATE ON batchd_batch FOR EACH ROW BEGIN
                IF NEW.id = 2 AND NEW.state = 'submitting' AND OLD.state <> 'submitting' THEN
                SET NEW.lease_owner = NULL, NEW.lease_epoch = NEW.lease_epoch + 1; END IF; END""",
        ),
        "refuse a row": (
            f"""CREATE TRIGGER refuses BEFORE UPDATE ON person FOR EACH ROW BEGIN
                IF NEW.id = 3 AND NEW.name IS NOT NULL THEN
                SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{REFUSAL}'; END IF; END""",
        ),
        "accept the row": ("DROP TRIGGER refuses",),
        "hide a column": ("DROP TRIGGER person_audit", "ALTER TABLE person RENAME COLUMN name TO full_name"),
        "show the column": ("ALTER TABLE person RENAME COLUMN full_name TO name", _AUDIT),
    }

    def connect(self, database: str, *, patience: int = PATIENCE) -> Any:
        return pymysql.connect(
            host=str(self.admin.host), port=int(self.admin.port or 3306), user=str(self.admin.username),
            password=str(self.admin.password), database=database, charset="utf8mb4", autocommit=True,
            init_command=f"SET lock_wait_timeout = {patience}, innodb_lock_wait_timeout = {patience}",
        )  # fmt: skip

    def statement(self, sql: str, *, with_values: bool) -> str:
        return formatted(sql) if with_values else sql

    def errors(self) -> type[Exception]:
        return pymysql.err.OperationalError  # type: ignore[no-any-return]

    @property
    def _kept(self) -> str:
        return f"{self.name}_kept"

    def create(self) -> None:
        # A whole database may go in any order.
        self.at_the_server("SET foreign_key_checks = 0", f"CREATE OR REPLACE DATABASE {self.name}")
        for statement in _TABLES:
            self.execute(statement)

    def keep(self) -> None:
        self.at_the_server(
            f"CREATE OR REPLACE DATABASE {self._kept}",
            *(f"CREATE TABLE {self._kept}.{table} SELECT * FROM {self.name}.batchd_{table}" for table in LEDGER),
        )

    def put_back(self) -> None:
        self.create()
        self.upgrade()
        self.execute("DELETE FROM batchd_installation")
        for table in LEDGER:
            self.execute(f"INSERT INTO batchd_{table} SELECT * FROM {self._kept}.{table}")

    def forget_ledger(self) -> None:
        views = self.execute("SELECT table_name FROM information_schema.views WHERE table_schema = database()")
        for (view,) in views:
            self.execute(f"DROP VIEW {view}")
        for table in reversed(LEDGER):
            self.execute(f"DROP TABLE batchd_{table}")

    def clock(self) -> dt.datetime:
        ((now,),) = self.execute("SELECT UTC_TIMESTAMP(3)")
        return moment(now)

    def close(self) -> None:
        """Removes both."""
        self.at_the_server(
            "SET foreign_key_checks = 0", *(f"DROP DATABASE IF EXISTS {name}" for name in (self.name, self._kept))
        )
