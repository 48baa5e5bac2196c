"""collect: the result files of an ended batch come to disk, complete and durable, before any row is touched."""

import io
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, BinaryIO, cast

import structlog

from batchd import events
from batchd.core.completeness import Look, Step
from batchd.core.findings import SPOOL_STOPS
from batchd.core.model import Batch, Lease, SpooledFile
from batchd.core.pacing import SUBMIT_TRIES, submit_delay
from batchd.core.refusals import Refusal, Remedy, judge, read_faults, read_limit
from batchd.core.result_index import ResultIndex, ResultKind, index_results
from batchd.core.states import BatchState
from batchd.enqueueing import TOO_LARGE, learn
from batchd.errors import (
    SpoolError,
    VendorAuthError,
    VendorError,
    VendorNotFoundError,
    VendorUnclearError,
)
from batchd.failpoints import step
from batchd.leasing import Leasing
from batchd.ports import Account, Counts, Ledger, Scope, Workplace
from batchd.room import RoomForResults, finding_of
from batchd.side_by_side import each

log = structlog.get_logger("batchd")

_KINDS: tuple[ResultKind, ...] = ("output", "error")
# What is counted, and logged, of a batch that was refused whole.
_SETTLED = {
    Remedy.AGAIN: ("batches_sent_back", events.BATCH_SENT_BACK),
    Remedy.ROWS: ("batches_collected", events.COLLECT_FINISHED),
    Remedy.PERSON: ("batches_held", events.BATCH_HELD),
}
_LOOKS = 2
# The vendor keeps results for weeks; a person should hear of it long before they expire.
_PATIENCE = 3600.0
# An index is work for the processor and room in memory: one at a time is as fast as several, of whatever tasks.
_INDEXING = threading.Lock()


class Collect:
    """Fetches the results of every ended batch in scope."""

    def __init__(self, place: Workplace, scope: Scope) -> None:
        self._place = place
        self._scope = scope
        self._counts = Counts()
        self._leasing = Leasing(place, self._counts)
        self._room = RoomForResults(place.spool, place.results_coming, place.beat)

    def run_once(self) -> Counts:
        """One pass. Counts ``batches_collected``, ``batches_sent_back``, ``batches_held``."""
        due = self._scope.batch_id is None
        batches = self._place.store.ask(lambda ledger: ledger.batches.at(BatchState.ENDED, self._scope, due=due))
        each(batches, self._take, self._place.transfers, stopping=self._place.stopping)
        return self._counts

    def _take(self, batch: Batch) -> None:
        account = self._place.account_of(batch)
        if account is not None:
            seconds = 2 * account.upload_seconds + self._place.lease_seconds
            with account.link.taken(beat=self._place.beat):
                # Asked once more: it may have waited long for its turn.
                if not self._place.stopping():
                    self._leasing.do(batch, _is_ended, partial(self._collect, account), seconds=seconds)
            self._place.passed_on()

    def _collect(self, account: Account, batch: Batch, lease: Lease) -> None:
        try:
            if batch.was_refused:
                self._settle_refused(batch, account, lease)
            else:
                self._fetch(batch, account, lease)
        except VendorError as error:
            self._postpone(batch, lease, error)
        except SpoolError as error:
            self._wait_for_room(batch, lease, error)

    def _fetch(self, batch: Batch, account: Account, lease: Lease) -> None:
        if batch.looks:
            batch = self._asked_again(batch, account, lease)
        results = {
            kind: result
            for kind, file_id in zip(_KINDS, (batch.output_file_id, batch.error_file_id), strict=True)
            if file_id and (result := self._download(batch, account, lease, kind, file_id))
        }
        index = self._index(batch, list(results))
        look = Look(
            requests=batch.requests,
            answered=index.lines,
            counted=(batch.counted_completed or 0) + (batch.counted_failed or 0),
            broken_end=index.broken_end,
            sizes_told=all(told for _, told in results.values()),
            earlier_looks=batch.looks,
            waived=batch.checks_waived,
        )
        if look.step() is not Step.TAKE:
            self._fall_short(batch, lease, look.reason())
            return
        files = {kind: file for kind, (file, _) in results.items()}
        self._place.store.transact(
            lambda ledger: self._write_down(ledger, batch, files, look), lease=lease, step="collect.record"
        )
        self._counts.add("batches_collected")
        log.debug(
            events.COLLECT_FINISHED,
            lines=index.lines,
            repeats=index.repeats,
            conflicts=len(index.conflicts),
            strangers=len(index.strangers),
        )

    def _asked_again(self, batch: Batch, account: Account, lease: Lease) -> Batch:
        """Some servers name their files, or count, only a while after they have reported the end."""
        try:
            with step("collect.retrieve"):
                found = account.vendor.retrieve_batch(batch.vendor_batch_id or "")
        except VendorNotFoundError:
            # Its files may be there still.
            return batch
        told = {
            "output_file_id": found.output_file_id,
            "error_file_id": found.error_file_id,
            "counted_total": found.total,
            "counted_completed": found.completed,
            "counted_failed": found.failed,
        }
        news = {name: value for name, value in told.items() if value is not None}
        if news:
            self._place.store.transact(
                lambda ledger: ledger.batches.note(batch, **news), lease=lease, step="collect.note"
            )
        return self._place.store.ask(lambda ledger: ledger.batches.get(batch.id))

    def _download(
        self, batch: Batch, account: Account, lease: Lease, kind: ResultKind, file_id: str
    ) -> tuple[SpooledFile, bool] | None:
        """The file on disk, and whether the vendor told its size; None where a person goes on without it."""
        fill = partial(_download, account, file_id, self._place.beat)
        try:
            told = account.vendor.file_bytes(file_id)
            with self._room.kept_for(told), step("collect.download"):
                stored = self._place.spool.store_result(batch.uid, kind, lease.epoch, fill)
        except VendorNotFoundError:
            if batch.checks_waived:
                return None
            raise
        if told is not None and stored.bytes != told and not batch.checks_waived:
            raise VendorUnclearError(
                f"the {kind} file of batch {batch.id} came with {stored.bytes:,} bytes in place of {told:,}",
                code="cut_off",
            )
        return stored, told is not None

    def _index(self, batch: Batch, kinds: list[ResultKind]) -> ResultIndex:
        with _INDEXING:
            seqs = self._place.store.ask(lambda ledger: ledger.requests.seqs(batch.id))
            return index_results(
                batch.uid, seqs, [(kind, self._place.spool.result_lines(batch.uid, kind)) for kind in kinds]
            )

    def _write_down(self, ledger: Ledger, batch: Batch, files: dict[ResultKind, SpooledFile], look: Look) -> None:
        output, error = files.get("output"), files.get("error")
        if ledger.findings.close("short-results", f"batch {batch.id}") and batch.state is BatchState.HELD:
            batch = ledger.batches.resume(batch, "the results are complete now")
        ledger.findings.close_all(f"batch {batch.id}", ("results-unread", *SPOOL_STOPS))
        ledger.findings.close("vendor-auth", f"vendor {batch.account}")
        if look.is_short:
            ledger.findings.open("missing-lines", f"batch {batch.id}", look.reason())
        ledger.batches.move(
            batch,
            BatchState.COLLECTED,
            "result files are on disk",
            output_bytes=output.bytes if output else None,
            output_sha256=output.sha256 if output else None,
            error_bytes=error.bytes if error else None,
            error_sha256=error.sha256 if error else None,
        )

    def _fall_short(self, batch: Batch, lease: Lease, reason: str) -> None:
        """A first shortfall is looked at again after a while; a second one asks for a person."""
        looks = batch.looks + 1

        def written(ledger: Ledger) -> None:
            ledger.batches.note(batch, looks=looks)
            here = batch
            if looks >= _LOOKS:
                here = ledger.batches.hold(batch, reason, "short_results")
                ledger.findings.open("short-results", f"batch {batch.id}", reason)
            ledger.batches.wait(here, submit_delay(looks, self._place.check_interval))

        self._place.store.transact(written, lease=lease, step="collect.short")
        self._counts.add("batches_held" if looks >= _LOOKS else "batches_looked_at_again")
        log.warning(events.COLLECT_FELL_SHORT, look=looks, reason=reason)

    def _settle_refused(self, batch: Batch, account: Account, lease: Lease) -> None:
        """The vendor refused the whole batch in its validation: no line ran, nothing was paid."""
        if batch.state is BatchState.HELD and not batch.checks_waived:
            return
        kept = self._place.store.ask(lambda ledger: ledger.contents.read(batch.id, "vendor_errors"))
        refusal = judge(read_faults(kept), batch.requests)
        over_limit, told = read_limit(kept)

        def written(ledger: Ledger) -> Remedy:
            never_fits = over_limit and learn(ledger, account, batch, told)
            remedy = self._remedy(batch, refusal, never_fits=never_fits)
            if remedy is Remedy.AGAIN:
                self._send_back(ledger, batch, refusal)
            elif remedy is Remedy.ROWS:
                why = TOO_LARGE if never_fits else "refused for some lines; the others go again"
                ledger.batches.move(batch, BatchState.COLLECTED, why, error_code=refusal.code)
            else:
                held = ledger.batches.hold(batch, "the vendor refused the whole batch", refusal.code)
                ledger.findings.open("batch-refused", f"batch {batch.id}", refusal.code)
                ledger.batches.wait(held, self._place.check_interval)
            return remedy

        remedy = self._place.store.transact(written, lease=lease, step="collect.refused")
        name, event = _SETTLED[remedy]
        self._counts.add(name)
        log.warning(event, code=refusal.code)

    def _remedy(self, batch: Batch, refusal: Refusal, *, never_fits: bool) -> Remedy:
        passes = refusal.remedy is Remedy.AGAIN
        if passes and not never_fits and batch.attempt < SUBMIT_TRIES:
            return Remedy.AGAIN
        goes_by_rows = refusal.remedy is Remedy.ROWS or batch.checks_waived or (passes and never_fits)
        return Remedy.ROWS if goes_by_rows else Remedy.PERSON

    def _send_back(self, ledger: Ledger, batch: Batch, refusal: Refusal) -> None:
        back = ledger.batches.move(
            batch,
            BatchState.BUILT,
            f"refused for a passing reason ({refusal.code})",
            vendor_batch_id=None,
            vendor_status=None,
            error_code=refusal.code,
        )
        ledger.batches.wait(back, submit_delay(batch.attempt, self._place.check_interval))

    def _postpone(self, batch: Batch, lease: Lease, error: VendorError) -> None:
        if isinstance(error, VendorNotFoundError) or error.code == "cut_off":
            self._fall_short(batch, lease, error.message)
        else:
            denied = isinstance(error, VendorAuthError)
            findings = [("vendor-auth", f"vendor {batch.account}", error.code)] if denied else []
            self._wait(batch, lease, error.code, findings, error.retry_after)
        self._counts.cause(error.exit_code)
        log.warning(events.COLLECT_POSTPONED, code=error.code)

    def _wait_for_room(self, batch: Batch, lease: Lease, error: SpoolError) -> None:
        """Results that can't be written stay at the vendor, and are tried again; a person hears of it at once."""
        kind = finding_of(error)
        self._wait(batch, lease, kind, [(kind, f"batch {batch.id}", error.message)])
        self._counts.cause(error.exit_code)
        log.error(
            events.BATCH_PUT_OFF,
            reason=error.message,
            next_command=error.next_command,
        )

    def _wait(
        self,
        batch: Batch,
        lease: Lease,
        code: str,
        findings: Sequence[tuple[str, str, str]],
        asked: float | None = None,
    ) -> None:
        """Until the next try, not sooner than the vendor has asked for; ``findings`` are kind, subject and detail."""

        def written(ledger: Ledger) -> None:
            ledger.batches.wait(batch, max(submit_delay(1, self._place.check_interval), asked or 0.0))
            for finding in findings:
                ledger.findings.open(*finding)
            if ledger.batches.seconds_since_end(batch) > _PATIENCE:
                ledger.findings.open("results-unread", f"batch {batch.id}", code)

        self._place.store.transact(written, lease=lease, step="collect.postpone")
        self._counts.add("collects_postponed")


class _Heard(io.BufferedIOBase):
    """What is written to it goes on; with each piece the download says that it is no standstill, however slow it is."""

    def __init__(self, sink: BinaryIO, beat: Callable[[], object]) -> None:
        super().__init__()
        self._sink, self._beat = sink, beat

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._beat()
        return self._sink.write(data)


def _download(account: Account, file_id: str, beat: Callable[[], object], sink: BinaryIO) -> None:
    account.vendor.download(file_id, cast("BinaryIO", _Heard(sink, beat)))


def _is_ended(batch: Batch) -> bool:
    return batch.position is BatchState.ENDED
