"""A bounded run ends by itself: when all is done, and when what is left waits for a person."""

import threading

import pytest

from batchd.daemon import Bounds, Daemon, Plan, Schedule, Stop
from batchd.errors import VendorBillingError
from batchd.ports import Counts, Orders
from tests.fakes.answers import answered
from tests.fakes.vendor import unclear
from tests.stages.bench import GOOD_ANSWER, Bench

LONGEST = 20.0


def run_bounded(bench: Bench, bounds: Bounds) -> Counts:
    """A run that must end by itself."""
    stop = Stop()
    late = threading.Timer(LONGEST, stop.ask)
    late.start()
    try:
        total = Daemon(bench.place, Plan({"people": Schedule()}, bounds=bounds), stop, lambda _: None).run()
    finally:
        ended = late.is_alive()
        late.cancel()
    assert ended, f"the run did not end by itself in {LONGEST} s: {bench.states()}, {bench.gates()}"
    return total


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


def test_a_stop_ends_a_daemon_that_has_no_bounds(bench: Bench) -> None:
    """The first pass of each schedule runs at once; a signal ends the waiting."""
    bench.vendor.script = answered(GOOD_ANSWER)
    bench.add_people("one")
    stop = Stop()

    def report(counts: Counts) -> None:
        if counts["batches_closed"]:
            stop.ask()

    total = Daemon(bench.place, Plan({"people": Schedule(every=600.0)}), stop, report).run()

    assert 1 == total["applied"]
