"""Batches that the vendor has and the ledger has forgotten, as after a restored backup: looked for before anything new.

They bear our installation's id in their metadata. Until the list could be read to its end, nothing is sent there.
"""

from functools import partial

import structlog

from batchd import events
from batchd.core.model import Batch, Listing, VendorBatch
from batchd.core.reconcile import CLOCK_SKEW
from batchd.core.states import BatchState
from batchd.errors import VendorAuthError, VendorError, VendorUnclearError
from batchd.failpoints import step
from batchd.ports import Account, Counts, Ledger, Workplace

log = structlog.get_logger("batchd")


class ForgottenBatches:
    """Compares a vendor's list with the ledger, and reports what only the vendor knows.

    Args:
        place: the workplace.
        counts: told ``strangers`` and ``lists_unread``, and why a list could not be read.
    """

    def __init__(self, place: Workplace, counts: Counts) -> None:
        self._place = place
        self._counts = counts

    def look(self, account: Account) -> None:
        """Reads the vendor's list; until that was possible, nothing new is sent there."""
        subject = f"vendor {account.name}"
        try:
            self._look_for_strangers(account)
        except VendorError as error:
            self._place.store.transact(partial(self._report_unread, account, error), step="recover.unread")
            self._counts.add("lists_unread")
            self._counts.cause(error.exit_code)
            return
        self._place.store.transact(lambda ledger: ledger.findings.close("list-unread", subject), step="recover.read")

    def _report_unread(self, account: Account, error: VendorError, ledger: Ledger) -> None:
        ledger.findings.open("list-unread", f"vendor {account.name}", error.code)
        if isinstance(error, VendorAuthError):
            ledger.findings.open("vendor-auth", f"vendor {account.name}", error.code)

    def _look_for_strangers(self, account: Account) -> None:
        """Batches that bear our installation's id and are not in the ledger: a backup was restored."""
        if not account.lists:
            return
        # What a restored backup has forgotten is newer than the newest batch it remembers.
        newest = self._place.store.read(lambda ledger: ledger.batches.newest_at(account.name) or ledger.installed_at())
        since = newest - CLOCK_SKEW
        with step("recover.list"):
            listing = account.vendor.list_batches(int(since.timestamp()))
        strangers, busy = self._place.store.transact(
            lambda ledger: self._compare(ledger, account, listing), step="recover.strangers"
        )
        self._counts.add("strangers", strangers)
        if strangers:
            log.error(events.RECOVER_STRANGER_FOUND, vendor=account.name, batches=strangers)
        if busy:
            # What it writes next is about the try before, and must not be taken for the later one's.
            reason = "another process is at work on a batch that the vendor has a later try of"
            raise VendorUnclearError(reason, code="batch_in_work")
        if not listing.complete:
            # What it does not show may be the very batches that were forgotten.
            raise VendorUnclearError("the vendor's list of batches came incomplete", code="list_incomplete")

    def _compare(self, ledger: Ledger, account: Account, listing: Listing) -> tuple[int, int]:
        """Opens a finding for each forgotten batch; how many are new, and how many tries can't be remembered now."""
        ours = ledger.installation_id()
        bearing = [
            one
            for one in listing.batches
            if one.metadata.get("batchd_installation") == ours and "batchd_uid" in one.metadata
        ]
        known = ledger.batches.known_uids([one.metadata["batchd_uid"] for one in bearing])
        strangers = busy = 0
        # The last try first: it is the one that the batch stands at.
        for one in sorted(bearing, key=_try_of, reverse=True):
            subject = f"vendor {account.name} batch {one.id}"
            if one.metadata["batchd_uid"] in known:
                busy += not self._remember(ledger, one)
            elif not ledger.findings.was_closed("stranger", subject):
                strangers += ledger.findings.open("stranger", subject, f"it is {one.status}")
        return strangers, busy

    def _remember(self, ledger: Ledger, one: VendorBatch) -> bool:
        """A batch that the vendor has a later try of than the ledger remembers goes on from that try.

        False where another process is at work on the batch.
        """
        batch = ledger.batches.find(one.metadata["batchd_uid"])
        if batch is None or _try_of(one) <= batch.attempt:
            return True
        lease = ledger.batches.take_lease(batch.id, self._place.owner, self._place.lease_seconds)
        if lease is None:
            return False
        self._go_on_from(ledger, ledger.batches.get(batch.id), one)
        ledger.batches.release(lease)
        return True

    def _go_on_from(self, ledger: Ledger, batch: Batch, one: VendorBatch) -> None:
        latest = {"attempt": _try_of(one), "vendor_file_id": one.input_file_id, "vendor_batch_id": one.id}
        reason = f"the vendor has its try {_try_of(one)}, which the ledger had forgotten"
        if batch.position is BatchState.ENDED and batch.was_refused:
            # It was sent again after the refusal; that alone leads to another try.
            batch = ledger.batches.move(batch, BatchState.BUILT, reason)
        if batch.position is BatchState.BUILT:
            ledger.batches.move(batch, BatchState.SUBMITTING, reason, **latest)
        elif batch.position in {BatchState.SUBMITTING, BatchState.SUBMITTED}:
            ledger.batches.note(batch, **latest, not_before=None)


def _try_of(one: VendorBatch) -> int:
    told = one.metadata.get("batchd_try", "")
    return int(told) if told.isdecimal() else 0
