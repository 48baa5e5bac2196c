"""A workplace for stage tests: a real SQLite ledger in a temporary folder, a fake vendor, the real spool.

The predicate of a task is SQL, so the store has no fake: SQLite in a file is quick enough to be one.
"""

import itertools
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from batchd.core.fields import FieldSpec
from batchd.core.schema import ColumnInfo, answer_from_fields, with_columns
from batchd.core.tasks import KeyColumn, Marker, TaskDefinition
from batchd.core.verdicts import Usage
from batchd.operations import pause
from batchd.pipeline import BATCH_LANE, CHECKING, StageMaker, run_pass
from batchd.ports import EVERYTHING, Account, ConfiguredTask, Counts, Ledger, Orders, Scope, Workplace
from batchd.spool import FolderSpool
from batchd.store.migrate import upgrade
from batchd.store.opening import Database, open_database
from tests.fakes.answers import answered
from tests.fakes.vendor import FakeVendor
from tests.planted import RESUME

# Waits that tests set on purpose are longer, in seconds.
_SHORT_WAIT = 0.5

GOOD_ANSWER = '{"name": "Ada", "level": "senior"}'

TABLE = """
CREATE TABLE person (
    id        INTEGER PRIMARY KEY,
    resume    TEXT,
    name      VARCHAR(20),
    level     TEXT CHECK (level IN ('junior', 'senior')),
    done_at   TEXT,
    version   INTEGER NOT NULL DEFAULT 1
)
"""

FIELDS = {
    "name": FieldSpec(type="string", nullable=True, column="name"),
    "level": FieldSpec(type="string", enum=("junior", "senior"), column="level"),
}
COLUMNS = {"name": ColumnInfo("text", 20), "level": ColumnInfo("text")}


def person_task(**changes: Any) -> TaskDefinition:
    """The task of the stage tests: a person's résumé gives name and level."""
    usual: dict[str, Any] = {
        "name": "people",
        "vendor": "fake",
        "table": "person",
        "key": (KeyColumn(name="id", kind="integer"),),
        "pending": "done_at IS NULL",
        "inputs": ("resume",),
        "endpoint": "/v1/chat/completions",
        "model": "gpt-6-luna",
        "prompt": "Read this: {{ resume }}",
        "answer": with_columns(answer_from_fields(FIELDS), COLUMNS),
        "on_success": {"done_at": Marker(source="now")},
        "retry_delay": 0.0,
    }
    return TaskDefinition(**{**usual, **changes})


class NoPrices:
    """Every token costs one billionth of a dollar."""

    def cost(self, model: str, usage: Usage) -> int | None:
        """Tokens in and out, added up."""
        del model
        return usage.input + usage.output


class NoProgress:
    """Shows nothing."""

    def step(self, what: str, done: int, total: int | None) -> None:
        """Says nothing."""


class Bench:
    """One database, one fake vendor, one spool; everything a stage test needs to act and to look.

    Attributes:
        planted: ends every text of a row, for ``tests/leaks.py`` to listen for; empty where texts are to be exact.
    """

    planted = f" {RESUME}"

    def __init__(self, folder: Path, task: TaskDefinition | None = None, table: str = TABLE) -> None:
        self.folder = folder
        self.database = self.opened(task or person_task(), table)
        self.vendor = FakeVendor(answered(GOOD_ANSWER))
        self.vendor.now = lambda: int(time.time())
        self.spool = FolderSpool(folder / "spool")
        self._uids = (f"{number:032x}" for number in itertools.count(1))
        self.place = self.workplace("tester", ConfiguredTask(task or person_task()))

    def opened(self, task: TaskDefinition, table: str) -> Database:
        """The database with the task's table and an empty ledger."""
        del task
        self.path = self.folder / "bench.db"
        self.execute(table)
        database = open_database(f"sqlite:///{self.path}", create=True)
        upgrade(database.engine, database.dialect, database.url)
        return database

    def workplace(self, owner: str, *tasks: ConfiguredTask) -> Workplace:
        """Another process at work on the same database."""
        return Workplace(
            store=self.database.store(actor=owner, is_dead=lambda _: False),
            spool=self.spool,
            accounts={"fake": Account("fake", self.vendor, "account-1", submit_grace=0.0, create_seconds=0.0)},
            tasks={task.definition.name: task for task in tasks},
            prices=NoPrices(),
            progress=NoProgress(),
            owner=owner,
            new_uid=lambda: next(self._uids),
            check_interval=0.0,
        )

    def configure(self, **changes: Any) -> None:
        """Changes the configured task: its pace, or with ``definition`` the whole of it."""
        (task,) = self.place.tasks.values()
        task = replace(task, **changes)
        self.place = replace(self.place, tasks={task.definition.name: task})

    def account(self, **changes: Any) -> None:
        """Changes the configured vendor account."""
        account = replace(self.place.accounts["fake"], **changes)
        self.place = replace(self.place, accounts={"fake": account})

    def execute(self, sql: str, *parameters: Any) -> list[Any]:
        """Runs SQL as a person at the database would."""
        with closing(sqlite3.connect(self.path, timeout=30)) as connection, connection:
            return connection.execute(sql, parameters).fetchall()

    def add_people(self, *resumes: str | None, first: int = 1) -> None:
        """Adds pending rows with the ids ``first`` and following."""
        for number, resume in enumerate(resumes, first):
            planted = f"{resume}{self.planted}" if resume else resume
            self.execute("INSERT INTO person (id, resume) VALUES (?, ?)", number, planted)

    def run(
        self,
        *stages: StageMaker,
        scope: Scope = EVERYTHING,
        orders: Orders | None = None,
        place: Workplace | None = None,
    ) -> Counts:
        """One pass of these stages, or of the whole lane, later by the database's clock than whatever was before.

        Another process's ``place`` runs it where one is given.
        """
        # A wait of no time ends with the next millisecond, and a pass may well take less than one.
        time.sleep(max(0.002, self._until_due()))
        return run_pass(stages or BATCH_LANE, place or self.place, scope, orders or Orders(eager=True))

    def _until_due(self) -> float:
        """Seconds until no batch has a short wait ahead: one grows with a batch's age, and so with a slow machine."""
        dialect = self.database.dialect
        wait = dialect.seconds_between(sa.literal_column("not_before"), dialect.now())
        seconds = wait.compile(self.database.engine, compile_kwargs={"literal_binds": True})
        asked = f"SELECT max({seconds}) FROM batchd_batch WHERE {seconds} < {_SHORT_WAIT}"
        ((longest,),) = self.execute(asked)
        return max(float(longest or 0.0), 0.0)

    def run_until_quiet(self, passes: int = 60) -> None:
        """Passes of the whole lane until one does nothing, no batch is on its way and no retry is near."""
        for _ in range(passes):
            if not self.run() and not self._is_waiting():
                return
        msg = f"still busy after {passes} passes: {self.states()}"
        raise AssertionError(msg)

    def _is_waiting(self) -> bool:
        def waits(ledger: Ledger) -> bool:
            retries = [ledger.gates.next_retry(task.id) for task in ledger.tasks.all()]
            near = any(wait is not None and wait < 1.0 for wait in retries)
            return near or ledger.batches.next_due(EVERYTHING) is not None

        return self.place.store.read(waits)

    def check_until(self, *states: str, stages: tuple[StageMaker, ...] = CHECKING, passes: int = 200) -> None:
        """Passes of these stages until the batches have these states, in order."""
        for _ in range(passes):
            if self.states() == list(states):
                return
            self.run(*stages)
        msg = f"not {states} after {passes} passes: {self.states()}"
        raise AssertionError(msg)

    def people(self) -> list[Any]:
        """(id, name, level, whether done) of every row, by id."""
        return self.execute("SELECT id, name, level, done_at IS NOT NULL FROM person ORDER BY id")

    def states(self) -> list[str]:
        """The state of every batch, oldest first."""
        return [row[0] for row in self.execute("SELECT state FROM batchd_batch ORDER BY id")]

    def outcomes(self) -> list[Any]:
        """(key, outcome) of every request, in order of sending."""
        return self.execute("SELECT key_int, outcome FROM batchd_request ORDER BY batch_id, seq")

    def gates(self) -> dict[int, str]:
        """Row key → state of its gate."""
        return dict(self.execute("SELECT key_int, state FROM batchd_gate ORDER BY key_int"))

    def findings(self) -> list[Any]:
        """(kind, subject) of every open finding."""
        return self.execute("SELECT kind, subject FROM batchd_finding WHERE closed_at IS NULL ORDER BY id")

    def batch(self, number: int = 1) -> Mapping[str, Any]:
        """A batch's row in the ledger, by column."""
        with closing(sqlite3.connect(self.path)) as connection:
            connection.row_factory = sqlite3.Row
            row = connection.execute("SELECT * FROM batchd_batch WHERE id = ?", (number,)).fetchone()
            return dict(row)

    def kept(self, kind: str) -> list[Any]:
        """(seq, body) of the pieces of row content of one kind."""
        return self.execute("SELECT seq, body FROM batchd_content WHERE kind = ? ORDER BY seq, part", kind)

    def sent_lines(self) -> Iterator[bytes]:
        """Every line that was ever uploaded."""
        for content in self.vendor.files.values():
            yield from content.splitlines()


class PauseAfterAChunk(NoProgress):
    """A person pauses the task as soon as the first chunk is written."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def step(self, what: str, done: int, total: int | None) -> None:
        """Pauses."""
        del done, total
        if what == "applying results":
            pause(self._bench.place.store, "people", "wait")
