"""submit: a built batch is uploaded and created at the vendor, once, where the vendor's quota has room for it.

The intent is committed before the create, and the create is one single POST. What is known not to have been
created goes back to ``built``; what is not known stays ``submitting`` until recover settles it by looking.
"""

from collections.abc import Mapping
from functools import partial
from itertools import groupby
from operator import attrgetter

import structlog

from batchd import events
from batchd.core.findings import SENDING_STOPS
from batchd.core.model import Batch, Lease, VendorBatch
from batchd.core.outcomes import Outcome
from batchd.core.pacing import SUBMIT_TRIES, submit_delay
from batchd.core.quota import TOKEN_LIMIT
from batchd.core.states import BatchState
from batchd.core.tasks import TaskDefinition
from batchd.enqueueing import TOO_LARGE, Queue, learn, queues_of
from batchd.errors import (
    LeaseLostError,
    VendorAuthError,
    VendorBillingError,
    VendorBusyError,
    VendorError,
    VendorRefusedError,
    VendorUnclearError,
    VendorUnreachableError,
)
from batchd.failpoints import step
from batchd.leasing import Leasing
from batchd.ports import Account, Counts, Ledger, Scope, Workplace
from batchd.settling import EarlyEnd, give_up
from batchd.side_by_side import each

log = structlog.get_logger("batchd")


class Submit:
    """Sends every built batch in scope whose time has come.

    Args:
        place: what the stage may reach.
        scope: which batches it sends.
        beside: which batches the vendor's quota is shared with, by weight: those in scope and, where others send them,
            others. None: those in scope alone.
    """

    def __init__(self, place: Workplace, scope: Scope, beside: Scope | None = None) -> None:
        self._place = place
        self._scope = scope
        self._beside = beside or scope
        self._counts = Counts()
        self._leasing = Leasing(place, self._counts)

    def run_once(self) -> Counts:
        """One pass. Counts ``batches_submitted``, ``batches_postponed``, ``batches_waiting``, ``submits_unknown``."""
        built = self._built(self._scope)
        ours = frozenset(batch.id for batch in built)
        if built and self._beside != self._scope:
            built = self._built(self._beside)
        for _, batches in groupby(sorted(built, key=attrgetter("account")), attrgetter("account")):
            ready = [batch for batch in batches if self._may_be_sent(batch)]
            account = self._place.account_of(ready[0]) if ready else None
            if account is not None:
                for queue in queues_of(self._place, account, ready):
                    self._send(account, queue, ours)
        return self._counts

    def _built(self, scope: Scope) -> list[Batch]:
        return self._place.store.ask(lambda ledger: ledger.batches.at(BatchState.BUILT, scope))

    def _may_be_sent(self, batch: Batch) -> bool:
        account = self._place.account_of(batch)
        wanted = _is_built(batch) and not self._place.is_paused(batch)
        return account is not None and wanted and not self._is_stopped(account)

    def _send(self, account: Account, queue: Queue, ours: frozenset[int]) -> None:
        plan = queue.plan()
        # The vendor's calls can't be fenced by a database, so the lease outlives the longest of them.
        seconds = account.upload_seconds + account.create_seconds + self._place.lease_seconds

        def send(batch: Batch) -> None:
            # What time a file is given for its upload is enough for all that are on their way at once.
            with account.link.taken(batch.input_bytes, account.max_bytes, beat=self._place.beat):
                # Asked again: what became of the one before may have stopped the task, or the account.
                if not self._place.stopping() and self._may_be_sent(batch):
                    self._leasing.do(batch, _is_built, partial(self._submit, account, queue), seconds=seconds)

        to_send = [batch_id for batch_id in plan.send if batch_id in ours]
        each(queue.batches(to_send), send, self._place.transfers, stopping=self._place.stopping)
        self._counts.add("batches_waiting", queue.leave_the_others(plan, ours))

    def _is_stopped(self, account: Account) -> bool:
        # What the ledger may have forgotten could be these very rows.
        return self._place.store.ask(
            lambda ledger: ledger.findings.is_open_among(SENDING_STOPS, f"vendor {account.name}")
        )

    def _submit(self, account: Account, queue: Queue, batch: Batch, lease: Lease) -> None:
        # Without the lease: the quota's row is what everybody locks first who sends to this account.
        if not self._place.store.transact(lambda ledger: queue.let_through(ledger, batch), step="submit.reserve"):
            return
        measured = self._place.spool.measure_input(batch.uid)
        if measured is None or measured.sha256 != batch.input_sha256:
            self._give_up_lost_input(batch, lease)
            return
        file_id = self._upload(batch, account, lease)
        if file_id is None:
            return
        definition = self._place.store.ask(lambda ledger: ledger.tasks.definition(batch.version_id))
        batch = self._place.store.transact(
            lambda ledger: self._intend(ledger, batch, account, file_id), lease=lease, step="submit.intent"
        )
        self._create(batch, account, lease, definition)

    def _intend(self, ledger: Ledger, batch: Batch, account: Account, file_id: str) -> Batch:
        now = ledger.batches.get(batch.id)
        if now.position is BatchState.SUBMITTING and now.vendor_file_id == file_id:
            # The COMMIT had come through; only its answer was lost. No other intent can bear this file.
            return now
        intended = ledger.batches.move(
            batch,
            BatchState.SUBMITTING,
            f"try {batch.attempt + 1}: uploaded, about to create",
            attempt=batch.attempt + 1,
            vendor_file_id=file_id,
            absent_since=None,
        )
        ledger.batches.settle_within(intended, account.patience)
        return intended

    def _upload(self, batch: Batch, account: Account, lease: Lease) -> str | None:
        path = self._place.spool.input_path(batch.uid)
        try:
            with step("submit.upload"):
                return account.vendor.upload(path, f"batchd-{batch.uid}-{batch.attempt + 1}.jsonl")
        except VendorError as error:
            # An upload costs nothing: whatever became of it, the next try uploads anew.
            self._after_refusal(batch, account, lease, error, back=False)
            return None

    def _create(self, batch: Batch, account: Account, lease: Lease, definition: TaskDefinition) -> None:
        metadata = self._metadata(batch, definition)
        try:
            with step("submit.create"):
                created = account.vendor.create_batch(batch.vendor_file_id or "", definition.endpoint, metadata)
        except VendorUnreachableError as error:
            self._after_refusal(batch, account, lease, error, back=True)
        except VendorUnclearError as error:
            self._leave_unknown(batch, lease, error)
        except VendorError as error:
            self._after_refusal(batch, account, lease, error, back=True)
        else:
            self._record_created(batch, account, lease, created)

    def _metadata(self, batch: Batch, definition: TaskDefinition) -> Mapping[str, str]:
        installation = self._place.store.ask(lambda ledger: ledger.installation_id())
        return {
            "batchd_installation": installation,
            "batchd_uid": batch.uid,
            "batchd_try": str(batch.attempt),
            "batchd_table": definition.fingerprint,
        }

    def _record_created(self, batch: Batch, account: Account, lease: Lease, created: VendorBatch) -> None:
        def recorded(ledger: Ledger) -> None:
            moved = ledger.batches.move(
                batch, BatchState.SUBMITTED, f"created as {created.id}", vendor_batch_id=created.id
            )
            ledger.batches.note_polled(moved, vendor_status=created.status)
            ledger.batches.wait(moved, self._place.check_interval)
            ledger.findings.close("vendor-auth", f"vendor {account.name}")
            self._end_billing_stop(ledger, batch)

        try:
            self._place.store.transact(recorded, lease=lease, step="submit.record")
        except LeaseLostError:
            # The id is a fact, not a decision: it is written down whoever works on the batch now.
            self._place.store.transact(
                lambda ledger: self._record_late(ledger, batch, created), step="submit.record_late"
            )
            raise
        self._counts.add("batches_submitted")
        self._counts.add("rows_submitted", batch.requests)
        log.info(events.SUBMIT_CREATED, vendor_batch=created.id, rows=batch.requests)

    def _end_billing_stop(self, ledger: Ledger, batch: Batch) -> None:
        """The vendor takes batches of a task that a person let go on by SQL; of a paused one, this was in hand."""
        stop = "billing-stop", f"task {batch.task}"
        if ledger.findings.is_open(*stop) and not ledger.tasks.is_paused(batch.task_id):
            ledger.findings.close(*stop)

    def _record_late(self, ledger: Ledger, batch: Batch, created: VendorBatch) -> None:
        now = ledger.batches.get(batch.id)
        is_free = now.vendor_file_id == batch.vendor_file_id and now.vendor_batch_id is None
        if is_free and now.position is BatchState.BUILT:
            # It was given up meanwhile, and not sent anew yet.
            now = ledger.batches.move(now, BatchState.SUBMITTING, "it was created after all")
        if is_free and now.position is BatchState.SUBMITTING:
            ledger.batches.note(now, vendor_batch_id=created.id, not_before=None)
        elif now.vendor_batch_id != created.id:
            # It has been sent anew meanwhile: that batch's own id must not be written over.
            kind = "extra-batch" if now.vendor_file_id == batch.vendor_file_id else "late-batch"
            ledger.findings.open(kind, f"batch {batch.id}", f"{created.id} was learned of too late to count")

    def _leave_unknown(self, batch: Batch, lease: Lease, error: VendorUnclearError) -> None:
        self._place.store.transact(
            lambda ledger: ledger.batches.note(batch, error_code=error.code, error_text="the create was not answered"),
            lease=lease,
            step="submit.unknown",
        )
        self._counts.add("submits_unknown")
        self._counts.cause(error.exit_code)
        log.warning(events.SUBMIT_OUTCOME_UNKNOWN, code=error.code)

    def _after_refusal(self, batch: Batch, account: Account, lease: Lease, error: VendorError, *, back: bool) -> None:
        """Nothing was created and no row's try is charged; ``back`` leads the batch back to ``built``."""

        def written(ledger: Ledger) -> None:
            here = ledger.batches.move(batch, BatchState.BUILT, f"not created ({error.code})") if back else batch
            if self._is_too_large(ledger, account, here, error):
                give_up(ledger, here, EarlyEnd(Outcome.UNSENT, error.code, TOO_LARGE), chunk=self._place.chunk)
                return
            ledger.batches.note(here, error_code=error.code, error_text=error.message)
            attempt = batch.attempt if back else batch.attempt + 1
            asked = error.retry_after if isinstance(error, VendorBusyError) else None
            ledger.batches.wait(here, submit_delay(attempt, self._place.check_interval, asked))
            if not back:
                ledger.batches.note(here, attempt=attempt)
            self._call_a_person(ledger, here, account, error, attempt)

        self._place.store.transact(written, lease=lease, step="submit.refusal")
        self._counts.add("batches_postponed")
        self._counts.cause(error.exit_code)
        log.warning(events.SUBMIT_POSTPONED, code=error.code)

    def _is_too_large(self, ledger: Ledger, account: Account, batch: Batch, error: VendorError) -> bool:
        told = error.token_limit if isinstance(error, VendorBusyError) else None
        return error.code == TOKEN_LIMIT and learn(ledger, account, batch, told)

    def _call_a_person(self, ledger: Ledger, batch: Batch, account: Account, error: VendorError, attempt: int) -> None:
        if isinstance(error, VendorBillingError):
            ledger.tasks.pause(batch.task_id, f"the vendor's account {account.name} is out of money ({error.code})")
            ledger.findings.open("billing-stop", f"task {batch.task}", error.code)
        elif isinstance(error, VendorAuthError):
            ledger.findings.open("vendor-auth", f"vendor {account.name}", error.code)
        elif isinstance(error, VendorRefusedError) or attempt >= SUBMIT_TRIES:
            ledger.batches.hold(batch, error.message, error.code)
            ledger.findings.open("submit-refused", f"batch {batch.id}", error.code)

    def _give_up_lost_input(self, batch: Batch, lease: Lease) -> None:
        """The file was never sent, so its rows are simply due again."""
        end = EarlyEnd(Outcome.UNSENT, "input_lost", "the batch's file was lost or altered before it was sent")

        def written(ledger: Ledger) -> None:
            give_up(ledger, batch, end, chunk=self._place.chunk)
            ledger.findings.open("input-lost", f"batch {batch.id}")

        self._place.store.transact(written, lease=lease, step="submit.lost_input")
        self._counts.add("batches_abandoned")
        log.error(events.SUBMIT_INPUT_LOST)


def _is_built(batch: Batch) -> bool:
    return batch.state is BatchState.BUILT
