"""Answers become rows: what a chunk's answers come to under the rows' locks, and how one bad row is found in it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from batchd.core.judging import Judged
from batchd.core.landing import FEWEST_TO_SUSPECT, ValuesToWrite, before_image, landing
from batchd.core.model import Batch, Kept, OpenRequest, RowNow
from batchd.core.outcomes import RULES, Outcome
from batchd.core.tasks import TaskDefinition
from batchd.core.verdicts import Verdict
from batchd.errors import DataRefusedError, KeyTakenError
from batchd.ports import Ledger, Rows

_CHUNK_BYTES = 8_000_000
# An answer is in memory as its line, as text, as values, and as what the driver is given.
_COPIES = 4


def chunk_size(batch: Batch, most: int) -> int:
    """How many of a batch's rows are written at once, ``most`` where they are short.

    Fewer where rows or answers are long, since a chunk's are in memory together; yet enough to be suspected.
    """
    results = (batch.output_bytes or 0) + (batch.error_bytes or 0)
    heaviest = max(batch.input_bytes, _COPIES * results, 1)
    return min(most, max(FEWEST_TO_SUSPECT, _CHUNK_BYTES * batch.requests // heaviest))


class Landed(NamedTuple):
    """A request with what its answer comes to; ``row`` is what stands in the table under the lock."""

    request: OpenRequest
    judged: Judged
    row: RowNow | None
    outcome: Outcome

    @property
    def verdict(self) -> Verdict:
        """What the vendor's line says."""
        return self.judged.verdict

    @property
    def reason(self) -> tuple[str, str]:
        """Code and our sentence; both empty where it is written."""
        if self.verdict.sentence or self.outcome is Outcome.APPLIED:
            return self.verdict.code, self.verdict.sentence
        return self.outcome.value, RULES[self.outcome].meaning


def land(request: OpenRequest, judged: Judged, row: RowNow | None) -> Landed:
    """Where an answer lands: on the row as it is under the lock, or nowhere."""
    return Landed(request, judged, row, landing(request, judged.verdict, row))


def write_rows(
    ledger: Ledger, rows: Rows, task: TaskDefinition, batch: Batch, landed: Sequence[Landed]
) -> frozenset[tuple[int, str]]:
    """Writes what is to be applied, and raises ``pending-not-cleared`` where it is due.

    Args:
        ledger: the transaction.
        rows: the task's table, whose rows are locked.
        task: what is written, and what is pending.
        batch: whose answers they are.
        landed: the chunk; whatever is not to be applied is passed over.

    Returns:
        Identities of rows that are pending after their write.

    Raises:
        DataRefusedError: the values of a row are refused.
    """
    applied = [one for one in landed if one.outcome is Outcome.APPLIED]
    values = ValuesToWrite(task, batch.uid)
    rows.write([(one.request.key, values.of(one.verdict)) for one in applied])
    pending = rows.pending_after([one.request.key for one in applied])
    if pending and task.ends_pending:
        ledger.findings.open("pending-not-cleared", f"task {batch.task}")
    return pending


def before_images(landed: Sequence[Landed]) -> list[Kept]:
    """What stood in the rows that are written, to be kept in the same transaction."""
    return [
        Kept(one.request.seq, "before", before_image(one.row.before))
        for one in landed
        if one.outcome is Outcome.APPLIED and one.row is not None
    ]


def by_halves(chunk: Sequence[Judged], write: Callable[[Sequence[Judged]], None]) -> None:
    """Writes a chunk; where the database refuses its values, halves it until the poison row is alone.

    ``write`` is given each piece in a transaction of its own, and a poison row once more, marked as such.
    """
    try:
        write(chunk)
    except DataRefusedError as error:
        if len(chunk) > 1:
            half = len(chunk) // 2
            by_halves(chunk[:half], write)
            by_halves(chunk[half:], write)
        elif chunk[0].is_answer:
            _write_alone(chunk[0], write, error)
        else:
            # No value of this row was to be written: it is not to blame.
            raise


def _write_alone(one: Judged, write: Callable[[Sequence[Judged]], None], error: DataRefusedError) -> None:
    if isinstance(error, KeyTakenError):
        # Whoever has added the row by now is seen at a second look; what is refused then too is the row's own.
        try:
            write([one])
        except DataRefusedError as again:
            error = again
        else:
            return
    write([one.poisoned(error.message)])
