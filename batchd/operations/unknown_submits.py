"""adopt, send again: a person settles a create whose outcome nobody knows."""

from batchd.core.model import Batch, VendorBatch
from batchd.core.reconcile import CLOCK_SKEW, matches
from batchd.core.states import BatchState
from batchd.errors import UsageError
from batchd.failpoints import step
from batchd.operations.acts import because, record_batch
from batchd.operations.done import Done
from batchd.operations.leased import at_hand, check_held, leased
from batchd.operations.named import account_for
from batchd.operations.prospects import Prospect, of_batch
from batchd.ports import Account, Ledger, Workplace


def send_again(place: Workplace, reference: str, *, reason: str = "") -> Done:
    """A person says that an unknown create did not happen: its file is deleted first, then it is sent anew.

    Raises:
        UsageError: its create is not in question, or the vendor shows the batch.
        LeaseLostError: another process is at work on it.
        VendorError: the vendor could not be asked, or did not delete the file.
    """
    with leased(place, reference) as (batch, lease):
        account = _checked_absent(place, batch)
        # Deleted first, so that a create that is still on its way can only fail.
        with step("operate.delete_file"):
            account.vendor.delete_file(batch.vendor_file_id or "")

        def written(ledger: Ledger) -> None:
            why = because("it was not created, and is sent again", reason)
            record_batch(ledger, "resolve", batch, why, BatchState.BUILT)
            ledger.batches.watch(batch)
            freed = ledger.batches.resume(batch, "a person says that it was not created")
            ledger.batches.move(freed, BatchState.BUILT, "sent again by a person")
            ledger.findings.close("unknown-submit", f"batch {batch.id}")

        place.store.transact(written, lease=lease, step="operate.send_again")
    return Done(
        f"batch {batch.id} will be sent again under a new file; a late first one is cancelled, "
        "but rows that run in both may be paid for again",
        1,
    )


def foresee_send_again(place: Workplace, reference: str) -> Prospect:
    """What ``send_again`` would do. Raises as it does, but for what the vendor would say to the delete."""
    batch = at_hand(place, reference)
    _checked_absent(place, batch)
    sentence = (
        f"the input file of batch {batch.id} would be deleted at the vendor, and the batch sent again under a new one; "
        "rows that run in both may be paid for again"
    )
    return of_batch(place, batch, sentence, may_cost=True, asks=True)


def adopt(place: Workplace, reference: str, vendor_batch_id: str, *, reason: str = "") -> Done:
    """A person names the vendor's batch that an unknown create made.

    Raises:
        UsageError: its create is not in question, or that batch was made from another file and bears another uid.
        LeaseLostError: another process is at work on it.
        VendorError: the vendor could not be asked for it.
    """
    with leased(place, reference) as (batch, lease):
        found = _checked_match(place, batch, vendor_batch_id)

        def written(ledger: Ledger) -> None:
            why = because(f"it is {found.id} at the vendor", reason)
            record_batch(ledger, "resolve", batch, why, BatchState.SUBMITTED)
            # The same file may have made another one, that nobody has seen yet.
            ledger.batches.watch(batch)
            freed = ledger.batches.resume(batch, "a person found it at the vendor")
            named = f"named by a person as {found.id}"
            ledger.batches.move(freed, BatchState.SUBMITTED, named, vendor_batch_id=found.id)
            ledger.findings.close("unknown-submit", f"batch {batch.id}")

        place.store.transact(written, lease=lease, step="operate.adopt")
    return Done(f"batch {batch.id} is {found.id} at the vendor", 1)


def foresee_adopt(place: Workplace, reference: str, vendor_batch_id: str) -> Prospect:
    """What ``adopt`` would do. Raises as it does."""
    batch = at_hand(place, reference)
    found = _checked_match(place, batch, vendor_batch_id)
    return of_batch(place, batch, f"batch {batch.id} would be {found.id} at the vendor, {found.status}", asks=False)


def _checked_absent(place: Workplace, batch: Batch) -> Account:
    _check_in_question(batch)
    account = account_for(place, batch)
    _check_absent(account, batch)
    return account


def _checked_match(place: Workplace, batch: Batch, vendor_batch_id: str) -> VendorBatch:
    _check_in_question(batch)
    found = account_for(place, batch).vendor.retrieve_batch(vendor_batch_id)
    if not matches(batch, [found]):
        raise UsageError(f"{vendor_batch_id} was not made from batch {batch.id}: neither its file nor its uid fit")
    return found


def _check_in_question(batch: Batch) -> None:
    check_held(batch)
    if batch.position is not BatchState.SUBMITTING:
        raise UsageError(
            f"batch {batch.id} is held from {batch.position}: its create is not in question",
            next_command=f"batchd show {batch.id}",
        )


def _check_absent(account: Account, batch: Batch) -> None:
    """A person's word is held against what the vendor shows: a batch that is there is not sent again."""
    known = batch.vendor_batch_id
    if known is None and account.lists:
        since = (batch.intent_at or batch.created_at) - CLOCK_SKEW
        found = matches(batch, account.vendor.list_batches(int(since.timestamp())).batches)
        known = found[0].id if found else None
    if known is not None:
        raise UsageError(
            f"the vendor has batch {batch.id}: it is {known}; sent again it would be paid for twice",
            next_command=f"batchd resolve {batch.id} --adopt {known}",
        )
