"""Passes on what was heard, in a thread of its own: whoever sent it is answered before the database is asked."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import structlog

from batchd import events
from batchd.errors import BatchdError
from batchd.ports import Store
from batchd.webhooks.looks import Looks
from batchd.webhooks.refusals import PAUSE, Refusals

log = structlog.get_logger("batchd")


class Bell:
    """Makes announced batches due in the ledger, and wakes who polls their account.

    Args:
        store: the ledger.
        wake: told the name of an account that has something due.
        check_interval: the shortest pause between two looks in the usual course, in seconds.
        refusals: told in between.
    """

    def __init__(self, store: Store, wake: Callable[[str], object], check_interval: float, refusals: Refusals) -> None:
        self._store = store
        self._wake = wake
        self._looks = Looks(check_interval)
        self._refusals = refusals
        self._news = threading.Condition()
        self._has_ended = False

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Passes on until the end of the block."""
        thread = threading.Thread(target=self._work, name="batchd-webhooks", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._news:
                self._has_ended = True
                self._news.notify()
            thread.join()

    def ring(self, accounts: Sequence[str], batch_id: str) -> bool:
        """A batch is said to have ended; False where too much is waiting already."""
        with self._news:
            taken = [self._looks.announce(account, batch_id, time.monotonic()) for account in accounts]
            self._news.notify()
        return all(taken)

    def _work(self) -> None:
        while self._waits():
            self._refusals.tell()
            with self._news:
                due = self._looks.due(time.monotonic())
            for account, batch_ids in due.items():
                self._pass_on(account, batch_ids)

    def _waits(self) -> bool:
        """Until something is due, or refusals may be told; False at the end."""
        with self._news:
            seconds = self._looks.seconds_to_next(time.monotonic())
            if not self._has_ended and (seconds is None or seconds > 0):
                self._news.wait(PAUSE if seconds is None else min(seconds, PAUSE))
            return not self._has_ended

    def _pass_on(self, account: str, batch_ids: list[str]) -> None:
        begun, still_open = time.monotonic(), frozenset(batch_ids)
        try:
            still_open = self._store.transact(lambda ledger: ledger.batches.bring_forward(account, batch_ids))
        except Exception as error:  # noqa: BLE001 - whatever it was, it must not end the listening
            reason = error.message if isinstance(error, BatchdError) else type(error).__name__
            log.warning(events.WEBHOOKS_FAILED, vendor=account, reason=reason)
        else:
            if still_open:
                log.info(events.WEBHOOKS_HEARD, vendor=account, batches=len(still_open))
                self._wake(account)
        with self._news:
            # As of before the look: what was announced meanwhile is still to be looked at.
            self._looks.looked(account, batch_ids, still_open, begun)
