"""SQLite in a drill: a file, put back as a copy."""

import datetime as dt
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.drills.databases import LEDGER, LONG_AGO, REFUSAL, Change

_AUDIT = """CREATE TRIGGER person_audit AFTER UPDATE OF name ON person
    BEGIN INSERT INTO audit VALUES (NEW.id, NEW.name); END"""
_TABLES = (
    "CREATE TABLE person (id INT PRIMARY KEY, resume TEXT, name TEXT, done_at TEXT)",
    "CREATE TABLE audit (id INT, name TEXT)",
    _AUDIT,
)
_PATIENCE = 30.0
# In transactions of its own; batchd's take the write lock, too, which everybody who writes waits for.
_MOMENT = 0.2


class Sqlite:
    """A file ``people.db``."""

    url = "sqlite:///people.db"
    password = ""
    changes: Mapping[Change, Sequence[str]] = {
        # Text in a column of whole numbers, which SQLite allows; and a row without text, where the task wants one.
        "add odd rows": (
            "INSERT INTO person (id, resume) VALUES ('no number', 'Grace')",
            "INSERT INTO person (id, resume) VALUES (900, NULL)",
        ),
        "finish three rows meanwhile": (
            f"""CREATE TRIGGER meanwhile AFTER INSERT ON batchd_batch BEGIN
                UPDATE person SET done_at = '{LONG_AGO}' WHERE id IN (3, 21, 22); END""",
        ),
        "steal a lease": (
            """CREATE TRIGGER thief AFTER UPDATE OF state ON batchd_batch
                WHEN NEW.state = 'submitting' AND NEW.id = 2 BEGIN
                UPDATE batchd_batch SET lease_owner = NULL, lease_epoch = lease_epoch + 1 WHERE id = NEW.id; END""",
        ),
        "refuse a row": (
            f"""CREATE TRIGGER refuses BEFORE UPDATE OF name ON person WHEN NEW.id = 3
                BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END""",
        ),
        "accept the row": ("DROP TRIGGER refuses",),
        "hide a column": ("DROP TRIGGER person_audit", "ALTER TABLE person RENAME COLUMN name TO full_name"),
        "show the column": ("ALTER TABLE person RENAME COLUMN full_name TO name", _AUDIT),
    }

    def __init__(self, folder: Path) -> None:
        self._file = folder / "people.db"
        self._kept = folder / "template.db"

    def create(self) -> None:
        self._remove()
        for statement in _TABLES:
            self.execute(statement)

    def keep(self) -> None:
        self._kept.unlink(missing_ok=True)
        self.execute("VACUUM INTO ?", str(self._kept))

    def put_back(self) -> None:
        self._remove()
        shutil.copy(self._kept, self._file)
        self.execute("PRAGMA journal_mode = WAL")

    def _remove(self) -> None:
        for ending in ("", "-wal", "-shm"):
            self._file.with_name(self._file.name + ending).unlink(missing_ok=True)

    def execute(self, sql: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(self._file, timeout=_PATIENCE)) as connection, connection:
            return connection.execute(sql, values).fetchall()

    def forget_ledger(self) -> None:
        for (view,) in self.execute("SELECT name FROM sqlite_master WHERE type = 'view' AND name LIKE 'batchd%'"):
            self.execute(f"DROP VIEW {view}")
        for table in reversed(LEDGER):
            self.execute(f"DROP TABLE batchd_{table}")

    def clock(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    def is_locked(self) -> bool:
        # SQLite has one write lock.
        with closing(sqlite3.connect(self._file, timeout=_MOMENT, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            connection.execute("ROLLBACK")
            return False

    def let_go(self) -> None:
        """Nothing: each statement has a connection of its own."""

    def close(self) -> None:
        """Nothing: the folder goes with its worker."""
