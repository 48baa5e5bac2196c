"""resolve: a held batch goes on once a person has looked."""

from batchd.core.model import Batch
from batchd.core.states import BatchState
from batchd.errors import UsageError
from batchd.operations.acts import because, record_batch
from batchd.operations.done import Done
from batchd.operations.findings import HOLDS, foresee_mark_batch_seen, foresee_mark_seen, mark_batch_seen, mark_seen
from batchd.operations.leased import at_hand, leased
from batchd.operations.prospects import Prospect, of_batch
from batchd.ports import Ledger, Workplace


def resolve(place: Workplace, reference: str, *, reason: str = "") -> Done:
    """Lets a held batch go on as it stands, its checks waived; or marks what was only reported as seen.

    ``reference`` is a batch, a task, or a batch at the vendor that the ledger has forgotten.

    Raises:
        UsageError: nothing of this name is held, or a create is unknown (see ``send_again`` and ``adopt``).
        LeaseLostError: another process is at work on the batch.
    """
    found = place.store.read(lambda ledger: ledger.batches.find(reference))
    if found is None:
        return mark_seen(place, reference, reason=reason)
    if found.state is not BatchState.HELD:
        return mark_batch_seen(place.store, found, reason=reason)
    with leased(place, reference) as (batch, lease):
        if batch.state is not BatchState.HELD:
            return mark_batch_seen(place.store, batch, reason=reason)
        _check_known(batch)

        def written(ledger: Ledger) -> None:
            record_batch(ledger, "resolve", batch, because("it goes on, its checks waived", reason), batch.position)
            ledger.batches.resume(batch, "a person lets it go on", checks_waived=1)
            ledger.findings.close_all(f"batch {batch.id}", HOLDS)

        place.store.transact(written, lease=lease, step="operate.resolve")
    return Done(f"batch {batch.id} goes on from {batch.position}{_what_it_costs(batch)}", 1)


def foresee_resolve(place: Workplace, reference: str) -> Prospect:
    """What ``resolve`` would do. Raises as it does."""
    found = place.store.read(lambda ledger: ledger.batches.find(reference))
    if found is None:
        return foresee_mark_seen(place, reference)
    if found.state is not BatchState.HELD:
        return foresee_mark_batch_seen(place.store, found)
    batch = at_hand(place, reference)
    _check_known(batch)
    costs = _may_cost(batch)
    sentence = f"batch {batch.id} would go on from {batch.position}{_what_it_costs(batch)}"
    return of_batch(place, batch, sentence, may_cost=costs, asks=costs)


def _check_known(batch: Batch) -> None:
    if batch.position is BatchState.SUBMITTING:
        raise UsageError(
            f"nobody knows whether batch {batch.id} was created; look for {batch.uid} in the vendor's list",
            next_command=f"batchd resolve {batch.id} --adopt VENDOR_ID, or --send-again if it is not there",
        )


def _may_cost(batch: Batch) -> bool:
    return not batch.was_refused and batch.position in {BatchState.ENDED, BatchState.COLLECTED}


def _what_it_costs(batch: Batch) -> str:
    if batch.was_refused:
        return "; nothing of it ran, and its rows go into new batches"
    if batch.position is BatchState.ENDED:
        return "; rows without a line count as paid for, are asked again, and may be paid for again"
    if batch.position is BatchState.COLLECTED:
        return "; rows that changed are left alone, and while they are pending are asked, and may be paid for again"
    return ""
