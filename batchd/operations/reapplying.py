"""reapply: answers that were paid for and kept are written once the write-back is mended. Nothing is sent or paid."""

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

from batchd.core.keys import key_label
from batchd.core.model import Batch, Lease
from batchd.core.outcomes import REAPPLICABLE, Outcome
from batchd.core.states import BatchState
from batchd.core.tasks import TaskDefinition
from batchd.errors import ConfigError, LeaseLostError, UsageError
from batchd.operations.acts import because, record_task
from batchd.operations.done import Done
from batchd.operations.leased import leased
from batchd.operations.named import known_batch, known_task, row_key
from batchd.operations.prospects import MOST_ROWS, RowAhead
from batchd.operations.rewriting import Fate, Rewriting, WriteBack
from batchd.operations.wording import counted
from batchd.ports import Workplace

_OTHER_SCHEMA = "with another answer schema"
_NOT_CLOSED = "in a batch that is not closed yet"
_BUSY = "in a batch that another batchd works on"
_IN_WORK = "in work again"


@dataclass(frozen=True, slots=True)
class ReapplyOrder:
    """Which kept results are to be written: of these rows, of this batch, of these outcomes; all where not said.

    ``dry_run`` tries each write and takes it back.
    """

    keys: Sequence[str] = ()
    batch: str | None = None
    only: Sequence[Outcome] = REAPPLICABLE
    reason: str = ""
    dry_run: bool = False


@dataclass(slots=True)
class Reapplied:
    """What became of kept results.

    Attributes:
        written: how many were written, or would be.
        left: how many were not, by why: an outcome, or words.
        waits: rows are left for a person.
        busy: another process was at work on a batch of them.
        rows: the first of them, each with what became of it, or would; None where it is in work again.
    """

    written: int = 0
    left: Counter[str] = field(default_factory=Counter)
    waits: bool = False
    busy: bool = False
    rows: list[RowAhead] = field(default_factory=list)

    def add(self, fates: Iterable[Fate]) -> None:
        """Counts what became of some."""
        for fate in fates:
            if fate.outcome is Outcome.APPLIED:
                self.written += 1
            else:
                self.left[fate.outcome.value if fate.outcome else _IN_WORK] += 1
            self.waits |= fate.waits
            if fate.key is not None and len(self.rows) < MOST_ROWS:
                self.rows.append(RowAhead(key_label(fate.key), fate.outcome))

    def leave(self, number: int, why: str) -> None:
        """Counts some that were not looked at."""
        if number:
            self.left[why] += number
            self.waits |= why != _BUSY
            self.busy |= why == _BUSY


def reapply(place: Workplace, task: str, definition: TaskDefinition, order: ReapplyOrder) -> tuple[Done, Reapplied]:
    """Writes kept results of a task the way its ``definition`` says now.

    Raises:
        UsageError: a task, batch or key that the ledger does not know, or an outcome that cannot be reapplied.
        ConfigError: table, key or answer schema are not those that the results were made for.
        DatabaseError: the table cannot be read or written as it is.
    """
    _check(order.only, task)
    record = place.store.read(lambda ledger: known_task(ledger, task))
    keys = [row_key(definition, text) for text in order.keys] or None
    batch_id = known_batch(place.store, order.batch).id if order.batch else None

    def find(*outcomes: Outcome) -> list[tuple[int, int]]:
        return place.store.read(lambda ledger: ledger.kept.find(record.id, outcomes, keys=keys, batch_id=batch_id))

    told, kept = Reapplied(), find(*order.only)
    is_on_record = order.dry_run
    for batch, seqs in _by_batch(place, kept):
        submitted = place.store.read(lambda ledger, of=batch: ledger.tasks.definition(of.version_id))  # type: ignore[misc]
        left = _why_not(batch, submitted, definition)
        if left:
            told.leave(len(seqs), left)
            continue
        if not is_on_record:
            _record(place, record.id, len(kept), order)
            is_on_record = True
        try:
            with _lease(place, batch, order) as lease:
                rewriting = Rewriting(place, batch, WriteBack(submitted, definition), order.reason)
                told.add(rewriting.run(seqs, lease, dry_run=order.dry_run))
        except LeaseLostError:
            told.leave(len(seqs), _BUSY)
    if not told.written and set(told.left) == {_OTHER_SCHEMA}:
        raise ConfigError(
            f"the answer schema of task {task} is not the one its kept results were asked for with: "
            "they answer another question",
            next_command=f"put the schema back, or ask anew, which is paid for again: batchd retry --task {task}",
        )
    if tuple(order.only) == REAPPLICABLE:
        told.leave(len(find(Outcome.CONFLICT)), Outcome.CONFLICT.value)
    return Done(_sentence(task, told, order), told.written), told


def _record(place: Workplace, task_id: int, number: int, order: ReapplyOrder) -> None:
    """Before the first of several transactions: each of these says how many it wrote."""
    why = because(f"{counted(number, 'kept answer')} to be written ({', '.join(order.only)})", order.reason)
    place.store.transact(lambda ledger: record_task(ledger, "reapply", task_id, why), step="reapply.order")


def _check(only: Sequence[Outcome], task: str) -> None:
    if Outcome.CONFLICT in only:
        raise UsageError(
            "rows in conflict have two answers, and batchd chooses none; write one by hand, or ask anew",
            next_command=f"batchd retry --task {task}",
        )
    strange = [one.value for one in only if one not in REAPPLICABLE]
    if strange:
        raise UsageError(
            f"no answer is kept of rows that are {', '.join(strange)}",
            next_command=f"--only with some of: {', '.join(one.value for one in REAPPLICABLE)}",
        )


def _by_batch(place: Workplace, found: Sequence[tuple[int, int]]) -> Iterator[tuple[Batch, list[int]]]:
    for batch_id, group in groupby(found, key=itemgetter(0)):
        batch = place.store.read(lambda ledger, at=batch_id: ledger.batches.get(at))  # type: ignore[misc]
        yield batch, [seq for _, seq in group]


def _why_not(batch: Batch, submitted: TaskDefinition, configured: TaskDefinition) -> str:
    """Why the kept results of a batch are left alone; empty where they may be written."""
    if submitted.fingerprint != configured.fingerprint:
        raise ConfigError(
            f"table, key or written table of task {batch.task} are not those of batch {batch.id}: "
            "its results belong to other rows",
            next_command="batchd check-config",
        )
    if submitted.answer.json_schema != configured.answer.json_schema:
        return _OTHER_SCHEMA
    return "" if batch.state is BatchState.CLOSED else _NOT_CLOSED


@contextlib.contextmanager
def _lease(place: Workplace, batch: Batch, order: ReapplyOrder) -> Iterator[Lease | None]:
    if order.dry_run:
        # What is taken back needs no fence, and leaves no trace.
        yield None
        return
    with leased(place, batch.uid) as (_, lease):
        yield lease


def _sentence(task: str, told: Reapplied, order: ReapplyOrder) -> str:
    answers, are = ("kept answer", "is") if told.written == 1 else ("kept answers", "are")
    written = "would be written" if order.dry_run else f"{are} written"
    by_reason = ", ".join(f"{number} {why}" for why, number in told.left.most_common())
    left = f"; not written: {by_reason}" if told.left else ""
    return f"{told.written} {answers} of task {task} {written}, free of charge{left}"
