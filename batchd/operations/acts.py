"""Each act of a person is one entry of the trail, in the transaction that does it: by whom is what the store knows."""

from typing import Literal

from batchd.core.model import Batch
from batchd.core.states import BatchState
from batchd.ports import Ledger

Act = Literal["pause", "resume", "cancel", "retry", "reapply", "resolve"]


def record_batch(ledger: Ledger, act: Act, batch: Batch, reason: str, to: BatchState | None = None) -> None:
    """What was done to a batch; ``to`` is where it goes by that, None where it stays. Its moves are told beside."""
    move = (None, None) if to is None else (batch.state.value, to.value)
    ledger.events.add("batch", batch.id, act, move=move, reason=reason)


def record_task(ledger: Ledger, act: Act, task_id: int, reason: str) -> None:
    """What was done to a task, or to so many of its rows."""
    ledger.events.add("task", task_id, act, reason=reason)


def record_other(ledger: Ledger, act: Act, reason: str) -> None:
    """What was done to something that the ledger has no row of."""
    ledger.events.add("installation", 1, act, reason=reason)


def because(what: str, reason: str) -> str:
    """What was done, and the person's reason where one was given."""
    return f"{what}: {reason}" if reason else what
