"""Requests that are old enough to go, on every database: which they are, and what goes with them."""

from typing import Any

import pytest

from batchd.core.model import Batch, Kept
from batchd.core.outcomes import GateState, Outcome
from batchd.core.states import BatchState
from batchd.ports import EVERYTHING, Scope
from tests.conformance.ledger_steps import finished, moved, settle, settled
from tests.conformance.stores import Desk

HOUR = 3600.0


@pytest.fixture
def closed(desk: Desk, batch: Batch) -> Batch:
    """A closed batch of three requests, with a piece of content each; the row of the third failed."""

    def end(ledger: Any) -> None:
        ledger.requests.finish(batch.id, [finished(seq, Outcome.APPLIED) for seq in (1, 2)])
        ledger.requests.finish(batch.id, [finished(3, Outcome.INVALID)])
        kept = [Kept(1, "before", "{}"), Kept(2, "before", "{}"), Kept(3, "line", "{}"), Kept(3, "line", "{}", 1)]
        ledger.contents.keep(batch.id, [*kept, Kept(0, "stranger", "{}")])

    desk.store.transact(end)
    settle(desk, batch, settled(1, None), settled(2, GateState.DONE), settled(3, GateState.FAILED))
    way = (BatchState.SUBMITTING, BatchState.SUBMITTED, BatchState.ENDED, BatchState.COLLECTED, BatchState.CLOSED)
    ended = moved(desk, batch, *way)
    desk.store.transact(lambda ledger: ledger.retention.enlist(ended))
    return ended


def due(desk: Desk, seconds: float, scope: Scope = EVERYTHING) -> list[int]:
    """Batches whose time is over."""
    return [one.id for one in desk.store.read(lambda ledger: ledger.retention.due(scope, seconds, 10))]


def content(desk: Desk) -> list[Any]:
    """(kind, seq, part) of what is kept."""
    return desk.db.execute("SELECT kind, seq, part FROM batchd_content ORDER BY kind, seq, part")


def test_a_batch_is_due_so_long_after_its_end(desk: Desk, closed: Batch) -> None:
    """By the database's clock; a scope leaves out the others."""
    assert ([], [closed.id]) == (due(desk, HOUR), due(desk, -HOUR))
    assert ([closed.id], []) == (due(desk, -HOUR, Scope(task="items")), due(desk, -HOUR, Scope(task="others")))


def test_enlisting_twice_changes_nothing(desk: Desk, closed: Batch) -> None:
    """A COMMIT whose answer was lost is run again, and what is finished stays so."""
    desk.store.transact(lambda ledger: ledger.retention.finish(closed))
    desk.store.transact(lambda ledger: ledger.retention.enlist(closed))
    desk.store.transact(lambda ledger: ledger.retention.put_off(closed))

    assert [] == due(desk, -HOUR)


def test_a_batch_that_is_put_off_waits_as_long_again(desk: Desk, closed: Batch) -> None:
    """Its time begins now."""
    desk.db.execute("UPDATE batchd_retention SET due_from = ?", "2026-01-01 00:00:00.000")
    assert [closed.id] == due(desk, HOUR)

    desk.store.transact(lambda ledger: ledger.retention.put_off(closed))

    assert ([], [closed.id]) == (due(desk, HOUR), due(desk, -HOUR))


def test_what_nobody_waits_for_is_removable(desk: Desk, closed: Batch) -> None:
    """No gate, or one that only remembers; a row that failed keeps its request."""

    def removable(after: int, most: int) -> list[int]:
        return desk.store.read(lambda ledger: ledger.retention.removable(closed, after, most))

    assert ([1, 2], [2], [1]) == (removable(0, 10), removable(1, 10), removable(0, 1))


def test_a_request_goes_with_what_is_kept_of_it(desk: Desk, closed: Batch) -> None:
    """And with nothing else; from then on the batch counts as trimmed."""
    assert desk.store.read(lambda ledger: ledger.retention.trimmed_at(closed.id)) is None

    desk.store.transact(lambda ledger: ledger.retention.remove(closed, [1, 2]))

    assert [(3,)] == desk.db.execute("SELECT seq FROM batchd_request")
    assert [("line", 3, 0), ("line", 3, 1), ("stranger", 0, 0)] == content(desk)
    assert desk.store.read(lambda ledger: ledger.retention.has_requests(closed))
    assert desk.store.read(lambda ledger: ledger.retention.trimmed_at(closed.id)) is not None
    assert 1 == desk.store.read(lambda ledger: ledger.audit("items").trimmed())


def test_the_rest_goes_piece_by_piece(desk: Desk, closed: Batch) -> None:
    """As many as are asked for, until none is left."""
    removed = [desk.store.transact(lambda ledger: ledger.retention.remove_rest(closed, 2)) for _ in range(4)]

    assert ([2, 2, 1, 0], []) == (removed, content(desk))


def test_reapplied_requests_change_the_counts_by_difference(desk: Desk, closed: Batch) -> None:
    """A batch that has lost requests still says what became of all of them."""
    desk.store.transact(lambda ledger: ledger.batches.tally(closed))
    desk.store.transact(lambda ledger: ledger.retention.remove(closed, [1, 2]))

    desk.store.transact(lambda ledger: ledger.batches.count_reapplied(closed, Outcome.INVALID, 1))

    assert [(3, 0)] == desk.db.execute("SELECT applied, invalid FROM batchd_batch")


def test_findings_about_a_batch_are_seen_while_they_are_open(desk: Desk, closed: Batch) -> None:
    """Of whatever kind; those about another one don't count."""

    def asked() -> bool:
        return desk.store.read(lambda ledger: ledger.findings.is_any_open(f"batch {closed.id}"))

    desk.store.transact(lambda ledger: ledger.findings.open("extra-batch", f"batch {closed.id}0"))
    assert not asked()

    desk.store.transact(lambda ledger: ledger.findings.open("extra-batch", f"batch {closed.id}"))
    assert asked()
    desk.store.transact(lambda ledger: ledger.findings.close("extra-batch", f"batch {closed.id}"))
    assert not asked()
