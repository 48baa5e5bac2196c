"""SIGHUP: the config is read again while the daemon works; a bad one is refused, and what was goes on."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from batchd.app.continuous import Call, ConfigReloads
from batchd.app.workplace import database_of, open_workplace, store_of
from batchd.config import load_config
from tests.acceptance.cli_world import PATIENCE, World, command_environment
from tests.acceptance.watched import Watched, free_port, section

RELOADED = "batchd_config_last_reload_successful"
MISFIT = """
[tasks.other]
vendor = "local"
table = "others"
key = ["id"]
pending = "summary IS NULL"
model = "gpt-6-luna"
prompt = "{{ text }}"
text_column = "summary"
every = "1h"
"""


class Daemon:
    """``batchd run`` without a terminal, as a service is."""

    def __init__(self, world: World, *arguments: str) -> None:
        self.world = world
        self._log = world.folder / "log.jsonl"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "batchd", "run", *arguments],
                cwd=world.folder,
                env=command_environment(),
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
                text=True,
            )

    def hangup(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Log events of this name."""
        lines = [json.loads(line) for line in self._log.read_text("utf-8").splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def said(self) -> str:
        return self._log.read_text("utf-8")


@contextmanager
def daemon_of(world: World, *arguments: str) -> Iterator[Daemon]:
    """One that is at work; ended by SIGTERM, with exit code 0."""
    daemon = Daemon(world, *arguments)
    try:
        until(lambda: daemon.events("daemon.started"), daemon, "it did not start")
        yield daemon
        daemon.process.terminate()
        assert daemon.process.wait(PATIENCE) == 0, daemon.said()
    finally:
        daemon.process.kill()
        daemon.process.wait()


def until(holds: Callable[[], object], daemon: Daemon, failure: str) -> None:
    """Waits for it, as long as the daemon lives."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert daemon.process.poll() is None, f"the daemon ended\n{daemon.said()}"
        assert time.monotonic() < deadline, f"{failure}\n{daemon.said()}"
        time.sleep(0.05)


def catches(process: "subprocess.Popen[str]", number: signal.Signals) -> bool:
    """Whether the process has a handler for this signal by now."""
    (mask,) = re.findall(r"^SigCgt:\s*(\w+)$", Path(f"/proc/{process.pid}/status").read_text("ascii"), re.MULTILINE)
    return bool(int(mask, 16) >> (number - 1) & 1)


def done(world: World) -> int:
    return int(world.sql("SELECT count(*) FROM people WHERE processed_at IS NOT NULL")[0][0])


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A table of three rows, and one beside it that the config will have wrong."""
    made = World(tmp_path)
    made.make_table(3)
    made.sql("CREATE TABLE others (id INTEGER PRIMARY KEY, text TEXT, summary TEXT)")
    made.sql("INSERT INTO others (text) VALUES ('one')")
    made.make_ledger()
    return made


def test_a_misfit_task_is_mended_while_the_daemon_works(world: World) -> None:
    """The other task is done meanwhile; the mended one goes on at once, and its finding ends."""
    world.write_config(MISFIT.replace('"others"', '"no_such_table"'))
    with daemon_of(world) as daemon:
        until(lambda: done(world) == 3, daemon, "the healthy task was held up")
        until(lambda: world.sql("SELECT 1 FROM batchd_v_findings"), daemon, "no finding")
        found = world.sql("SELECT kind, subject FROM batchd_v_findings")
        world.write_config(MISFIT)
        daemon.hangup()
        until(lambda: world.sql("SELECT 1 FROM others WHERE summary IS NOT NULL"), daemon, "it was not begun")
        until(lambda: not world.sql("SELECT 1 FROM batchd_v_findings"), daemon, "the finding did not end")
        loaded = len(daemon.events("daemon.config_loaded"))

    assert ([("task-unfit", "task other")], 1) == (found, loaded)


@pytest.mark.parametrize(
    ("replaced", "reason"),
    [
        ({"batch_size": '"many"'}, "config.toml:18: tasks.people.batch_size"),
        ({"url": '"sqlite:///elsewhere.db"'}, "config.toml:1: database: a run that goes on can't change this"),
        ({"batch_duration": '"1s"'}, "vendors.local: a run that goes on can't change this"),
        (
            {"retry_delay": '"0s"\ncron = "0 25 * * *"'},
            "config.toml:20: tasks.people.cron: cron '0 25 * * *' can't be used",
        ),
    ],
)
def test_a_bad_config_is_refused_and_the_old_one_goes_on(world: World, replaced: dict[str, str], reason: str) -> None:
    """The log names the line; rows that come after that are done as before."""
    world.write_config()
    with daemon_of(world) as daemon:
        until(lambda: done(world) == 3, daemon, "the rows were not done")
        world.write_config(**replaced)
        daemon.hangup()
        until(lambda: daemon.events("daemon.config_refused"), daemon, "it was not refused")
        (refused,) = daemon.events("daemon.config_refused")
        world.write_config()
        daemon.hangup()
        until(lambda: daemon.events("daemon.config_loaded"), daemon, "it was not loaded, once it was mended")

    assert reason in refused["reason"], refused
    assert refused["next_command"]


def test_what_the_command_line_says_holds_for_a_task_that_is_looked_at_again(world: World) -> None:
    """``--batch-size``: also once the table that was missing is there."""
    world.sql("ALTER TABLE others RENAME TO later")
    world.write_config(MISFIT)
    with daemon_of(world, "--batch-size", "1") as daemon:
        until(lambda: world.sql("SELECT 1 FROM batchd_v_findings"), daemon, "no finding")
        world.sql("INSERT INTO later (text) VALUES ('two'), ('three')")
        world.sql("ALTER TABLE later RENAME TO others")
        until(
            lambda: world.sql("SELECT 1 FROM (SELECT count(summary) AS done FROM others) WHERE done = 3"),
            daemon,
            "they were not done",
        )

    assert {1} == {size for (size,) in world.sql("SELECT requests FROM batchd_batch")}


def test_whoever_watches_sees_which_config_is_at_work(world: World) -> None:
    """A gauge says that the last one was refused; and what is known of tasks follows the one that was taken."""
    port = free_port()
    world.write_config(section(port))
    with daemon_of(world) as daemon:
        watch = Watched(world, port, daemon.process)
        told = [watch.until(lambda _: True).value(RELOADED)]
        world.write_config(section(port) + MISFIT, batch_size='"many"')
        daemon.hangup()
        until(lambda: daemon.events("daemon.config_refused"), daemon, "it was not refused")
        told.append(watch.scrape().value(RELOADED))
        world.write_config(section(port) + MISFIT)
        daemon.hangup()
        until(lambda: daemon.events("daemon.config_loaded"), daemon, "it was not loaded")
        told.append(watch.scrape().value(RELOADED))
        watch.until(lambda scrape: scrape.value("batchd_batches", task="other", state="built") is not None)

    assert [1.0, 0.0, 1.0] == told


def test_size_and_pace_are_those_of_the_new_config(world: World) -> None:
    """Rows that come later go in batches of the new size; a claim that is at work ends with the size it began with."""
    world.write_config()
    with daemon_of(world) as daemon:
        until(lambda: done(world) == 3, daemon, "the rows were not done")
        world.write_config(batch_size="2", retry_delay='"0s"\nevery = "200ms"')
        daemon.hangup()
        until(lambda: daemon.events("daemon.config_loaded"), daemon, "it was not loaded")
        until(lambda: 2 in sizes_of_five_more(world, daemon), daemon, "they are not of the new size")

    *_, last = (size for (size,) in world.sql("SELECT requests FROM batchd_batch ORDER BY id"))
    assert last <= 2


def test_what_threads_share_is_shared_across_a_reload(world: World) -> None:
    """Turns that began with the former config count: what they have in hand, and the room that their files take."""
    world.write_config()
    config = load_config(world.config)
    database = database_of(config)
    store = store_of(database)
    with (
        open_workplace(config) as place,
        ConfigReloads(config, place, database, store, Call()) as reloads,
    ):
        after = reloads.load().place
    store.engine.dispose()

    assert place.in_hand is after.in_hand
    assert place.inputs_coming is after.inputs_coming
    assert place.results_coming is after.results_coming


def sizes_of_five_more(world: World, daemon: Daemon) -> set[int]:
    """Adds five rows, and waits for them; the sizes of their batches."""
    before, last = done(world), world.sql("SELECT max(id) FROM batchd_batch")[0][0]
    world.sql("INSERT INTO people (text) VALUES ('a'), ('b'), ('c'), ('d'), ('e')")
    until(lambda: done(world) == before + 5, daemon, "the later rows were not done")
    return {size for (size,) in world.sql("SELECT requests FROM batchd_batch WHERE id > ?", last)}


def test_a_config_that_is_to_be_read_again_during_the_start_is(world: World) -> None:
    """A start may take minutes, as where the database is away: SIGHUP must not end it, once it is caught at all."""
    world.write_config()
    daemon = Daemon(world)
    try:
        until(lambda: catches(daemon.process, signal.SIGHUP), daemon, "it takes no SIGHUP")
        daemon.hangup()
        too_late = bool(daemon.events("daemon.started"))
        until(lambda: daemon.events("daemon.config_loaded"), daemon, "it was not loaded")
        until(lambda: done(world) == 3, daemon, "the rows were not done")
    finally:
        daemon.process.kill()
        daemon.process.wait()

    assert not too_late


def test_a_terminal_that_is_closed_ends_a_daemon_gently(world: World) -> None:
    """SIGHUP of a terminal is taken as SIGTERM."""
    world.write_config()
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(world.folder)
        command = [sys.executable, "-m", "batchd", "run"]
        os.execve(sys.executable, command, command_environment())  # noqa: S606 - this very command is tested
    deadline = time.monotonic() + PATIENCE
    while done(world) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.close(terminal)
    _, status = os.waitpid(child, 0)

    assert (3, 0) == (done(world), os.waitstatus_to_exitcode(status))
    assert [] == world.sql("SELECT id FROM batchd_batch WHERE lease_owner IS NOT NULL")
