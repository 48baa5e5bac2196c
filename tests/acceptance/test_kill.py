"""``kill -9`` at any moment, then the same command again: the end is that of a run nobody killed."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from batchd.sandbox_process import start_or_join

ROWS = 60
CONFIG = """
[database]
url = "sqlite:///people.db"
[vendors.local]
kind = "sandbox"
batch_duration = "1s"
resubmit = "fence"
create_timeout = "0.9s"
submit_grace = "1s"
[daemon]
check_interval = "200ms"
[tasks.people]
vendor = "local"
table = "person"
key = ["id"]
pending = "done_at IS NULL"
model = "gpt-6-luna"
prompt = "{{ resume }}"
batch_size = 20
max_open_batches = 2
on_success = { done_at = { now = "utc" } }
[tasks.people.fields]
name = { type = "string", column = "name" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A config, a table with pending rows, a ledger."""
    (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
    with closing(sqlite3.connect(tmp_path / "people.db")) as connection, connection:
        connection.execute("CREATE TABLE person (id INTEGER PRIMARY KEY, resume TEXT, name TEXT, done_at TEXT)")
    subprocess.run(command("db", "upgrade"), cwd=tmp_path, check=True, capture_output=True)
    # One batch that both sides know: without it an empty list at the vendor would prove nothing.
    add_people(tmp_path, range(1, 2))
    subprocess.run(command("run", "--until-idle"), cwd=tmp_path, check=True, capture_output=True)
    add_people(tmp_path, range(2, ROWS + 1))
    return tmp_path


def add_people(folder: Path, numbers: range) -> None:
    """Pending rows."""
    with closing(sqlite3.connect(folder / "people.db")) as connection, connection:
        rows = [(number, f"Ada Number{number} wrote programs") for number in numbers]
        connection.executemany("INSERT INTO person (id, resume) VALUES (?, ?)", rows)


def command(*arguments: str) -> list[str]:
    """The real command."""
    return [sys.executable, "-m", "batchd", *arguments]


def query(folder: Path, sql: str) -> list[Any]:
    """What a person at the database sees."""
    with closing(sqlite3.connect(folder / "people.db", timeout=30)) as connection:
        return connection.execute(sql).fetchall()


def kill_once(folder: Path, condition: str) -> None:
    """Starts a run, and kills it with its whole group as soon as the ledger shows the condition."""
    with (folder / "run.log").open("ab") as log:
        running = subprocess.Popen(
            command("run", "--until-idle"), cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    deadline = time.monotonic() + 60
    while not query(folder, f"SELECT 1 FROM batchd_batch WHERE {condition} LIMIT 1"):
        assert running.poll() is None, f"the run ended before {condition}: {(folder / 'run.log').read_text()}"
        assert time.monotonic() < deadline, f"never saw {condition}"
        time.sleep(0.002)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()


def test_a_run_that_is_killed_again_and_again_loses_nothing_and_pays_nothing_twice(folder: Path) -> None:
    """Killed as soon as a batch is built, about to be created, created, ended, on disk, and closed."""
    for condition in (
        "id = 2",
        "id >= 2 AND intent_at IS NOT NULL",
        "id >= 2 AND submitted_at IS NOT NULL",
        "id >= 2 AND ended_at IS NOT NULL",
        "id >= 2 AND collected_at IS NOT NULL",
        "id >= 2 AND closed_at IS NOT NULL",
    ):
        kill_once(folder, condition)

    finished = subprocess.run(
        command("run", "--until-idle"), cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )

    assert 0 == finished.returncode, finished.stderr
    assert [(ROWS,)] == query(folder, "SELECT count(*) FROM person WHERE name IS NOT NULL AND done_at IS NOT NULL")
    assert [("applied", ROWS)] == query(folder, "SELECT outcome, count(*) FROM batchd_request GROUP BY outcome")
    assert [(0,)] == query(folder, "SELECT count(*) FROM batchd_gate")
    assert {"closed"} == {state for (state,) in query(folder, "SELECT state FROM batchd_batch")}
    paid = account(folder)
    assert (ROWS, ROWS, 1) == (paid["requests_paid"], paid["inputs_paid"], paid["max_paid_per_input"])


def at_work(folder: Path) -> dict[str, Any]:
    """What ``status`` says of processes."""
    told = subprocess.run(command("status", "--json"), cwd=folder, capture_output=True, text=True, check=False)
    found: dict[str, Any] = json.loads(told.stdout)["at_work"]
    return found


def test_an_idle_daemon_is_told_from_one_that_was_killed(folder: Path) -> None:
    """It holds no lease: it says itself that it is there, until it ends. The next one clears away what was left."""
    kill_once(folder, "id = 2 AND closed_at IS NOT NULL")
    killed = at_work(folder)
    with (folder / "run.log").open("ab") as log:
        daemon = subprocess.Popen(command("run"), cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while (found := at_work(folder))["state"] != "idle":
            assert time.monotonic() < deadline, f"never seen idle: {found}\n{(folder / 'run.log').read_text()}"
            time.sleep(0.1)
        owners = query(folder, "SELECT owner FROM batchd_process")
    finally:
        daemon.terminate()
        daemon.wait(60)

    assert (killed["state"], killed["next_command"]) == ("none", "batchd run"), killed
    assert killed["sentence"].endswith("ended without a word")
    assert found["sentence"].startswith(f"process {daemon.pid} on ")
    assert [str(daemon.pid)] == [owner.split("/")[2] for (owner,) in owners]
    assert [] == query(folder, "SELECT owner FROM batchd_process")
    assert at_work(folder)["state"] == "not seen"


def account(folder: Path) -> dict[str, Any]:
    """What the sandbox was paid for, by its own account."""
    with start_or_join(folder / "sandbox.db", batch_duration=1.0) as handle:
        address = handle.url.removesuffix("/v1") + "/_sandbox/account"
        with urllib.request.urlopen(address, timeout=10) as reply:  # noqa: S310 - the sandbox's own address
            found: dict[str, Any] = json.load(reply)
            return found
