"""apply: the answers of a collected batch are written to their rows, a chunk a transaction, each at most once.

The row's update, its request's outcome, its gate and its before-image commit together, under the row's lock,
and only where the row still is what it was when its prompt was made.
"""

import contextlib
from collections import Counter
from collections.abc import Sequence
from functools import partial

import structlog

from batchd import events
from batchd.core.judging import Answers, FileAnswers, Judged, RefusedAnswers
from batchd.core.landing import SUSPECT, is_suspect
from batchd.core.model import Batch, FinishedRequest, Kept, Lease, SettledGate
from batchd.core.outcomes import RULES, Limits, Outcome, settle_gate
from batchd.core.refusals import judge, read_faults
from batchd.core.result_index import ResultKind, index_results
from batchd.core.result_lines import LineReader
from batchd.core.states import BatchState
from batchd.core.tasks import TaskDefinition
from batchd.core.verdicts import Verdict
from batchd.errors import DatabaseBusyError, DatabaseError, HoldBatchError
from batchd.leasing import Leasing
from batchd.ports import Counts, Ledger, Scope, Workplace
from batchd.side_by_side import ahead
from batchd.writing_back import Landed, before_images, by_halves, chunk_size, land, write_rows

log = structlog.get_logger("batchd")

# What a batch that is closed needs nobody for any more.
_SETTLED_FINDINGS = ("suspect-results", "apply-failed", "batch-refused", "short-results")


class _AlteredResultsError(Exception):
    """A result file is not on disk as it was collected."""


class Apply:
    """Applies every collected batch in scope that no person holds."""

    def __init__(self, place: Workplace, scope: Scope) -> None:
        self._place = place
        self._scope = scope
        self._counts = Counts()
        self._leasing = Leasing(place, self._counts)

    def run_once(self) -> Counts:
        """One pass. Counts ``batches_closed``, ``batches_held`` and rows by outcome."""
        for batch in self._place.store.ask(lambda ledger: ledger.batches.at(BatchState.COLLECTED, self._scope)):
            if self._place.stopping():
                break
            if _is_collected(batch) and not self._place.is_paused(batch):
                self._leasing.do(batch, _is_collected, self._apply_or_hold)
        return self._counts

    def _apply_or_hold(self, batch: Batch, lease: Lease) -> None:
        try:
            self._apply(batch, lease)
        except _AlteredResultsError:
            self._fetch_again(batch, lease)
        except HoldBatchError as error:
            self._hold(batch, lease, error.finding, error.message)
        except DatabaseBusyError:
            # It passes; nothing is blamed on the batch.
            raise
        except DatabaseError as error:
            self._hold(batch, lease, "apply-failed", error.message)
            self._counts.cause(error.exit_code)

    def _apply(self, batch: Batch, lease: Lease) -> None:
        task = self._place.store.ask(lambda ledger: ledger.tasks.definition(batch.version_id))
        answers = self._answers(batch, task)
        open_seqs = self._place.store.ask(lambda ledger: ledger.requests.open_after(batch.id, 0, batch.requests))
        size = chunk_size(batch, self._place.chunk)
        judged = (answers.judge(open_seqs[at : at + size]) for at in range(0, len(open_seqs), size))
        with contextlib.closing(ahead(judged, is_served=self._place.store.is_served)) as coming:
            written = 0
            for chunk in coming:
                if not self._apply_chunk(batch, lease, task, chunk, first=written == 0):
                    return
                written += len(chunk)
                self._place.beat()
                self._place.progress.step("applying results", written, len(open_seqs))
                if self._place.stopping():
                    return
        self._close(batch, lease, answers)

    def _answers(self, batch: Batch, task: TaskDefinition) -> Answers:
        seqs = self._place.store.ask(lambda ledger: ledger.requests.seqs(batch.id))
        if batch.was_refused:
            kept = self._place.store.ask(lambda ledger: ledger.contents.read(batch.id, "vendor_errors"))
            return RefusedAnswers(judge(read_faults(kept), batch.requests), sorted(seqs))
        index = index_results(
            batch.uid,
            seqs,
            [(kind, self._place.spool.result_lines(batch.uid, kind)) for kind in self._files(batch)],
        )
        # A person cancelled these rows: unlike those the vendor lost, they don't go again by themselves.
        cancelled = batch.was_cancelled
        absent = Outcome.CANCELLED if cancelled else Outcome.MISSING
        lines_at = partial(self._place.spool.result_lines_at, batch.uid)
        return FileAnswers(index, LineReader(task), lines_at, absent=absent)

    def _files(self, batch: Batch) -> list[ResultKind]:
        """The batch's result files, proved to be what was collected."""
        recorded: dict[ResultKind, str | None] = {"output": batch.output_sha256, "error": batch.error_sha256}
        for kind, sha256 in recorded.items():
            if sha256 is not None:
                found = self._place.spool.measure_result(batch.uid, kind)
                if found is None or found.sha256 != sha256:
                    raise _AlteredResultsError
        return [kind for kind, sha256 in recorded.items() if sha256 is not None]

    def _apply_chunk(
        self, batch: Batch, lease: Lease, task: TaskDefinition, chunk: Sequence[Judged], *, first: bool
    ) -> bool:
        """Writes a chunk; False where the task was paused meanwhile, and the rest of the chunk is left."""
        is_paused = False

        def write(some: Sequence[Judged]) -> None:
            nonlocal is_paused
            # A chunk that comes to be halved was not suspect; that a half of it would be says nothing.
            suspected = first and len(some) == len(chunk)
            landed = self._place.store.transact(
                lambda ledger: self._write_unless_paused(ledger, batch, task, some, suspected=suspected),
                lease=lease,
                step="apply.chunk",
            )
            if landed is None:
                is_paused = True
                return
            for outcome, number in Counter(one.outcome for one in landed).items():
                self._counts.add(outcome.value, number)
            log.debug(events.APPLY_CHUNK_WRITTEN, requests=len(landed))

        by_halves(chunk, write)
        return not is_paused

    def _write_unless_paused(
        self, ledger: Ledger, batch: Batch, task: TaskDefinition, judged: Sequence[Judged], *, suspected: bool
    ) -> list[Landed] | None:
        # Asked in the transaction that writes, where it costs one statement and no transaction of its own.
        if self._place.is_quiet(batch.task) or ledger.tasks.is_paused(batch.task_id):
            return None
        return self._write(ledger, batch, task, judged, suspected=suspected)

    def _write(
        self, ledger: Ledger, batch: Batch, task: TaskDefinition, judged: Sequence[Judged], *, suspected: bool
    ) -> list[Landed]:
        by_seq = {one.seq: one for one in judged}
        # A COMMIT whose answer was lost is settled here: its requests are no longer open.
        requests = ledger.requests.lock_open(batch.id, list(by_seq))
        rows = ledger.rows(batch.task_id, task)
        now = rows.lock([one for one in requests if by_seq[one.seq].is_answer])
        landed = [land(request, by_seq[request.seq], now.get(request.key.identity)) for request in requests]
        if suspected and not batch.checks_waived and is_suspect([one.outcome for one in landed]):
            raise HoldBatchError(_suspicion(landed), finding="suspect-results")
        pending = write_rows(ledger, rows, task, batch, landed)
        settled = partial(_settled, task.limits, task.retry_delay, pending)
        poison = [one for one in landed if one.outcome is Outcome.POISON]
        if poison:
            ledger.findings.open("poison-rows", f"task {batch.task}", poison[-1].verdict.sentence)
        with ledger.together():
            ledger.contents.keep(batch.id, before_images(landed))
            ledger.contents.keep(batch.id, [piece for one in landed for piece in _kept(one)])
            ledger.requests.finish(batch.id, [self._finished(task, one) for one in landed])
            ledger.gates.settle(batch.task_id, batch.id, [settled(one) for one in landed])
            ledger.batches.note_applied(batch)
        return landed

    def _finished(self, task: TaskDefinition, one: Landed) -> FinishedRequest:
        verdict = one.verdict
        paid = RULES[one.outcome].paid and one.outcome is not Outcome.MISSING
        cost = self._cost(task, verdict) if paid else None
        usage, finish = verdict.usage, verdict.finish_reason
        return FinishedRequest(one.request.seq, one.outcome, usage, finish, *one.reason, cost)

    def _cost(self, task: TaskDefinition, verdict: Verdict) -> int | None:
        return 0 if task.is_free else self._place.prices.cost(verdict.model or task.model, verdict.usage)

    def _close(self, batch: Batch, lease: Lease, answers: Answers) -> None:
        def closed(ledger: Ledger) -> None:
            strangers = [Kept(0, "stranger", body, part) for part, body in enumerate(answers.strangers())]
            if strangers and not ledger.contents.read(batch.id, "stranger"):
                ledger.contents.keep(batch.id, strangers)
                ledger.findings.open("strange-lines", f"batch {batch.id}", f"{len(strangers)} of them")
            if ledger.batches.has_open_requests(batch):
                raise HoldBatchError("a request or gate of this batch is still open", finding="apply-failed")
            ledger.batches.tally(batch)
            end = BatchState.FAILED if batch.was_refused else BatchState.CLOSED
            ledger.batches.move(batch, end, "every request and gate is settled")
            ledger.findings.close_all(f"batch {batch.id}", _SETTLED_FINDINGS)

        self._place.store.transact(closed, lease=lease, step="apply.close")
        self._counts.add("batches_closed")

    def _fetch_again(self, batch: Batch, lease: Lease) -> None:
        self._place.store.transact(
            lambda ledger: ledger.batches.move(
                batch, BatchState.ENDED, "a result file is missing or altered; it is fetched again", looks=0
            ),
            lease=lease,
            step="apply.fetch_again",
        )
        self._counts.add("batches_fetched_again")

    def _hold(self, batch: Batch, lease: Lease, finding: str, reason: str) -> None:
        def written(ledger: Ledger) -> None:
            ledger.batches.hold(ledger.batches.get(batch.id), reason, finding)
            ledger.findings.open(finding, f"batch {batch.id}", reason)

        self._place.store.transact(written, lease=lease, step="apply.hold")
        self._counts.add("batches_held")
        log.error(events.BATCH_HELD, finding=finding)


def _suspicion(landed: Sequence[Landed]) -> str:
    """What a person has to know before they let it go on: how many rows are how, and the most frequent reason."""
    odd = [one for one in landed if one.outcome in SUSPECT]
    listed = ", ".join(f"{number} {outcome}" for outcome, number in Counter(one.outcome for one in odd).most_common())
    (((_, sentence), _),) = Counter(one.reason for one in odd).most_common(1)
    return f"of the first {len(landed)} rows: {listed}; most often: {sentence}"


def _kept(one: Landed) -> list[Kept]:
    if not RULES[one.outcome].keeps_result:
        return []
    return [Kept(one.request.seq, "line", body, part) for part, body in enumerate(one.judged.lines)]


def _settled(limits: Limits, first_delay: float, pending: frozenset[tuple[int, str]], one: Landed) -> SettledGate:
    tries = one.request.tries.after(one.outcome)
    still_pending = one.request.key.identity in pending or (
        one.row is not None and one.row.pending and one.outcome is Outcome.STALE
    )
    verdict = settle_gate(one.outcome, tries, limits, still_pending=still_pending, first_delay=first_delay)
    code, sentence = one.reason
    return SettledGate(
        one.request.seq, one.request.key, verdict.state, verdict.delay, tries, one.outcome, code, sentence
    )


def _is_collected(batch: Batch) -> bool:
    return batch.state is BatchState.COLLECTED
