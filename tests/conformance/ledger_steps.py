"""Steps of a batch and of its rows, in short forms for the tests of the ledger."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

from batchd.core.keys import RowKey
from batchd.core.model import Batch, FinishedRequest, OpenRequest, SettledGate
from batchd.core.outcomes import GateState, Outcome, Tries
from batchd.core.states import BatchState
from batchd.core.verdicts import Usage
from batchd.ports import Ledger
from tests.conformance.stores import Desk

ONE, TWO, THREE = RowKey(1), RowKey(2), RowKey(3)


def moved(desk: Desk, batch: Batch, *states: BatchState) -> Batch:
    """The batch, moved on through these states."""

    def on(ledger: Ledger) -> Batch:
        return reduce(lambda now, to: ledger.batches.move(now, to, "on"), states, batch)

    return desk.store.transact(on)


def held(desk: Desk, batch: Batch) -> Batch:
    """The batch, waiting for a person."""
    return desk.store.transact(lambda ledger: ledger.batches.hold(batch, "look at it", "odd"))


def finished(seq: int, outcome: Outcome, tokens: int = 0, cost: int | None = None) -> FinishedRequest:
    """A request with its outcome; half of its input tokens were cached."""
    usage = Usage(input=tokens, cached=tokens // 2, output=tokens, reasoning=1 if tokens else 0)
    return FinishedRequest(seq, outcome, usage, "stop", "", "", cost)


def settled(seq: int, state: GateState | None, delay: float = 0.0) -> SettledGate:
    """What becomes of the gate of the request and row of this number; state None removes it."""
    return SettledGate(seq, RowKey(seq), state, delay, Tries(1, 2), Outcome.INVALID, "code", "our words")


def settle(desk: Desk, batch: Batch, *gates: SettledGate) -> None:
    """Settles these gates of the batch."""
    desk.store.transact(lambda ledger: ledger.gates.settle(desk.task_id, batch.id, gates))


def gates(desk: Desk) -> list[Any]:
    """(key, state) of every gate, in key order."""
    return desk.db.execute("SELECT key_int, state FROM batchd_gate ORDER BY key_int")


def asked(keys: Sequence[RowKey], guard: str = "", guard_value: str | None = None) -> list[OpenRequest]:
    """Open requests for these keys, to lock their rows with."""
    return [OpenRequest(seq, key, guard, guard_value, Tries()) for seq, key in enumerate(keys, 1)]
