"""Rows that a person may free, counted and named by every database."""

from batchd.core.model import Batch, StuckRow, StuckRows
from batchd.core.outcomes import GateState, Outcome
from batchd.ports import Ledger
from tests.conformance.ledger_steps import ONE, THREE, TWO
from tests.conformance.stores import Desk


def test_rows_that_may_be_freed_are_counted_and_named_as_they_are_freed(desk: Desk, batch: Batch) -> None:
    """By outcome and key; each with its part of the file that it was sent in; what is done by its key alone."""
    gates = "UPDATE batchd_gate SET state = ?, outcome = ? WHERE key_int = ?"
    desk.db.execute(gates, "failed", "expired", 1)
    desk.db.execute(gates, "held", "cancelled", 2)
    desk.db.execute(gates, "done", "applied", 3)
    desk.db.execute("UPDATE batchd_batch SET requests = 3, input_bytes = 100")
    task = desk.task_id

    def read(ledger: Ledger) -> tuple[object, ...]:
        return (
            sorted(ledger.gates.stuck(task, None)),
            ledger.gates.stuck(task, None, [Outcome.EXPIRED]),
            ledger.gates.stuck(task, [TWO, THREE, THREE], [Outcome.APPLIED]),
            ledger.gates.stuck_rows(task, None, [], 1),
            ledger.gates.stuck_rows(task, [TWO, THREE], [], 9),
        )

    everything, expired, done, first, named = desk.store.read(read)

    cancelled_rows, expired_rows = StuckRows(Outcome.CANCELLED, 1, 1, 33), StuckRows(Outcome.EXPIRED, 1, 1, 33)
    assert [cancelled_rows, expired_rows] == everything
    assert [expired_rows] == expired
    assert [StuckRows(Outcome.APPLIED, 1, 1, 33)] == done
    assert [StuckRow(ONE, GateState.FAILED, Outcome.EXPIRED, batch.id)] == first
    assert [(2, "held"), (3, "done")] == [(one.key.integer, one.state) for one in named]  # type: ignore[attr-defined]
    assert 1 == desk.store.transact(lambda ledger: ledger.gates.free(task, None, [Outcome.EXPIRED]))


def test_rows_that_were_never_in_a_batch_are_counted_without_a_size(desk: Desk, batch: Batch) -> None:
    """Nothing could be rendered from them: there is no file to take a part of."""
    assert batch.id
    desk.db.execute("UPDATE batchd_gate SET state = 'failed', outcome = 'unrenderable', batch_id = NULL, seq = NULL")

    found = desk.store.read(lambda ledger: ledger.gates.stuck(desk.task_id, None))

    assert [StuckRows(Outcome.UNRENDERABLE, 3, 0, 0)] == found


def test_the_rows_of_a_batch_in_work_are_named_in_order(desk: Desk, batch: Batch) -> None:
    """The first of them, without those that have their outcome."""
    desk.db.execute("UPDATE batchd_request SET outcome = 'applied' WHERE seq = 1")

    assert [TWO] == desk.store.read(lambda ledger: ledger.requests.open_keys(batch.id, 1))
    assert [TWO, THREE] == desk.store.read(lambda ledger: ledger.requests.open_keys(batch.id, 9))
