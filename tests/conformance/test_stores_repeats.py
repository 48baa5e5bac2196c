"""Transactions that run again: after what somebody else did, after a broken connection, and while a server is full."""

import itertools
from types import SimpleNamespace
from typing import Any

import psycopg
import pymysql  # type: ignore[import-untyped]
import pytest
import sqlalchemy as sa
import structlog

from batchd import events
from batchd.errors import DatabaseBusyError
from batchd.ports import Ledger
from batchd.store import patience
from tests.conformance.stores import Desk

# Enough of them to tell waiting from trying again after a conflict.
MANY = 20
FULL = {
    "postgresql": psycopg.errors.DiskFull("could not extend file"),
    "mariadb": pymysql.err.OperationalError(1114, "The table 'batchd_event' is full"),
}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeats follow each other at once."""
    monkeypatch.setattr(patience, "_soon", lambda _: 0.0)
    monkeypatch.setattr(patience, "_later", lambda _: 0.0)


class Step:
    """Pauses the task, and then meets a full disk so many times."""

    def __init__(self, desk: Desk, times: int) -> None:
        self.runs = 0
        self._desk, self._times = desk, times

    def __call__(self, ledger: Ledger) -> None:
        """Runs once."""
        self.runs += 1
        ledger.tasks.pause(self._desk.task_id, f"run {self.runs}")
        if self.runs <= self._times:
            raise sa.exc.OperationalError("INSERT", {}, FULL[self._desk.db.name])


def test_a_step_may_give_its_own_lease_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written with it is kept, and nothing runs again for want of it, though the lease is looked at last."""
    monkeypatch.setattr(desk.store.dialect, "loses_transactions", True)
    lease, runs = desk.held("one"), list[int]()

    def step(ledger: Ledger) -> None:
        runs.append(1)
        ledger.tasks.pause(desk.task_id, "a step")
        ledger.tasks.release(lease)

    desk.store.transact(step, lease=lease)

    assert [1] == runs
    assert [("task", "paused", None, None, "a step")] == desk.events()
    assert desk.lease("two") is not None


def test_who_comes_second_with_a_row_of_the_ledger_looks_again(desk: Desk) -> None:
    """Another process has added it between the look and the write: the next run finds it there."""
    seen: list[int | None] = []

    def enrol(ledger: Ledger) -> int:
        # The first look is what it would have been, had the other one come a moment later.
        found = ledger.tasks.find(desk.definition.name) if seen else None
        seen.append(found.id if found else None)
        return found.id if found else ledger.tasks.add(desk.definition.name, "f").id

    assert desk.task_id == desk.store.transact(enrol)
    assert [None, desk.task_id] == seen


def test_a_transaction_that_runs_again_is_told_once(desk: Desk) -> None:
    """With the database's number, and which step it was; never with its words."""
    runs: list[int] = []

    def step(ledger: Ledger) -> None:
        runs.append(1)
        if len(runs) < 4:
            raise desk.db.passing_error()
        ledger.tasks.pause(desk.task_id, "a step")

    with structlog.testing.capture_logs() as logs:
        desk.store.transact(step, step="claim.record")

    (told,) = [one for one in logs if one["event"] == events.DATABASE_REPEATED]
    assert 4 == len(runs)
    assert "claim.record" == told["step"]
    assert desk.database.dialect.code(desk.db.passing_error()) == told["code"]


def test_a_broken_connection_is_made_anew_whatever_the_error(desk: Desk) -> None:
    """The driver calls it something that no table knows; where the connection is of no more use, it all runs again."""
    runs: list[int] = []

    def step(ledger: Ledger) -> None:
        runs.append(1)
        ledger.tasks.pause(desk.task_id, f"run {len(runs)}")
        if len(runs) == 1:
            raise sa.exc.DBAPIError("UPDATE", {}, RuntimeError("nobody knows"), connection_invalidated=True)

    desk.store.transact(step)

    assert [("task", "paused", None, None, "run 2")] == desk.events()


@pytest.mark.parametrize("db", FULL, indirect=True)
def test_a_server_whose_disk_is_full_is_waited_for(desk: Desk) -> None:
    """Longer than after a conflict; then the step is written once."""
    step = Step(desk, times=MANY)

    desk.store.transact(step)

    assert [("task", "paused", None, None, f"run {MANY + 1}")] == desk.events()


@pytest.mark.parametrize("db", FULL, indirect=True)
def test_a_server_whose_disk_stays_full_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a minute, with what is wrong and who can mend it; the next step does not wait for another minute."""
    _ten_seconds_a_look(monkeypatch)
    first, second = Step(desk, times=1_000), Step(desk, times=1_000)

    errors = [_refused(desk, step) for step in (first, second)]

    assert 1 < first.runs < MANY
    assert 1 == second.runs
    assert all("full" in error.message and "make room" in error.next_command for error in errors)
    assert [] == desk.events()


@pytest.mark.parametrize("db", FULL, indirect=True)
def test_trouble_that_is_over_is_waited_for_anew(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A COMMIT ends it; whatever comes later has its own minute."""
    _ten_seconds_a_look(monkeypatch)
    _refused(desk, Step(desk, times=1_000))
    desk.store.transact(Step(desk, times=0))
    again = Step(desk, times=2)

    desk.store.transact(again)

    assert 3 == again.runs


def _ten_seconds_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = itertools.count()
    monkeypatch.setattr(patience, "time", SimpleNamespace(monotonic=lambda: next(looks) * 10.0))


def _refused(desk: Desk, step: Any) -> DatabaseBusyError:
    with pytest.raises(DatabaseBusyError) as error:
        desk.store.transact(step)
    return error.value
