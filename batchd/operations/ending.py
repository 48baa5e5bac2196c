"""cancel, give up: a batch comes to an end before its results do."""

from batchd.core.model import Batch, Lease
from batchd.core.outcomes import Outcome
from batchd.core.states import ENDS, BatchState
from batchd.errors import UsageError
from batchd.failpoints import step
from batchd.operations.done import Done
from batchd.operations.findings import UNFINISHED
from batchd.operations.leased import check_held, leased
from batchd.operations.named import account_for, unknown_batch
from batchd.ports import Account, Ledger, Workplace
from batchd.settling import EarlyEnd, give_up


def cancel(place: Workplace, reference: str) -> Done:
    """Cancels a batch: at the vendor where it was sent, here where it was not. What is finished is still applied.

    ``reference`` may also be a batch at the vendor that the ledger has forgotten.

    Raises:
        UsageError: no such batch, or one that cannot be cancelled any more.
        LeaseLostError: another process is at work on it.
        VendorError: the vendor did not take it.
    """
    if place.store.read(lambda ledger: ledger.batches.find(reference)) is None:
        return _cancel_forgotten(place, reference)
    with leased(place, reference) as (batch, lease):
        if batch.position is BatchState.BUILT:
            return _cancel_unsent(place, batch, lease)
        if batch.position is BatchState.SUBMITTED:
            return _cancel_sent(place, batch, lease)
        raise _too_late(batch)


def abandon(place: Workplace, reference: str) -> Done:
    """Gives a held batch up: its rows are due again, and those that were sent count as paid for.

    Raises:
        UsageError: it is not held, or its results are on disk already.
        LeaseLostError: another process is at work on it.
    """
    with leased(place, reference) as (batch, lease):
        check_held(batch)
        if batch.position is BatchState.COLLECTED:
            raise UsageError(
                f"the results of batch {batch.id} are on disk, and paid for", next_command=f"batchd resolve {batch.id}"
            )
        # A batch that the vendor refused whole was sent, and nothing of it ran.
        ran = batch.position is not BatchState.BUILT and not batch.was_refused
        outcome = Outcome.MISSING if ran else Outcome.UNSENT
        end = EarlyEnd(outcome, "given_up", "its batch was given up by a person")
        _fence(place, batch)

        def written(ledger: Ledger) -> None:
            if batch.position is BatchState.SUBMITTING:
                ledger.batches.watch(batch)
            give_up(ledger, batch, end, chunk=place.chunk)
            ledger.findings.close_all(f"batch {batch.id}", UNFINISHED)

        place.store.transact(written, lease=lease, step="operate.give_up")
    paid = "; they count as paid for, and will be paid for again" if ran else ""
    return Done(f"batch {batch.id} is given up; its {batch.requests} rows are due again{paid}", batch.requests)


def _cancel_unsent(place: Workplace, batch: Batch, lease: Lease) -> Done:
    end = EarlyEnd(Outcome.CANCELLED, "cancelled", "cancelled by a person before it was sent")

    def written(ledger: Ledger) -> None:
        give_up(ledger, batch, end, chunk=place.chunk)
        ledger.findings.close_all(f"batch {batch.id}", UNFINISHED)

    place.store.transact(written, lease=lease, step="operate.cancel")
    return Done(f"batch {batch.id} was not sent; its rows wait for: batchd retry --task {batch.task}", 1)


def _cancel_sent(place: Workplace, batch: Batch, lease: Lease) -> Done:
    account = account_for(place, batch)
    with step("operate.cancel_batch"):
        account.vendor.cancel_batch(batch.vendor_batch_id or "")

    def written(ledger: Ledger) -> None:
        ledger.batches.record(batch, "cancelling", "a person asked the vendor to cancel it")
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


def _fence(place: Workplace, batch: Batch) -> None:
    """A create that is still on its way can only fail once its input file is deleted."""
    account = place.account_of(batch)
    # An account that is gone can't be asked, and must not keep a person from giving up.
    if batch.position is BatchState.SUBMITTING and batch.vendor_file_id and account is not None:
        with step("operate.delete_file"):
            account.vendor.delete_file(batch.vendor_file_id)


def _cancel_forgotten(place: Workplace, vendor_batch_id: str) -> Done:
    """Keeps a forgotten batch from running on. What bears another installation's id is left alone, whoever asks."""

    def found(ledger: Ledger) -> list[Account]:
        kind, about = "stranger", f"batch {vendor_batch_id}"
        return [one for name, one in place.accounts.items() if ledger.findings.is_open(kind, f"vendor {name} {about}")]

    accounts = place.store.read(found)
    if not accounts:
        raise unknown_batch(vendor_batch_id)
    vendor = accounts[0].vendor
    ours = place.store.read(lambda ledger: ledger.installation_id())
    if vendor.retrieve_batch(vendor_batch_id).metadata.get("batchd_installation") != ours:
        raise UsageError(f"{vendor_batch_id} is not a batch of this installation; it is left alone")
    with step("operate.cancel_batch"):
        now = vendor.cancel_batch(vendor_batch_id)
    return Done(
        f"the vendor was asked to cancel forgotten batch {vendor_batch_id} and says: {now.status}; what has run of it "
        f"is paid for, and claiming stays stopped until: batchd resolve {vendor_batch_id}",
        1,
    )
