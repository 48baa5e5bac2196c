"""A person's word about a batch is carried out under its lease, as the daemon's work is: never both at once."""

import contextlib
from collections.abc import Iterator

from batchd.core.model import Batch, Lease
from batchd.core.states import BatchState
from batchd.errors import LeaseLostError, UsageError
from batchd.log_ids import about_batch
from batchd.operations.named import known_batch
from batchd.ports import Ledger, Workplace


class _TakenBackError(Exception):
    """Rolls a lease back that was only tried."""


@contextlib.contextmanager
def leased(place: Workplace, reference: str) -> Iterator[tuple[Batch, Lease]]:
    """The batch as it is now, while no other process can work on it.

    Raises:
        UsageError: no such batch.
        LeaseLostError: another process is at work on it.
    """
    batch = known_batch(place.store, reference)
    lease = place.store.transact(lambda ledger: _take(place, ledger, batch), step="lease.take")
    if lease is None:
        raise _busy(batch)
    try:
        with about_batch(batch):
            yield place.store.read(lambda ledger: ledger.batches.get(batch.id)), lease
    finally:
        place.store.transact(lambda ledger: ledger.batches.release(lease), step="lease.release")


def at_hand(place: Workplace, reference: str) -> Batch:
    """The batch as it is now, where it could be worked on: the lease is tried and taken back. Raises as ``leased``."""
    batch = known_batch(place.store, reference)

    def tried(ledger: Ledger) -> None:
        if _take(place, ledger, batch) is not None:
            raise _TakenBackError

    try:
        place.store.transact(tried, step="lease.take")
    except _TakenBackError:
        return place.store.read(lambda ledger: ledger.batches.get(batch.id))
    raise _busy(batch)


def check_held(batch: Batch) -> None:
    """Refuses what is only for batches that wait for a person. Raises UsageError."""
    if batch.state is not BatchState.HELD:
        raise UsageError(
            f"batch {batch.id} is {batch.state}; only a held batch needs to be resolved",
            next_command=f"batchd show {batch.id}",
        )


def _take(place: Workplace, ledger: Ledger, batch: Batch) -> Lease | None:
    account = place.account_of(batch)
    # A call to the vendor may keep this process silent for as long as the call may take.
    seconds = place.lease_seconds + (account.create_seconds if account else 0.0)
    return ledger.batches.take_lease(batch.id, place.owner, seconds)


def _busy(batch: Batch) -> LeaseLostError:
    return LeaseLostError(
        f"another batchd is at work on batch {batch.id}; nothing was done",
        next_command="run the same command again in a moment",
    )
