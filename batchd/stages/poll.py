"""poll: what the vendor says of the batches it has. One listing serves all of an account's open batches."""

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import partial

import structlog

from batchd import events
from batchd.core.model import Batch, Kept, Lease, VendorBatch
from batchd.core.pacing import poll_delay
from batchd.core.refusals import faults_as_text
from batchd.core.states import BatchState, VendorPhase, phase_of
from batchd.errors import (
    VendorAuthError,
    VendorError,
    VendorNotFoundError,
    VendorRefusedError,
    VendorUnreachableError,
)
from batchd.failpoints import step
from batchd.leasing import Leasing
from batchd.ports import Account, Counts, Ledger, Scope, Workplace
from batchd.side_by_side import each

log = structlog.get_logger("batchd")

# A vendor's clock and ours may differ by this much before a listing would miss a batch.
_SKEW = 3600
_OVERDUE = 3600.0
_FEWEST_TO_LIST = 3


class Poll:
    """Looks at every submitted batch in scope whose time has come; at all of them where one batch is asked for."""

    def __init__(self, place: Workplace, scope: Scope) -> None:
        self._place = place
        self._scope = scope
        self._counts = Counts()
        self._leasing = Leasing(place, self._counts)

    def run_once(self) -> Counts:
        """One pass. Counts ``batches_polled``, ``batches_ended``."""
        due = self._scope.batch_id is None
        batches = self._place.store.ask(lambda ledger: ledger.batches.at(BatchState.SUBMITTED, self._scope, due=due))
        for name in dict.fromkeys(batch.account for batch in batches):
            self._poll_account(name, [batch for batch in batches if batch.account == name])
        return self._counts

    def _poll_account(self, name: str, batches: Sequence[Batch]) -> None:
        account = self._place.accounts.get(name)
        here = [batch for batch in batches if self._place.account_of(batch) is not None]
        if account is None or not here:
            return
        try:
            listed = self._listed(account, here)
            # What was listed only has to be written down, and the database takes that one after the other.
            width = 1 if listed else self._place.transfers
            each(here, partial(self._look_or_postpone, account, listed), width, stopping=self._place.stopping)
        except VendorError as error:
            self._postpone(here, account, error)

    def _listed(self, account: Account, batches: Sequence[Batch]) -> dict[str, VendorBatch]:
        if not account.lists or len(batches) < _FEWEST_TO_LIST:
            return {}
        oldest = min(batch.intent_at or batch.created_at for batch in batches)
        try:
            with step("poll.list"):
                listing = account.vendor.list_batches(int(oldest.timestamp()) - _SKEW)
        except (VendorNotFoundError, VendorRefusedError):
            # A server that lists nothing: its batches are asked for one by one.
            return {}
        return {one.id: one for one in listing.batches}

    def _look_or_postpone(self, account: Account, listed: Mapping[str, VendorBatch], batch: Batch) -> None:
        try:
            self._look(account, batch, listed.get(batch.vendor_batch_id or ""))
        except (VendorAuthError, VendorUnreachableError):
            raise
        except VendorError as error:
            # One batch that the vendor stumbles over must not keep the others from being seen.
            self._postpone([batch], account, error)

    def _look(self, account: Account, batch: Batch, seen: VendorBatch | None) -> None:
        def ready(now: Batch) -> bool:
            # Another process may have sent it anew meanwhile; what was listed is then another batch's.
            return now.position is BatchState.SUBMITTED and now.vendor_batch_id == batch.vendor_batch_id

        self._leasing.do(batch, ready, partial(self._look_now, account, seen))

    def _look_now(self, account: Account, seen: VendorBatch | None, batch: Batch, lease: Lease) -> None:
        try:
            found = seen or self._retrieved(account, batch)
        except VendorNotFoundError:
            self._place.store.transact(lambda ledger: self._vanished(ledger, batch), lease=lease, step="poll.vanished")
        else:
            self._place.store.transact(
                lambda ledger: self._write_down(ledger, batch, found), lease=lease, step="poll.record"
            )
        self._counts.add("batches_polled")

    def _retrieved(self, account: Account, batch: Batch) -> VendorBatch:
        with step("poll.retrieve"):
            return account.vendor.retrieve_batch(batch.vendor_batch_id or "")

    def _write_down(self, ledger: Ledger, batch: Batch, found: VendorBatch) -> None:
        ledger.batches.note_polled(
            batch,
            vendor_status=found.status,
            counted_total=found.total,
            counted_completed=found.completed,
            counted_failed=found.failed,
            expires_at=_moment(found.expires_at),
        )
        ledger.findings.close("vendor-auth", f"vendor {batch.account}")
        if ledger.findings.close("batch-vanished", f"batch {batch.id}") and batch.state is BatchState.HELD:
            batch = ledger.batches.resume(batch, "the vendor knows it again")
        phase = phase_of(found.status)
        if phase is VendorPhase.ENDED:
            self._end(ledger, batch, found)
            return
        self._note_oddities(ledger, batch, phase)
        age, wanted = ledger.batches.seconds_since_submit(batch), ledger.quotas.are_wanted(batch.account)
        ledger.batches.wait(batch, poll_delay(age, self._place.check_interval, wanted=wanted))

    def _end(self, ledger: Ledger, batch: Batch, found: VendorBatch) -> None:
        ledger.batches.move(
            batch,
            BatchState.ENDED,
            f"the vendor reports {found.status}",
            output_file_id=found.output_file_id,
            error_file_id=found.error_file_id,
            looks=0,
        )
        if found.faults:
            # Behind the move: a transaction that is repeated, though it came through, stops there.
            body = faults_as_text(found.faults)
            ledger.contents.keep(batch.id, [Kept(0, "vendor_errors", body, batch.attempt)])
        ledger.findings.close_all(f"batch {batch.id}", ("overdue", "unknown-status"))
        self._counts.add("batches_ended")
        log.debug(events.POLL_ENDED, status=found.status)

    def _note_oddities(self, ledger: Ledger, batch: Batch, phase: VendorPhase) -> None:
        if phase is VendorPhase.UNKNOWN:
            ledger.findings.open("unknown-status", f"batch {batch.id}")
        if ledger.batches.seconds_past_window(batch) > _OVERDUE:
            ledger.findings.open("overdue", f"batch {batch.id}")

    def _vanished(self, ledger: Ledger, batch: Batch) -> None:
        # Never an outcome: the rows stay gated until a person has looked.
        held = ledger.batches.hold(batch, "the vendor does not know this batch any more", "vanished")
        ledger.findings.open("batch-vanished", f"batch {batch.id}")
        ledger.batches.wait(held, poll_delay(ledger.batches.seconds_since_submit(batch), self._place.check_interval))
        self._counts.add("batches_held")

    def _postpone(self, batches: Sequence[Batch], account: Account, error: VendorError) -> None:
        def written(ledger: Ledger) -> None:
            for batch in batches:
                ledger.batches.wait(batch, max(self._place.check_interval, error.retry_after or 0.0))
            if isinstance(error, VendorAuthError):
                ledger.findings.open("vendor-auth", f"vendor {account.name}", error.code)

        self._place.store.transact(written, step="poll.postpone")
        self._counts.add("polls_postponed")
        self._counts.cause(error.exit_code)
        log.warning(events.POLL_POSTPONED, vendor=account.name, code=error.code)


def _moment(seconds: int | None) -> dt.datetime | None:
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC)
