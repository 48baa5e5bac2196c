"""Another process takes over while this one is in the middle of something, or has forgotten what it knew."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from batchd.core.model import VendorBatch
from batchd.errors import LeaseLostError
from batchd.operations import resolve
from batchd.pipeline import SENDING, StageMaker
from batchd.ports import Orders
from tests.fakes.vendor import unclear
from tests.stages.bench import Bench

RECOVER, CLAIM, SUBMIT = SENDING
TAKING_OVER: tuple[StageMaker, ...] = (RECOVER, SUBMIT)
AT_START = Orders(eager=True, first=True)


def copy(source: Path, target: Path) -> None:
    """A backup, or its return."""
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def forget_everything(bench: Bench) -> None:
    """A backup without the batches was restored."""
    for table in ("gate", "request", "batch"):
        bench.execute(f"DELETE FROM batchd_{table}")


def test_an_id_that_comes_too_late_does_not_replace_that_of_the_batch_sent_anew(bench: Bench) -> None:
    """A process slept in its POST; meanwhile another one fenced the batch off and sent it under a new file."""
    bench.account(resubmit="fence")
    bench.add_people("other", first=100)
    bench.run(*SENDING)
    bench.add_people("one")
    other = replace(bench.workplace("other", *bench.place.tasks.values()), accounts=bench.place.accounts)
    create = bench.vendor.create_batch

    def slept(file_id: str, endpoint: str, metadata: Mapping[str, str]) -> VendorBatch:
        bench.vendor.create_batch = create  # type: ignore[method-assign]
        bench.execute("UPDATE batchd_batch SET lease_expires_at = '2000-01-01 00:00:00.000'")
        for _ in range(4):
            bench.run(*TAKING_OVER, orders=Orders(), place=other)
        return create(file_id, endpoint, metadata)

    bench.vendor.create_batch = slept  # type: ignore[method-assign]
    counts = bench.run(*SENDING)

    assert LeaseLostError.exit_code in counts.causes
    (sent_anew,) = [one.id for one in bench.vendor.batches() if one.input_file_id == bench.batch(2)["vendor_file_id"]]
    assert sent_anew == bench.batch(2)["vendor_batch_id"]
    assert ("late-batch", "batch 2") in bench.findings()
    bench.run_until_quiet()
    assert [(100, "applied"), (1, "applied")] == bench.outcomes()


def test_a_built_batch_that_the_vendor_has_already_is_not_sent_again(bench: Bench) -> None:
    """A backup from between claim and submit was restored: the batch is known, that it was sent is not."""
    bench.add_people("one")
    bench.run(CLAIM)
    copy(bench.path, bench.folder / "backup.db")
    bench.run(SUBMIT)
    copy(bench.folder / "backup.db", bench.path)
    assert ["built"] == bench.states()

    bench.run(orders=AT_START)
    bench.run_until_quiet()

    assert 1 == bench.vendor.calls.count("create_batch")
    assert [(1, "applied")] == bench.outcomes()


def test_nothing_is_sent_before_the_vendors_list_was_read(bench: Bench) -> None:
    """The list fails at the start: what the ledger forgot can't be known yet, so claim and submit wait."""
    bench.add_people("one")
    bench.run(*SENDING)
    forget_everything(bench)
    bench.run(CLAIM)
    bench.vendor.fail_next("list_batches", unclear())

    counts = bench.run(orders=AT_START)
    assert 1 == counts["lists_unread"]
    assert [("list-unread", "vendor fake")] == bench.findings()
    assert [(unclear().code,)] == bench.execute("SELECT detail FROM batchd_finding")
    assert 1 == bench.vendor.calls.count("create_batch")

    bench.run(orders=AT_START)
    (created,) = bench.vendor.batches()
    assert [("stranger", f"vendor fake batch {created.id}")] == bench.findings()


def test_a_forgotten_batch_that_a_person_dealt_with_is_not_reported_again(bench: Bench) -> None:
    """Each command is a process of its own and looks anew."""
    bench.add_people("one")
    bench.run(*SENDING)
    forget_everything(bench)
    bench.run(orders=AT_START)
    (created,) = bench.vendor.batches()

    resolve(bench.place, created.id)
    bench.run(orders=AT_START)

    assert [] == bench.findings()
    assert 2 == bench.vendor.calls.count("create_batch")


@pytest.mark.parametrize("position", ["built", "ended"])
def test_a_batch_of_a_changed_account_is_reported_wherever_it_stands(bench: Bench, position: str) -> None:
    """It can't be sent or collected, so a person is told, and nothing is claimed for the new account."""
    bench.add_people("one")
    bench.run(CLAIM)
    bench.execute("UPDATE batchd_batch SET state = ?", position)
    bench.account(fingerprint="account-2")
    bench.add_people("two", first=2)

    bench.run()

    assert [("account-moved", "vendor fake")] == bench.findings()
    assert [position] == bench.states()
