"""A task of a real config over a table of SQL Server: claimed, sent and applied by batchd's least-privilege login."""

import json
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from batchd.app.check_config import check_config
from batchd.app.remarks import Report
from batchd.app.resolve import resolve_tasks
from batchd.app.rights import rights_of
from batchd.app.workplace import database_of, store_of, workplace
from batchd.config import Config, load_config
from batchd.inspection import Verdict, verify
from batchd.pipeline import BATCH_LANE, StageMaker, run_pass
from batchd.ports import EVERYTHING, Account, Counts, Orders, Workplace
from batchd.store.grants import grants_for, place_of
from batchd.store.opening import Database
from tests.conformance.stores import hurry, rows_of
from tests.conformance.stores_mssql import MssqlServer
from tests.fakes.answers import ResultLine, answered
from tests.fakes.vendor import FakeVendor
from tests.stages.bench import NoPrices, NoProgress

CONFIG = """\
[database]
url = '{url}'
password = {{ file = "{secret}" }}

[vendors.fake]
kind = "openai"
base_url = "http://127.0.0.1:9/v1"
api_key = {{ file = "{secret}" }}

[daemon]
apply_rows = {apply_rows}

{tasks}
"""

TASK = """\
[tasks.{name}]
vendor = "fake"
model = "gpt-6-luna"
retry_delay = "0s"
table = {table}
key = {key}
pending = {pending}
prompt = {prompt}
on_success = {on_success}
{more}
"""


def of_the_row(request: dict[str, Any]) -> str:
    """What stands in the user's message."""
    return str(request["body"]["messages"][-1]["content"])


class Lane:
    """One database with a ledger; ``work`` takes a task's lines of config from the first look to the last row."""

    def __init__(self, server: MssqlServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.vendor = FakeVendor(self._answer)
        self.vendor.now = lambda: int(time.time())
        self.reply: Callable[[dict[str, Any]], str] = of_the_row
        self.place: Workplace | None = None
        self._first: list[str] = []
        self._opened: list[Database] = []

    def _answer(self, request: dict[str, Any]) -> list[ResultLine]:
        return answered(self.reply(request))(request)

    def execute(self, sql: str, *parameters: Any) -> list[Any]:
        """Runs a statement as the owner of the tables; committed at once."""
        self.server.person.execute(sql, *parameters)
        return rows_of(self.server.person)

    def batches_of(self, script: str) -> None:
        """Runs a script whose batches end with a line GO."""
        for batch in re.split(r"(?m)^GO$", script):
            self.execute(batch)

    def say_first(self, *statements: str) -> None:
        """What each session of the runtime login begins with, as by its own settings."""
        self._first += statements

    def config(self, tasks: str, *, as_owner: bool = False, apply_rows: int = 1000) -> Config:
        """The config as a file, for the runtime login or for the owner of the database."""
        url = self.server.owner.url if as_owner else self.server.runtime_url
        secret = self.folder / f"{url.username}.secret"
        secret.write_text(str(url.password), encoding="utf-8")
        path = self.folder / f"{url.username}.toml"
        shown = url._replace(password=None).render_as_string()
        path.write_text(CONFIG.format(url=shown, secret=secret, tasks=tasks, apply_rows=apply_rows), encoding="utf-8")
        return load_config(path)

    def check(self, tasks: str, *, as_owner: bool = True) -> Report:
        """What ``batchd check-config`` finds."""
        return check_config(self.config(tasks, as_owner=as_owner), None)

    def grant(self, tasks: str) -> None:
        """Runs what ``batchd db grants`` prints for each task."""
        config = self.config(tasks, as_owner=True)
        place = place_of(config.database_url(), None)
        for name in config.tasks:
            rights = rights_of(config, name)
            for statement in grants_for(place, rights.table, self.server.login, rights.target).table:
                if not (self.server.is_stand_in and "VIEW DEFINITION" in statement):
                    self.execute(statement)

    def open(self, tasks: str, *, as_owner: bool = False, apply_rows: int = 1000) -> Workplace:
        """A process of batchd that works on the task."""
        config = self.config(tasks, as_owner=as_owner, apply_rows=apply_rows)
        database = database_of(config)
        hurry(database.engine, *self._first)
        self._opened.append(database)
        accounts = {"fake": Account("fake", self.vendor, "account-1", submit_grace=0.0, create_seconds=0.0)}
        found = workplace(config, store_of(database), resolve_tasks(config, database, None)[0], accounts, NoProgress())
        self.place = replace(found, prices=NoPrices(), new_uid=lambda: uuid.uuid4().hex, check_interval=0.0, vendors={})
        return self.place

    def work(self, tasks: str, *, apply_rows: int = 1000) -> None:
        """Checks, grants, and runs until nothing is left to do."""
        problems = [f"{one.subject}: {one.sentence}" for one in self.check(tasks).problems]
        assert not problems, problems
        self.grant(tasks)
        self.open(tasks, apply_rows=apply_rows)
        self.run_until_quiet()

    def run(self, *stages: StageMaker) -> Counts:
        """One pass."""
        assert self.place is not None
        return run_pass(stages or BATCH_LANE, self.place, EVERYTHING, Orders(eager=True))

    def run_until_quiet(self, passes: int = 60) -> None:
        """Passes of the whole lane until one does nothing and every batch has ended."""
        for _ in range(passes):
            if not self.run() and not self._is_waiting():
                return
            time.sleep(0.002)
        raise AssertionError(f"still busy after {passes} passes: {self.outcomes()}")

    def _is_waiting(self) -> bool:
        retries = self.execute("SELECT COUNT(*) FROM batchd.batchd_gate WHERE state = N'retry'")[0][0]
        assert self.place is not None
        return bool(retries) or self.place.store.read(lambda ledger: ledger.batches.next_due(EVERYTHING)) is not None

    def outcomes(self) -> dict[str, int]:
        """How many requests ended how."""
        return dict(self.execute("SELECT outcome, COUNT(*) FROM batchd.batchd_request GROUP BY outcome"))

    def reasons(self) -> list[Any]:
        """(outcome, code, sentence) of each request that was not written."""
        return self.execute(
            "SELECT r.outcome, r.error_code, r.error_text FROM batchd.batchd_request r "
            "WHERE r.outcome <> N'applied' ORDER BY r.batch_id, r.seq"
        )

    def findings(self) -> list[str]:
        """The kind of every open finding."""
        rows = self.execute("SELECT kind FROM batchd.batchd_finding WHERE closed_at IS NULL ORDER BY id")
        return [kind for (kind,) in rows]

    def verify(self) -> Verdict:
        """The promises, held against ledger, spool and vendor."""
        assert self.place is not None
        return verify(self.place, None)

    def close(self) -> None:
        """Ends its connections."""
        for database in self._opened:
            database.engine.dispose()


def a_task(
    name: str,
    table: str,
    *,
    schema: str | None = "dbo",
    key: Sequence[str] = ("Id",),
    pending: str = "done IS NULL",
    prompt: str = "{{ body }}",
    on_success: str = '{ done = { now = "utc" } }',
    more: str = "",
    **columns: str,
) -> str:
    """A task whose rows say in ``body`` what is to be answered; ``columns`` are those that are written."""
    place = more if schema is None else f"schema = {json.dumps(schema)}\n{more}"
    named = {"table": table, "key": list(key), "pending": pending, "prompt": prompt}
    texts = {setting: json.dumps(value, ensure_ascii=False) for setting, value in named.items()}
    return TASK.format(name=name, on_success=on_success, more=f"{place}\n{fields(name, columns)}", **texts)


def fields(task: str, columns: Mapping[str, str]) -> str:
    """One field for each column, which may be NULL; ``json`` is an array that is stored as JSON text."""
    lines = [f"[tasks.{task}.fields]"]
    for at, (column, kind) in enumerate(columns.items()):
        said = {"json": 'type = "array", items = "string", store = "json"'}.get(
            kind, f'type = "{kind}", nullable = true'
        )
        lines.append(f"f{at} = {{ {said}, column = {json.dumps(column)} }}")
    return "\n".join(lines)


def said(*values: Any) -> str:
    """A row's text that is its own answer: what goes into the written columns, in their order."""
    return json.dumps({f"f{at}": value for at, value in enumerate(values)}, ensure_ascii=False)
