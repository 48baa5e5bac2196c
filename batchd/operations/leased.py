"""A person's word about a batch is carried out under its lease, as the daemon's work is: never both at once."""

import contextlib
from collections.abc import Iterator

from batchd.core.model import Batch, Lease
from batchd.core.states import BatchState
from batchd.errors import LeaseLostError, UsageError
from batchd.operations.named import known_batch
from batchd.ports import Workplace


@contextlib.contextmanager
def leased(place: Workplace, reference: str) -> Iterator[tuple[Batch, Lease]]:
    """The batch as it is now, while no other process can work on it.

    Raises:
        UsageError: no such batch.
        LeaseLostError: another process is at work on it.
    """
    batch = known_batch(place.store, reference)
    account = place.account_of(batch)
    # A call to the vendor may keep this process silent for as long as the call may take.
    seconds = place.lease_seconds + (account.create_seconds if account else 0.0)
    lease = place.store.transact(
        lambda ledger: ledger.batches.take_lease(batch.id, place.owner, seconds), step="lease.take"
    )
    if lease is None:
        raise LeaseLostError(
            f"another batchd is at work on batch {batch.id}; nothing was done",
            next_command="run the same command again in a moment",
        )
    try:
        yield place.store.read(lambda ledger: ledger.batches.get(batch.id)), lease
    finally:
        place.store.transact(lambda ledger: ledger.batches.release(lease), step="lease.release")


def check_held(batch: Batch) -> None:
    """Refuses what is only for batches that wait for a person. Raises UsageError."""
    if batch.state is not BatchState.HELD:
        raise UsageError(
            f"batch {batch.id} is {batch.state}; only a held batch needs to be resolved",
            next_command=f"batchd show {batch.id}",
        )
