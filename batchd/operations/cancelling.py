"""cancel: a batch ends before its time. What the vendor has finished by then is applied; the other rows are held."""

from batchd.core.model import Batch, Lease
from batchd.core.states import ENDS, BatchState
from batchd.errors import UsageError
from batchd.failpoints import step
from batchd.operations.acts import because, record_batch, record_other
from batchd.operations.done import Done
from batchd.operations.findings import UNFINISHED
from batchd.operations.leased import at_hand, leased
from batchd.operations.named import account_for, unknown_batch
from batchd.operations.prospects import Prospect, of_batch
from batchd.operations.wording import counted
from batchd.ports import Account, Ledger, Workplace
from batchd.settling import CANCELLED_UNSENT, give_up

_CANCELLABLE = frozenset({BatchState.BUILT, BatchState.SUBMITTED})


def cancel(place: Workplace, reference: str, *, reason: str = "") -> Done:
    """Cancels a batch: at the vendor where it was sent, here where it was not. What is finished is still applied.

    ``reference`` may also be a batch at the vendor that the ledger has forgotten.

    Raises:
        UsageError: no such batch, or one that cannot be cancelled any more.
        LeaseLostError: another process is at work on it.
        VendorError: the vendor did not take it.
    """
    if place.store.read(lambda ledger: ledger.batches.find(reference)) is None:
        return _cancel_forgotten(place, reference, reason)
    with leased(place, reference) as (batch, lease):
        check_cancellable(batch)
        if batch.position is BatchState.BUILT:
            return _cancel_unsent(place, batch, lease, reason)
        return _cancel_sent(place, batch, lease, reason)


def foresee_cancel(place: Workplace, reference: str) -> Prospect:
    """What ``cancel`` would do. Raises as it does, but for what the vendor would say to the cancel itself."""
    if place.store.read(lambda ledger: ledger.batches.find(reference)) is None:
        _forgotten(place, reference)
        sentence = f"the vendor would be asked to cancel forgotten batch {reference}; what has run of it is paid for"
        return Prospect(sentence, 1, asks=True)
    batch = at_hand(place, reference)
    check_cancellable(batch)
    rows = counted(batch.requests, "row")
    if batch.position is BatchState.BUILT:
        return of_batch(
            place,
            batch,
            f"batch {batch.id} ({rows}) would not be sent; its rows would be held until: {free_again(batch)}",
            asks=True,
        )
    account_for(place, batch)
    return of_batch(
        place,
        batch,
        f"the vendor would be asked to cancel batch {batch.id} ({batch.vendor_batch_id}, {rows}, "
        f"{batch.vendor_status or 'not looked at yet'}); what it has finished by then is paid for and applied, "
        f"the other rows would be held until: {free_again(batch)}",
        asks=True,
    )


def check_cancellable(batch: Batch) -> None:
    """Refuses a batch that is past being cancelled. Raises UsageError."""
    if batch.position not in _CANCELLABLE or batch.state in ENDS:
        raise _too_late(batch)


def free_again(batch: Batch) -> str:
    """The command that makes the cancelled rows of a batch's task due again."""
    return f"batchd retry --task {batch.task} --only cancelled"


def _cancel_unsent(place: Workplace, batch: Batch, lease: Lease, reason: str) -> Done:
    def written(ledger: Ledger) -> None:
        record_batch(ledger, "cancel", batch, because("it was not sent", reason), BatchState.ABANDONED)
        give_up(ledger, batch, CANCELLED_UNSENT, chunk=place.chunk)
        ledger.findings.close_all(f"batch {batch.id}", UNFINISHED)

    place.store.transact(written, lease=lease, step="operate.cancel")
    return Done(f"batch {batch.id} was not sent; its rows wait for: {free_again(batch)}", 1)


def _cancel_sent(place: Workplace, batch: Batch, lease: Lease, reason: str) -> Done:
    account = account_for(place, batch)

    def meant(ledger: Ledger) -> None:
        record_batch(ledger, "cancel", batch, because("the vendor is asked to cancel it", reason))

    # Written down before the call: whatever comes of it, the trail says whose word it was.
    place.store.transact(meant, lease=lease, step="operate.cancel_meant")
    with step("operate.cancel_batch"):
        account.vendor.cancel_batch(batch.vendor_batch_id or "")

    def written(ledger: Ledger) -> None:
        ledger.batches.record(batch, "cancelling", "the vendor took the cancel")
        ledger.batches.note(batch, not_before=None)

    place.store.transact(written, lease=lease, step="operate.cancel_asked")
    return Done(f"the vendor was asked to cancel batch {batch.id}; follow it with: batchd check {batch.id}", 1)


def _too_late(batch: Batch) -> UsageError:
    if batch.position is BatchState.SUBMITTING:
        return UsageError(
            f"nobody knows yet whether batch {batch.id} was created; until that is settled it cannot be cancelled",
            next_command=f"batchd resolve {batch.id}" if batch.state is BatchState.HELD else f"batchd check {batch.id}",
        )
    there = "has ended" if batch.state in ENDS else "has ended at the vendor, and its results are paid for"
    return UsageError(
        f"batch {batch.id} is {batch.state}: it {there}, and cannot be cancelled any more",
        next_command=f"batchd resolve {batch.id}" if batch.state is BatchState.HELD else f"batchd show {batch.id}",
    )


def _forgotten(place: Workplace, vendor_batch_id: str) -> Account:
    """The account that a forgotten batch is at. What bears another installation's id is left alone, whoever asks."""

    def found(ledger: Ledger) -> list[Account]:
        kind, about = "stranger", f"batch {vendor_batch_id}"
        return [one for name, one in place.accounts.items() if ledger.findings.is_open(kind, f"vendor {name} {about}")]

    accounts = place.store.read(found)
    if not accounts:
        raise unknown_batch(vendor_batch_id)
    ours = place.store.read(lambda ledger: ledger.installation_id())
    if accounts[0].vendor.retrieve_batch(vendor_batch_id).metadata.get("batchd_installation") != ours:
        raise UsageError(f"{vendor_batch_id} is not a batch of this installation; it is left alone")
    return accounts[0]


def _cancel_forgotten(place: Workplace, vendor_batch_id: str, reason: str) -> Done:
    account = _forgotten(place, vendor_batch_id)
    place.store.transact(
        lambda ledger: record_other(ledger, "cancel", because(f"forgotten batch {vendor_batch_id}", reason)),
        step="operate.cancel_meant",
    )
    with step("operate.cancel_batch"):
        now = account.vendor.cancel_batch(vendor_batch_id)
    return Done(
        f"the vendor was asked to cancel forgotten batch {vendor_batch_id} and says: {now.status}; what has run of it "
        f"is paid for, and claiming stays stopped until: batchd resolve {vendor_batch_id}",
        1,
    )
