"""The ledger's gates: which rows must not be claimed now, and when they may again."""

import time

import pytest

from batchd.core.keys import RowKey
from batchd.core.model import Batch, NewRequest
from batchd.core.outcomes import GateState, Outcome
from batchd.core.packing import Failure
from tests.conformance.ledger_steps import ONE, THREE, TWO, gates, settle, settled
from tests.conformance.stores import Desk


def test_settling_moves_or_removes_a_gate(desk: Desk, batch: Batch) -> None:
    """With tries, outcome and our words."""
    settle(desk, batch, settled(1, None), settled(2, GateState.FAILED), settled(3, GateState.RETRY, 60))

    assert gates(desk) == [(2, "failed"), (3, "retry")]
    assert (
        desk.db.execute("SELECT paid_tries, unpaid_tries, outcome, error_code, error_text FROM batchd_gate")
        == [(1, 2, "invalid", "code", "our words")] * 2
    )
    assert [key.integer for key in desk.claimable()] == [1, 4, 5]


def test_settling_leaves_other_batches_alone(desk: Desk, batch: Batch) -> None:
    """The same number in another batch is another request."""
    second = desk.build([RowKey(4), RowKey(5)], uid="u2")

    settle(desk, second, settled(1, None), settled(2, GateState.DONE))

    assert gates(desk) == [(1, "open"), (2, "open"), (3, "open"), (5, "done")]
    assert desk.store.read(lambda ledger: ledger.batches.has_open_requests(batch))


def test_a_retry_is_due_when_its_wait_is_over(desk: Desk, batch: Batch) -> None:
    """In key order, as many as asked for; the next one that waits is told in seconds."""
    waits = (
        settled(3, GateState.RETRY, -1),
        settled(1, GateState.RETRY, -2),
        settled(2, GateState.RETRY, 60),
    )
    settle(desk, batch, *waits)

    def due(limit: int) -> list[RowKey]:
        return desk.store.read(lambda ledger: ledger.gates.due_retries(desk.task_id, limit))

    assert due(10) == [ONE, THREE]
    assert due(1) == [ONE]
    # In the very millisecond of the settling it would be two seconds but for a rounding.
    time.sleep(0.005)
    assert -10 < (desk.store.read(lambda ledger: ledger.gates.next_retry(desk.task_id)) or 0) <= -2
    settle(desk, batch, settled(1, GateState.FAILED), settled(3, GateState.HELD))
    assert due(10) == []
    assert 30 < (desk.store.read(lambda ledger: ledger.gates.next_retry(desk.task_id)) or 0) <= 60
    settle(desk, batch, settled(2, GateState.DONE))
    assert desk.store.read(lambda ledger: ledger.gates.next_retry(desk.task_id)) is None


@pytest.mark.parametrize("state", list(GateState))
def test_only_a_row_that_waits_is_opened_again(desk: Desk, batch: Batch, state: GateState) -> None:
    """One in work, failed, held or done is left as it is, whatever the caller believed."""
    settle(desk, batch, settled(1, state))
    second = desk.build([], uid="u2")
    again = [NewRequest(7, ONE, "", None, retried=True)]

    opened = desk.store.transact(lambda ledger: ledger.gates.open(desk.task_id, second.id, again))

    waits = state is GateState.RETRY
    assert waits == (opened == {7})
    expected = (second.id, 7, "open") if waits else (batch.id, 1, state.value)
    assert [expected] == desk.db.execute("SELECT batch_id, seq, state FROM batchd_gate WHERE key_int = 1")


def test_opening_tells_which_rows_were_free(desk: Desk, batch: Batch) -> None:
    """Those that are gated are left out of the answer; another task's gates don't count."""
    requests = [NewRequest(seq, RowKey(seq), "", None) for seq in range(1, 6)]

    opened = desk.store.transact(lambda ledger: ledger.gates.open(desk.task_id, batch.id, requests))
    other = desk.store.transact(lambda ledger: ledger.tasks.add("others", "f"))
    elsewhere = desk.store.transact(lambda ledger: ledger.gates.open(other.id, batch.id, requests))

    assert {4, 5} == opened
    assert {1, 2, 3, 4, 5} == elsewhere


def test_rows_that_cannot_be_sent_are_marked(desk: Desk, batch: Batch) -> None:
    """New ones and those that waited for a retry; a row in work is left alone, and tries are kept."""
    settle(desk, batch, settled(2, GateState.RETRY))
    marks = [Failure(key, Outcome.TOO_LARGE, "too_large", "too long") for key in (ONE, TWO, RowKey(9))]

    desk.store.transact(lambda ledger: ledger.gates.fail(desk.task_id, marks))

    assert gates(desk) == [(1, "open"), (2, "failed"), (3, "open"), (9, "failed")]
    assert desk.db.execute(
        "SELECT paid_tries, unpaid_tries, outcome FROM batchd_gate WHERE state = 'failed' ORDER BY key_int"
    ) == [(1, 2, "too_large"), (0, 0, "too_large")]


def test_a_person_frees_rows_that_failed_or_are_held(desk: Desk, batch: Batch) -> None:
    """With fresh tries, due at once; a done one only by its name, one in work never."""
    states = [settled(1, GateState.FAILED), settled(2, GateState.HELD), settled(3, GateState.DONE)]
    settle(desk, batch, *states)

    def free(keys: list[RowKey] | None) -> int:
        return desk.store.transact(lambda ledger: ledger.gates.free(desk.task_id, keys))

    assert free([ONE, RowKey(99)]) == 1
    assert free(None) == 1
    assert gates(desk) == [(1, "retry"), (2, "retry"), (3, "done")]
    assert desk.store.read(lambda ledger: ledger.gates.due_retries(desk.task_id, 9)) == [ONE, TWO]
    assert desk.db.execute("SELECT DISTINCT paid_tries, unpaid_tries FROM batchd_gate WHERE key_int < 3") == [(0, 0)]
    assert free([THREE]) == 1
    assert gates(desk) == [(1, "retry"), (2, "retry"), (3, "retry")]


def test_gates_of_rows_no_longer_pending_are_dropped(desk: Desk, batch: Batch) -> None:
    """Only those named."""
    desk.store.transact(lambda ledger: ledger.gates.drop(desk.task_id, [TWO, RowKey(99)]))

    assert gates(desk) == [(1, "open"), (3, "open")]
    assert batch.id
