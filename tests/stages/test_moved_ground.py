"""What the ledger remembers is not what is: tries that it has forgotten, a copy of it, a task under another key."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from batchd.core.model import VendorBatch, VendorFault
from batchd.core.tasks import KeyColumn
from batchd.errors import UsageError
from batchd.operations import abandon, cancel
from batchd.pipeline import BATCH_LANE, SENDING, run_pass
from batchd.ports import EVERYTHING, ConfiguredTask, Orders
from batchd.store import installation
from batchd.store.opening import open_database
from tests.fakes.vendor import unclear
from tests.stages.bench import Bench, person_task
from tests.stages.test_takeovers import copy

AT_START = Orders(eager=True, first=True)
RECOVER, POLL = BATCH_LANE[0], BATCH_LANE[3]


@contextmanager
def forgotten(bench: Bench) -> Iterator[None]:
    """A backup is taken before and restored after."""
    copy(bench.path, bench.folder / "backup.db")
    yield
    copy(bench.folder / "backup.db", bench.path)


@pytest.mark.parametrize("position", ["submitted", "ended"])
def test_a_batch_goes_on_from_a_try_that_was_forgotten(bench: Bench, position: str) -> None:
    """The backup knows the try that was refused; the vendor has the next one, which alone is paid for."""
    bench.add_people("one")
    bench.vendor.statuses, bench.vendor.faults = ("validating", "failed"), (VendorFault("token_limit_exceeded"),)
    bench.run(*SENDING)
    bench.vendor.statuses = ("in_progress", "completed")
    if position == "ended":
        bench.run(POLL)
    assert [position] == bench.states()
    with forgotten(bench):
        bench.run_until_quiet()
        assert [(1, "applied")] == bench.outcomes()

    bench.run(orders=AT_START)
    bench.run_until_quiet()

    assert [(1, "applied")] == bench.outcomes()
    assert 2 == bench.vendor.calls.count("create_batch")
    assert {1} == set(bench.vendor.paid.values())


def test_a_forgotten_try_is_not_lost_to_a_process_that_is_looking_at_the_one_before(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One learns of the try that counts while another, which could not read the list, polls the one that failed."""
    bench.add_people("one")
    bench.vendor.statuses, bench.vendor.faults = ("validating", "failed"), (VendorFault("token_limit_exceeded"),)
    bench.run(*SENDING)
    bench.vendor.statuses = ("in_progress", "completed")
    with forgotten(bench):
        bench.run_until_quiet()
    starting, retrieve = replace(bench.place, owner="starting"), bench.vendor.retrieve_batch

    def slowly(batch_id: str) -> VendorBatch:
        found = retrieve(batch_id)
        monkeypatch.setattr(bench.vendor, "retrieve_batch", retrieve)
        run_pass((RECOVER,), starting, EVERYTHING, AT_START)
        return found

    monkeypatch.setattr(bench.vendor, "retrieve_batch", slowly)
    bench.run(POLL)
    bench.place = starting
    bench.run(orders=AT_START)
    bench.run_until_quiet()

    assert [(1, "applied")] == bench.outcomes()
    assert 2 == bench.vendor.calls.count("create_batch")


def leave_second_unknown(bench: Bench) -> None:
    """Batch 2's create never happened as far as anybody sees; batch 1 makes its absence count."""
    bench.account(resubmit="fence")
    bench.add_people("other", first=100)
    bench.run(*SENDING)
    bench.add_people("one")
    bench.vendor.fail_next("create_batch", unclear())
    bench.run(*SENDING)


def test_an_unknown_create_that_was_fenced_off_since_is_not_sent_a_third_time(bench: Bench) -> None:
    """The backup still asks about the first try; the second one was created and is paid for."""
    leave_second_unknown(bench)
    with forgotten(bench):
        bench.run_until_quiet()
        assert [(100, "applied"), (1, "applied")] == bench.outcomes()

    bench.run(orders=AT_START)
    bench.run_until_quiet()

    assert [(100, "applied"), (1, "applied")] == bench.outcomes()
    assert {1} == set(bench.vendor.paid.values())


def test_a_copy_cancels_no_late_batch_of_its_original(bench: Bench) -> None:
    """The original watches a file that it has deleted; a late batch of it is none of the copy's business."""
    leave_second_unknown(bench)
    file_id = bench.batch(2)["vendor_file_id"]
    bench.run_until_quiet()
    assert file_id in bench.vendor.deleted
    bench.vendor.statuses = ("in_progress",)
    bench.vendor.create_batch(file_id, "/v1/chat/completions", {})
    calls = len(bench.vendor.calls)

    installation.adopt_copied(bench.database.engine, bench.database.dialect, bench.database.url, actor="a person")
    bench.run(orders=AT_START)

    assert "cancel_batch" not in bench.vendor.calls[calls:]
    assert [] == bench.findings()


@pytest.mark.parametrize("key", ["id", "resume"])
def test_rows_in_work_are_not_claimed_under_another_name_and_key(bench: Bench, key: str) -> None:
    """The same columns of the same table are written: what is in flight there would be paid for twice."""
    bench.add_people("one")
    bench.run(*SENDING)
    column = KeyColumn(name=key, kind="integer" if key == "id" else "text")
    renamed = person_task(name="persons", key=(column,))
    bench.place = replace(bench.place, tasks={"persons": ConfiguredTask(renamed)})

    bench.run(*SENDING)
    assert [("task-moved", "task persons")] == bench.findings()
    bench.run_until_quiet()
    bench.run(*SENDING)

    assert [(1, "applied")] == bench.outcomes()
    assert [] == bench.findings()


def test_a_batch_that_is_not_provably_ours_is_cancelled_for_nobody(bench: Bench) -> None:
    """Not even for a person who names it: it bears another installation's id."""
    theirs = bench.vendor.create_batch("file-x", "/v1/chat/completions", {"batchd_installation": "another"})
    subject = f"vendor fake batch {theirs.id}"
    bench.place.store.transact(lambda ledger: ledger.findings.open("stranger", subject))

    with pytest.raises(UsageError, match="is not a batch of this installation"):
        cancel(bench.place, theirs.id)

    assert "cancel_batch" not in bench.vendor.calls


def test_the_finding_about_a_vendor_ends_with_its_last_batch(bench: Bench) -> None:
    """A vendor that the config lacks can be asked nothing; once a person gave its batch up, nobody is told of it."""
    bench.add_people("one")
    bench.run(*SENDING)
    bench.execute("UPDATE batchd_batch SET state = 'held', held_from = 'submitted', account = 'former'")
    bench.run(SENDING[0])
    assert [("account-moved", "vendor former")] == bench.findings()

    abandon(bench.place, "1")
    bench.run(SENDING[0])

    assert [] == bench.findings()


def test_a_vendor_that_only_another_process_needs_is_not_missed(bench: Bench) -> None:
    """Each runs one task; whose vendor this one did not connect to is in the config all the same."""
    bench.add_people("one")
    bench.run(*SENDING)
    bench.execute("UPDATE batchd_batch SET account = 'other', account_fingerprint = 'account-2'")
    bench.place = replace(bench.place, vendors={"fake": "account-1", "other": "account-2"})

    counts = bench.run(RECOVER)

    assert ({}, []) == (counts.numbers, bench.findings())


def test_a_copy_removes_no_file_that_its_original_needs(bench: Bench) -> None:
    """Both use one spool folder; the batches that the copy let go of are the original's."""
    bench.add_people("one")
    bench.run(SENDING[1])
    copy(bench.path, bench.folder / "copy.db")
    copied = open_database(f"sqlite:///{bench.folder / 'copy.db'}")
    installation.adopt_copied(copied.engine, copied.dialect, copied.url, actor="a person")
    store = copied.store(actor="other", is_dead=lambda _: False)

    run_pass(BATCH_LANE[-2:], replace(bench.place, store=store, keep_files=0.0), EVERYTHING, Orders())

    assert bench.spool.input_path(bench.batch()["uid"]).exists()
