"""What an act would do, found out without doing any of it: for a dry run, and for the question before the act."""

from dataclasses import dataclass

from batchd.core.keys import key_label
from batchd.core.model import Batch
from batchd.core.tasks import TaskDefinition
from batchd.operations.costing import cost_at_most, prompt_rate
from batchd.ports import Ledger, Workplace

# So many rows are named; a list of thousands is read by nobody.
MOST_ROWS = 100


@dataclass(frozen=True, slots=True)
class RowAhead:
    """A row that an act would be about: its key as people write it, and what became of its last request, if any."""

    key: str
    outcome: str | None = None
    batch: int | None = None


@dataclass(frozen=True, slots=True)
class Prospect:
    """What an act would do.

    Attributes:
        sentence: in words, as of something that has not happened.
        number: rows, batches or tasks that it would be about.
        tasks: their names.
        batches: the batches that it would move or end, or leave where they are.
        rows: the first of the rows it would be about.
        all_rows: how many there are in all.
        may_cost: rows may come to be asked, and paid for, again.
        cost: what that would cost at most, in billionths of a dollar; None where that can't be told.
        asks: a person is asked first, since it costs or can't be undone.
    """

    sentence: str
    number: int
    tasks: tuple[str, ...] = ()
    batches: tuple[Batch, ...] = ()
    rows: tuple[RowAhead, ...] = ()
    all_rows: int = 0
    may_cost: bool = False
    cost: int | None = None
    asks: bool = False


def of_batch(place: Workplace, batch: Batch, sentence: str, *, may_cost: bool = False, asks: bool) -> Prospect:
    """A prospect about one batch and the rows of it that are in work."""

    def looked_up(ledger: Ledger) -> tuple[tuple[RowAhead, ...], TaskDefinition, float]:
        rows = tuple(RowAhead(key_label(key)) for key in ledger.requests.open_keys(batch.id, MOST_ROWS))
        definition = ledger.tasks.definition(batch.version_id)
        return rows, definition, prompt_rate(ledger, batch.task_id, definition)

    rows, definition, rate = place.store.read(looked_up)
    cost = cost_at_most(place.prices, definition, batch.requests, batch.input_bytes * rate) if may_cost else None
    return Prospect(
        sentence,
        1,
        tasks=(batch.task,),
        batches=(batch,),
        rows=rows,
        all_rows=batch.requests if rows else 0,
        may_cost=may_cost,
        cost=cost,
        asks=asks,
    )
