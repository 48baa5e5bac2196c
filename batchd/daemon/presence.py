"""Says in the ledger that this process is there, so that an idle one can be told from one that was killed."""

import contextlib
import time

from batchd import __version__
from batchd.errors import DatabaseError
from batchd.ports import Ledger, Store

# Seconds between two words; after three of them that failed to come, it is taken to be gone.
SHOWN_EACH = 20.0
_GOOD_FOR = 3 * SHOWN_EACH
# A silent process of another machine may be cut off for a while.
_FORGOTTEN_AFTER = 86_400.0


class Presence:
    """That of one process.

    Args:
        store: its ledger.
        owner: its name there, as in leases.
    """

    def __init__(self, store: Store, owner: str) -> None:
        self._store = store
        self._owner = owner
        self._shown_at: float | None = None

    def is_due(self) -> bool:
        """True where it is to be said, or to be said again."""
        return self._shown_at is None or time.monotonic() - self._shown_at >= SHOWN_EACH

    def show(self) -> None:
        """Says it. Raises DatabaseError."""
        self._store.transact(self._show)
        self._shown_at = time.monotonic()

    def leave(self) -> None:
        """Takes it back. Where the database is away, its row tells for a while of a process that is not there."""
        with contextlib.suppress(DatabaseError):
            self._store.transact(lambda ledger: ledger.processes.leave(self._owner))

    def _show(self, ledger: Ledger) -> None:
        if self._shown_at is None:
            ledger.processes.forget_others(self._owner, _FORGOTTEN_AFTER)
        ledger.processes.show(self._owner, __version__, _GOOD_FOR)
