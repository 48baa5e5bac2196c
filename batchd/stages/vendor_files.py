"""vendor_files: request and result files of batches that ended long ago are deleted at the vendor.

Only where ``keep_vendor_files`` says how long they are kept. By then every request is accounted for, and what was paid
for is in the rows or in the ledger; what the vendor keeps is a last copy that nothing here reads again. Deleted is what
the ledger names as this batch's own, and the vendor is asked first whether it agrees.
"""

import time
from collections.abc import Sequence
from functools import partial

import structlog

from batchd import events
from batchd.core.model import Batch, VendorBatch
from batchd.core.states import VendorPhase, phase_of
from batchd.errors import VendorError, VendorNotFoundError, VendorRefusedError
from batchd.failpoints import step
from batchd.ports import Account, Counts, Ledger, Scope, Workplace

log = structlog.get_logger("batchd")

# Batches a pass, with four calls each at most: far below what any vendor lets be asked in a minute.
_MOST = 30
# A pass is short, so that what else is to be kept in order is; the next one goes on with it.
_SECONDS = 10.0
# A vendor that can't be asked now is left alone for an hour, a batch whose files can't be deleted for a day.
_VENDOR_PAUSE, _BATCH_PAUSE = 3600.0, 86_400.0
_MOST_PUT_OFF = 400


class VendorFiles:
    """Deletes files at vendors, a few each pass."""

    def __init__(self, place: Workplace, scope: Scope) -> None:
        self._place = place
        self._scope = scope
        self._counts = Counts()
        self._end = time.monotonic() + _SECONDS

    def run_once(self) -> Counts:
        """One pass. Counts ``vendor_files_deleted``."""
        keep = self._place.keep_vendor_files
        if keep is not None:
            for account in self._place.accounts.values():
                if self._scope.has_account(account.name):
                    self._tidy(account, keep)
        return self._counts

    def _tidy(self, account: Account, keep: float) -> None:
        for batch in self._due(account, keep, _MOST):
            if self._place.stopping() or time.monotonic() >= self._end:
                return
            try:
                self._settle(account, batch, keep)
            except VendorError as error:
                log.warning(
                    events.VENDOR_FILES_LEFT,
                    vendor=account.name,
                    batch=batch.id,
                    reason=error.message,
                    next_command=error.next_command,
                )
                if not isinstance(error, VendorRefusedError):
                    # It is the vendor's trouble, or the key's: the others would fare no better.
                    self._put_off(self._due(account, keep, _MOST_PUT_OFF), keep, _VENDOR_PAUSE)
                    self._put_off([batch], keep, _BATCH_PAUSE)
                    return
                self._put_off([batch], keep, _BATCH_PAUSE)

    def _settle(self, account: Account, batch: Batch, keep: float) -> None:
        there = _at_vendor(account, batch)
        if self._place.store.read(partial(_is_needed, batch)) or _is_at_work(there):
            self._put_off([batch], keep, _BATCH_PAUSE)
        elif self._is_anothers(there):
            self._place.store.transact(lambda ledger: ledger.vendor_files.let_go(batch), step="vendor_files.record")
        else:
            self._delete(account, batch)

    def _delete(self, account: Account, batch: Batch) -> None:
        # Files first: what is deleted twice does no harm, and what is noted and not done would stay for ever.
        files = [one for one in (batch.output_file_id, batch.error_file_id, batch.vendor_file_id) if one]
        for file_id in files:
            with step("vendor_files.delete"):
                account.vendor.delete_file(file_id)
        self._place.store.transact(partial(_note, batch, len(files)), step="vendor_files.record")
        self._counts.add("vendor_files_deleted", len(files))

    def _due(self, account: Account, keep: float, most: int) -> Sequence[Batch]:
        here = (account.name, account.fingerprint)
        return self._place.store.ask(lambda ledger: ledger.vendor_files.due(self._scope, here, keep, most))

    def _put_off(self, batches: Sequence[Batch], keep: float, seconds: float) -> None:
        """They are due again in so many seconds."""
        self._place.store.transact(
            lambda ledger: ledger.vendor_files.put_off(batches, keep - seconds), step="vendor_files.put_off"
        )

    def _is_anothers(self, there: VendorBatch | None) -> bool:
        """It says so itself, as in a ledger that was copied; not every server keeps what it was told of a batch."""
        ours = self._place.store.ask(lambda ledger: ledger.installation_id())
        return there is not None and there.metadata.get("batchd_installation", ours) != ours


def _at_vendor(account: Account, batch: Batch) -> VendorBatch | None:
    """The batch as the vendor has it; None where it has forgotten it, which says nothing of its files."""
    try:
        return account.vendor.retrieve_batch(batch.vendor_batch_id or "")
    except VendorNotFoundError:
        return None


def _is_at_work(there: VendorBatch | None) -> bool:
    """What the ledger has ended the vendor has not, or it says so in words that are not known."""
    return there is not None and phase_of(there.status) is not VendorPhase.ENDED


def _is_needed(batch: Batch, ledger: Ledger) -> bool:
    """Somebody may still look at them: a person, or what is not accounted for."""
    return ledger.findings.is_any_open(f"batch {batch.id}") or ledger.batches.has_open_requests(batch)


def _note(batch: Batch, files: int, ledger: Ledger) -> None:
    # Told once, also where two processes were at it.
    if ledger.vendor_files.note_deleted(batch):
        told = f"{files} {'file' if files == 1 else 'files'} deleted at {batch.account}"
        ledger.batches.record(batch, "vendor_files_deleted", told)
