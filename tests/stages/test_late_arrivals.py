"""What an unknown create made besides, or makes late: cancelled, reported, or taken where it is paid for already."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from batchd.core.model import Listing, VendorBatch
from batchd.operations import abandon, send_again
from batchd.pipeline import SENDING
from tests.fakes.vendor import unclear
from tests.stages.bench import Bench
from tests.stages.unknown_creates import (
    RECOVER,
    SUBMIT,
    another_known_batch,
    create_at_vendor,
    detail,
    fence,
    leave_unknown,
    listing,
    statuses,
    unknown_and_fenced,
)


@pytest.mark.parametrize("taken", [False, True], ids=["refused", "answer lost"])
def test_an_extra_whose_cancel_fails_is_cancelled_later_and_keeps_nothing_waiting(
    bench: Bench,
    taken: bool,  # noqa: FBT001 - a parameter
) -> None:
    """The batch is adopted at once, the finding is there at once, and the cancel is asked for again."""
    bench.vendor.statuses = ("in_progress",)
    leave_unknown(bench, created=True)
    (first,) = bench.vendor.batches()
    extra = create_at_vendor(bench, first.input_file_id or "")
    for _ in range(2):
        bench.vendor.fail_next("cancel_batch", unclear("http_500"), after=taken)

    counts = bench.run(RECOVER)
    assert ["submitted"] == bench.states()
    assert ("extra-batch", "batch 1") in bench.findings()
    assert 12 in counts.causes

    bench.run(RECOVER)
    bench.run(RECOVER)
    (one,) = {first.id, extra} - {bench.batch()["vendor_batch_id"]}
    assert "cancelled" == statuses(bench)[one]
    assert f"{one} is cancelled" in detail(bench, "extra-batch")


def test_an_extra_that_has_run_is_reported_as_paid_twice(bench: Bench) -> None:
    """Nothing can be cancelled any more: the finding names it, its requests and where its results are."""
    bench.vendor.statuses = ("completed",)
    leave_unknown(bench, created=True)
    (first,) = bench.vendor.batches()
    create_at_vendor(bench, first.input_file_id or "")
    for run in bench.vendor._runs.values():
        bench.vendor._work_off(run)

    bench.run(RECOVER)

    (extra,) = [one for one in bench.vendor.batches() if one.id != bench.batch()["vendor_batch_id"]]
    told = f"{extra.id} is completed, 1 of its requests paid for twice, their results stay at the vendor in "
    assert f"{told}{extra.output_file_id}" == detail(bench, "extra-batch")
    assert extra.output_file_id in bench.vendor.files


def test_a_twin_that_the_list_shows_later_is_cancelled_too(bench: Bench) -> None:
    """A lagging list showed one of two; the create stays on watch after the one was adopted."""
    leave_unknown(bench, created=True)
    (first,) = bench.vendor.batches()
    bench.run(RECOVER)
    assert ["submitted"] == bench.states()
    twin = create_at_vendor(bench, first.input_file_id or "")

    bench.run(RECOVER)

    assert "cancelling" == statuses(bench)[twin]
    assert [("extra-batch", "batch 1")] == bench.findings()


def test_what_a_person_has_seen_is_not_told_again(bench: Bench) -> None:
    """The extra batch stays in the vendor's list for ever; only news of it open the finding anew."""
    leave_unknown(bench, created=True)
    (first,) = bench.vendor.batches()
    bench.run(RECOVER)
    create_at_vendor(bench, first.input_file_id or "")
    for _ in range(3):
        bench.run(RECOVER)
    bench.execute("UPDATE batchd_finding SET closed_at = opened_at")

    bench.run(RECOVER)

    assert [] == bench.findings()


def test_every_fenced_file_stays_on_watch(bench: Bench) -> None:
    """Two fences in a row and a third create that works: both late arrivals are cancelled and named."""
    first = unknown_and_fenced(bench)
    bench.vendor.fail_next("create_batch", unclear())
    bench.run(SUBMIT)
    second = fence(bench)
    bench.run(SUBMIT)
    assert "submitted" == bench.states()[0]
    late = [create_at_vendor(bench, file_id) for file_id in (first, second)]

    bench.run(RECOVER)

    assert {"cancelling"} == {statuses(bench)[one] for one in late}
    assert all(one in detail(bench, "late-batch") for one in late)
    bench.run_until_quiet()
    assert {"applied"} == {outcome for _, outcome in bench.outcomes()}
    assert {1} == set(bench.vendor.paid.values())


@pytest.mark.parametrize("by_hand", [False, True], ids=["fence", "send-again"])
def test_what_comes_late_before_it_is_sent_anew_takes_that_place(
    bench: Bench,
    by_hand: bool,  # noqa: FBT001 - a parameter
) -> None:
    """It is paid for: its answers are applied, and nothing is sent a second time."""
    if by_hand:
        leave_unknown(bench, created=False)
        bench.run(RECOVER)
        file_id = str(bench.batch()["vendor_file_id"])
        content = bench.vendor.files[file_id]
        send_again(bench.place, "1")
    else:
        bench.account(resubmit="fence")
        leave_unknown(bench, created=False)
        another_known_batch(bench)
        content = bench.vendor.files[str(bench.batch()["vendor_file_id"])]
        file_id = fence(bench)
    # The vendor had read the file before it was deleted.
    bench.vendor.files[file_id] = content
    late = create_at_vendor(bench, file_id)

    creates = bench.vendor.calls.count("create_batch")
    bench.run_until_quiet()

    assert late == bench.batch()["vendor_batch_id"]
    assert (1, "applied") in bench.outcomes()
    assert {1} == set(bench.vendor.paid.values())
    assert creates == bench.vendor.calls.count("create_batch")
    assert [] == bench.findings()


def test_what_comes_late_while_the_new_create_is_in_question_counts(bench: Bench) -> None:
    """And what the new create makes after all is cancelled in its turn."""
    first = unknown_and_fenced(bench)
    bench.vendor.fail_next("create_batch", unclear())
    bench.run(SUBMIT)
    second = str(bench.batch()["vendor_file_id"])
    late = create_at_vendor(bench, first)

    bench.run(RECOVER)
    assert ("submitted", late) == (bench.batch()["state"], bench.batch()["vendor_batch_id"])

    later = create_at_vendor(bench, second)
    bench.run(RECOVER)
    assert "cancelling" == statuses(bench)[later]
    assert ("late-batch", "batch 1") in bench.findings()


def test_a_late_arrival_is_left_running_while_another_process_is_in_its_new_create(bench: Bench) -> None:
    """Should that create come to nothing, the late one is the batch that counts."""
    first = unknown_and_fenced(bench)
    bench.vendor.fail_next("create_batch", unclear())
    bench.run(SUBMIT)
    bench.execute(
        "UPDATE batchd_batch SET lease_owner = 'other',"
        " lease_expires_at = strftime('%Y-%m-%d %H:%M:%f','now','+60 seconds') WHERE id = 1"
    )
    create_at_vendor(bench, first)

    bench.run(RECOVER)

    assert "cancel_batch" not in bench.vendor.calls
    assert "submitting" == bench.states()[0]


def test_a_late_arrival_that_has_run_is_reported_with_its_results(bench: Bench) -> None:
    """The batch was sent anew: both are paid for, and a person is told where the others' results are."""
    file_id = unknown_and_fenced(bench)
    bench.run(SUBMIT)
    bench.vendor.statuses = ("completed",)
    late = create_at_vendor(bench, file_id)
    bench.vendor._work_off(bench.vendor._runs[late])
    bench.vendor._runs[late].batch = replace(bench.vendor._runs[late].batch, completed=1, output_file_id="file-late")

    bench.run(RECOVER)

    told = f"{late} is completed, 1 of its requests paid for twice, their results stay at the vendor in file-late"
    assert told == detail(bench, "late-batch")
    assert "cancel_batch" not in bench.vendor.calls


def test_a_late_create_that_fails_for_its_deleted_file_is_as_wanted(bench: Bench) -> None:
    """That is what the deletion is for: nobody is told, nothing is adopted."""
    file_id = unknown_and_fenced(bench)
    bench.vendor.statuses = ("failed",)
    create_at_vendor(bench, file_id)

    bench.run(RECOVER)

    assert "built" == bench.states()[0]
    assert [] == bench.findings()


def test_what_comes_late_of_a_batch_given_up_by_a_person_is_cancelled(bench: Bench) -> None:
    """Its rows are due again: whatever it made would be paid for a second time."""
    leave_unknown(bench, created=False)
    bench.run(RECOVER)
    file_id = str(bench.batch()["vendor_file_id"])
    abandon(bench.place, "1")
    late = create_at_vendor(bench, file_id)

    bench.run(RECOVER)

    assert "cancelling" == statuses(bench)[late]
    assert ("late-batch", "batch 1") in bench.findings()


def sleep_in_create(bench: Bench, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], Any]) -> None:
    """The next create takes effect, and its process sleeps through its lease before it can say so."""
    create = bench.vendor.create_batch

    def slept(file_id: str, endpoint: str, metadata: Mapping[str, str]) -> VendorBatch:
        monkeypatch.setattr(bench.vendor, "create_batch", create)
        bench.execute("UPDATE batchd_batch SET lease_owner = 'other', lease_epoch = lease_epoch + 1")
        meanwhile()
        return create(file_id, endpoint, metadata)

    monkeypatch.setattr(bench.vendor, "create_batch", slept)


def test_an_id_learned_after_the_fence_and_before_it_is_sent_anew_counts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process woke up in its POST: the batch that it made is the one that is followed."""
    bench.add_people("one")
    sleep_in_create(
        bench,
        monkeypatch,
        lambda: bench.execute(
            "UPDATE batchd_batch SET state = 'built', lease_owner = NULL, lease_epoch = lease_epoch + 1"
        ),
    )

    bench.run(*SENDING)
    bench.run_until_quiet()

    assert 1 == bench.vendor.calls.count("create_batch")
    assert [(1, "applied")] == bench.outcomes()


def test_an_id_learned_in_the_middle_of_a_look_is_not_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list was read before the batch was made; what the ledger knows by then wins."""
    bench.account(resubmit="fence")
    leave_unknown(bench, created=False)
    another_known_batch(bench)
    bench.run(RECOVER)

    def learned(found: Listing) -> Listing:
        bench.execute("UPDATE batchd_batch SET vendor_batch_id = 'batch_learned' WHERE id = 1")
        return found

    listing(bench, monkeypatch, learned)
    bench.run(RECOVER)
    bench.run(RECOVER)

    assert [] == bench.vendor.deleted
    assert ("submitted", "batch_learned") == (bench.batch()["state"], bench.batch()["vendor_batch_id"])
