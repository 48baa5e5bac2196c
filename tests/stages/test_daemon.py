"""A bounded run ends by itself: when all is done, and when what is left waits for a person."""

import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import structlog

from batchd import events
from batchd.daemon import BoundedRun, Bounds, Plan, Schedule, Service, Setup
from batchd.errors import DatabaseBusyError, DatabaseError, VendorBillingError
from batchd.pipeline import CHECKING, SENDING, run_pass
from batchd.ports import Counts, Orders, Scope
from batchd.stop import Stop
from batchd.store.batches import SqlBatches
from batchd.store.gates import SqlGates
from tests.fakes.answers import answered
from tests.fakes.vendor import unclear
from tests.stages.bench import GOOD_ANSWER, Bench

LONGEST = 60.0


def run_bounded(bench: Bench, bounds: Bounds) -> Counts:
    """A run that must end by itself."""
    stop = Stop()
    late = threading.Timer(LONGEST, stop.ask)
    late.start()
    try:
        total = BoundedRun(bench.place, Plan(("people",), bounds=bounds), stop, lambda _: None).run()
    finally:
        ended = late.is_alive()
        late.cancel()
    assert ended, f"the run did not end by itself in {LONGEST} s: {bench.states()}, {bench.gates()}"
    return total


def seldom(bench: Bench) -> Setup:
    """The task is claimed for every ten minutes."""
    return Setup(bench.place, {"people": Schedule(every=600.0)}, lambda name: bench.place.tasks[name])


def put_off(bench: Bench) -> None:
    """What was sent is not looked at again for a while, longer than three passes take."""
    bench.execute(
        "UPDATE batchd_batch SET not_before = strftime('%Y-%m-%d %H:%M:%f', 'now', '+2 seconds')"
        " WHERE state = 'submitted'"
    )


def retries_are_due(bench: Bench, *resumes: str) -> None:
    """The first rows were answered badly, each in a batch of its own, and are to be asked again now."""
    bench.vendor.script = answered("not valid")
    bench.add_people(*resumes)
    bench.run()
    bench.check_until(*["closed" for _ in resumes])
    bench.vendor.script = answered(GOOD_ANSWER)


def test_a_run_until_idle_does_everything_and_ends(bench: Bench) -> None:
    """Retries that are near are part of it."""
    bench.configure(batch_size=2, max_open_batches=1)
    bench.vendor.fail_next("retrieve_batch", unclear())
    bench.add_people("one", "two", "three")

    total = run_bounded(bench, Bounds(until_idle=True))

    assert 3 == total["applied"]
    assert ["closed", "closed"] == bench.states()


def test_a_run_of_so_many_batches_builds_no_more_and_finishes_them(bench: Bench) -> None:
    """``--num-batches 1``."""
    bench.configure(batch_size=2)
    bench.add_people("one", "two", "three")

    total = run_bounded(bench, Bounds(batches=1))

    assert (1, 2) == (total["batches_built"], total["applied"])
    assert ["closed"] == bench.states()


@pytest.mark.parametrize("paused_with", ["built", "collected"])
def test_a_run_does_not_wait_for_a_paused_task(bench: Bench, paused_with: str) -> None:
    """What a pause stops is a person's to start again."""
    bench.add_people("one")
    if paused_with == "built":
        bench.vendor.fail_next("create_batch", VendorBillingError("no money", code="insufficient_quota"))
    else:
        bench.run(orders=Orders(eager=True))
        bench.execute("UPDATE batchd_task SET paused = 1")

    run_bounded(bench, Bounds(until_idle=True))

    assert [paused_with] == bench.states()


def test_a_run_does_not_wait_where_claiming_is_stopped(bench: Bench) -> None:
    """A due retry that a finding keeps from being claimed must not keep the run going."""
    bench.vendor.script = answered("not valid")
    bench.add_people("one")
    bench.run()
    bench.check_until("closed")
    bench.execute(
        "INSERT INTO batchd_finding (kind, subject, opened_at) VALUES ('stranger', 'vendor fake batch x', 'now')"
    )

    run_bounded(bench, Bounds(until_idle=True))

    assert {1: "retry"} == bench.gates()


def test_a_run_waits_for_open_batches_though_rows_are_due_that_it_cannot_claim_yet(bench: Bench) -> None:
    """A retry is due and as many batches are open as may be: it is claimed once one of them is closed."""
    bench.configure(batch_size=1, max_open_batches=1)
    retries_are_due(bench, "one")
    bench.add_people("two", first=2)
    # The retry comes due while the other row is at the vendor.
    bench.execute("UPDATE batchd_gate SET not_before = '2999-01-01 00:00:00.000'")
    bench.run(*SENDING[1:])
    bench.execute("UPDATE batchd_gate SET not_before = '2026-01-01 00:00:00.000' WHERE state = 'retry'")
    put_off(bench)

    run_bounded(bench, Bounds(until_idle=True))

    assert (["closed"] * 3, {}) == (bench.states(), bench.gates())


def test_a_run_of_so_many_batches_finishes_them_though_more_rows_are_due(bench: Bench) -> None:
    """``--num-batches 1`` with two retries: the batch that was built is waited for, the other row is the next run's."""
    bench.configure(batch_size=1)
    retries_are_due(bench, "one", "two")
    bench.vendor.statuses = ("validating", "completed")
    # Longer than three passes take.
    bench.place = replace(bench.place, check_interval=3.5)

    total = run_bounded(bench, Bounds(batches=1))

    assert (1, ["closed"] * 3) == (total["batches_built"], bench.states())
    assert {2: "retry"} == bench.gates()


def test_a_paused_task_does_not_end_the_run_of_another(bench: Bench) -> None:
    """What the one has due stands still; the other's batch is not due yet, and is waited for."""
    bench.configure(batch_size=1)
    bench.add_people("one", "two")
    bench.run(SENDING[1])
    bench.run(SENDING[2], scope=Scope(batch_id=1))
    bench.execute(
        "INSERT INTO batchd_task (name, paused, pause_reason, fingerprint, lease_epoch, created_at)"
        " SELECT 'other', 1, 'a person', fingerprint, 0, created_at FROM batchd_task"
    )
    bench.execute("UPDATE batchd_batch SET task_id = 2 WHERE state = 'built'")
    put_off(bench)

    run_bounded(bench, Bounds(until_idle=True))

    assert ["closed", "built"] == bench.states()


def test_a_run_until_idle_goes_on_where_another_process_closed_what_was_in_the_way(bench: Bench) -> None:
    """Its rows were more than open batches may be; that there is room now is seen in the ledger."""
    bench.configure(batch_size=1, max_open_batches=1)
    bench.add_people("one", "two")
    bench.run(*SENDING[1:])
    put_off(bench)
    other = replace(bench.place, owner="other")

    def close_it() -> None:
        while bench.states()[0] != "closed":
            run_pass(CHECKING, other, Scope(batch_id=1), Orders())

    close_it_soon = threading.Timer(0.5, close_it)
    close_it_soon.start()
    run_bounded(bench, Bounds(until_idle=True))
    close_it_soon.join()

    assert [1, 1] == [done for *_, done in bench.people()]


class AnotherProcess:
    """Brings batch 1 to its end once the run has made so many looks of one kind, before it asks anything else."""

    def __init__(self, bench: Bench, monkeypatch: pytest.MonkeyPatch, kind: type, look: str, number: int) -> None:
        self._bench = bench
        self._place = replace(bench.place, owner="other")
        self._looks, self._number = itertools.count(1), number
        self._is_due = False
        self.has_acted = False
        monkeypatch.setattr(kind, look, self._looking(getattr(kind, look)))
        for way in ("ask", "read"):
            monkeypatch.setattr(bench.place.store, way, self._asking(getattr(bench.place.store, way)))

    def _looking(self, look: Callable[..., Any]) -> Callable[..., Any]:
        def looked(*arguments: Any) -> Any:
            self._is_due |= next(self._looks) == self._number
            return look(*arguments)

        return looked

    def _asking(self, ask: Callable[..., Any]) -> Callable[..., Any]:
        def asked(work: Any) -> Any:
            if self._is_due:
                # What it asks itself comes by here, too.
                self._is_due = False
                self._act()
            return ask(work)

        return asked

    def _act(self) -> None:
        while self._bench.states()[0] != "closed":
            run_pass(CHECKING, self._place, Scope(batch_id=1), Orders())
        self._bench.vendor.script = answered(GOOD_ANSWER)
        self.has_acted = True


# In a pass that has nothing to do, and in the one after it.
LOOKS = [(SqlBatches, "next_due", number) for number in (1, 2, 3, 4)] + [
    (SqlGates, "next_retry", number) for number in (1, 2)
]


@pytest.mark.parametrize(("kind", "look", "number"), LOOKS)
def test_a_run_until_idle_goes_on_whenever_another_process_makes_room(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, kind: type, look: str, number: int
) -> None:
    """Its rows were more than open batches may be; now nothing is open, and that there was no room is over."""
    bench.configure(batch_size=1, max_open_batches=1)
    bench.add_people("one", "two")
    bench.run(*SENDING[1:])
    put_off(bench)
    other = AnotherProcess(bench, monkeypatch, kind, look, number)

    run_bounded(bench, Bounds(until_idle=True))

    assert other.has_acted
    assert [1, 1] == [done for *_, done in bench.people()]


@pytest.mark.parametrize(("kind", "look", "number"), LOOKS)
def test_a_run_until_idle_sees_the_retry_that_another_process_leaves(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, kind: type, look: str, number: int
) -> None:
    """The last open batch was answered badly: its row is due again as soon as the batch is closed."""
    bench.add_people("one")
    bench.run(*SENDING[1:])
    bench.vendor.script = answered("not valid")
    put_off(bench)
    other = AnotherProcess(bench, monkeypatch, kind, look, number)

    run_bounded(bench, Bounds(until_idle=True))

    assert other.has_acted
    assert ([1], {}) == ([done for *_, done in bench.people()], bench.gates())


def test_a_run_ends_where_the_database_refuses_each_pass(bench: Bench) -> None:
    """A person waits for it: it is told what keeps the run, and the run is not kept for ever."""
    bench.add_people("one")
    bench.execute("ALTER TABLE person RENAME COLUMN resume TO other")

    with pytest.raises(DatabaseError):
        run_bounded(bench, Bounds(until_idle=True))


def test_a_busy_database_makes_no_run_build_more_batches_than_it_may(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--num-batches 2``: what was built before the database was busy counts."""
    bench.configure(batch_size=1)
    bench.add_people("one", "two", "three", "four")
    store, records = bench.place.store, itertools.count(1)
    transact = store.transact

    def busy_at_second(work: Any, **options: Any) -> Any:
        if options.get("step") == "claim.record" and next(records) == 2:
            raise DatabaseBusyError("busy")
        return transact(work, **options)

    monkeypatch.setattr(store, "transact", busy_at_second)
    total = run_bounded(bench, Bounds(batches=2))

    assert (2, ["closed", "closed"]) == (total["batches_built"], bench.states())


def test_a_stop_ends_a_daemon_that_has_no_bounds(bench: Bench) -> None:
    """The first pass of each schedule runs at once; a signal ends the waiting."""
    bench.vendor.script = answered(GOOD_ANSWER)
    bench.add_people("one")
    stop = Stop()

    def report(counts: Counts) -> None:
        if counts["batches_closed"]:
            stop.ask()

    total = Service(seldom(bench), stop, report).run()

    assert 1 == total["applied"]


def list_fails_once(bench: Bench) -> None:
    """The vendor is asked for its list of batches, and does not answer."""
    bench.vendor.fail_next("list_batches", unclear())


def room_is_made(bench: Bench) -> None:
    """The spool is full when it is looked at first."""
    free, looks = bench.spool.free_bytes, itertools.count(1)
    bench.spool.free_bytes = lambda: 0 if next(looks) == 1 else free()  # type: ignore[method-assign]


def record_fails_once(bench: Bench) -> None:
    """The database can't do what it is asked, once."""
    store, fails = bench.place.store, [DatabaseError("out of order")]
    transact = store.transact

    def failing(work: Any, **options: Any) -> Any:
        if options.get("step") == "claim.record" and fails:
            raise fails.pop()
        return transact(work, **options)

    store.transact = failing  # type: ignore[method-assign]


@pytest.mark.parametrize("trouble", [list_fails_once, room_is_made, record_fails_once])
def test_a_daemon_makes_up_for_a_claim_that_something_kept(bench: Bench, trouble: Callable[[Bench], None]) -> None:
    """The task's next turn may be a night away; what kept it is over in a moment."""
    bench.add_people("one")
    trouble(bench)
    stop = Stop()
    late = threading.Timer(LONGEST, stop.ask)
    late.start()

    def report(counts: Counts) -> None:
        if counts["batches_closed"]:
            stop.ask()

    total = Service(seldom(bench), stop, report).run()
    late.cancel()

    assert 1 == total["applied"]


def test_a_daemon_uses_the_room_that_another_process_has_made(bench: Bench) -> None:
    """Its rows were more than open batches may be; the batch in the way is closed by somebody else."""
    bench.configure(batch_size=1, max_open_batches=1)
    bench.add_people("one", "two")
    bench.run(*SENDING[1:])
    put_off(bench)
    other = replace(bench.place, owner="other")
    stop = Stop()

    def close_it() -> None:
        while bench.states()[0] != "closed":
            run_pass(CHECKING, other, Scope(batch_id=1), Orders())

    def report(counts: Counts) -> None:
        if counts["applied"]:
            stop.ask()

    timers = [threading.Timer(0.5, close_it), threading.Timer(LONGEST, stop.ask)]
    for timer in timers:
        timer.start()
    total = Service(seldom(bench), stop, report).run()
    timers[1].cancel()
    timers[0].join()

    assert 1 == total["applied"]
    assert [1, 1] == [done for *_, done in bench.people()]


def test_a_run_that_cannot_say_that_it_is_there_works_all_the_same(bench: Bench) -> None:
    """The runtime's role may lack the right to it after an upgrade: said once, and nothing else depends on it."""
    bench.add_people("one", "two")
    bench.execute("DROP TABLE batchd_process")

    with structlog.testing.capture_logs() as logs:
        run_bounded(bench, Bounds(until_idle=True))

    assert [(1, "applied"), (2, "applied")] == bench.outcomes()
    assert 1 == [one["event"] for one in logs].count(events.DAEMON_ROUND_FAILED)
