"""Short forms about a create whose outcome is unknown: how it comes to that, and what the vendor shows of it."""

from collections.abc import Callable

import pytest

from batchd.core.model import Listing
from batchd.pipeline import SENDING
from tests.fakes.vendor import unclear
from tests.stages.bench import Bench

ENDPOINT = "/v1/chat/completions"
RECOVER, CLAIM, SUBMIT = SENDING
LONG_AGO = "2026-01-01 00:00:00.000"


def leave_unknown(bench: Bench, *, created: bool) -> None:
    """A submit whose answer was lost, after or before its effect."""
    bench.add_people("one")
    bench.vendor.fail_next("create_batch", unclear(), after=created)
    bench.run(*SENDING)
    assert ["submitting"] == bench.states()


def another_known_batch(bench: Bench) -> None:
    """A batch of this account that both sides know: it makes an absence in the same listing count."""
    bench.add_people("other", first=100)
    bench.run(*SENDING[1:])


def listing(bench: Bench, monkeypatch: pytest.MonkeyPatch, change: Callable[[Listing], Listing]) -> None:
    """From now on the vendor's list is changed so."""
    list_batches = bench.vendor.list_batches
    monkeypatch.setattr(bench.vendor, "list_batches", lambda since: change(list_batches(since)))


def create_at_vendor(bench: Bench, file_id: str) -> str:
    """A create of this file takes effect now; the batch's id."""
    return bench.vendor.create_batch(file_id, ENDPOINT, {}).id


def statuses(bench: Bench) -> dict[str, str]:
    """Every batch at the vendor, by id."""
    return {one.id: one.status for one in bench.vendor.batches()}


def detail(bench: Bench, kind: str) -> str:
    """What the open finding of this kind says."""
    ((text,),) = bench.execute("SELECT detail FROM batchd_finding WHERE kind = ? AND closed_at IS NULL", kind)
    return str(text)


def let_a_grace_pass(bench: Bench) -> None:
    """The first listing that proves an absence was long ago."""
    bench.execute("UPDATE batchd_batch SET absent_since = ? WHERE absent_since IS NOT NULL", LONG_AGO)


def fence(bench: Bench) -> str:
    """Batch 1's unknown create is given up by two listings; the file it was made from."""
    file_id = str(bench.batch()["vendor_file_id"])
    bench.run(RECOVER)
    assert "submitting" == bench.states()[0]
    bench.run(RECOVER)
    assert "built" == bench.states()[0]
    return file_id


def unknown_and_fenced(bench: Bench) -> str:
    """A create that never happened as far as anybody sees, fenced off and not sent anew yet; its file."""
    bench.account(resubmit="fence")
    leave_unknown(bench, created=False)
    another_known_batch(bench)
    return fence(bench)
