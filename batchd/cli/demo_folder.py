"""The demo's folder: its files, and whether the reader has made any of them their own."""

import contextlib
import fcntl
import hashlib
import json
import shutil
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path

from batchd.cli.demo_rows import resumes
from batchd.errors import UsageError
from batchd.store.sql_folder import sql_root

_CONFIG_TEXT = Path(__file__).with_name("demo_config.toml")
_TABLE_SQL = Path("examples", "aicandidate", "sqlite.sql")
_DATABASE_FILES = ("-wal", "-shm", "-journal")
_SANDBOX_FILES = (".files", ".lock", ".log", ".server.json", ".start", ".users")
_PATIENCE = 10.0
_PAUSE = 0.1


class DemoFolder:
    """A folder that holds a demo, or will. Files in it that the demo did not make are left alone.

    What the demo made is written down in a manifest: hashes of its config, of the rows as they were put in,
    and, once it has run to its end, of the whole table. So a demo that was interrupted is no reader's work.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.toml"
        self.database = path / "candidates.db"
        self._sandbox = path / "sandbox.db"
        self._spool = path / "spool"
        self._manifest = path / ".demo.json"

    def check_ours(self) -> None:
        """Raises UsageError where files of the demo's names are there that no demo made, or one is in use."""
        made = (self.config, self.database, self._sandbox, self._spool)
        foreign = [one.name for one in made if one.exists()]
        if foreign and not self._manifest.is_file():
            raise UsageError(
                f"{self.path} holds {', '.join(foreign)}, which no demo made; nothing was changed",
                next_command="batchd demo --folder DIR keeps it in another folder; or move these files away",
            )
        self._wait_until_unused()

    def touched(self) -> list[str]:
        """What the reader has changed since, in words; empty where the demo may be made anew."""
        if not self._manifest.is_file():
            return []
        kept = json.loads(self._manifest.read_text(encoding="utf-8"))
        found = []
        if self.config.is_file() and _digest([self.config.read_bytes()]) != kept["config"]:
            found.append(f"{self.config.name} was edited")
        if self.database.is_file():
            found += self._touched_database(kept)
        return found

    def build(self) -> None:
        """Makes the config and the database with its rows; what a demo has left there goes first."""
        self.path.mkdir(parents=True, exist_ok=True)
        config = _CONFIG_TEXT.read_bytes()
        # Before any file: one that is found without a manifest is taken for the reader's.
        self._write_manifest({"config": _digest([config]), "rows": None, "results": None})
        self._clear()
        self.config.write_bytes(config)
        with contextlib.closing(sqlite3.connect(self.database)) as database, database:
            database.executescript((sql_root() / _TABLE_SQL).read_text(encoding="utf-8"))
            database.executemany("INSERT INTO aicandidate (userid, Resume) VALUES (?, ?)", resumes())
        with contextlib.closing(self._reading()) as database:
            rows = _rows_digest(database)
        self._write_manifest({"config": _digest([config]), "rows": rows, "results": None})

    def seal(self) -> None:
        """Writes down how the demo has left the database; from here on every change is the reader's."""
        kept = json.loads(self._manifest.read_text(encoding="utf-8"))
        with contextlib.closing(self._reading()) as database:
            self._write_manifest(kept | {"results": _results_digest(database)})

    def rows(self) -> list[sqlite3.Row]:
        """The table as it is now, in key order."""
        with contextlib.closing(self._reading()) as database:
            database.row_factory = sqlite3.Row
            return database.execute("SELECT * FROM aicandidate ORDER BY userid").fetchall()

    def _touched_database(self, kept: dict[str, str | None]) -> list[str]:
        try:
            with contextlib.closing(self._reading()) as database:
                if kept["results"] is not None and _results_digest(database) != kept["results"]:
                    return [f"{self.database.name} was changed, or batches were sent from it"]
                if kept["rows"] is not None and _rows_digest(database) != kept["rows"]:
                    return [f"{self.database.name} was changed"]
        except sqlite3.Error:
            return [f"{self.database.name} is not the database that the demo made"]
        return []

    def _reading(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self.database.absolute().as_uri()}?mode=ro", uri=True)

    def _write_manifest(self, manifest: dict[str, str | None]) -> None:
        self._manifest.write_text(json.dumps(manifest), encoding="utf-8")

    def _clear(self) -> None:
        for base in (self.database, self._sandbox):
            for ending in ("", *_DATABASE_FILES):
                _remove(base.with_name(base.name + ending))
        for ending in _SANDBOX_FILES:
            _remove(self._sandbox.with_name(self._sandbox.name + ending))
        _remove(self._spool)

    def _wait_until_unused(self) -> None:
        """A sandbox that still serves the old state would be joined by the new demo."""
        users = self._sandbox.with_name(f"{self._sandbox.name}.users")
        if not users.is_file():
            return
        deadline = time.monotonic() + _PATIENCE
        while not _is_unused(users):
            if time.monotonic() > deadline:
                raise UsageError(
                    f"another command is using the demo in {self.path}; nothing was changed",
                    next_command="end it, then run the demo again",
                )
            time.sleep(_PAUSE)


def _is_unused(users: Path) -> bool:
    """True where nobody holds the lock that every user of the sandbox shares, and its server has ended."""
    with users.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _rows_digest(database: sqlite3.Connection) -> str:
    """What the demo put in, before any batch: batchd does not change it."""
    return _digest([*_shape(database), *_texts(database, "SELECT userid, Resume FROM aicandidate ORDER BY 1")])


def _results_digest(database: sqlite3.Connection) -> str:
    """Everything a reader may have changed: tables, rows, answers, and what was done with batchd since."""
    rows = _texts(database, "SELECT * FROM aicandidate ORDER BY userid")
    moves = _texts(database, "SELECT count(*) FROM batchd_event")
    return _digest([*_shape(database), *rows, *moves])


def _shape(database: sqlite3.Connection) -> Iterable[bytes]:
    """Tables and views that aren't the ledger's."""
    query = "SELECT type, name, sql FROM sqlite_master WHERE name NOT GLOB 'batchd_*' AND sql IS NOT NULL"
    return _texts(database, f"{query} ORDER BY name")


def _texts(database: sqlite3.Connection, query: str) -> Iterable[bytes]:
    return (repr(row).encode() for row in database.execute(query))


def _digest(pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(hashlib.sha256(piece).digest())
    return digest.hexdigest()
