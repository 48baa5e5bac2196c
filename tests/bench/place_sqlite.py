"""SQLite, in memory-backed storage or on disk: a file that is copied for each run."""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from batchd.store.migrate import upgrade
from batchd.store.opening import open_database
from tests.bench.places import TABLE
from tests.bench.storage import MEMORY, disk, own_folder


class Sqlite:
    """Implements ``Place``."""

    kind = "sqlite"
    version = f"SQLite {sqlite3.sqlite_version}"
    password = ""

    def __init__(self, *, in_memory: bool) -> None:
        self.name = "sqlite-memory" if in_memory else "sqlite-disk"
        self.folder = own_folder(MEMORY if in_memory else disk())
        self._kept, self._path = self.folder / "kept.db", self.folder / "rows.db"

    def fill(self, rows: Iterator[str]) -> None:
        _remove(self._kept)
        with contextlib.closing(sqlite3.connect(self._kept)) as connection, connection:
            connection.execute(TABLE.format(time="TEXT").replace("BIGINT", "INTEGER"))
            connection.executemany("INSERT INTO candidate (id, resume) VALUES (?, ?)", enumerate(rows, 1))

    def fresh(self, *, ledger: bool, port: int | None = None) -> None:
        del port
        _remove(self._path)
        shutil.copyfile(self._kept, self._path)
        if ledger:
            opened = open_database(self.url())
            upgrade(opened.engine, opened.dialect, opened.url)
            opened.engine.dispose()
        os.sync()

    def settings(self, port: int | None = None) -> dict[str, Any]:
        del port
        return {"database": str(self._path)}

    def url(self, port: int | None = None) -> str:
        del port
        return f"sqlite:///{self._path}"

    def execute(self, sql: str) -> list[Any]:
        with contextlib.closing(sqlite3.connect(self._path)) as connection, connection:
            return connection.execute(sql).fetchall()

    def add_rows(self, rows: int, columns: Mapping[str, str], table: str = "candidate") -> None:
        numbers = f"WITH RECURSIVE series(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM series WHERE i < {rows})"
        self.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) {numbers} SELECT {', '.join(columns.values())} FROM series"
        )

    def settle(self) -> None:
        os.sync()

    def name_of_key(self) -> str:
        return "'Candidate ' || id"

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
