"""A batch is worked on under its lease: taken, read again, let go of, whatever happens."""

from collections.abc import Callable

import structlog

from batchd import events
from batchd.core.model import Batch, Lease
from batchd.errors import BatchdError, DatabaseBusyError, LeaseLostError, SpoolError
from batchd.log_ids import about_batch
from batchd.ports import Counts, Ledger, Workplace

log = structlog.get_logger("batchd")


class Leasing:
    """Does a stage's work on one batch after the other, each under its lease.

    Args:
        place: the workplace.
        counts: told the cause where the work on a batch could not be done or finished.
    """

    def __init__(self, place: Workplace, counts: Counts) -> None:
        self._place = place
        self._counts = counts

    def do(
        self,
        batch: Batch,
        ready: Callable[[Batch], bool],
        work: Callable[[Batch, Lease], None],
        *,
        seconds: float | None = None,
    ) -> None:
        """Does ``work`` on the batch as it is now, while no other process can, where it is still ``ready``.

        Args:
            batch: as it was read without the lease.
            ready: asked of the batch as it is under the lease; another process may have moved it meanwhile.
            work: what to do.
            seconds: how long a call to the vendor may keep this process silent; the usual lease otherwise.

        What is this batch's own trouble, a lost lease, a busy database or its spool file, stops no other batch.
        """
        self._place.beat()
        length = self._place.lease_seconds if seconds is None else seconds
        with about_batch(batch), self._place.in_hand.taken(batch.id) as is_free:
            # Another job of this process is at it, such as the submit that recover would look for: it is not disturbed.
            if is_free:
                self._take_and_do(batch, ready, work, length)

    def _take_and_do(
        self,
        batch: Batch,
        ready: Callable[[Batch], bool],
        work: Callable[[Batch, Lease], None],
        seconds: float,
    ) -> None:
        store, owner = self._place.store, self._place.owner

        def taken(ledger: Ledger) -> tuple[Lease, Batch] | None:
            lease = ledger.batches.take_lease(batch.id, owner, seconds)
            return None if lease is None else (lease, ledger.batches.get(batch.id))

        try:
            ours = store.transact(taken, step="lease.take")
            if ours is None:
                self._counts.cause(LeaseLostError.exit_code)
            else:
                self._do_leased(*ours, ready, work)
        except (LeaseLostError, DatabaseBusyError, SpoolError) as error:
            self._put_off(error)

    def _do_leased(
        self, lease: Lease, now: Batch, ready: Callable[[Batch], bool], work: Callable[[Batch, Lease], None]
    ) -> None:
        try:
            if ready(now):
                work(now, lease)
        finally:
            # Another thread may have taken the batch on as soon as it was moved. Its lease has a newer epoch, so it is
            # not the one that is given back here.
            self._place.store.transact(lambda ledger: ledger.batches.release(lease), step="lease.release")

    def _put_off(self, error: BatchdError) -> None:
        self._counts.cause(error.exit_code)
        # The message is our own; a traceback could quote row content.
        log.error(
            events.BATCH_PUT_OFF,
            reason=error.message,
            next_command=error.next_command,
        )
