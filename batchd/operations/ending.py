"""give up: a held batch ends without its results."""

from batchd.core.model import Batch
from batchd.core.outcomes import Outcome
from batchd.core.states import BatchState
from batchd.errors import UsageError
from batchd.failpoints import step
from batchd.operations.acts import because, record_batch
from batchd.operations.done import Done
from batchd.operations.findings import UNFINISHED
from batchd.operations.leased import at_hand, check_held, leased
from batchd.operations.prospects import Prospect, of_batch
from batchd.operations.wording import are, counted
from batchd.ports import Ledger, Workplace
from batchd.settling import EarlyEnd, give_up


def abandon(place: Workplace, reference: str, *, reason: str = "") -> Done:
    """Gives a held batch up: its rows are due again, and those that were sent count as paid for.

    Raises:
        UsageError: it is not held, or its results are on disk already.
        LeaseLostError: another process is at work on it.
    """
    with leased(place, reference) as (batch, lease):
        ran = _may_have_run(batch)
        end = EarlyEnd(Outcome.MISSING if ran else Outcome.UNSENT, "given_up", "its batch was given up by a person")
        _fence(place, batch)

        def written(ledger: Ledger) -> None:
            record_batch(ledger, "resolve", batch, because("given up", reason), BatchState.ABANDONED)
            if batch.position is BatchState.SUBMITTING:
                ledger.batches.watch(batch)
            give_up(ledger, batch, end, chunk=place.chunk)
            ledger.findings.close_all(f"batch {batch.id}", UNFINISHED)

        place.store.transact(written, lease=lease, step="operate.give_up")
    return Done(
        f"batch {batch.id} is given up; its {_rows(batch)} due again{_cost(ran=ran)}",
        batch.requests,
    )


def foresee_abandon(place: Workplace, reference: str) -> Prospect:
    """What ``abandon`` would do. Raises as it does."""
    batch = at_hand(place, reference)
    ran = _may_have_run(batch)
    fenced = "; its input file would be deleted at the vendor first" if _is_to_be_fenced(place, batch) else ""
    return of_batch(
        place,
        batch,
        f"batch {batch.id} would end without results; its {_rows(batch)} due again then{_cost(ran=ran)}{fenced}",
        may_cost=ran,
        asks=True,
    )


def _may_have_run(batch: Batch) -> bool:
    """Whether rows of it count as paid for. Raises UsageError where it can't be given up."""
    check_held(batch)
    if batch.position is BatchState.COLLECTED:
        raise UsageError(
            f"the results of batch {batch.id} are on disk, and paid for", next_command=f"batchd resolve {batch.id}"
        )
    # A batch that the vendor refused whole was sent, and nothing of it ran.
    return batch.position is not BatchState.BUILT and not batch.was_refused


def _rows(batch: Batch) -> str:
    return f"{counted(batch.requests, 'row')} {are(batch.requests)}"


def _cost(*, ran: bool) -> str:
    return "; they count as paid for, and will be paid for again" if ran else ""


def _is_to_be_fenced(place: Workplace, batch: Batch) -> bool:
    # An account that is gone can't be asked, and must not keep a person from giving up.
    is_unknown = batch.position is BatchState.SUBMITTING
    return bool(is_unknown and batch.vendor_file_id and place.account_of(batch) is not None)


def _fence(place: Workplace, batch: Batch) -> None:
    """A create that is still on its way can only fail once its input file is deleted."""
    account = place.account_of(batch)
    if account is not None and _is_to_be_fenced(place, batch):
        with step("operate.delete_file"):
            account.vendor.delete_file(batch.vendor_file_id or "")
