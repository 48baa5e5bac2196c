"""Files at vendors that are old enough to go, on every database: of which batches, and what is remembered of it."""

from typing import Any

import pytest

from batchd.core.model import Batch
from batchd.core.outcomes import Outcome
from batchd.core.states import BatchState
from batchd.ports import EVERYTHING, Rule, Scope
from tests.conformance.ledger_steps import finished, moved, settle, settled
from tests.conformance.stores import Desk

HOUR = 3600.0


@pytest.fixture
def closed(desk: Desk, batch: Batch) -> Batch:
    """A closed batch of three requests, whose files may be deleted."""
    desk.store.transact(
        lambda ledger: ledger.requests.finish(batch.id, [finished(seq, Outcome.APPLIED) for seq in (1, 2, 3)])
    )
    settle(desk, batch, *(settled(seq, None) for seq in (1, 2, 3)))
    way = (BatchState.SUBMITTING, BatchState.SUBMITTED, BatchState.ENDED, BatchState.COLLECTED, BatchState.CLOSED)
    ended = moved(desk, batch, *way)
    desk.store.transact(lambda ledger: ledger.vendor_files.enlist(ended))
    return ended


def due(desk: Desk, batch: Batch, seconds: float = -HOUR, scope: Scope = EVERYTHING, **account: str) -> list[int]:
    """Batches of the batch's account, or of another, whose time is over."""
    name, fingerprint = account.get("name", batch.account), account.get("fingerprint", batch.account_fingerprint)
    found = desk.store.ask(lambda ledger: ledger.vendor_files.due(scope, (name, fingerprint), seconds, 10))
    return [one.id for one in found]


def act(desk: Desk, work: Any) -> Any:
    return desk.store.transact(lambda ledger: work(ledger.vendor_files))


def test_a_batch_is_due_so_long_after_its_end(desk: Desk, closed: Batch) -> None:
    """By the database's clock, at its own account; a scope leaves out the others."""
    assert ([], [closed.id]) == (due(desk, closed, HOUR), due(desk, closed))
    assert ([], []) == (due(desk, closed, name="other"), due(desk, closed, fingerprint="other"))
    assert ([closed.id], []) == (
        due(desk, closed, scope=Scope(task="items")),
        due(desk, closed, scope=Scope(task="others")),
    )


def test_what_is_deleted_stays_so(desk: Desk, closed: Batch) -> None:
    """A COMMIT whose answer was lost is run again, and the second of two processes hears that it was done."""
    assert [True, False] == [act(desk, lambda files: files.note_deleted(closed)) for _ in range(2)]
    act(desk, lambda files: files.enlist(closed))
    act(desk, lambda files: files.put_off([closed], 0.0))

    assert [] == due(desk, closed)
    assert desk.store.ask(lambda ledger: ledger.vendor_files.deleted_at(closed.id)) is not None
    assert 0 == desk.store.read(lambda ledger: ledger.audit().breaches(Rule.DELETED_TOO_EARLY, 9)).total


def test_a_batch_that_is_put_off_is_counted_anew(desk: Desk, closed: Batch) -> None:
    """From so many seconds ago on, which may lie ahead."""
    act(desk, lambda files: files.put_off([closed], 2 * HOUR))
    assert [closed.id] == due(desk, closed, HOUR)

    act(desk, lambda files: files.put_off([closed], -HOUR))
    assert ([], [closed.id]) == (due(desk, closed, 0.0), due(desk, closed, -2 * HOUR))


def test_what_is_let_go_of_is_never_due(desk: Desk, closed: Batch) -> None:
    """One batch, or all there are, also one that is not enlisted yet."""
    act(desk, lambda files: files.let_go(closed))
    assert ([], None) == (
        due(desk, closed),
        desk.store.ask(lambda ledger: ledger.vendor_files.deleted_at(closed.id)),
    )

    desk.db.execute("DELETE FROM batchd_vendor_files")
    act(desk, lambda files: files.let_go_of_all())
    act(desk, lambda files: files.enlist(closed))
    assert [] == due(desk, closed)
