"""verify where something can't be looked at, or moves meanwhile: it says so, and takes it for no violation."""

from dataclasses import replace

import pytest

from batchd.core.model import Listing, SpooledFile, VendorFault
from batchd.core.states import BatchState
from batchd.errors import VendorAuthError, VendorError, VendorRefusedError, VendorUnreachableError
from batchd.inspection import verify
from batchd.pipeline import CHECKING, SENDING
from tests.stages.bench import Bench
from tests.stages.judging import broken, notes


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (VendorUnreachableError("down", code="no_connection"), "it could not be asked (no_connection)"),
        (VendorAuthError("no", code="invalid_api_key"), "it could not be asked (invalid_api_key)"),
        (VendorRefusedError("no such route", code="http_404"), "it does not list its batches"),
    ],
)
def test_a_vendor_that_cannot_be_asked_is_said_and_no_violation(bench: Bench, error: VendorError, told: str) -> None:
    """Ledger and spool are proven without it."""
    bench.add_people("one")
    bench.run_until_quiet()
    bench.vendor.fail_next("list_batches", error)

    assert [f"vendor fake: not looked at: {told}"] == notes(bench)
    assert [] == broken(bench)


def test_an_account_that_is_not_configured_is_said(bench: Bench) -> None:
    """Its batches are proven from ledger and spool alone."""
    bench.add_people("one")
    bench.run_until_quiet()
    bench.place = replace(bench.place, accounts={})

    (note,) = notes(bench)
    assert note.startswith("vendor fake: not looked at")


def test_an_absence_proves_nothing_where_no_known_batch_is_listed(bench: Bench) -> None:
    """The key may be another project's."""
    bench.vendor.statuses = ("in_progress",)
    bench.add_people("one")
    bench.run(*SENDING)
    bench.vendor.forget(bench.batch()["vendor_batch_id"])

    assert ["vendor fake: its list shows none of the ledger's batches (another project's key?); none was judged"] == (
        notes(bench)
    )
    assert [] == broken(bench)


def test_a_batch_older_than_vendors_keep_theirs_may_be_absent(bench: Bench) -> None:
    """Who is not there after a month proves nothing."""
    bench.vendor.statuses = ("in_progress",)
    for number in (1, 2):
        bench.add_people("text", first=number)
        bench.run(*SENDING)
    bench.vendor.forget(bench.batch(1)["vendor_batch_id"])
    assert [("absent-at-vendor", "batch 1")] == broken(bench)

    bench.execute("UPDATE batchd_batch SET intent_at = '2020-01-01 00:00:00.000' WHERE id = 1")

    assert [] == broken(bench)


def test_a_batch_that_moves_while_it_is_looked_at_is_no_violation(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file was gone for a moment, since another process was fetching it again."""
    bench.add_people("one")
    bench.run(*SENDING)
    bench.check_until("collected", stages=CHECKING[:-1])
    measure = bench.spool.measure_result

    def moved_meanwhile(*_: str) -> SpooledFile | None:
        monkeypatch.setattr(bench.spool, "measure_result", measure)
        bench.run(CHECKING[-1])
        assert ["closed"] == bench.states()
        return None

    monkeypatch.setattr(bench.spool, "measure_result", moved_meanwhile)
    verdict = verify(bench.place)

    assert ((), ()) == (verdict.violations, verdict.notes)


def test_a_batch_that_is_sent_again_while_the_list_is_read_is_no_violation(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list showed it running; by now the vendor has refused it for a passing reason, and it is built again."""
    bench.vendor.statuses = ("in_progress",)
    bench.add_people("one")
    bench.run(*SENDING)
    list_batches = bench.vendor.list_batches

    def refused_meanwhile(since: int) -> Listing:
        listing = list_batches(since)
        monkeypatch.setattr(bench.vendor, "list_batches", list_batches)
        (run,) = bench.vendor._runs.values()
        run.ahead.append("failed")
        bench.vendor.faults = (VendorFault("token_limit_exceeded"),)
        bench.check_until(BatchState.BUILT.value)
        return listing

    monkeypatch.setattr(bench.vendor, "list_batches", refused_meanwhile)

    assert [] == broken(bench)


@pytest.mark.parametrize("marked", [True, False])
def test_files_that_were_removed_as_configured_are_said_and_no_violation(bench: Bench, *, marked: bool) -> None:
    """Some days after its end a batch's files go; the mark in the ledger follows the deed."""
    bench.add_people("one")
    bench.run_until_quiet()
    bench.spool.remove_files(bench.batch()["uid"])
    if marked:
        bench.execute("UPDATE batchd_batch SET files_removed_at = closed_at")
    else:
        bench.place = replace(bench.place, keep_files=0.0)

    assert [] == broken(bench)
    assert ["spool: not looked at: files that were removed as configured (batches: 1)"] == notes(bench)


def test_long_lists_are_cut_and_counted(bench: Bench) -> None:
    """The first few of each check are named, all are counted."""
    bench.add_people(*["text"] * 30)
    bench.run(*SENDING)
    bench.execute("DELETE FROM batchd_gate")

    verdict = verify(bench.place, most=5)

    assert {"ungated-request": 30} == verdict.totals
    assert [f"task people row {number}" for number in range(1, 6)] == [one.subject for one in verdict.violations]


def test_one_task_is_looked_at_alone(bench: Bench) -> None:
    """What is broken about another task is not told."""
    bench.add_people("one")
    bench.run(*SENDING)
    bench.execute("DELETE FROM batchd_gate")
    bench.execute("INSERT INTO batchd_task (id, name, fingerprint, created_at) VALUES (9, 'other', '', '2026-01-01')")

    assert [] == list(verify(bench.place, "other").violations)
    assert 1 == len(verify(bench.place, "people").violations)


def test_what_the_vendor_ran_twice_is_no_violation_once_a_finding_has_told_of_it(bench: Bench) -> None:
    """A relay that repeats a create makes two batches: batchd cancels and reports one, and can do no more."""
    bench.add_people("one")
    bench.run(*SENDING)
    (sent,) = bench.vendor.batches()
    bench.vendor.create_batch(sent.input_file_id or "", "/v1/chat/completions", sent.metadata)
    bench.run_until_quiet()
    before = broken(bench)

    bench.place.store.transact(lambda ledger: ledger.findings.open("extra-batch", "batch 1", "it ran"))

    assert [("sent-twice", "batch 1")] == before
    assert [] == broken(bench)
    assert any("one create made more than one" in note for note in notes(bench))
