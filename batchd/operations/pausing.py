"""pause, resume: a task stands still, and goes on."""

from batchd.core.model import Batch, TaskRecord
from batchd.operations.done import Done
from batchd.operations.named import known_task, open_batches
from batchd.operations.prospects import Prospect
from batchd.operations.wording import counted
from batchd.ports import Ledger, Store

_BILLING_STOP = "billing-stop"


def pause(store: Store, task: str, reason: str) -> Done:
    """Stops claiming, submitting and applying; polling and collecting go on, since the vendor's copy expires."""
    store.transact(
        lambda ledger: ledger.tasks.pause(known_task(ledger, task).id, reason, action="pause"), step="operate.pause"
    )
    return Done(f"task {task} is paused; open batches are still polled and collected", 1)


def foresee_pause(store: Store, task: str) -> Prospect:
    """What ``pause`` would do. Raises UsageError as it does."""
    record, batches = store.read(lambda ledger: (known_task(ledger, task), open_batches(ledger, task)))
    still = f"{counted(len(batches), 'open batch', 'open batches')} would still be polled and collected"
    said = f"task {task} is paused already, and would be for another reason" if record.paused else ""
    return Prospect(
        said or f"task {task} would be paused: nothing of it would be claimed, sent or written; {still}",
        1,
        tasks=(task,),
        batches=batches,
    )


def resume(store: Store, task: str, reason: str) -> Done:
    """Lets a paused task go on; ends a billing stop. One that is not paused is left as it is."""

    def written(ledger: Ledger) -> bool:
        record = known_task(ledger, task)
        stops = _stops(ledger, record)
        if stops:
            ledger.tasks.unpause(record.id, reason, action="resume")
            ledger.findings.close(_BILLING_STOP, f"task {task}")
        return stops

    if not store.transact(written, step="operate.resume"):
        return Done(f"task {task} is not paused; nothing was done", 0)
    return Done(f"task {task} goes on", 1)


def foresee_resume(store: Store, task: str) -> Prospect:
    """What ``resume`` would do. Raises UsageError as it does."""

    def looked_up(ledger: Ledger) -> tuple[bool, tuple[Batch, ...]]:
        return _stops(ledger, known_task(ledger, task)), open_batches(ledger, task)

    stops, batches = store.read(looked_up)
    if not stops:
        return Prospect(f"task {task} is not paused; nothing would be done", 0, tasks=(task,))
    return Prospect(
        f"task {task} would go on: its rows are claimed and sent, and its results are written, again",
        1,
        tasks=(task,),
        batches=batches,
    )


def _stops(ledger: Ledger, record: TaskRecord) -> bool:
    """Whether there is anything to end: an UPDATE may have ended the pause and left the finding that stops claiming."""
    return record.paused or ledger.findings.is_open(_BILLING_STOP, f"task {record.name}")
