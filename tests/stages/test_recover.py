"""An unknown create is settled by looking, never guessed: adopted, cancelled, held, or fenced off."""

import time
from dataclasses import replace

import pytest

from batchd.operations import adopt, pause, send_again
from batchd.pipeline import BATCH_LANE, SENDING, StageMaker
from batchd.ports import Orders
from tests.fakes.vendor import unclear
from tests.stages.bench import Bench
from tests.stages.unknown_creates import another_known_batch, leave_unknown

RECOVER: tuple[StageMaker, ...] = (SENDING[0],)


def test_a_batch_that_was_created_is_adopted_and_paid_once(bench: Bench) -> None:
    """Found by its input file; no second create."""
    leave_unknown(bench, created=True)

    bench.run_until_quiet()

    assert [(1, "applied")] == bench.outcomes()
    assert 1 == bench.vendor.calls.count("create_batch")
    assert 1 == sum(bench.vendor.paid.values())


def test_a_batch_whose_file_id_the_vendor_hides_is_found_by_its_metadata(bench: Bench) -> None:
    """Some relays rename files; uid and try in the metadata still name the submit."""
    leave_unknown(bench, created=True)
    (run,) = bench.vendor._runs.values()
    run.batch = replace(run.batch, input_file_id="file-renamed")

    bench.run_until_quiet()

    assert [(1, "applied")] == bench.outcomes()
    assert 1 == bench.vendor.calls.count("create_batch")


def test_of_several_the_most_advanced_is_adopted_and_the_others_are_cancelled(bench: Bench) -> None:
    """A relay that repeats POSTs made two: one is kept, a person is told."""
    leave_unknown(bench, created=True)
    (first,) = bench.vendor.batches()
    twin = bench.vendor.create_batch(first.input_file_id or "", "/v1/chat/completions", first.metadata)
    bench.vendor.retrieve_batch(twin.id)

    bench.run(*RECOVER)

    assert twin.id == bench.batch()["vendor_batch_id"]
    assert "cancelled" == {one.id: one.status for one in bench.vendor.batches()}[first.id]
    assert ("extra-batch", "batch 1") in bench.findings()


def test_a_batch_of_an_earlier_try_is_not_this_one(bench: Bench) -> None:
    """The same uid under another try number proves nothing about this try."""
    leave_unknown(bench, created=False)
    uid = bench.batch()["uid"]
    bench.vendor.create_batch("file-other", "/v1/chat/completions", {"batchd_uid": uid, "batchd_try": "0"})

    bench.run(*RECOVER)

    assert bench.batch()["vendor_batch_id"] is None


def test_an_absence_without_another_known_batch_proves_nothing(bench: Bench) -> None:
    """An empty list may be another project's: with fencing allowed it is still held, not sent again."""
    bench.account(resubmit="fence")
    leave_unknown(bench, created=False)

    for _ in range(4):
        bench.run(*RECOVER)

    assert ["held"] == bench.states()
    assert [("unknown-submit", "batch 1")] == bench.findings()
    assert 1 == bench.vendor.calls.count("create_batch")


def test_two_absences_over_the_grace_ask_for_a_person(bench: Bench) -> None:
    """The default: hold. Nothing is sent a second time by itself."""
    leave_unknown(bench, created=False)
    another_known_batch(bench)

    for _ in range(4):
        bench.run(*RECOVER)

    assert "held" == bench.states()[0]
    assert ("unknown-submit", "batch 1") in bench.findings()


def test_within_the_grace_nothing_is_decided(bench: Bench) -> None:
    """A vendor's list may lag; the wait is longer than the POST could have taken."""
    bench.account(resubmit="fence", submit_grace=3600.0)
    leave_unknown(bench, created=False)
    another_known_batch(bench)

    for _ in range(4):
        bench.run(*RECOVER)

    assert "submitting" == bench.states()[0]
    assert bench.batch()["absent_since"] is not None


def test_a_fence_deletes_the_file_before_it_sends_again(bench: Bench) -> None:
    """A create that is still on its way can then only fail; the rows are paid for once."""
    bench.account(resubmit="fence")
    leave_unknown(bench, created=False)
    file_id = bench.batch()["vendor_file_id"]
    another_known_batch(bench)

    for _ in range(3):
        bench.run(*RECOVER)
    assert [file_id] == bench.vendor.deleted
    assert [(1, file_id)] == bench.execute("SELECT batch_id, file_id FROM batchd_watch")

    bench.run_until_quiet()
    assert [(1, "applied"), (100, "applied")] == bench.outcomes()
    assert {1} == set(bench.vendor.paid.values())


def test_a_late_arrival_of_a_fenced_create_is_cancelled_and_reported(bench: Bench) -> None:
    """The old file id stays on watch."""
    bench.account(resubmit="fence")
    leave_unknown(bench, created=False)
    another_known_batch(bench)
    file_id = bench.batch()["vendor_file_id"]
    for _ in range(3):
        bench.run(*RECOVER)
    bench.run(*SENDING)
    late = bench.vendor.create_batch(file_id, "/v1/chat/completions", {})

    bench.run(*RECOVER)

    assert "cancelling" == {one.id: one.status for one in bench.vendor.batches()}[late.id]
    assert ("late-batch", "batch 1") in bench.findings()


def test_a_batch_that_shows_up_after_the_hold_is_adopted(bench: Bench) -> None:
    """A held batch is still looked for: the vendor's list was merely slow."""
    bench.vendor.listing_lag = 3
    leave_unknown(bench, created=True)
    bench.run(*RECOVER)
    assert ["held"] == bench.states()

    bench.check_until("submitted", stages=RECOVER)

    assert [] == bench.findings()


def test_a_person_may_name_the_batch_or_have_it_sent_again(bench: Bench) -> None:
    """``resolve --adopt`` takes only a batch that fits; ``resolve --send-again`` deletes the file first."""
    leave_unknown(bench, created=False)
    file_id = bench.batch()["vendor_file_id"]
    bench.run(*RECOVER)
    stranger = bench.vendor.create_batch("file-x", "/v1/chat/completions", {})

    with pytest.raises(Exception, match="was not made from batch 1"):
        adopt(bench.place, "1", stranger.id)
    send_again(bench.place, "1")

    assert [file_id] == bench.vendor.deleted
    bench.run_until_quiet()
    assert [(1, "applied")] == bench.outcomes()


def test_batches_that_the_ledger_has_forgotten_stop_claiming(bench: Bench) -> None:
    """A backup was restored: the vendor holds a batch with our installation's id that nobody here knows."""
    bench.add_people("one")
    bench.run(*SENDING)
    bench.execute("DELETE FROM batchd_gate")
    bench.execute("DELETE FROM batchd_request")
    bench.execute("DELETE FROM batchd_batch")

    bench.run(*BATCH_LANE, orders=Orders(eager=True, first=True))

    (created,) = bench.vendor.batches()
    assert [("stranger", f"vendor fake batch {created.id}")] == bench.findings()
    assert 1 == bench.vendor.calls.count("create_batch")


def test_what_a_person_does_meanwhile_hides_no_forgotten_batch(bench: Bench) -> None:
    """The list is read back to the newest batch that is remembered, whatever was written since."""
    bench.vendor.now = lambda: int(time.time()) - 7200
    bench.add_people("one")
    bench.run(*SENDING)
    for table in ("gate", "request", "batch"):
        bench.execute(f"DELETE FROM batchd_{table}")
    bench.execute("UPDATE batchd_installation SET created_at = '2026-01-01 00:00:00.000'")
    pause(bench.place.store, "people", "after the restore")

    bench.run(*RECOVER, orders=Orders(first=True))

    assert ["stranger"] == [kind for kind, _ in bench.findings()]


def test_batches_of_other_installations_are_none_of_our_business(bench: Bench) -> None:
    """Neither reported nor touched."""
    bench.vendor.create_batch(
        "file-x", "/v1/chat/completions", {"batchd_installation": "other", "batchd_uid": "a" * 32}
    )
    bench.add_people("one")

    bench.run(*BATCH_LANE, orders=Orders(eager=True, first=True))

    assert [] == bench.findings()
    assert "cancel_batch" not in bench.vendor.calls


def test_a_batch_that_another_process_is_posting_is_left_alone(bench: Bench) -> None:
    """Its lease is alive: it may be in the middle of its create."""
    leave_unknown(bench, created=True)
    bench.execute(
        "UPDATE batchd_batch SET lease_owner = 'other',"
        " lease_expires_at = strftime('%Y-%m-%d %H:%M:%f','now','+60 seconds')"
    )

    counts = bench.run(*RECOVER)

    assert ["submitting"] == bench.states()
    assert {13} == counts.causes


def test_a_stop_waits_for_one_look_and_not_for_all(bench: Bench) -> None:
    """A vendor that hangs for long leaves many creates unknown, and keeps each look at its list waiting."""
    bench.configure(batch_size=1)
    bench.add_people("one", "two", "three")
    bench.run(*SENDING[:2])
    for _ in range(3):
        bench.vendor.fail_next("create_batch", unclear())
    bench.run(SENDING[2])
    before = bench.vendor.calls.count("list_batches")
    bench.place = replace(bench.place, stopping=lambda: bench.vendor.calls.count("list_batches") > before)

    counts = bench.run(*RECOVER)

    assert 1 == counts["submits_looked_for"]
    assert before + 1 == bench.vendor.calls.count("list_batches")
