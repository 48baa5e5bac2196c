"""retry: rows that failed or are held are asked again."""

from collections.abc import Sequence

from batchd.core.outcomes import WORTH_REAPPLYING
from batchd.core.tasks import TaskDefinition
from batchd.operations.done import Done
from batchd.operations.named import known_task, row_key
from batchd.ports import Ledger, Store


def retry(store: Store, task: str, definition: TaskDefinition, keys: Sequence[str]) -> Done:
    """Makes rows that failed or are held due again, with fresh tries; all of them where no key is named.

    A row that was written and is still pending is freed only by its key.

    Raises:
        UsageError: the ledger does not know the task, or a key does not fit.
    """
    wanted = [row_key(definition, text) for text in keys] or None

    def written(ledger: Ledger) -> tuple[int, int]:
        record = known_task(ledger, task)
        freed = ledger.gates.free(record.id, wanted)
        return freed, len(ledger.kept.find(record.id, WORTH_REAPPLYING, keys=wanted)) if freed else 0

    number, kept = store.transact(written, step="operate.retry")
    hint = f"; {kept} answers are kept, and until they are asked again may be written for free: " if kept else ""
    command = f"batchd reapply --task {task}" if kept else ""
    return Done(f"{number} rows of task {task} are due again; each may be paid for again{hint}{command}", number)
