"""pause, resume: a task stands still, and goes on."""

from batchd.operations.done import Done
from batchd.operations.named import known_task
from batchd.ports import Ledger, Store


def pause(store: Store, task: str, reason: str) -> Done:
    """Stops claiming, submitting and applying; polling and collecting go on, since the vendor's copy expires."""
    store.transact(lambda ledger: ledger.tasks.pause(known_task(ledger, task).id, reason), step="operate.pause")
    return Done(f"task {task} is paused; open batches are still polled and collected", 1)


def resume(store: Store, task: str, reason: str) -> Done:
    """Lets a paused task go on; ends a billing stop."""

    def written(ledger: Ledger) -> None:
        ledger.tasks.unpause(known_task(ledger, task).id, reason)
        ledger.findings.close("billing-stop", f"task {task}")

    store.transact(written, step="operate.resume")
    return Done(f"task {task} goes on", 1)
