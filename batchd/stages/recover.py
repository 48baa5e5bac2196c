"""recover: settles by looking what a crash, a lost answer or a restored backup left open.

A create whose outcome nobody knows is looked for at the vendor; it is never guessed and never blindly repeated.
"""

from collections.abc import Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter

import structlog

from batchd import events
from batchd.core.model import Batch, Lease, Listing, UnknownCreate, VendorBatch
from batchd.core.pacing import poll_delay
from batchd.core.reconcile import CLOCK_SKEW, bill_of, can_be_adopted, candidates, matches, others, proves_absence
from batchd.core.states import BatchState, VendorPhase, phase_of
from batchd.errors import VendorAuthError, VendorError
from batchd.failpoints import step
from batchd.forgotten import ForgottenBatches
from batchd.leasing import Leasing
from batchd.ports import Account, Counts, Ledger, Scope, Workplace

log = structlog.get_logger("batchd")

_MARGIN = 120.0
# A vendor's window, and what may pass between a create and the batch's beginning.
_WATCH = 2 * 86_400.0


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
        """One pass. Counts ``submits_looked_for``, ``submits_settled``, ``batches_held``, ``strangers``."""
        self._watch_accounts()
        if self._strangers:
            forgotten = ForgottenBatches(self._place, self._counts)
            for each in self._accounts():
                forgotten.look(each)
        for batch in self._place.store.ask(lambda ledger: ledger.batches.at(BatchState.SUBMITTING, self._scope)):
            if self._place.stopping():
                # A vendor that hangs has many of these, and keeps each look waiting for minutes.
                return self._counts
            account = self._place.account_of(batch)
            if account is not None:
                # Another process that holds the lease may be in the middle of its POST.
                seconds = account.create_seconds + self._place.lease_seconds
                work = partial(self._settle_or_wait, account)
                self._leasing.do(batch, _is_submitting, work, seconds=seconds)
        for each in self._accounts():
            self._watch(each)
        return self._counts

    def _accounts(self) -> list[Account]:
        return [one for one in self._place.accounts.values() if self._scope.has_account(one.name)]

    def _watch_accounts(self) -> None:
        """Open batches of an account that is missing, or another one by now, can't be reached: a person is asked."""
        one_batch = self._scope.batch_id is not None
        # A task's pass looks at all accounts: what it is to claim stops where one of them has moved.
        looked_at = self._scope if one_batch else Scope(account=self._scope.account)

        def written(ledger: Ledger) -> int:
            open_there = ledger.batches.open_accounts(looked_at)
            moved = {f"vendor {name}" for name, mark in open_there if not self._reaches(name, mark)}
            for subject in moved:
                ledger.findings.open("account-moved", subject)
            # Whoever looks at one batch has not seen the others.
            for subject in () if one_batch else ledger.findings.subjects("account-moved"):
                if subject not in moved and self._scope.has_account(subject.removeprefix("vendor ")):
                    ledger.findings.close("account-moved", subject)
            return len(moved)

        self._counts.add("accounts_moved", self._place.store.transact(written, step="recover.accounts"))

    def _reaches(self, name: str, fingerprint: str) -> bool:
        if self._place.vendors.get(name) == fingerprint:
            # This process may not need it; another one, for another task, does.
            return True
        account = self._place.accounts.get(name)
        return account is not None and account.fingerprint == fingerprint

    def _settle_or_wait(self, account: Account, batch: Batch, lease: Lease) -> None:
        self._counts.add("submits_looked_for")
        try:
            self._settle(batch, account, lease)
        except VendorError as error:
            self._put_off(batch, account, lease, error)

    def _put_off(self, batch: Batch, account: Account, lease: Lease, error: VendorError) -> None:
        def written(ledger: Ledger) -> None:
            self._wait(ledger, batch, error.retry_after)
            if isinstance(error, VendorAuthError):
                ledger.findings.open("vendor-auth", f"vendor {account.name}", error.code)

        self._place.store.transact(written, lease=lease, step="recover.wait")
        self._counts.cause(error.exit_code)

    def _wait(self, ledger: Ledger, batch: Batch, asked: float | None = None) -> None:
        """Until the next look; a person is asked once the time for looking is over, and it is looked for even so."""
        over = ledger.batches.seconds_unsettled(batch)
        if batch.state is not BatchState.HELD and over > 0:
            batch = ledger.batches.hold(
                batch, "the vendor's list does not show this batch; it may still exist", "unknown_submit"
            )
            ledger.findings.open("unknown-submit", f"batch {batch.id}")
            self._counts.add("batches_held")
        held = batch.state is BatchState.HELD
        delay = poll_delay(over if held else 0.0, self._place.check_interval)
        ledger.batches.wait(batch, max(delay, asked or 0.0))

    def _settle(self, batch: Batch, account: Account, lease: Lease) -> None:
        if batch.vendor_batch_id:
            # It was learned by a process that had lost the lease; polling says how the batch stands.
            self._adopt(batch, lease, VendorBatch(batch.vendor_batch_id, "", batch.vendor_file_id))
            return
        listing = self._listing(batch, account)
        found = candidates(batch, self._creates(batch), listing.batches)
        if found:
            self._adopt(batch, lease, found[0])
            # At once: each moment that the others run costs money.
            self._settle_others(account, self._creates(batch), listing, batch.id)
        else:
            self._absent(batch, account, lease, listing)

    def _listing(self, batch: Batch, account: Account) -> Listing:
        if not account.lists:
            return Listing((), complete=False)
        since = (batch.intent_at or batch.created_at) - CLOCK_SKEW
        with step("recover.look"):
            return account.vendor.list_batches(int(since.timestamp()))

    def _creates(self, batch: Batch) -> list[UnknownCreate]:
        watched = self._place.store.read(lambda ledger: ledger.batches.watched(batch.account, _WATCH))
        return [one for one in watched if one.batch_id == batch.id]

    def _adopt(self, batch: Batch, lease: Lease, found: VendorBatch) -> None:
        self._place.store.transact(
            lambda ledger: self._write_adopted(ledger, batch, found), lease=lease, step="recover.adopt"
        )
        self._counts.add("submits_settled")
        log.info(events.RECOVER_ADOPTED, vendor_batch=found.id)

    def _write_adopted(self, ledger: Ledger, batch: Batch, found: VendorBatch) -> None:
        # The same create may have made another one, or this try yet make its own.
        ledger.batches.watch(batch)
        here = ledger.batches.resume(batch, "found at the vendor") if batch.state is BatchState.HELD else batch
        ledger.batches.move(
            here,
            BatchState.SUBMITTED,
            f"found at the vendor as {found.id}",
            vendor_file_id=found.input_file_id or batch.vendor_file_id,
            vendor_batch_id=found.id,
            vendor_status=found.status or None,
            error_code=None,
            error_text=None,
        )
        ledger.findings.close_all(f"batch {batch.id}", ("unknown-submit", "submit-refused"))

    def _absent(self, batch: Batch, account: Account, lease: Lease, listing: Listing) -> None:
        """Not listed. Two listings that prove it, with the grace between them, are needed to act on that."""
        ids = [one.id for one in listing.batches]
        sent_at = self._place.store.read(lambda ledger: ledger.batches.sent_at(account.name, ids))
        proven = proves_absence(listing, sent_at)

        def written(ledger: Ledger) -> bool:
            if ledger.batches.get(batch.id).vendor_batch_id:
                # It was learned just now: the next look adopts it.
                return False
            if proven and self._may_be_sent_anew(ledger, batch, account):
                return True
            self._wait(ledger, batch)
            return False

        if self._place.store.transact(written, lease=lease, step="recover.absent"):
            self._fence(batch, account, lease)

    def _may_be_sent_anew(self, ledger: Ledger, batch: Batch, account: Account) -> bool:
        """Takes down an absence that is proven; True for a second one, a grace later, where the config allows it."""
        may = account.resubmit == "fence" and batch.state is not BatchState.HELD
        if batch.absent_since is not None:
            return may and ledger.batches.seconds_absent(batch) >= account.patience
        ledger.batches.note_absent(batch)
        if may:
            # Long enough for the second listing, and for a few that fail.
            ledger.batches.settle_within(batch, 2 * account.patience + _MARGIN)
        return False

    def _fence(self, batch: Batch, account: Account, lease: Lease) -> None:
        """Deletes the input file first, so that a late create can only fail; then the batch is sent anew."""
        with step("recover.delete_file"):
            account.vendor.delete_file(batch.vendor_file_id or "")
        if candidates(batch, self._creates(batch), self._listing(batch, account).batches):
            # It came through before its file was gone, and shows only now: the next look adopts it.
            return

        def written(ledger: Ledger) -> None:
            if not ledger.batches.get(batch.id).vendor_batch_id:
                ledger.batches.watch(batch)
                ledger.batches.move(batch, BatchState.BUILT, "not created; its input file is deleted")

        self._place.store.transact(written, lease=lease, step="recover.fence")
        self._counts.add("submits_settled")
        log.warning(events.RECOVER_FENCED)

    def _watch(self, account: Account) -> None:
        """Looks for what unknown creates made beside the batch that counts, or made after they were given up."""
        watched = self._place.store.read(lambda ledger: ledger.batches.watched(account.name, _WATCH))
        by_batch = {batch_id: list(creates) for batch_id, creates in groupby(watched, attrgetter("batch_id"))}
        if not by_batch or not account.lists:
            return
        batches = self._place.store.read(lambda ledger: [ledger.batches.get(one) for one in by_batch])
        here = [batch for batch in batches if self._place.account_of(batch) is not None]
        since = min((batch.created_at for batch in here), default=None)
        if since is None:
            return
        try:
            with step("recover.watch"):
                listing = account.vendor.list_batches(int((since - CLOCK_SKEW).timestamp()))
        except VendorError as error:
            self._counts.cause(error.exit_code)
            return
        for batch in here:
            self._settle_others(account, by_batch[batch.id], listing, batch.id)

    def _settle_others(
        self, account: Account, creates: Sequence[UnknownCreate], listing: Listing, batch_id: int
    ) -> None:
        batch = self._place.store.ask(lambda ledger: ledger.batches.get(batch_id))
        found = others(batch, creates, listing.batches)
        if not found or batch.position is BatchState.SUBMITTING:
            # While its own create is in question, settling that decides which of them counts.
            return
        if batch.position is BatchState.BUILT and can_be_adopted(found[0]):
            self._leasing.do(batch, _is_built, partial(self._take_late, found[0]))
            return

        def ready(now: Batch) -> bool:
            # Another process may have taken one of them as the batch's own meanwhile.
            return now.position is not BatchState.SUBMITTING and now.vendor_batch_id == batch.vendor_batch_id

        seconds = account.create_seconds + self._place.lease_seconds
        self._leasing.do(batch, ready, partial(self._cancel_others, account, found), seconds=seconds)

    def _cancel_others(self, account: Account, found: Sequence[VendorBatch], batch: Batch, _: Lease) -> None:
        now = [self._cancelled(account, one) for one in found]
        twins = matches(batch, now) if batch.vendor_batch_id else []
        self._report(batch, "extra-batch", twins)
        self._report(batch, "late-batch", [one for one in now if one not in twins])

    def _take_late(self, found: VendorBatch, batch: Batch, lease: Lease) -> None:
        """The batch was to be sent anew: what came late takes the place of that, since it is paid for."""

        def written(ledger: Ledger) -> None:
            reason = f"{found.id} came late, before it was sent anew"
            here = ledger.batches.move(batch, BatchState.SUBMITTING, reason, vendor_file_id=found.input_file_id)
            self._write_adopted(ledger, here, found)

        self._place.store.transact(written, lease=lease, step="recover.take_late")
        self._counts.add("submits_settled")
        log.info(events.RECOVER_ADOPTED, vendor_batch=found.id)

    def _cancelled(self, account: Account, one: VendorBatch) -> VendorBatch:
        """What became of it: where the vendor does not take the cancel now, the next pass asks again."""
        if phase_of(one.status) is VendorPhase.ENDED or one.status.lower() == "cancelling":
            return one
        try:
            with step("recover.cancel_late"):
                return account.vendor.cancel_batch(one.id)
        except VendorError as error:
            self._counts.cause(error.exit_code)
            return one

    def _report(self, batch: Batch, kind: str, found: Sequence[VendorBatch]) -> None:
        """Raises the finding, or tells in it what is new; what a person has seen so is not told again."""
        subject, detail = f"batch {batch.id}", "; ".join(sorted(bill_of(one) for one in found))
        if not found or self._place.store.ask(lambda ledger: ledger.findings.was_told(kind, subject, detail)):
            return
        self._place.store.transact(
            lambda ledger: ledger.findings.open(kind, subject, detail), step="recover.report_late"
        )


def _is_built(batch: Batch) -> bool:
    return batch.position is BatchState.BUILT


def _is_submitting(batch: Batch) -> bool:
    return batch.position is BatchState.SUBMITTING
