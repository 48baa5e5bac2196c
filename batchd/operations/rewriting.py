"""The kept answers of one closed batch are written: judged anew, each row locked and compared, all of it recorded."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from batchd.core.judging import Judged
from batchd.core.keys import RowKey
from batchd.core.model import Amendment, Batch, KeptResult, Lease, OpenRequest, RowNow, SettledGate
from batchd.core.outcomes import GateState, Outcome
from batchd.core.result_lines import LineReader, ResultLine, read_line
from batchd.core.tasks import TaskDefinition
from batchd.errors import DatabaseBusyError, DatabaseError
from batchd.operations.findings import end_poison
from batchd.operations.wording import counted
from batchd.ports import Ledger, Workplace
from batchd.writing_back import Landed, before_images, by_halves, chunk_size, land, write_rows

_CHANGED = (
    "the row changed, or stopped being pending, since its prompt was made, "
    "or a column that its batch did not know of is filled already"
)
_GONE = "the row is gone"


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one kept result: ``APPLIED``, why it can't be written, or None where its row is in work again.

    ``waits``: the row is left for a person. ``key`` is None where it was not looked at.
    """

    outcome: Outcome | None
    waits: bool = False
    key: RowKey | None = None


class WriteBack:
    """How a batch's answers are read and written.

    Args:
        submitted: the batch's own definition: what its prompts were made from, and how its answers read.
        configured: the task as it is now: where answers go, and which rows are pending.
    """

    def __init__(self, submitted: TaskDefinition, configured: TaskDefinition) -> None:
        self.submitted = submitted
        self.configured = configured
        self.merged = submitted.model_copy(
            update={
                "answer": configured.answer,
                "on_success": configured.on_success,
                "pending": configured.pending,
                # The guard is compared by the batch's own definition alone.
                "guard_column": None,
            }
        )
        # What they held when the prompts were made was not written down.
        self.unseen = frozenset(self.merged.outputs) - {*submitted.inputs, *submitted.outputs}


class _TakenBackError(Exception):
    """A dry run's transaction is rolled back; it carries what would have become of the chunk."""

    def __init__(self, fates: list[Fate]) -> None:
        super().__init__()
        self.fates = fates


class Rewriting:
    """Writes the kept results of one closed batch, a chunk a transaction."""

    def __init__(self, place: Workplace, batch: Batch, write_back: WriteBack, reason: str) -> None:
        self._place = place
        self._batch = batch
        self._write_back = write_back
        self._reader = LineReader(write_back.merged)
        self._reason = reason

    def run(self, seqs: Sequence[int], lease: Lease | None, *, dry_run: bool) -> list[Fate]:
        """What became of each. Raises LeaseLostError, DatabaseError."""
        fates: list[Fate] = []
        try:
            # A dry run writes nothing down, so any definition that is known stands in.
            version_id = self._batch.version_id if dry_run else self._saved_version(lease)
            size = chunk_size(self._batch, self._place.chunk)
            for at in range(0, len(seqs), size):
                chunk = self._judged(seqs[at : at + size])
                by_halves(chunk, lambda some: fates.extend(self._transact(some, lease, version_id, dry_run=dry_run)))
        except DatabaseBusyError:
            raise
        except DatabaseError as error:
            raise DatabaseError(
                f"the kept answers of batch {self._batch.id} cannot be written: {error.message}",
                next_command="every column that its prompts and fields were made from must still be there; put it "
                f"back, or ask anew, which is paid for again: batchd retry --task {self._batch.task}",
            ) from error
        return fates

    def _saved_version(self, lease: Lease | None) -> int:
        configured = self._write_back.configured
        return self._place.store.transact(
            lambda ledger: ledger.tasks.save_version(self._batch.task_id, configured),
            lease=lease,
            step="reapply.version",
        )

    def _judged(self, seqs: Sequence[int]) -> list[Judged]:
        lines = self._place.store.read(lambda ledger: ledger.kept.lines(self._batch.id, seqs))
        return [
            Judged(seq, self._reader.verdict(read_line(lines[seq].encode()) or ResultLine(None)), (lines[seq],))
            for seq in seqs
        ]

    def _transact(self, judged: Sequence[Judged], lease: Lease | None, version_id: int, *, dry_run: bool) -> list[Fate]:
        def work(ledger: Ledger) -> list[Fate]:
            fates = self._write(ledger, judged, version_id)
            if dry_run:
                raise _TakenBackError(fates)
            return fates

        try:
            return self._place.store.transact(work, lease=lease, step="reapply.chunk")
        except _TakenBackError as taken_back:
            return taken_back.fates

    def _write(self, ledger: Ledger, judged: Sequence[Judged], version_id: int) -> list[Fate]:
        by_seq = {one.seq: one for one in judged}
        # Whoever has locked the gate decides: a row that was claimed again meanwhile is not here any more.
        kept = ledger.kept.lock(self._batch.id, list(by_seq))
        now = self._rows_now(ledger, [one.request for one in kept if by_seq[one.request.seq].is_answer])
        landed = [land(one.request, by_seq[one.request.seq], now.get(one.request.key.identity)) for one in kept]
        rows = ledger.rows(self._batch.task_id, self._write_back.merged)
        pending = write_rows(ledger, rows, self._write_back.merged, self._batch, landed)
        ledger.contents.keep(self._batch.id, before_images(landed))
        amendments = [_amendment(one, here, version_id) for one, here in zip(kept, landed, strict=True)]
        ledger.kept.amend(self._batch.id, amendments)
        written = [one for one in landed if one.outcome is Outcome.APPLIED]
        ledger.gates.settle(self._batch.task_id, self._batch.id, [_settled(one, pending) for one in written])
        if written:
            self._record(ledger, amendments, version_id)
            end_poison(ledger, self._batch.task_id, self._batch.task)
        fates = [self._fate(one, here, pending) for one, here in zip(kept, landed, strict=True)]
        return fates + self._fates_of_others(ledger, by_seq.keys() - {one.request.seq for one in kept})

    def _fate(self, kept: KeptResult, here: Landed, pending: frozenset[tuple[int, str]]) -> Fate:
        if here.outcome is not Outcome.APPLIED:
            return Fate(here.outcome, kept.gate is GateState.FAILED, kept.request.key)
        waits = here.request.key.identity in pending and self._write_back.merged.ends_pending
        return Fate(here.outcome, waits, kept.request.key)

    def _fates_of_others(self, ledger: Ledger, seqs: Collection[int]) -> list[Fate]:
        """A COMMIT whose answer was lost is settled here: what it wrote is applied, and not kept any more."""
        written = ledger.kept.written_among(self._batch.id, list(seqs))
        return [Fate(Outcome.APPLIED if seq in written else None) for seq in seqs]

    def _rows_now(self, ledger: Ledger, requests: Sequence[OpenRequest]) -> dict[tuple[int, str], RowNow]:
        """The rows under the lock: compared as they were read for the prompt, pending also as it is configured now."""
        seen = ledger.rows(self._batch.task_id, self._write_back.submitted).lock(requests)
        current = ledger.rows(self._batch.task_id, self._write_back.merged).lock(requests)
        unseen = self._write_back.unseen
        return {
            identity: seen[identity]._replace(
                # What fills a column that was not looked at then may be a person's.
                pending=seen[identity].pending
                and row.pending
                and all(row.before is None or row.before[name] is None for name in unseen),
                before=row.before,
            )
            for identity, row in current.items()
            # Rows that are only read, since answers go elsewhere, may come and go between the two looks.
            if identity in seen
        }

    def _record(self, ledger: Ledger, amendments: Sequence[Amendment], version_id: int) -> None:
        versions = f"submitted with definition {self._batch.version_id}, written with {version_id}"
        counts = Counter(one.was for one in amendments if one.outcome is Outcome.APPLIED)
        for was, number in counts.items():
            reason = f"{counted(number, 'kept answer')}, {versions}{': ' if self._reason else ''}{self._reason}"
            ledger.batches.record(self._batch, "reapplied", reason, (was.value, Outcome.APPLIED.value))
            ledger.batches.count_reapplied(self._batch, was, number)
        ledger.batches.note_applied(self._batch)
        # Their before-images are as young as those of any batch.
        ledger.retention.put_off(self._batch)


def _amendment(kept: KeptResult, here: Landed, version_id: int) -> Amendment:
    """What is written changes its outcome; what is not keeps it, with the reason of today."""
    seq, was = kept.request.seq, kept.outcome
    if here.outcome is Outcome.APPLIED:
        return Amendment(seq, was, Outcome.APPLIED, "", "", version_id)
    code, sentence = here.reason
    if here.judged.is_answer:
        # A fit answer that did not land: it is the row.
        sentence = _GONE if here.outcome is Outcome.GONE else _CHANGED
    return Amendment(seq, was, was, code, sentence)


def _settled(here: Landed, pending: frozenset[tuple[int, str]]) -> SettledGate:
    state = GateState.DONE if here.request.key.identity in pending else None
    return SettledGate(here.request.seq, here.request.key, state, 0.0, here.request.tries, Outcome.APPLIED, "", "")
