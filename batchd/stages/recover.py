"""recover: settles by looking what a crash, a lost answer or a restored backup left open.

A create whose outcome nobody knows is looked for at the vendor; it is never guessed and never blindly repeated.
"""

from datetime import timedelta
from functools import partial

import structlog

from batchd import events
from batchd.core.model import Batch, Lease, Listing, VendorBatch
from batchd.core.reconcile import matches
from batchd.core.states import BatchState
from batchd.errors import VendorError, VendorNotFoundError, VendorRefusedError
from batchd.failpoints import step
from batchd.leasing import Leasing
from batchd.ports import EVERYTHING, Account, Counts, Ledger, Scope, Workplace

log = structlog.get_logger("batchd")

# The intent's time is the database's, a batch's the vendor's.
_SKEW = timedelta(hours=1)
_MARGIN = 120.0
# A vendor's window, and what may pass between a create and the batch's beginning.
_WATCH = 2 * 86_400.0
_LOOKS = 2
_RUNNING = frozenset({"validating", "in_progress"})


class Recover:
    """Settles unknown submits, and looks for batches the ledger has forgotten.

    Args:
        place: what the stage may reach.
        scope: which part of the ledger.
        strangers: look for forgotten batches too; done before a process's first claim.
    """

    def __init__(self, place: Workplace, scope: Scope, *, strangers: bool = False) -> None:
        self._place = place
        self._scope = scope
        self._strangers = strangers
        self._counts = Counts()
        self._leasing = Leasing(place, self._counts)

    def run_once(self) -> Counts:
        """One pass. Counts ``submits_settled``, ``batches_held``, ``strangers``."""
        self._watch_accounts()
        if self._strangers:
            for each in self._place.accounts.values():
                self._read_list(each)
        for batch in self._place.store.read(lambda ledger: ledger.batches.at(BatchState.SUBMITTING, self._scope)):
            account = self._place.account_of(batch)
            if account is not None:
                # Another process that holds the lease may be in the middle of its POST.
                seconds = account.create_seconds + _MARGIN
                work = partial(self._settle_or_wait, account)
                self._leasing.do(batch, _is_submitting, work, seconds=seconds)
        for each in self._place.accounts.values():
            self._watch_fenced(each)
        return self._counts

    def _watch_accounts(self) -> None:
        """Open batches of an account that is missing, or another one by now, can't be reached: a person is asked."""
        one_batch = self._scope.batch_id is not None

        def written(ledger: Ledger) -> int:
            open_there = ledger.batches.open_accounts(self._scope if one_batch else EVERYTHING)
            moved = {name for name, fingerprint in open_there if not self._reaches(name, fingerprint)}
            for name in moved:
                ledger.findings.open("account-moved", f"vendor {name}")
            # Whoever looks at one batch has not seen the others.
            for name in () if one_batch else self._place.accounts.keys() - moved:
                ledger.findings.close("account-moved", f"vendor {name}")
            return len(moved)

        self._counts.add("accounts_moved", self._place.store.transact(written, step="recover.accounts"))

    def _reaches(self, name: str, fingerprint: str) -> bool:
        account = self._place.accounts.get(name)
        return account is not None and account.fingerprint == fingerprint

    def _read_list(self, account: Account) -> None:
        """Looks for what the ledger has forgotten; until that was possible, nothing new is sent there."""
        subject = f"vendor {account.name}"
        try:
            self._look_for_strangers(account)
        except (VendorNotFoundError, VendorRefusedError) as error:
            # A server that lists nothing can't be asked, and waiting would not help.
            self._counts.cause(error.exit_code)
        except VendorError as error:
            self._place.store.transact(
                lambda ledger: ledger.findings.open("list-unread", subject), step="recover.unread"
            )
            self._counts.add("lists_unread")
            self._counts.cause(error.exit_code)
            return
        self._place.store.transact(lambda ledger: ledger.findings.close("list-unread", subject), step="recover.read")

    def _settle_or_wait(self, account: Account, batch: Batch, lease: Lease) -> None:
        try:
            self._settle(batch, account, lease)
        except VendorError as error:
            self._place.store.transact(
                lambda ledger: ledger.batches.wait(batch, self._place.check_interval),
                lease=lease,
                step="recover.wait",
            )
            self._counts.cause(error.exit_code)

    def _settle(self, batch: Batch, account: Account, lease: Lease) -> None:
        if batch.vendor_batch_id:
            # Its id was learned by a process that had lost the lease.
            with step("recover.look"):
                known = account.vendor.retrieve_batch(batch.vendor_batch_id)
            self._adopt(batch, lease, known)
            return
        listing = self._listing(batch, account)
        found = matches(batch, listing.batches)
        if found:
            self._cancel_extras(batch, account, found[1:])
            self._adopt(batch, lease, found[0])
        else:
            self._absent(batch, account, lease, listing)

    def _listing(self, batch: Batch, account: Account) -> Listing:
        if not account.lists:
            return Listing((), complete=False)
        since = (batch.intent_at or batch.created_at) - _SKEW
        with step("recover.look"):
            return account.vendor.list_batches(int(since.timestamp()))

    def _adopt(self, batch: Batch, lease: Lease, found: VendorBatch) -> None:
        def written(ledger: Ledger) -> None:
            here = ledger.batches.resume(batch, "found at the vendor") if batch.state is BatchState.HELD else batch
            ledger.batches.move(
                here,
                BatchState.SUBMITTED,
                f"found at the vendor as {found.id}",
                vendor_batch_id=found.id,
                vendor_status=found.status,
                error_code=None,
                error_text=None,
            )
            ledger.findings.close("unknown-submit", f"batch {batch.id}")

        self._place.store.transact(written, lease=lease, step="recover.adopt")
        self._counts.add("submits_settled")
        log.info(events.RECOVER_ADOPTED, task=batch.task, batch=batch.id, vendor_batch=found.id)

    def _cancel_extras(self, batch: Batch, account: Account, extras: list[VendorBatch]) -> None:
        for extra in extras:
            with step("recover.cancel_extra"):
                account.vendor.cancel_batch(extra.id)
        if extras:
            detail = f"{len(extras)} cancelled"
            self._place.store.transact(
                lambda ledger: ledger.findings.open("extra-batch", f"batch {batch.id}", detail),
                step="recover.report_extras",
            )

    def _absent(self, batch: Batch, account: Account, lease: Lease, listing: Listing) -> None:
        """Not listed. That counts only if the listing is complete and shows another batch that we know."""
        ids = [one.id for one in listing.batches]
        known = self._place.store.read(lambda ledger: ledger.batches.known_vendor_ids(account.name, ids))
        counts = listing.complete and bool(known)
        absences = batch.absences + counts

        def written(ledger: Ledger) -> bool:
            ledger.batches.note(batch, absences=absences)
            ledger.batches.wait(batch, self._place.check_interval)
            # A list may lag, and the POST itself may still be on its way.
            patience = max(account.submit_grace, account.create_seconds)
            if ledger.batches.seconds_waiting(batch) <= patience or batch.state is BatchState.HELD:
                return False
            if account.resubmit == "fence" and counts:
                return absences >= _LOOKS
            ledger.batches.hold(batch, "the vendor does not show this batch; it may still exist", "unknown_submit")
            ledger.findings.open("unknown-submit", f"batch {batch.id}")
            self._counts.add("batches_held")
            return False

        if self._place.store.transact(written, lease=lease, step="recover.absent"):
            self._fence(batch, account, lease)

    def _fence(self, batch: Batch, account: Account, lease: Lease) -> None:
        """Deletes the input file first, so that a late create can only fail; then the batch is sent anew."""
        file_id = batch.vendor_file_id or ""
        with step("recover.delete_file"):
            account.vendor.delete_file(file_id)
        self._place.store.transact(
            lambda ledger: ledger.batches.move(
                batch, BatchState.BUILT, "not created; its input file is deleted", fenced_file_id=file_id
            ),
            lease=lease,
            step="recover.fence",
        )
        self._counts.add("submits_settled")
        log.warning(events.RECOVER_FENCED, task=batch.task, batch=batch.id)

    def _watch_fenced(self, account: Account) -> None:
        if not account.lists:
            return
        fenced = self._place.store.read(lambda ledger: ledger.batches.fenced(account.name, _WATCH))
        try:
            for batch_id, file_id in fenced:
                self._cancel_late(account, batch_id, file_id)
        except VendorError as error:
            self._counts.cause(error.exit_code)

    def _cancel_late(self, account: Account, batch_id: int, file_id: str) -> None:
        batch = self._place.store.read(lambda ledger: ledger.batches.get(batch_id))
        since = int((batch.created_at - _SKEW).timestamp())
        with step("recover.watch"):
            listing = account.vendor.list_batches(since)
        for late in listing.batches:
            if late.input_file_id == file_id and late.status.lower() in _RUNNING:
                with step("recover.cancel_late"):
                    account.vendor.cancel_batch(late.id)
                self._place.store.transact(
                    lambda ledger: ledger.findings.open("late-batch", f"batch {batch_id}"), step="recover.report_late"
                )

    def _look_for_strangers(self, account: Account) -> None:
        """Batches that bear our installation's id and are not in the ledger: a backup was restored."""
        if not account.lists:
            return
        # What a restored backup has forgotten is newer than the newest batch it remembers.
        newest = self._place.store.read(lambda ledger: ledger.batches.newest_at(account.name) or ledger.installed_at())
        since = newest - _SKEW
        with step("recover.list"):
            listing = account.vendor.list_batches(int(since.timestamp()))
        strangers = self._place.store.transact(
            lambda ledger: self._compare(ledger, account, listing), step="recover.strangers"
        )
        self._counts.add("strangers", strangers)
        if strangers:
            log.error(events.RECOVER_STRANGER_FOUND, vendor=account.name, batches=strangers)

    def _compare(self, ledger: Ledger, account: Account, listing: Listing) -> int:
        """Opens a finding for each forgotten batch; returns how many are new."""
        ours = ledger.installation_id()
        bearing = [
            one
            for one in listing.batches
            if one.metadata.get("batchd_installation") == ours and "batchd_uid" in one.metadata
        ]
        known = ledger.batches.known_uids([one.metadata["batchd_uid"] for one in bearing])
        strangers = 0
        # The last try first: it is the one that the batch stands at.
        for one in sorted(bearing, key=_try_of, reverse=True):
            subject = f"vendor {account.name} batch {one.id}"
            if one.metadata["batchd_uid"] in known:
                self._remember(ledger, one)
            elif not ledger.findings.was_closed("stranger", subject):
                strangers += ledger.findings.open("stranger", subject)
        return strangers

    def _remember(self, ledger: Ledger, one: VendorBatch) -> None:
        """A batch that the ledger holds for not sent, though the vendor has it, is settled like an unknown submit."""
        batch = ledger.batches.find(one.metadata["batchd_uid"])
        if batch is not None and batch.position is BatchState.BUILT and _try_of(one) > batch.attempt:
            ledger.batches.move(
                batch,
                BatchState.SUBMITTING,
                f"the vendor has its try {_try_of(one)}, which the ledger had forgotten",
                attempt=_try_of(one),
                vendor_file_id=one.input_file_id,
                vendor_batch_id=one.id,
            )


def _try_of(one: VendorBatch) -> int:
    told = one.metadata.get("batchd_try", "")
    return int(told) if told.isdecimal() else 0


def _is_submitting(batch: Batch) -> bool:
    return batch.position is BatchState.SUBMITTING
