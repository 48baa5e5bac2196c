"""Runs while the vendor's quota is full: they wait for what will be freed, and for nothing else."""

import threading
from dataclasses import replace

from batchd.daemon import BoundedRun, Bounds, Plan
from batchd.pipeline import SENDING
from batchd.ports import ConfiguredTask, Counts, Orders, Scope
from batchd.stop import Stop
from tests.stages.bench import Bench, person_task
from tests.stages.test_quota import counted, limit

CLAIM, SUBMIT = SENDING[1:]
LONGEST = 30.0


def run_until_idle(bench: Bench, scope: Scope | None = None) -> Counts:
    """A run that must end by itself."""
    stop = Stop()
    late = threading.Timer(LONGEST, stop.ask)
    late.start()
    plan = Plan(("people",), scope or Scope(), Bounds(until_idle=True))
    try:
        total = BoundedRun(bench.place, plan, stop, lambda _: None).run()
    finally:
        ended = late.is_alive()
        late.cancel()
    assert ended, f"the run did not end by itself in {LONGEST} s: {bench.states()}"
    return total


def test_a_run_until_idle_sends_what_waits_for_the_quota(bench: Bench) -> None:
    """Batch after batch, as room is made; nothing of it is an error."""
    bench.configure(batch_size=1)
    bench.add_people("one", "two", "three", "four")
    bench.run(CLAIM)
    limit(bench, max(counted(bench).values()))

    total = run_until_idle(bench)

    assert (4, set()) == (total["applied"], total.causes)
    assert ["closed"] * 4 == bench.states()


def other_task_fills_the_quota(bench: Bench, not_before: str) -> None:
    """A batch of another task, which this run leaves alone, is at the vendor; a batch of this one waits for it."""
    people = bench.place.tasks["people"]
    others = ConfiguredTask(person_task(name="others", pending="id = 2"))
    bench.add_people("one", "two")
    bench.place = replace(
        bench.place,
        tasks={
            "people": replace(people, definition=person_task(pending="done_at IS NULL AND id = 1")),
            "others": others,
        },
        configured=frozenset({"people", "others"}),
    )
    bench.run(CLAIM, SUBMIT, scope=Scope(task="others"), orders=Orders(eager=True))
    bench.execute(f"UPDATE batchd_batch SET not_before = {not_before}")
    limit(bench, max(counted(bench).values()))


def test_a_run_waits_for_room_that_another_tasks_batch_will_make(bench: Bench) -> None:
    """Somebody else looks after that batch, and ends it in the end."""
    other_task_fills_the_quota(bench, "strftime('%Y-%m-%d %H:%M:%f', 'now', '+2 seconds')")
    end = threading.Timer(2.0, bench.execute, ["UPDATE batchd_batch SET state = 'ended' WHERE id = 1"])
    end.start()
    try:
        total = run_until_idle(bench, Scope(task="people"))
    finally:
        end.join()

    assert 1 == total["applied"]
    assert ["ended", "closed"] == bench.states()


def test_a_run_does_not_wait_for_room_that_nobody_makes(bench: Bench) -> None:
    """The other task's batch has been looked at by nobody for long: its process is gone."""
    other_task_fills_the_quota(bench, "'2026-01-01 00:00:00.000'")

    run_until_idle(bench, Scope(task="people"))

    assert ["submitted", "built"] == bench.states()
