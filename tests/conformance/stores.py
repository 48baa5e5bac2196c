"""Stores under test: what a test needs of a database beside the store. A new database is a new class here."""

import contextlib
import datetime as dt
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import sqlalchemy as sa

from batchd.core.keys import RowKey
from batchd.core.model import Batch, KeyPage, Lease, NewBatch, NewRequest
from batchd.core.tasks import AnswerSpec, KeyColumn, TaskDefinition, WriteBack
from batchd.ports import Ledger
from batchd.store.engine import SqlStore
from batchd.store.migrate import upgrade
from batchd.store.opening import Database, open_database

Kind = Literal["integer", "text", "number", "binary", "untyped"]
Equality = Literal["exact", "nocase", "rtrim"]


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """A column of a user's table; ``more`` is SQL such as ``NOT NULL`` that every database takes."""

    name: str
    kind: Kind = "text"
    equality: Equality = "exact"
    more: str = ""


class StoreUnderTest(Protocol):
    """One database, empty but for the ledger, and a person with a connection of their own."""

    name: str

    def open(self) -> Database:
        """Another process opens the database; it doesn't wait for locks."""

    def create_table(self, table: str, *columns: ColumnSpec, key: Sequence[str] = ()) -> None:
        """A user's table, with ``key`` as its primary key."""

    def execute(self, sql: str, *parameters: Any) -> list[Any]:
        """Runs one statement as a person would, with ``?`` for parameters; committed at once."""

    def quote(self, name: str) -> str:
        """A name of any characters, for use in SQL."""

    def clock(self) -> dt.datetime:
        """The database's own time, UTC."""

    def locked(self) -> contextlib.AbstractContextManager[Any]:
        """A person holds what writers of the ledger need."""

    def passing_error(self) -> Exception:
        """An error of the driver after which the whole transaction is to be run again."""


class SqliteUnderTest:
    """SQLite in a file."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "store.db"
        self._opened: list[Database] = []
        database = self._open(create=True)
        upgrade(database.engine, database.dialect, database.url)

    def open(self) -> Database:
        return self._open(create=False)

    def _open(self, *, create: bool) -> Database:
        database = open_database(f"sqlite:///{self.path}", create=create)
        database.engine.dispose()
        sa.event.listen(database.engine.pool, "connect", _hurry)
        self._opened.append(database)
        return database

    def close(self) -> None:
        """Closes whatever was opened."""
        for database in self._opened:
            database.engine.dispose()

    def create_table(self, table: str, *columns: ColumnSpec, key: Sequence[str] = ()) -> None:
        lines = [
            " ".join([self.quote(one.name), _TYPES[one.kind], _COLLATIONS[one.equality], one.more]) for one in columns
        ]
        if key:
            lines.append(f"PRIMARY KEY ({', '.join(map(self.quote, key))})")
        self.execute(f"CREATE TABLE {self.quote(table)} ({', '.join(lines)})")

    def execute(self, sql: str, *parameters: Any) -> list[Any]:
        with closing(sqlite3.connect(self.path, timeout=30)) as connection, connection:
            connection.execute("PRAGMA synchronous = OFF")
            return connection.execute(sql, parameters).fetchall()

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def clock(self) -> dt.datetime:
        ((now,),) = self.execute("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')")
        return moment(now)

    @contextlib.contextmanager
    def locked(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection

    def passing_error(self) -> Exception:
        error = sqlite3.OperationalError("database is locked")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        error.sqlite_errorname = "SQLITE_BUSY"
        return sa.exc.OperationalError("COMMIT", {}, error)


_TYPES: dict[Kind, str] = {
    "integer": "INTEGER",
    "text": "TEXT",
    "number": "REAL",
    "binary": "BLOB",
    "untyped": "",
}
_COLLATIONS: dict[Equality, str] = {"exact": "", "nocase": "COLLATE NOCASE", "rtrim": "COLLATE RTRIM"}


def _hurry(connection: sqlite3.Connection, _record: object) -> None:
    # No wait for locks, nor for the disk: no power fails in these tests. That batchd itself waits for the
    # disk is held in test_ledger_sql.
    connection.execute("PRAGMA busy_timeout = 0")
    connection.execute("PRAGMA synchronous = OFF")


def moment(text: str) -> dt.datetime:
    """A time as the ledger keeps it in SQLite."""
    return dt.datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=dt.UTC)


def a_definition(**changes: Any) -> TaskDefinition:
    """The task of the store tests: ``item`` gives ``body``, and takes ``answer`` and the marker ``done``."""
    usual: dict[str, Any] = {
        "name": "items",
        "vendor": "local",
        "table": "item",
        "key": (KeyColumn(name="id", kind="integer"),),
        "pending": "done IS NULL",
        "inputs": ("body",),
        "endpoint": "/v1/chat/completions",
        "model": "m",
        "prompt": "{{ body }}",
        "answer": AnswerSpec(columns=(WriteBack(column="answer", path="@"),)),
    }
    return TaskDefinition(**(usual | changes))


ITEM = (ColumnSpec("id", "integer"), ColumnSpec("body"), ColumnSpec("answer"), ColumnSpec("done"))


class Desk:
    """A process at work on one task of one database, with short forms of what the tests do most."""

    def __init__(self, db: StoreUnderTest, definition: TaskDefinition | None = None, actor: str = "tester") -> None:
        self.db = db
        self.definition = definition or a_definition()
        self.dead: set[str] = set()
        self.database = db.open()
        self.store: SqlStore = self.database.store(actor=actor, is_dead=lambda owner: owner in self.dead)
        self.task_id, self.version_id = self.store.transact(self._enrolled)

    def _enrolled(self, ledger: Ledger) -> tuple[int, int]:
        known = ledger.tasks.find(self.definition.name)
        record = known or ledger.tasks.add(self.definition.name, self.definition.fingerprint)
        return record.id, ledger.tasks.save_version(record.id, self.definition)

    def page(self, after: tuple[Any, ...] | None = None, limit: int = 100) -> KeyPage:
        """One page of claimable keys."""
        return self.store.read(lambda ledger: ledger.rows(self.task_id, self.definition).claimable(after, limit))

    def pages(self, limit: int) -> list[KeyPage]:
        """All pages, one after the other."""
        pages = [self.page(None, limit)]
        while pages[-1].last is not None:
            pages.append(self.page(pages[-1].last, limit))
        return pages

    def claimable(self, limit: int = 100) -> list[RowKey]:
        """All claimable keys."""
        return [key for page in self.pages(limit) for key in page.keys]

    def build(self, keys: Sequence[RowKey], *, uid: str = "u1", retried: bool = False) -> Batch:
        """Records a batch of these rows."""

        def recorded(ledger: Ledger) -> Batch:
            batch_id = ledger.batches.add(NewBatch(uid, self.task_id, self.version_id, "local", "f", 1, "s"))
            read = {one.key.identity: one for one in ledger.rows(self.task_id, self.definition).read(keys)}
            requests = [
                NewRequest(seq, key, row.guard if row else "", row.guard_value if row else None, retried)
                for seq, key in enumerate(keys, 1)
                for row in [read.get(key.identity)]
            ]
            ledger.requests.add(batch_id, requests)
            ledger.gates.open(self.task_id, batch_id, requests)
            return ledger.batches.get(batch_id)

        return self.store.transact(recorded)

    def write(self, key: RowKey, **values: Any) -> None:
        """Writes one row."""
        self.write_all((key, values))

    def write_all(self, *rows: tuple[RowKey, dict[str, Any]]) -> None:
        """Writes several rows in one transaction."""
        self.store.transact(lambda ledger: ledger.rows(self.task_id, self.definition).write(rows))

    def lease(self, owner: str = "tester", seconds: float = 60.0) -> Lease | None:
        """Takes the task's lease."""
        return self.store.transact(lambda ledger: ledger.tasks.take_lease(self.task_id, owner, seconds))

    def held(self, owner: str = "tester", seconds: float = 60.0) -> Lease:
        """The same, where it must succeed."""
        found = self.lease(owner, seconds)
        assert found is not None
        return found

    def events(self) -> list[Any]:
        """(subject, action, from, to, reason) of every event but those of setting up."""
        return self.db.execute(
            "SELECT subject, action, from_state, to_state, reason FROM batchd_event WHERE action <> 'added' ORDER BY id"
        )
