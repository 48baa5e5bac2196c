"""Findings as people answer them: those that hold a batch, and those that are only marked as seen."""

from batchd.core.findings import REPORTS, SPOOL_STOPS
from batchd.core.model import Batch
from batchd.errors import UsageError
from batchd.operations.done import Done
from batchd.operations.leased import check_held
from batchd.ports import Ledger, Store, Workplace

# They go with a hold, and end with it.
HOLDS = (
    "suspect-results",
    "short-results",
    "batch-refused",
    "submit-refused",
    "apply-failed",
    "batch-vanished",
    "unknown-submit",
)
# They ask for what a batch that was given up will never come to: nothing else would end them.
UNFINISHED = (*HOLDS, *SPOOL_STOPS, "results-unread", "unknown-status", "overdue")


def mark_batch_seen(store: Store, batch: Batch) -> Done:
    """What was reported about a batch is marked as seen. Raises UsageError where nothing was."""
    seen = store.transact(
        lambda ledger: ledger.findings.close_all(f"batch {batch.id}", REPORTS), step="operate.mark_seen"
    )
    if not seen:
        check_held(batch)
    return Done(f"{seen} findings about batch {batch.id} are marked as seen", seen)


def mark_seen(place: Workplace, reference: str) -> Done:
    """The same of a task, or of a batch at the vendor that the ledger has forgotten."""

    def written(ledger: Ledger) -> tuple[int, str, bool]:
        known = (
            name for name in place.accounts if ledger.findings.close("stranger", f"vendor {name} batch {reference}")
        )
        vendor = next(known, "")
        left = bool(vendor) and ledger.findings.is_open("stranger", f"vendor {vendor}")
        return ledger.findings.close_all(f"task {reference}", REPORTS), vendor, left

    seen, vendor, left = place.store.transact(written, step="operate.mark_seen")
    if vendor:
        then = f"vendor {vendor} has more of them: batchd status" if left else "claiming goes on"
        return Done(
            f"forgotten batch {reference} is written off: rows of it that are pending here will be sent, and paid for, "
            f"again; {then}",
            1,
        )
    if seen:
        return Done(f"{seen} findings about task {reference} are marked as seen", seen)
    raise UsageError(
        f"nothing of this ledger is called {reference!r} and waits for a person", next_command="batchd status"
    )
