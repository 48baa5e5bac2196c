"""The sandbox's memory: one SQLite file, and a folder beside it for the contents of files."""

import json
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TABLES = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS file (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    filename TEXT NOT NULL,
    purpose TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL,
    deleted INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS batch (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    endpoint TEXT NOT NULL,
    input_file_id TEXT NOT NULL,
    completion_window TEXT NOT NULL,
    metadata TEXT,
    output_seconds INTEGER,
    created_at REAL NOT NULL,
    duration REAL NOT NULL,
    upstream INTEGER NOT NULL,
    model TEXT,
    total INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    errors TEXT,
    cancelling_at REAL,
    end_status TEXT,
    ended_at REAL,
    finalized INTEGER NOT NULL DEFAULT 1,
    completed INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    output_file_id TEXT,
    error_file_id TEXT,
    usage TEXT
);
CREATE TABLE IF NOT EXISTS azure_file (file_id TEXT PRIMARY KEY, processed_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS payment (
    batch_id TEXT NOT NULL,
    custom_id TEXT NOT NULL,
    input_hash TEXT NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS upstream_answer (
    batch_id TEXT NOT NULL,
    line INTEGER NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    answered_at REAL NOT NULL,
    PRIMARY KEY (batch_id, line)
);
CREATE TABLE IF NOT EXISTS webhook (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    batch_id TEXT NOT NULL UNIQUE,
    created_at REAL NOT NULL,
    fault TEXT,
    tries INTEGER NOT NULL,
    status INTEGER,
    due_at REAL,
    begun_at REAL NOT NULL
);
"""


class State:
    """One connection, used by one transaction at a time; who opens the transaction hands it on."""

    def __init__(self, path: Path) -> None:
        """Open or create the state at ``path``; contents go to the folder ``<path>.files``."""
        self.path = path
        self.files = path.with_name(path.name + ".files")
        path.parent.mkdir(parents=True, exist_ok=True)
        self.files.mkdir(exist_ok=True)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.executescript(TABLES)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the connection inside a write transaction; commit at the end, roll back on any exception."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def content(self, file_id: str) -> Path:
        """Return where the content of a file is kept."""
        return self.files / file_id

    def reset(self) -> None:
        """Forget everything: files, batches, payments, faults and the moved clock."""
        with self.transaction() as connection:
            for table in ("setting", "file", "azure_file", "batch", "payment", "upstream_answer", "webhook"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608, the names stand right above
            shutil.rmtree(self.files)
            self.files.mkdir()

    def close(self) -> None:
        """Close the connection; the state can be opened again."""
        with self._lock:
            self._connection.close()


def read_setting(connection: sqlite3.Connection, name: str) -> dict[str, object]:
    """Return a stored JSON object, empty when it was never written."""
    row = connection.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
    if row is None:
        return {}
    value: dict[str, object] = json.loads(row["value"])
    return value


def write_setting(connection: sqlite3.Connection, name: str, value: dict[str, object]) -> None:
    """Store a JSON object under a name, replacing what was there."""
    connection.execute(
        "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, json.dumps(value)),
    )
