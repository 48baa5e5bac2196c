"""What people do about rows, tasks and batches. None of it makes a row be paid for again without saying so."""

from collections.abc import Sequence
from dataclasses import dataclass

from batchd.core.findings import REPORTS
from batchd.core.keys import KeyCodec, RowKey, UnusableKeyError
from batchd.core.model import Batch, TaskRecord
from batchd.core.outcomes import Outcome
from batchd.core.reconcile import matches
from batchd.core.states import BatchState
from batchd.core.tasks import TaskDefinition
from batchd.errors import UsageError
from batchd.ports import Account, Ledger, Store, Workplace
from batchd.settling import EarlyEnd, give_up

# Findings that go with a hold, and end with it.
_HOLDS = (
    "suspect-results",
    "short-results",
    "batch-refused",
    "submit-refused",
    "apply-failed",
    "batch-vanished",
    "unknown-submit",
)


@dataclass(frozen=True, slots=True)
class Done:
    """What an operation did: a sentence for people, and how many rows or batches it touched."""

    sentence: str
    number: int


def retry(store: Store, task: str, definition: TaskDefinition, keys: Sequence[str]) -> Done:
    """Makes rows that failed or are held due again, with fresh tries; all of them where no key is named.

    A row that was written and is still pending is freed only by its key.

    Raises:
        UsageError: the ledger does not know the task, or a key does not fit.
    """
    wanted = [_row_key(definition, text) for text in keys] or None

    def written(ledger: Ledger) -> int:
        record = _known_task(ledger, task)
        return ledger.gates.free(record.id, wanted)

    number = store.transact(written)
    return Done(f"{number} rows of task {task} are due again; each may be paid for again", number)


def pause(store: Store, task: str, reason: str) -> Done:
    """Stops claiming, submitting and applying; polling and collecting go on, since the vendor's copy expires."""
    store.transact(lambda ledger: ledger.tasks.pause(_known_task(ledger, task).id, reason))
    return Done(f"task {task} is paused; open batches are still polled and collected", 1)


def resume(store: Store, task: str, reason: str) -> Done:
    """Lets a paused task go on; ends a billing stop."""

    def written(ledger: Ledger) -> None:
        ledger.tasks.unpause(_known_task(ledger, task).id, reason)
        ledger.findings.close("billing-stop", f"task {task}")

    store.transact(written)
    return Done(f"task {task} goes on", 1)


def cancel(place: Workplace, reference: str) -> Done:
    """Cancels a batch: at the vendor where it was sent, here where it was not. What is finished is still applied.

    Raises:
        UsageError: no such batch, or one that cannot be cancelled any more.
        VendorError: the vendor did not take it.
    """
    batch = _known_batch(place.store, reference)
    if batch.position is BatchState.BUILT:
        end = EarlyEnd(Outcome.CANCELLED, "cancelled", "cancelled by a person before it was sent")

        def given_up(ledger: Ledger) -> None:
            give_up(ledger, batch, end, chunk=place.chunk)
            ledger.findings.close("submit-refused", f"batch {batch.id}")

        place.store.transact(given_up)
        return Done(f"batch {batch.id} was not sent; its rows wait for: batchd retry --task {batch.task}", 1)
    if batch.position is not BatchState.SUBMITTED:
        raise UsageError(
            f"batch {batch.id} is {batch.position} and cannot be cancelled any more",
            next_command=f"batchd show {batch.id}",
        )
    account = _account(place, batch)
    account.vendor.cancel_batch(batch.vendor_batch_id or "")
    place.store.transact(lambda ledger: ledger.batches.note(batch, not_before=None))
    return Done(f"the vendor was asked to cancel batch {batch.id}; follow it with: batchd check {batch.id}", 1)


def resolve(place: Workplace, reference: str) -> Done:
    """Lets a held batch go on as it stands, its checks waived; or marks what was only reported as seen.

    ``reference`` is a batch, a task, or a batch at the vendor that the ledger has forgotten.

    Raises:
        UsageError: nothing of this name is held, or a create is unknown (see :func:`send_again`, :func:`adopt`).
    """
    batch = place.store.read(lambda ledger: ledger.batches.find(reference))
    if batch is None:
        return _mark_seen(place, reference)
    if batch.state is not BatchState.HELD:
        return _mark_batch_seen(place.store, batch)
    if batch.position is BatchState.SUBMITTING:
        raise UsageError(
            f"nobody knows whether batch {batch.id} was created; look for {batch.uid} in the vendor's list",
            next_command=f"batchd resolve {batch.id} --adopt VENDOR_ID, or --send-again if it is not there",
        )

    def written(ledger: Ledger) -> None:
        ledger.batches.resume(batch, "a person lets it go on", checks_waived=1)
        ledger.findings.close_all(f"batch {batch.id}", _HOLDS)

    place.store.transact(written)
    return Done(f"batch {batch.id} goes on from {batch.position}", 1)


def abandon(place: Workplace, reference: str) -> Done:
    """Gives a held batch up: its rows are due again, and those that were sent count as paid for.

    Raises:
        UsageError: it is not held, or its results are on disk already.
    """
    batch = _known_batch(place.store, reference)
    _check_held(batch)
    if batch.position is BatchState.COLLECTED:
        raise UsageError(
            f"the results of batch {batch.id} are on disk, and paid for", next_command=f"batchd resolve {batch.id}"
        )
    sent = batch.position is not BatchState.BUILT
    outcome = Outcome.MISSING if sent else Outcome.UNSENT
    end = EarlyEnd(outcome, "given_up", "its batch was given up by a person")

    def written(ledger: Ledger) -> None:
        give_up(ledger, batch, end, chunk=place.chunk)
        ledger.findings.close_all(f"batch {batch.id}", _HOLDS)

    place.store.transact(written)
    paid = "; they count as paid for, and will be paid for again" if sent else ""
    return Done(f"batch {batch.id} is given up; its {batch.requests} rows are due again{paid}", batch.requests)


def send_again(place: Workplace, reference: str) -> Done:
    """A person says that an unknown create did not happen: its file is deleted first, then it is sent anew."""
    batch = _known_batch(place.store, reference)
    _check_held(batch)
    if batch.position is not BatchState.SUBMITTING:
        raise UsageError(f"batch {batch.id} is {batch.position}: its create is not in question")
    account = _account(place, batch)
    file_id = batch.vendor_file_id or ""
    # Deleted first, so that a create that is still on its way can only fail.
    account.vendor.delete_file(file_id)

    def written(ledger: Ledger) -> None:
        freed = ledger.batches.resume(batch, "a person says that it was not created")
        ledger.batches.move(freed, BatchState.BUILT, "sent again by a person", fenced_file_id=file_id)
        ledger.findings.close("unknown-submit", f"batch {batch.id}")

    place.store.transact(written)
    return Done(f"batch {batch.id} will be sent again under a new file; a late first one is cancelled", 1)


def adopt(place: Workplace, reference: str, vendor_batch_id: str) -> Done:
    """A person names the vendor's batch that an unknown create made.

    Raises:
        UsageError: that batch was made from another file and bears another uid.
    """
    batch = _known_batch(place.store, reference)
    _check_held(batch)
    found = _account(place, batch).vendor.retrieve_batch(vendor_batch_id)
    if batch.position is not BatchState.SUBMITTING or not matches(batch, [found]):
        raise UsageError(f"{vendor_batch_id} was not made from batch {batch.id}: neither its file nor its uid fit")

    def written(ledger: Ledger) -> None:
        freed = ledger.batches.resume(batch, "a person found it at the vendor")
        ledger.batches.move(freed, BatchState.SUBMITTED, f"named by a person as {found.id}", vendor_batch_id=found.id)
        ledger.findings.close("unknown-submit", f"batch {batch.id}")

    place.store.transact(written)
    return Done(f"batch {batch.id} is {found.id} at the vendor", 1)


def _mark_batch_seen(store: Store, batch: Batch) -> Done:
    seen = store.transact(lambda ledger: ledger.findings.close_all(f"batch {batch.id}", REPORTS))
    if not seen:
        _check_held(batch)
    return Done(f"{seen} findings about batch {batch.id} are marked as seen", seen)


def _mark_seen(place: Workplace, reference: str) -> Done:
    def written(ledger: Ledger) -> tuple[int, bool]:
        forgotten = [ledger.findings.close("stranger", f"vendor {name} batch {reference}") for name in place.accounts]
        return ledger.findings.close_all(f"task {reference}", REPORTS), any(forgotten)

    seen, forgotten = place.store.transact(written)
    if forgotten:
        return Done(f"batch {reference} at the vendor is taken as dealt with; claiming goes on", 1)
    if seen:
        return Done(f"{seen} findings about task {reference} are marked as seen", seen)
    raise UsageError(
        f"nothing of this ledger is called {reference!r} and waits for a person", next_command="batchd status"
    )


def _known_task(ledger: Ledger, name: str) -> TaskRecord:
    record = ledger.tasks.find(name)
    if record is None:
        raise UsageError(f"the ledger does not know a task {name!r} yet", next_command="batchd status")
    return record


def _known_batch(store: Store, reference: str) -> Batch:
    batch = store.read(lambda ledger: ledger.batches.find(reference))
    if batch is None:
        raise UsageError(f"there is no batch {reference!r} in this ledger", next_command="batchd batches")
    return batch


def _check_held(batch: Batch) -> None:
    if batch.state is not BatchState.HELD:
        raise UsageError(
            f"batch {batch.id} is {batch.state}; only a held batch needs to be resolved",
            next_command=f"batchd show {batch.id}",
        )


def _account(place: Workplace, batch: Batch) -> Account:
    account = place.account_of(batch)
    if account is None:
        raise UsageError(
            f"the config has no vendor {batch.account!r} that is the one batch {batch.id} was sent to",
            next_command="batchd check-config",
        )
    return account


def _row_key(definition: TaskDefinition, text: str) -> RowKey:
    """A key as people write it: its parts with commas where it has several."""
    parts = [part.strip() for part in text.split(",")] if len(definition.key) > 1 else [text]
    try:
        values = [int(part) if one.kind == "integer" else part for one, part in zip(definition.key, parts, strict=True)]
        return KeyCodec(definition.key).encode(values)
    except (ValueError, UnusableKeyError) as error:
        names = ", ".join(definition.key_columns)
        raise UsageError(f"{text!r} is not a key of task {definition.name}; it is made of: {names}") from error
