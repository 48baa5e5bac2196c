"""What people do: rows freed, batches given up, reports marked as seen; and what none of it does by the way."""

from dataclasses import replace

import pytest

from batchd.errors import UsageError, VendorNotFoundError
from batchd.operations import RetryOrder, abandon, pause, resolve, resume, retry
from batchd.operations.findings import foresee_mark_seen, mark_seen
from batchd.pipeline import CHECKING, SENDING
from tests.fakes.answers import answered
from tests.stages.bench import GOOD_ANSWER, Bench, person_task


def test_a_retry_frees_failed_rows_with_fresh_tries(bench: Bench) -> None:
    """The prompt was mended: every failed row is asked again."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.vendor.script = answered("not valid")
    bench.add_people("one", "two")
    bench.run_until_quiet()
    assert {1: "failed", 2: "failed"} == bench.gates()

    bench.vendor.script = answered(GOOD_ANSWER)
    done = retry(bench.place.store, "people", person_task(), RetryOrder())
    bench.run_until_quiet()

    assert 2 == done.number
    assert "paid for again" in done.sentence
    assert [1, 1] == [done for *_, done in bench.people()]
    assert {} == bench.gates()


def test_a_retry_of_named_rows_leaves_the_others(bench: Bench) -> None:
    """One key, one row; a key that does not fit is refused."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.vendor.script = answered("not valid")
    bench.add_people("one", "two")
    bench.run_until_quiet()

    assert 1 == retry(bench.place.store, "people", person_task(), RetryOrder(["2"])).number
    assert {1: "failed", 2: "retry"} == bench.gates()
    with pytest.raises(UsageError, match="not a key"):
        retry(bench.place.store, "people", person_task(), RetryOrder(["two"]))


def test_a_row_that_is_still_pending_after_its_write_is_freed_only_by_name(bench: Bench) -> None:
    """Freed all together, such rows would be paid for again and again."""
    bench.configure(definition=person_task(on_success={}))
    bench.add_people("one")
    bench.run_until_quiet()

    assert 0 == retry(bench.place.store, "people", person_task(), RetryOrder()).number
    assert 1 == retry(bench.place.store, "people", person_task(), RetryOrder(["1"])).number


def test_a_batch_that_vanished_can_be_given_up(bench: Bench) -> None:
    """The vendor will never know it again: its rows count as paid for, and are due once more."""
    bench.add_people("one")
    bench.run(*SENDING)
    bench.vendor.fail_next("retrieve_batch", VendorNotFoundError("gone", code="http_404"))
    bench.run(CHECKING[1])
    assert ["held"] == bench.states()

    done = abandon(bench.place, "1")

    assert "will be paid for again" in done.sentence
    assert ["abandoned"] == bench.states()
    assert [(1, "missing")] == bench.outcomes()
    assert [(1, 0)] == bench.execute("SELECT paid_tries, unpaid_tries FROM batchd_gate")
    assert [] == bench.findings()
    bench.run_until_quiet()
    assert [(1, "Ada", "senior", 1)] == bench.people()


def test_only_a_held_batch_can_be_given_up(bench: Bench) -> None:
    """One that is on its way is cancelled, not dropped."""
    bench.add_people("one")
    bench.run(*SENDING)

    with pytest.raises(UsageError, match="only a held batch"):
        abandon(bench.place, "1")


def test_a_paused_task_goes_on_where_it_stopped(bench: Bench) -> None:
    """Pause and resume leave nothing behind but their events."""
    bench.add_people("one")
    bench.run(SENDING[1])
    pause(bench.place.store, "people", "month end")
    bench.run()
    assert ["built"] == bench.states()

    resume(bench.place.store, "people", "over")
    bench.run_until_quiet()

    assert [(1, "applied")] == bench.outcomes()
    assert [("pause", "month end"), ("resume", "over")] == bench.execute(
        "SELECT action, reason FROM batchd_event WHERE subject = 'task' AND action != 'added' ORDER BY id"
    )


def test_a_key_that_is_none_leads_to_the_rows_that_wait(bench: Bench) -> None:
    """Whoever mistypes a key finds the right ones there."""
    (definition,) = (task.definition for task in bench.place.tasks.values())

    with pytest.raises(UsageError, match="it is made of: id") as refused:
        retry(bench.place.store, "people", definition, RetryOrder(["seven"]))

    assert "batchd failures --task people" == refused.value.next_command


def test_what_stops_a_task_is_marked_as_seen_once_the_config_lacks_it(bench: Bench) -> None:
    """Only a claim that fits ends it, and nobody claims for a task that is gone from the config."""
    bench.place.store.transact(lambda ledger: ledger.findings.open("task-unfit", "task people", "no such table"))
    at_work = replace(bench.place, configured=frozenset({"people"}))

    with pytest.raises(UsageError, match="resolve does not end task-unfit") as refused:
        mark_seen(at_work, "people")
    kept = bench.findings()
    foreseen = foresee_mark_seen(replace(at_work, configured=frozenset()), "people")
    mark_seen(replace(at_work, configured=frozenset()), "people")

    assert [("task-unfit", "task people")] == kept
    assert "batchd check-config --task people" == refused.value.next_command
    assert "task-unfit" in foreseen.sentence
    assert [] == bench.findings()


def test_a_report_is_marked_as_seen_by_task_or_batch(bench: Bench) -> None:
    """What stops nothing can be put away; what does not wait for a person is refused."""
    bench.configure(definition=person_task(on_success={}))
    bench.add_people("one")
    bench.run_until_quiet()
    assert [("pending-not-cleared", "task people")] == bench.findings()

    resolve(bench.place, "people")

    assert [] == bench.findings()
    with pytest.raises(UsageError, match="waits for a person"):
        resolve(bench.place, "people")


def test_poison_rows_are_a_finding_until_the_last_of_them_is_dealt_with(bench: Bench) -> None:
    """Asked again one by one, or put away as seen; a poison row that comes later is told again."""
    bench.execute("CREATE TRIGGER no BEFORE UPDATE ON person BEGIN SELECT RAISE(ABORT, 'no'); END")
    bench.add_people("one", "two")
    bench.run_until_quiet()
    (definition,) = (task.definition for task in bench.place.tasks.values())
    told = [bench.findings()]

    for key in ("1", "2"):
        retry(bench.place.store, "people", definition, RetryOrder([key]))
        told.append(bench.findings())
    bench.run_until_quiet()
    told.append(bench.findings())
    resolve(bench.place, "people")
    told.append(bench.findings())

    poison = [("poison-rows", "task people")]
    assert [poison, poison, [], poison, []] == told
    assert {1: "failed", 2: "failed"} == bench.gates()


def test_a_batch_that_is_given_up_leaves_no_finding_that_nobody_can_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its results found no room, and are gone by now: the finding that stops claiming goes with the batch."""
    bench.add_people("one")
    bench.run(*SENDING)
    bench.check_until("ended", stages=(CHECKING[1],))
    with monkeypatch.context() as full:
        full.setattr(bench.spool, "free_bytes", lambda: 0)
        bench.run(CHECKING[2])
    assert [("spool-full", "batch 1")] == bench.findings()
    bench.vendor.files.clear()
    bench.check_until("held")

    abandon(bench.place, "1")

    assert [] == bench.findings()
    bench.run_until_quiet()
    assert ["abandoned", "closed"] == bench.states()
