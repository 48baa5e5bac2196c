"""Transactions and leases: who may write, when it all runs again, and that a lost lease writes nothing."""

import contextlib
import datetime as dt
import itertools
import threading
from collections.abc import Callable
from functools import partial

import pytest
import sqlalchemy as sa
import tenacity

from batchd.core.keys import RowKey
from batchd.core.model import Lease
from batchd.core.outcomes import Outcome
from batchd.core.packing import Failure
from batchd.errors import BatchdError, DatabaseError, DataRefusedError, LeaseLostError
from batchd.ports import Ledger
from batchd.store import patience
from tests.conformance.stores import Desk, StoreUnderTest, a_definition, moment


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeats follow each other at once."""
    monkeypatch.setattr(patience, "_soon", tenacity.wait_none())


def expire(desk: Desk, table: str = "batchd_task") -> None:
    desk.db.execute(f"UPDATE {table} SET lease_expires_at = '2000-01-01 00:00:00.000'")


def pause(desk: Desk, lease: Lease | None) -> None:
    """A step that shows whether it was committed."""
    desk.store.transact(lambda ledger: ledger.tasks.pause(desk.task_id, "a step"), lease=lease)


def is_paused(desk: Desk) -> bool:
    return desk.store.read(lambda ledger: ledger.tasks.is_paused(desk.task_id))


def test_a_lease_is_held_by_one(desk: Desk) -> None:
    """Another owner gets none, the same owner gets it again, under a new epoch."""
    first = desk.held("one")

    assert ("task", desk.task_id, "one") == (first.kind, first.subject_id, first.owner)
    assert desk.lease("two") is None
    assert first.epoch + 1 == desk.held("one").epoch


def test_a_released_lease_is_free(desk: Desk) -> None:
    """The epoch goes on growing, so the old lease can never be used again."""
    first = desk.held("one")
    desk.store.transact(lambda ledger: ledger.tasks.release(first))

    second = desk.held("two")

    assert second.epoch > first.epoch
    with pytest.raises(LeaseLostError):
        pause(desk, first)


def test_an_owner_has_only_its_latest_lease(desk: Desk) -> None:
    """Taken again, the earlier one neither writes nor frees anything, though the owner is the same."""
    first = desk.held("one")
    second = desk.held("one")

    with pytest.raises(LeaseLostError):
        pause(desk, first)
    desk.store.transact(lambda ledger: ledger.tasks.release(first))

    assert not is_paused(desk)
    assert desk.lease("two") is None
    pause(desk, second)


def test_a_release_by_who_lost_it_frees_nothing(desk: Desk) -> None:
    """It is the new owner's now."""
    first = desk.held("one")
    expire(desk)
    desk.held("two")

    desk.store.transact(lambda ledger: ledger.tasks.release(first))

    assert desk.lease("three") is None


def test_an_expired_lease_is_taken_over(desk: Desk) -> None:
    """By the database's clock; the former owner can't commit any more, and nothing of its step is written."""
    first = desk.held("one")
    expire(desk)
    second = desk.held("two")

    with pytest.raises(LeaseLostError, match="nothing of this step was written") as error:
        pause(desk, first)

    assert "batchd status" in error.value.next_command
    assert not is_paused(desk)
    pause(desk, second)
    assert is_paused(desk)


def test_an_expired_lease_that_nobody_took_is_still_good(desk: Desk) -> None:
    """It is renewed with the step."""
    lease = desk.held("one", seconds=100)
    expire(desk)

    pause(desk, lease)

    assert is_paused(desk)
    assert desk.lease("two") is None


def test_a_lease_is_renewed_with_each_step(desk: Desk) -> None:
    """To the database's time and the lease's length, not to this process's clock."""
    lease = desk.held("one", seconds=100)
    expire(desk)
    before = desk.db.clock()

    pause(desk, lease)

    ((text,),) = desk.db.execute("SELECT lease_expires_at FROM batchd_task")
    assert before + dt.timedelta(seconds=99.9) < moment(text) < desk.db.clock() + dt.timedelta(seconds=100.1)


def test_a_dead_owners_lease_is_taken_at_once(desk: Desk) -> None:
    """Where it is proven that the process is gone, nobody waits; a living one keeps its lease."""
    first = desk.held("one")
    desk.dead.add("somebody else")
    assert desk.lease("two") is None

    desk.dead.add("one")

    assert desk.held("two").epoch == first.epoch + 1
    with pytest.raises(LeaseLostError):
        pause(desk, first)


def test_a_lease_of_a_batch_is_its_own(desk: Desk) -> None:
    """Task and batches are worked on by different processes at once."""
    batch = desk.build(desk.claimable()[:1])
    other = desk.build(desk.claimable()[:1], uid="u2")
    desk.held("one")

    def take(batch_id: int, owner: str) -> Lease | None:
        return desk.store.transact(lambda ledger: ledger.batches.take_lease(batch_id, owner, 60.0))

    lease = take(batch.id, "two")
    assert lease is not None
    assert take(other.id, "three") is not None
    assert take(batch.id, "three") is None
    expire(desk, "batchd_batch")
    assert take(batch.id, "three") is not None
    with pytest.raises(LeaseLostError):
        pause(desk, lease)


def at_once(*steps: Callable[[], None]) -> None:
    """Runs all of them, each in a thread of its own, until they end."""
    start = threading.Barrier(len(steps))

    def begin(step: Callable[[], None]) -> None:
        start.wait(timeout=10)
        step()

    threads = [threading.Thread(target=begin, args=[step]) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)


@pytest.mark.usefixtures("desk")
def test_two_processes_never_share_an_epoch(db: StoreUnderTest) -> None:
    """Racing for a lease that is always expired, each takeover is told from every other."""
    epochs: list[int] = []

    def race(here: Desk, owner: str) -> None:
        while len(epochs) < 20:
            with contextlib.suppress(DatabaseError):  # The other one was writing, each time it was tried.
                lease = here.lease(owner, seconds=-1.0)
                epochs.extend([] if lease is None else [lease.epoch])

    at_once(*(partial(race, Desk(db, actor=owner), owner) for owner in ("one", "two")))

    assert len(epochs) >= 20
    assert len(epochs) == len(set(epochs))


@pytest.mark.usefixtures("desk")
def test_claims_of_two_processes_do_not_overlap(db: StoreUnderTest) -> None:
    """Whoever comes second is told which rows are gated already; every row is sent once."""
    for number in range(6, 61):
        db.execute("INSERT INTO item (id) VALUES (?)", number)

    def claim(here: Desk, owner: str) -> None:
        uids = (f"{owner}-{number}" for number in itertools.count())
        while keys := here.claimable()[:7]:
            with contextlib.suppress(DatabaseError):  # The other one was writing, each time it was tried.
                here.build(keys, uid=next(uids))

    at_once(*(partial(claim, Desk(db, actor=owner), owner) for owner in ("one", "two")))

    gates = db.execute("SELECT key_int, batch_id FROM batchd_gate WHERE state = 'open' ORDER BY key_int")
    assert [number for number, _ in gates] == list(range(1, 61))
    owned = db.execute(
        "SELECT g.key_int, r.batch_id FROM batchd_gate g"
        " JOIN batchd_request r ON r.batch_id = g.batch_id AND r.seq = g.seq AND r.key_int = g.key_int"
        " ORDER BY g.key_int"
    )
    assert gates == owned


def test_a_row_that_is_gated_already_is_not_opened(desk: Desk) -> None:
    """The second opener is told, whatever it believed; the first one's gate stays as it is."""
    first = desk.build([RowKey(1), RowKey(2)])
    second = desk.build([RowKey(2), RowKey(3)], uid="u2")

    opened = desk.db.execute("SELECT batch_id, key_int, seq FROM batchd_gate ORDER BY key_int")

    assert [(first.id, 1, 1), (first.id, 2, 2), (second.id, 3, 2)] == opened


def test_a_failing_step_leaves_nothing_behind(desk: Desk) -> None:
    """Rows, states and events of a transaction are taken back together."""

    def step(ledger: Ledger) -> None:
        ledger.tasks.pause(desk.task_id, "a step")
        ledger.rows(desk.task_id, desk.definition).write([(RowKey(1), {"answer": "x"})])
        ledger.findings.open("overdue", "batch 1")
        raise BatchdError("stop")

    with pytest.raises(BatchdError, match="stop"):
        desk.store.transact(step)

    assert not is_paused(desk)
    assert desk.events() == []
    assert desk.db.execute("SELECT count(answer), (SELECT count(*) FROM batchd_finding) FROM item") == [(0, 0)]


def test_a_transaction_runs_again_as_a_whole(desk: Desk) -> None:
    """After a deadlock or its kin nothing of the first run is left; what counts is the last one."""
    runs: list[int] = []

    def step(ledger: Ledger) -> str:
        runs.append(len(runs))
        ledger.tasks.pause(desk.task_id, f"run {len(runs)}")
        if len(runs) < 3:
            raise desk.db.passing_error()
        return "done"

    assert desk.store.transact(step, lease=desk.held("one")) == "done"
    assert len(runs) == 3
    assert desk.events() == [("task", "paused", None, None, "run 3")]


def test_a_database_that_never_lets_one_through_is_told(desk: Desk) -> None:
    """After a number of tries, with the database's own code and a way out."""
    runs: list[int] = []

    def step(_: Ledger) -> None:
        runs.append(1)
        raise desk.db.passing_error()

    with pytest.raises(DatabaseError, match="kept refusing") as error:
        desk.store.transact(step)

    assert 1 < len(runs) < 20
    assert desk.database.dialect.code(desk.db.passing_error()) in error.value.message
    assert error.value.next_command


def test_a_lock_that_is_released_is_waited_for(desk: Desk) -> None:
    """The first try meets another's lock and fails; then the lock is gone, and the step is written."""
    refused: list[str] = []
    with desk.db.locked() as other:

        def release(context: sa.ExceptionContext) -> None:
            refused.append(type(context.original_exception).__name__)
            other.rollback()

        sa.event.listen(desk.database.engine, "handle_error", release)
        pause(desk, None)

    assert len(refused) == 1
    assert is_paused(desk)


def test_reading_does_not_wait_for_a_writer(desk: Desk) -> None:
    """Looking, and starting up, take no write lock."""
    with desk.db.locked():
        assert len(desk.claimable()) == 5
        assert not is_paused(desk)
        desk.db.open().store(actor="another", is_dead=lambda _: False)


def test_a_reader_sees_one_state_of_the_database(desk: Desk) -> None:
    """What commits meanwhile shows in the next look."""

    def look(ledger: Ledger) -> tuple[int, int]:
        rows = ledger.rows(desk.task_id, desk.definition)
        before = rows.count_claimable()
        desk.db.execute("UPDATE item SET done = 'yes' WHERE id = 1")
        return before, rows.count_claimable()

    assert desk.store.read(look) == (5, 5)
    assert len(desk.claimable()) == 4


def test_a_constraint_of_the_ledger_blames_no_row(desk: Desk) -> None:
    """Only the write of a row can be refused for its values; batchd's own mistakes are its own."""
    failure = [Failure(RowKey(9), Outcome.TOO_LARGE, "c", "s")]

    def twice(ledger: Ledger) -> None:
        ledger.gates.fail(desk.task_id, failure)
        ledger.tasks.add(desk.definition.name, "f")

    with pytest.raises(DatabaseError) as error:
        desk.store.transact(twice)

    assert not isinstance(error.value, DataRefusedError)
    assert desk.db.execute("SELECT * FROM batchd_gate") == []


def test_the_ledgers_times_are_the_databases(desk: Desk) -> None:
    """UTC with milliseconds, whatever this process believes the time is."""
    before = desk.db.clock()

    desk.store.transact(lambda ledger: ledger.tasks.add("another", "f"))

    ((text,),) = desk.db.execute("SELECT created_at FROM batchd_task WHERE name = 'another'")
    assert before <= moment(text) <= desk.db.clock()
    assert moment(text).microsecond % 1000 == 0
    assert desk.store.read(lambda ledger: ledger.installed_at()) <= moment(text)


def test_a_task_is_the_same_for_everyone(db: StoreUnderTest, desk: Desk) -> None:
    """Found by its name; a definition is written down once and read back as it was."""
    other = Desk(db, actor="another")
    changed = a_definition(prompt="other")

    newer = desk.store.transact(lambda ledger: ledger.tasks.save_version(desk.task_id, changed))

    assert (desk.task_id, desk.version_id) == (other.task_id, other.version_id)
    assert newer != desk.version_id
    assert changed == desk.store.read(lambda ledger: ledger.tasks.definition(newer))
    assert desk.definition == desk.store.read(lambda ledger: ledger.tasks.definition(desk.version_id))
