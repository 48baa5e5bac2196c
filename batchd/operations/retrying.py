"""retry: rows that failed or are held are asked again."""

from collections.abc import Sequence
from dataclasses import dataclass

from batchd.core.keys import key_label
from batchd.core.model import StuckRows
from batchd.core.outcomes import RULES, WORTH_REAPPLYING, Outcome
from batchd.core.tasks import TaskDefinition
from batchd.errors import UsageError
from batchd.operations.acts import because, record_task
from batchd.operations.costing import cost_at_most, prompt_rate
from batchd.operations.done import Done
from batchd.operations.findings import end_poison
from batchd.operations.named import known_task, row_key
from batchd.operations.prospects import MOST_ROWS, Prospect, RowAhead
from batchd.operations.wording import are, counted, listed
from batchd.ports import Ledger, Prices, Store


@dataclass(frozen=True, slots=True)
class RetryOrder:
    """Which rows are to be asked again: those of some keys, of some outcomes, or all that failed or are held."""

    keys: Sequence[str] = ()
    only: Sequence[Outcome] = ()
    reason: str = ""


def retry(store: Store, task: str, definition: TaskDefinition, order: RetryOrder) -> Done:
    """Makes rows that failed or are held due again, with fresh tries.

    A row that was written and is still pending is freed only by its key.

    Raises:
        UsageError: the ledger does not know the task, a key does not fit, or no row waits with such an outcome.
    """
    _check(order)
    wanted, only = [row_key(definition, text) for text in order.keys] or None, order.only

    def written(ledger: Ledger) -> tuple[list[StuckRows], int]:
        record = known_task(ledger, task)
        stuck = ledger.gates.stuck(record.id, wanted, only)
        if ledger.gates.free(record.id, wanted, only):
            what = f"{counted(_rows(stuck), 'row')} due again ({_why(stuck)})"
            record_task(ledger, "retry", record.id, because(what, order.reason))
        end_poison(ledger, record.id, task)
        among = [one for one in WORTH_REAPPLYING if not only or one in only]
        kept = len(ledger.kept.find(record.id, among, keys=wanted)) if stuck and among else 0
        return stuck, kept

    stuck, kept = store.transact(written, step="operate.retry")
    number = _rows(stuck)
    if not number:
        return Done(f"{_none(task, only)}; nothing was done", 0)
    rows = f"{counted(number, 'row')} of task {task} {are(number)}"
    return Done(f"{rows} due again ({_why(stuck)}); {_paid(stuck)}{_kept_words(task, kept)}", number)


def foresee_retry(store: Store, prices: Prices, task: str, definition: TaskDefinition, order: RetryOrder) -> Prospect:
    """What ``retry`` would do. Raises UsageError as it does."""
    _check(order)
    wanted, only = [row_key(definition, text) for text in order.keys] or None, order.only

    def looked_up(ledger: Ledger) -> tuple[list[StuckRows], tuple[RowAhead, ...], float]:
        record = known_task(ledger, task)
        first = ledger.gates.stuck_rows(record.id, wanted, only, MOST_ROWS)
        rows = tuple(RowAhead(key_label(one.key), one.outcome, one.batch_id) for one in first)
        return ledger.gates.stuck(record.id, wanted, only), rows, prompt_rate(ledger, record.id, definition)

    stuck, rows, rate = store.read(looked_up)
    number = _rows(stuck)
    if not number:
        return Prospect(f"{_none(task, only)}; nothing would be done", 0, tasks=(task,))
    sent = sum(one.sent for one in stuck)
    # Rows that were in no batch yet are taken for average ones.
    tokens = rate * sum(one.bytes for one in stuck) / sent * number if sent else 0.0
    return Prospect(
        f"{counted(number, 'row')} of task {task} would be due again ({_why(stuck)}); {_paid(stuck)}",
        number,
        tasks=(task,),
        rows=rows,
        all_rows=number,
        may_cost=True,
        cost=cost_at_most(prices, definition, number, tokens),
        asks=True,
    )


def _check(order: RetryOrder) -> None:
    if Outcome.GONE in order.only:
        raise UsageError(
            "rows that are gone are in the table no more, and batchd remembers nothing of them",
            next_command="batchd failures",
        )
    if Outcome.APPLIED in order.only and not order.keys:
        raise UsageError(
            "rows that were written are asked again one by one only, since each is paid for again",
            next_command="batchd retry --only applied --key KEY",
        )


def _rows(stuck: Sequence[StuckRows]) -> int:
    return sum(one.rows for one in stuck)


def _why(stuck: Sequence[StuckRows]) -> str:
    return listed((one.outcome, one.rows) for one in stuck)


def _paid(stuck: Sequence[StuckRows]) -> str:
    """What they cost before, and that they may again."""
    number, paid = _rows(stuck), sum(one.rows for one in stuck if one.outcome and RULES[one.outcome].paid)
    if number == 1:
        return f"its last try {'was paid for' if paid else 'cost nothing'}, and it may be paid for again"
    before = {0: "the last try of none of them was", number: "the last try of each was"}.get(
        paid, f"the last {'try' if paid == 1 else 'tries'} of {paid:,} of them {'was' if paid == 1 else 'were'}"
    )
    return f"{before} paid for, and each may be paid for again"


def _none(task: str, only: Sequence[Outcome]) -> str:
    kind = " or ".join(only)
    return f"no {kind + ' ' if kind else ''}row of task {task} has failed or is held"


def _kept_words(task: str, kept: int) -> str:
    if not kept:
        return ""
    answers, they = ("1 answer is", "it is") if kept == 1 else (f"{kept:,} answers are", "they are")
    return f"; {answers} kept, and until {they} asked again may be written for free: batchd reapply --task {task}"
