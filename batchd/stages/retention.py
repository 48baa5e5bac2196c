"""retention: requests of batches that ended long ago leave the ledger, and what is kept of their rows with them.

Only where ``keep_ledger`` says how long they are kept. A row that somebody may still do something about, one that is
open, waits for a retry, failed or is held, keeps all its requests and their paid answers. The batch with its counts
and its events stay as the record.
"""

import time
from functools import partial

import structlog

from batchd import events
from batchd.core.model import Batch
from batchd.errors import DatabaseBusyError, DatabaseError
from batchd.ports import Counts, Ledger, Scope, Workplace

log = structlog.get_logger("batchd")

# Requests a transaction. Each has one piece of content, two where it was reapplied or in conflict: 900 rows at most.
_AT_ONCE = 300
_MOST_BATCHES = 50
# A pass is short, so that polling goes on; the next one goes on with it.
_SECONDS = 2.0


class Retention:
    """Removes what nobody needs any more, in small transactions, for a moment of each pass."""

    def __init__(self, place: Workplace, scope: Scope) -> None:
        self._place = place
        self._scope = scope
        self._counts = Counts()
        self._end = time.monotonic() + _SECONDS

    def run_once(self) -> Counts:
        """One pass. Counts ``requests_removed`` and ``batches_trimmed``."""
        keep = self._place.keep_ledger
        if keep is None:
            return self._counts
        try:
            for batch in self._place.store.ask(lambda ledger: ledger.retention.due(self._scope, keep, _MOST_BATCHES)):
                self._trim(batch)
                if self._is_over():
                    break
        except DatabaseBusyError:
            raise
        except DatabaseError as error:
            # As where the right to remove is missing: nothing else hangs on it.
            log.error(  # noqa: TRY400 - the message is our own
                events.RETENTION_FAILED, reason=error.message, next_command=error.next_command
            )
            self._counts.cause(error.exit_code)
        return self._counts

    def _trim(self, batch: Batch) -> None:
        store, last = self._place.store, 0
        if store.ask(lambda ledger: ledger.findings.is_any_open(f"batch {batch.id}")):
            store.transact(lambda ledger: ledger.retention.put_off(batch), step="retention.finish")
            return
        # Each looks for itself, so that two processes at once, or a restart, remove nothing but what is due.
        while seqs := store.transact(partial(_remove_some, batch, last), step="retention.remove"):
            self._counts.add("requests_removed", len(seqs))
            last = seqs[-1]
            if self._is_over():
                return
        while store.transact(partial(_remove_rest, batch), step="retention.remove_rest"):
            if self._is_over():
                return
        store.transact(partial(_finish, batch), step="retention.finish")
        self._counts.add("batches_trimmed")

    def _is_over(self) -> bool:
        return self._place.stopping() or time.monotonic() >= self._end


def _remove_some(batch: Batch, after: int, ledger: Ledger) -> list[int]:
    seqs = ledger.retention.removable(batch, after, _AT_ONCE)
    if seqs:
        ledger.retention.remove(batch, seqs)
    return seqs


def _remove_rest(batch: Batch, ledger: Ledger) -> int:
    # Lines of nobody stay as long as anything of the batch does.
    return 0 if ledger.retention.has_requests(batch) else ledger.retention.remove_rest(batch, _AT_ONCE)


def _finish(batch: Batch, ledger: Ledger) -> None:
    if ledger.retention.has_requests(batch):
        # Rows of it wait for somebody: it is looked at again when as much time has passed once more.
        ledger.retention.put_off(batch)
    else:
        ledger.retention.finish(batch)
