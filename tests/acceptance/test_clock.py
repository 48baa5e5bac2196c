"""A wall clock that jumps an hour, forwards and back: the database's clock is this process's, where that is SQLite."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.acceptance.cli_world import command_environment
from tests.drills.scenarios import route, routes
from tests.drills.slot import Slot
from tests.small_disk import not_run

PATIENCE = 180.0
HOUR = 3600
ROWS = 32
# libfaketime fails the absolute sleeps of Python's time.sleep, so that one waits in another way here.
SLEEP = "import threading, time\ntime.sleep = lambda seconds: threading.Event().wait(seconds) and None\n"


def library() -> Path:
    """libfaketime, wherever the distribution has put it."""
    found = [path for root in ("/usr/lib", "/usr/local/lib") for path in Path(root).glob("**/libfaketime.so.1")]
    if not found:
        not_run("libfaketime is not installed; Debian, Ubuntu: apt-get install libfaketime")
    return found[0]


class Clock:
    """A wall clock of its own for the processes that are started with it; their monotonic clock runs on."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._offset = folder / "offset"
        (folder / "sitecustomize.py").write_text(SLEEP, encoding="utf-8")
        self.jump(0)
        self.environment = command_environment(
            LD_PRELOAD=str(library()),
            FAKETIME_TIMESTAMP_FILE=str(self._offset),
            FAKETIME_NO_CACHE="1",
            FAKETIME_DONT_FAKE_MONOTONIC="1",
            NO_FAKE_STAT="1",
        )
        self.environment["PYTHONPATH"] += os.pathsep + str(folder)

    def jump(self, seconds: int) -> None:
        """From now on it is so many seconds ahead of the real one."""
        new = self._offset.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n", encoding="ascii")
        new.replace(self._offset)


class Running:
    """A ``batchd`` under a clock."""

    def __init__(self, slot: Slot, clock: Clock, *arguments: str) -> None:
        self._slot = slot
        with slot.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "batchd", *arguments],
                cwd=slot.folder,
                env=clock.environment,
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def wait_for(self, condition: str) -> None:
        """Waits until the ledger shows the condition; the process must live until then."""
        deadline = time.monotonic() + PATIENCE
        while not self._slot.execute(f"SELECT 1 WHERE {condition}"):
            assert self.process.poll() is None, f"it ended before: {condition}\n{self._slot.said()}"
            assert time.monotonic() < deadline, f"never came to: {condition}\n{self._slot.said()}"
            time.sleep(0.005)

    def end(self) -> int:
        """SIGTERM, and its exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slot]:
    """One folder with one vendor for all drills."""
    library()
    with Slot(tmp_path_factory.mktemp("clock")) as slot:
        yield slot


@pytest.fixture
def slot(place: Slot) -> Iterator[Slot]:
    """The folder, put back."""
    yield place
    place.vendor.control("DELETE", "faults")


def assert_all_done(slot: Slot, rows: int = ROWS) -> None:
    """Every row written once and paid for once, nothing left over."""
    assert [(rows, rows)] == slot.execute("SELECT count(*), count(name) FROM person"), slot.said()
    assert [(rows, 1)] == slot.execute(
        "SELECT count(*), max(times) FROM (SELECT count(*) times FROM audit GROUP BY id)"
    )
    assert [(0,)] == slot.execute("SELECT count(*) FROM batchd_gate")
    assert {"closed"} == {state for (state,) in slot.execute("SELECT state FROM batchd_batch")}
    assert [1] * rows == list(slot.vendor.paid().values())


def test_a_clock_that_jumps_an_hour_to_and_fro_stops_no_daemon(slot: Slot) -> None:
    """Set while a batch is built, at the vendor, ended: the daemon works on at once, and what waits waits an hour."""
    slot.begin(ROWS, batch_duration="300ms", max_open_batches='2\nevery = "1s"')
    wall = Clock(slot.folder / "wall")
    with Running(slot, wall, "run") as daemon:
        for column, seconds in (("created_at", HOUR), ("submitted_at", 0), ("ended_at", HOUR), ("closed_at", 0)):
            daemon.wait_for(f"EXISTS (SELECT 1 FROM batchd_batch WHERE id > 1 AND {column} IS NOT NULL)")
            wall.jump(seconds)
        # By the clock that was set back, the next pass would be an hour away.
        slot.execute("INSERT INTO person (id, resume) VALUES (1000, 'Ada came late')")
        # What was told to wait by the clock of the hour ahead waits for that hour, and keeps its place meanwhile.
        slot.execute("UPDATE batchd_task SET max_open_batches = 9")
        daemon.wait_for("EXISTS (SELECT 1 FROM person WHERE id = 1000 AND done_at IS NOT NULL)")
        wall.jump(HOUR)
        daemon.wait_for(f"(SELECT count(*) FROM person WHERE done_at IS NOT NULL) = {ROWS + 1}")
        daemon.wait_for("NOT EXISTS (SELECT 1 FROM batchd_batch WHERE state <> 'closed')")
        code = daemon.end()

    assert code == 0, slot.said()
    assert "daemon.clock_jumped" in slot.said(100_000)
    assert_all_done(slot, ROWS + 1)


def test_processes_whose_clocks_differ_by_an_hour_write_nothing_twice(slot: Slot) -> None:
    """Each takes the other's leases for expired, or for an hour long: the epoch keeps them apart."""
    slot.begin(ROWS, batch_size=4, batch_duration="100ms")
    here, ahead = Clock(slot.folder / "here"), Clock(slot.folder / "ahead")
    ahead.jump(HOUR)
    condition = f"(SELECT count(*) FROM person WHERE done_at IS NOT NULL) = {ROWS}"
    with Running(slot, here, "run") as one, Running(slot, ahead, "run") as other:
        one.wait_for("EXISTS (SELECT 1 FROM batchd_batch WHERE state = 'closed' AND id > 1)")
        # What the one ahead has told to wait is due by its own clock alone.
        other.wait_for(condition)
        other.wait_for("NOT EXISTS (SELECT 1 FROM batchd_batch WHERE state <> 'closed')")
        codes = {one.end(), other.end()}

    assert codes == {0}, slot.said()
    assert_all_done(slot)


def test_a_create_whose_time_is_an_hour_ahead_is_found(slot: Slot) -> None:
    """The intent was written by a clock that has been set back since; the vendor's list is read from early enough."""
    slot.begin(10, faults=routes(route("batches.create", after_effect=True)))
    wall = Clock(slot.folder / "wall")
    wall.jump(HOUR)
    with Running(slot, wall, "submit") as sender:
        sender.process.wait(PATIENCE)
    assert [("submitting",)] == slot.execute("SELECT state FROM batchd_batch WHERE id = 2"), slot.said()

    wall.jump(0)
    with Running(slot, wall, "run", "--until-idle") as later:
        code = later.process.wait(PATIENCE)

    assert code == 0, slot.said()
    assert_all_done(slot, 10)
