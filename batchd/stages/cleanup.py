"""cleanup: the spool files of a batch are removed some days after its end, for they hold row content.

Nothing at the vendor is touched.
"""

from functools import partial

import structlog

from batchd import events
from batchd.core.model import Batch
from batchd.core.states import ENDED_AT_VENDOR
from batchd.errors import SpoolError
from batchd.failpoints import step
from batchd.ports import Counts, Ledger, Scope, Workplace
from batchd.room import report_trouble, room_for_input

log = structlog.get_logger("batchd")

# A pass is short, so that polling goes on; the next one goes on with it.
_MOST = 50
# Between the end of its file and its record a batch is in no ledger; no claim takes this long.
_STRAY_SECONDS = 2 * 86_400.0


class Cleanup:
    """Removes files that nobody needs any more; what the disk says is looked at as well."""

    def __init__(self, place: Workplace, scope: Scope) -> None:
        self._place = place
        self._scope = scope
        self._counts = Counts()

    def run_once(self) -> Counts:
        """One pass. Counts ``batches_cleaned`` and ``stray_files_removed``."""
        try:
            self._remove_old()
            self._remove_strays()
        except SpoolError as error:
            report_trouble(self._place, error)
            log.error(  # noqa: TRY400 - the message is our own
                events.CLEANUP_FAILED, reason=error.message, next_command=error.next_command
            )
            return self._counts
        # Room that has been made ends the finding, also while nothing is claimed for.
        room_for_input(self._place)
        return self._counts

    def _remove_old(self) -> None:
        keep = self._place.keep_files
        ended = self._place.store.ask(lambda ledger: ledger.batches.with_old_files(self._scope, keep, _MOST))
        for batch in ended:
            if self._place.stopping():
                return
            # Files first: a mark without its deed would leave row content on the disk for ever.
            with step("cleanup.remove_files"):
                self._place.spool.remove_files(batch.uid)
            self._place.store.transact(partial(_mark, batch), step="cleanup.record")
            self._counts.add("batches_cleaned")

    def _remove_strays(self) -> None:
        """Input files of no batch: a crash came between the end of the file and its record."""
        old = self._place.spool.old_inputs(_STRAY_SECONDS)
        known = self._place.store.read(lambda ledger: ledger.batches.known_uids(old)) if old else frozenset()
        for uid in sorted(set(old) - known):
            with step("cleanup.remove_files"):
                self._place.spool.remove_input(uid)
            self._counts.add("stray_files_removed")


def _mark(batch: Batch, ledger: Ledger) -> None:
    ledger.batches.note_files_removed(batch)
    # What the ledger keeps of its rows comes next, where that is wanted.
    ledger.retention.enlist(batch)
    # And what is left of it at the vendor, where it has come to its end there.
    if batch.state in ENDED_AT_VENDOR:
        ledger.vendor_files.enlist(batch)
