"""What the metrics ask, on every database."""

import datetime as dt

import pytest

from batchd.core.findings import KINDS
from batchd.core.model import Batch
from batchd.core.outcomes import Outcome
from batchd.core.states import BatchState
from batchd.store.meters import read_meter
from batchd.store.oldest import oldest_pending
from tests.conformance.ledger_steps import ONE, THREE, TWO, finished, moved
from tests.conformance.stores import ITEM, ColumnSpec, Desk, Kind, StoreUnderTest, a_definition

SUBMITTING, SUBMITTED, ENDED, COLLECTED, CLOSED = (
    BatchState.SUBMITTING,
    BatchState.SUBMITTED,
    BatchState.ENDED,
    BatchState.COLLECTED,
    BatchState.CLOSED,
)
EARLY, LATE = "2026-01-03 08:00:00", "2026-01-04 08:00:00"


def test_a_batch_is_counted_while_it_is_open_and_when_it_is_closed(desk: Desk, batch: Batch) -> None:
    """By its state, then by its outcomes and its cost; what was written later counts twice."""
    collected = moved(desk, batch, SUBMITTING, SUBMITTED, ENDED, COLLECTED)
    outcomes = [
        finished(1, Outcome.APPLIED, 10, 1_500_000_000),
        finished(2, Outcome.POISON, 10, 500_000_000),
        finished(3, Outcome.POISON, 10, None),
    ]
    desk.store.transact(lambda ledger: ledger.requests.finish(batch.id, outcomes[:1]))
    desk.store.transact(lambda ledger: ledger.batches.note_applied(collected))
    midway = read_meter(desk.database).tasks["items"]
    desk.store.transact(lambda ledger: ledger.requests.finish(batch.id, outcomes[1:]))
    desk.store.transact(lambda ledger: ledger.batches.tally(collected))
    closed = moved(desk, collected, CLOSED)
    done = read_meter(desk.database).tasks["items"]
    desk.store.transact(
        lambda ledger: ledger.batches.record(closed, "reapplied", "1 kept answers, free", ("poison", "applied"))
    )
    desk.store.transact(lambda ledger: ledger.batches.count_reapplied(closed, Outcome.POISON, 1))
    # By the clock of the database, whose tick may be as long as all this took.
    later = desk.db.clock() + dt.timedelta(seconds=1)
    desk.store.transact(lambda ledger: ledger.batches.note(closed, applied_at=later))
    reapplied = read_meter(desk.database).tasks["items"]

    assert ({"collected": 1}, {"applied": 1}) == (midway.batches, {name: n for name, n in midway.rows.items() if n})
    assert ({}, 1, 2) == (done.batches, done.rows["applied"], done.rows["poison"])
    assert (2.0, 1) == (done.cost_usd, done.unpriced)
    assert (2, 2, later) == (reapplied.rows["applied"], reapplied.rows["poison"], reapplied.last_apply_at)


def test_backlog_pause_and_findings(desk: Desk) -> None:
    """As they are now."""
    kind = next(iter(KINDS))
    desk.store.transact(lambda ledger: ledger.tasks.record_sweep(desk.task_id, 7))
    desk.store.transact(lambda ledger: ledger.tasks.pause(desk.task_id, "for now"))
    desk.store.transact(lambda ledger: ledger.findings.open(kind, "batch 1", "late"))

    found = read_meter(desk.database)
    task = found.tasks["items"]
    assert ({kind: 1}, True, 7) == (found.findings, task.paused, task.backlog)
    assert task.backlog_at == task.backlog_since is not None
    desk.store.transact(lambda ledger: ledger.tasks.record_sweep(desk.task_id, 0))
    assert read_meter(desk.database).tasks["items"].backlog_since is None


@pytest.mark.parametrize("kind", ["datetime", "moment", "text"])
def test_the_oldest_row_by_a_column(db: StoreUnderTest, kind: Kind) -> None:
    """The least time of the rows that may be claimed, taken as UTC; rows without one say nothing."""
    db.create_table("item", *ITEM, ColumnSpec("created", kind), key=["id"])
    for number, created in ((1, EARLY), (2, EARLY), (3, LATE), (4, EARLY), (5, None)):
        db.execute("INSERT INTO item (id, body, created) VALUES (?, 'x', ?)", number, created)
    db.execute("UPDATE item SET done = 'yes' WHERE id = 1")
    desk = Desk(db, a_definition(inputs=("body", "created")))
    desk.build([TWO])
    desk.build([THREE], uid="u2")

    found = oldest_pending(desk.database, desk.definition, "created")
    db.execute("UPDATE item SET done = 'yes' WHERE id = 4")

    assert dt.datetime.fromisoformat(f"{EARLY}+00:00") == found
    assert oldest_pending(desk.database, desk.definition, "created") is None


def test_the_oldest_row_of_a_table_with_a_key_of_text(db: StoreUnderTest) -> None:
    """Read page by page, for such keys are compared by their hash in the gates."""
    columns = (ColumnSpec("id", "varchar"), *ITEM[1:], ColumnSpec("created", "datetime"))
    db.create_table("item", *columns, key=["id"])
    for key, created in (("a", EARLY), ("b", LATE)):
        db.execute("INSERT INTO item (id, body, created) VALUES (?, 'x', ?)", key, created)
    desk = Desk(db, a_definition(inputs=("body", "created")))
    both = desk.claimable()
    first = oldest_pending(desk.database, desk.definition, "created")
    desk.build(both[:1])

    assert dt.datetime.fromisoformat(f"{EARLY}+00:00") == first
    assert dt.datetime.fromisoformat(f"{LATE}+00:00") == oldest_pending(desk.database, desk.definition, "created")


def test_open_batches_are_counted_by_state(desk: Desk) -> None:
    """Each open state is counted by itself, of any number of batches."""
    moved(desk, desk.build([ONE]), SUBMITTING, SUBMITTED)
    moved(desk, desk.build([TWO], uid="u2"), SUBMITTING, SUBMITTED)
    desk.build([THREE], uid="u3")

    assert {"submitted": 2, "built": 1} == read_meter(desk.database).tasks["items"].batches
