"""Findings as people answer them: those that hold a batch, and those that are only marked as seen."""

from collections.abc import Sequence

from batchd.core.findings import KINDS, REPORTS, SPOOL_STOPS, next_command
from batchd.core.model import Batch
from batchd.core.outcomes import Outcome
from batchd.errors import UsageError
from batchd.operations.acts import because, record_batch, record_other, record_task
from batchd.operations.done import Done
from batchd.operations.leased import check_held
from batchd.operations.prospects import Prospect
from batchd.operations.wording import are, counted
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
# They end with the next claim that fits; a task that was taken out of the config has none.
CLAIMS = ("task-moved", "task-unfit")
# They ask for what a batch that was given up will never come to: nothing else would end them.
UNFINISHED = (*HOLDS, *SPOOL_STOPS, "results-unread", "unknown-status", "overdue")


def end_poison(ledger: Ledger, task_id: int, task: str) -> None:
    """The finding goes with the last row whose answer the database had refused."""
    if not ledger.gates.any_failed(task_id, Outcome.POISON):
        ledger.findings.close("poison-rows", f"task {task}")


def mark_batch_seen(store: Store, batch: Batch, *, reason: str = "") -> Done:
    """What was reported about a batch is marked as seen. Raises UsageError where nothing was."""

    def written(ledger: Ledger) -> int:
        seen = ledger.findings.close_all(f"batch {batch.id}", REPORTS)
        if seen:
            record_batch(ledger, "resolve", batch, because(_marked(seen), reason))
        return seen

    seen = store.transact(written, step="operate.mark_seen")
    if not seen:
        check_held(batch)
    return Done(_about(seen, f"batch {batch.id}"), seen)


def foresee_mark_batch_seen(store: Store, batch: Batch) -> Prospect:
    """What ``mark_batch_seen`` would do. Raises UsageError as it does."""
    seen = store.read(lambda ledger: _open_kinds(ledger, f"batch {batch.id}", REPORTS))
    if not seen:
        check_held(batch)
    return Prospect(_would_be(seen, f"batch {batch.id}"), len(seen), batches=(batch,))


def mark_seen(place: Workplace, reference: str, *, reason: str = "") -> Done:
    """The same of a task, or of a batch at the vendor that the ledger has forgotten."""

    def written(ledger: Ledger) -> tuple[int, str, bool]:
        vendor = _vendor_of(place, ledger, reference)
        if vendor:
            ledger.findings.close("stranger", f"vendor {vendor} batch {reference}")
            record_other(ledger, "resolve", because(f"forgotten batch {reference} is written off", reason))
        left = bool(vendor) and ledger.findings.is_open("stranger", f"vendor {vendor}")
        seen = ledger.findings.close_all(f"task {reference}", _marked_seen(place, reference))
        task = ledger.tasks.find(reference) if seen else None
        if task:
            record_task(ledger, "resolve", task.id, because(_marked(seen), reason))
        return seen, vendor, left

    seen, vendor, left = place.store.transact(written, step="operate.mark_seen")
    if vendor:
        then = f"vendor {vendor} has more of them: batchd status" if left else "claiming goes on"
        return Done(
            f"forgotten batch {reference} is written off: rows of it that are pending here will be sent, and paid for, "
            f"again; {then}",
            1,
        )
    if seen:
        return Done(_about(seen, f"task {reference}"), seen)
    raise _nothing_to_see(place.store, reference)


def foresee_mark_seen(place: Workplace, reference: str) -> Prospect:
    """What ``mark_seen`` would do. Raises UsageError as it does."""

    def looked_up(ledger: Ledger) -> tuple[list[str], str]:
        kinds = _marked_seen(place, reference)
        return _open_kinds(ledger, f"task {reference}", kinds), _vendor_of(place, ledger, reference)

    seen, vendor = place.store.read(looked_up)
    if vendor:
        return Prospect(
            f"forgotten batch {reference} would be written off: rows of it that are pending here would be sent, and "
            "paid for, again",
            1,
            may_cost=True,
            asks=True,
        )
    if not seen:
        raise _nothing_to_see(place.store, reference)
    return Prospect(_would_be(seen, f"task {reference}"), len(seen), tasks=(reference,))


def _vendor_of(place: Workplace, ledger: Ledger, reference: str) -> str:
    """The account that a forgotten batch is at; empty where nothing was found to be forgotten by this name."""
    strangers = ledger.findings.subjects("stranger")
    return next((name for name in place.accounts if f"vendor {name} batch {reference}" in strangers), "")


def _marked_seen(place: Workplace, task: str) -> tuple[str, ...]:
    """What a person may mark as seen of a task."""
    return REPORTS if task in place.configured else (*REPORTS, *CLAIMS)


def _open_kinds(ledger: Ledger, subject: str, kinds: Sequence[str]) -> list[str]:
    return [kind for kind in kinds if subject in ledger.findings.subjects(kind)]


def _marked(seen: int) -> str:
    return f"{counted(seen, 'finding')} marked as seen"


def _about(seen: int, subject: str) -> str:
    return f"{counted(seen, 'finding')} about {subject} {are(seen)} marked as seen"


def _would_be(kinds: list[str], subject: str) -> str:
    return f"{counted(len(kinds), 'finding')} about {subject} would be marked as seen: {', '.join(kinds)}"


def _nothing_to_see(store: Store, reference: str) -> UsageError:
    """Nothing of this name is open; or what is open ends otherwise, and how."""
    subject = f"task {reference}"
    kinds = store.read(lambda ledger: _open_kinds(ledger, subject, list(KINDS)))
    if kinds:
        return UsageError(
            f"resolve does not end {kinds[0]}, of {subject}", next_command=next_command(kinds[0], subject)
        )
    return UsageError(
        f"nothing of this ledger is called {reference!r} and waits for a person", next_command="batchd status"
    )
