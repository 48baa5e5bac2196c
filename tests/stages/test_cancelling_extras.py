"""What is cancelled at the vendor is never the batch that counts, however two processes meet over it."""

from collections import deque
from dataclasses import replace

import pytest

from batchd.core.model import VendorBatch, VendorFault
from batchd.pipeline import CHECKING
from batchd.ports import Orders
from tests.stages.bench import Bench
from tests.stages.unknown_creates import RECOVER, SUBMIT, create_at_vendor, unknown_and_fenced


def test_a_late_batch_is_not_cancelled_once_another_process_has_taken_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process is about to cancel it; there the batch that counts fails, and another would take the late one."""
    deleted = unknown_and_fenced(bench)
    bench.run(SUBMIT)
    sent_anew = bench.batch()["vendor_batch_id"]
    bench.vendor.statuses = ("in_progress",)
    late = create_at_vendor(bench, deleted)
    bench.vendor.statuses = ("validating", "completed")
    bench.vendor.faults = (VendorFault("token_limit_exceeded", "", None),)
    cancel, other = bench.vendor.cancel_batch, replace(bench.place, owner="other")

    def slowly(batch_id: str) -> VendorBatch:
        monkeypatch.setattr(bench.vendor, "cancel_batch", cancel)
        bench.vendor._runs[sent_anew].ahead = deque(["failed"])
        for _ in range(3):
            bench.run(*CHECKING[1:3], RECOVER, orders=Orders(), place=other)
        return cancel(batch_id)

    monkeypatch.setattr(bench.vendor, "cancel_batch", slowly)
    bench.run(RECOVER)
    assert late != bench.batch()["vendor_batch_id"], "what is cancelled by now counts as the batch"

    bench.run_until_quiet()
    assert {} == bench.gates()
    assert "applied" == dict(bench.outcomes())[1]
