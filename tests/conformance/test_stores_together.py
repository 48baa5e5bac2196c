"""One question without a transaction, and writes that go out together: fewer waits for a server, and nothing else."""

from collections.abc import Callable
from typing import cast

import pytest
import sqlalchemy as sa

from batchd.core.keys import RowKey
from batchd.core.model import Batch, Kept, NewRequest
from batchd.errors import DatabaseBusyError, DatabaseError
from batchd.ports import Ledger
from batchd.store import patience
from batchd.store.ledger import SqlLedger
from tests.conformance.stores import Desk


def kept(ledger: Ledger, batch: Batch, *seqs: int) -> None:
    """Something is kept of these requests."""
    ledger.contents.keep(batch.id, [Kept(seq, "line", "an answer") for seq in seqs])


def seqs_kept(desk: Desk, batch: Batch) -> list[int]:
    """Of which requests something is kept."""
    return [one.seq for one in desk.store.read(lambda ledger: ledger.contents.read(batch.id, "line"))]


def test_a_question_is_answered_as_within_a_transaction(desk: Desk, batch: Batch) -> None:
    """By what was committed."""
    desk.store.transact(lambda ledger: kept(ledger, batch, 2, 1))

    found = desk.store.ask(lambda ledger: ledger.contents.read(batch.id, "line"))

    assert [1, 2] == [one.seq for one in found]


def test_a_second_question_is_refused(desk: Desk, batch: Batch) -> None:
    """It could see what the first has not seen yet; whoever asks two wants one view of both."""

    def two(ledger: Ledger) -> tuple[Batch, bool]:
        return ledger.batches.get(batch.id), ledger.tasks.is_paused(batch.task_id)

    with pytest.raises(RuntimeError, match="a second one came"):
        desk.store.ask(two)

    assert batch.id == desk.store.read(two)[0].id


def test_after_a_question_writes_are_transactions_again(desk: Desk, batch: Batch) -> None:
    """The connection goes back as it was: what fails leaves nothing behind."""
    for _ in range(3):
        desk.store.ask(lambda ledger: ledger.tasks.is_paused(batch.task_id))

    def fails(ledger: Ledger) -> None:
        ledger.tasks.pause(batch.task_id, "half of it")
        raise KeyError

    with pytest.raises(KeyError):
        desk.store.transact(fails)

    assert not desk.store.ask(lambda ledger: ledger.tasks.is_paused(batch.task_id))


def test_writes_that_go_out_together_are_all_there(desk: Desk, batch: Batch) -> None:
    """In their order, with those before and after them, in one transaction."""

    def write(ledger: Ledger) -> None:
        kept(ledger, batch, 1)
        with ledger.together():
            kept(ledger, batch, 2)
            ledger.contents.keep(batch.id, [])
            kept(ledger, batch, 3, 4)
        kept(ledger, batch, 5)

    desk.store.transact(write)

    assert [1, 2, 3, 4, 5] == seqs_kept(desk, batch)


def test_of_writes_that_go_out_together_none_is_kept_where_one_fails(
    desk: Desk, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction is repeated as for any row that is there already; it is not taken for a value that is refused."""
    monkeypatch.setattr(patience, "_soon", lambda _: 0.0)
    desk.store.transact(lambda ledger: kept(ledger, batch, 2))
    runs = []

    def write(ledger: Ledger) -> None:
        runs.append(1)
        with ledger.together():
            kept(ledger, batch, 1)
            kept(ledger, batch, 2)
            kept(ledger, batch, 3)

    with pytest.raises(DatabaseBusyError):
        desk.store.transact(write)

    assert len(runs) > 1
    assert [2] == seqs_kept(desk, batch)


def test_what_is_wrong_with_one_of_them_is_said_as_alone(desk: Desk, batch: Batch) -> None:
    """A row that another one does not allow, an error of ours: it is no busy database, and goes by its own code."""

    def alone(ledger: Ledger) -> None:
        ledger.requests.add(batch.id, [NewRequest(9, RowKey(9), "g" * 900, None, retried=False)])

    def together(ledger: Ledger) -> None:
        with ledger.together():
            alone(ledger)

    assert told(desk, alone) == told(desk, together)


def told(desk: Desk, work: Callable[[Ledger], None]) -> tuple[str, str] | None:
    """How the store puts it; None where the database takes it, and nothing is kept of it."""

    def undone(ledger: Ledger) -> None:
        work(ledger)
        raise KeyError

    try:
        desk.store.transact(undone)
    except DatabaseError as error:
        return type(error).__name__, error.message
    except KeyError:
        pass
    return None


def test_a_line_that_breaks_meanwhile_is_a_broken_line(
    desk: Desk, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole transaction is run again, on another connection."""
    if desk.db.name != "postgresql":
        pytest.skip(f"{desk.db.name} takes them one after the other")
    monkeypatch.setattr(patience, "_soon", lambda _: 0.0)
    runs = []

    def write(ledger: Ledger) -> None:
        session = cast("SqlLedger", ledger).connection.scalar(sa.select(sa.func.pg_backend_pid()))
        runs.append(session)
        with ledger.together():
            kept(ledger, batch, 1)
            if len(runs) == 1:
                desk.db.execute(f"SELECT pg_terminate_backend({session})")
            kept(ledger, batch, 2)

    desk.store.transact(write)

    assert len(set(runs)) == 2
    assert [1, 2] == seqs_kept(desk, batch)
