"""The ledger's batches: their moves, holds, waits, and how they are found."""

import datetime as dt
from dataclasses import replace

import pytest

from batchd.core.keys import RowKey
from batchd.core.model import Batch
from batchd.core.states import BatchState
from batchd.errors import BatchdError, LeaseLostError
from batchd.ports import EVERYTHING, Ledger, Scope
from tests.conformance.ledger_steps import held, moved
from tests.conformance.stores import Desk, moment


def test_a_batch_is_recorded_as_built(desk: Desk, batch: Batch) -> None:
    """With all its counters at zero, and an event."""
    assert (
        batch.state, batch.held_from, batch.attempt, batch.task, batch.uid,
    ) == (BatchState.BUILT, None, 0, "items", "u1")  # fmt: skip
    assert desk.events() == [("batch", "built", None, "built", "")]
    assert desk.store.read(lambda ledger: ledger.batches.open_count(desk.task_id)) == 1


def test_a_move_is_stamped_and_told(desk: Desk, batch: Batch) -> None:
    """The time of each station by the database's clock, and who moved what from where."""
    before = desk.db.clock()

    submitted = moved(desk, batch, BatchState.SUBMITTING, BatchState.SUBMITTED)

    assert submitted.intent_at is not None
    assert submitted.submitted_at is not None
    assert before <= submitted.intent_at <= submitted.submitted_at <= desk.db.clock()
    assert [event[2:4] for event in desk.events()[1:]] == [
        ("built", "submitting"),
        ("submitting", "submitted"),
    ]
    assert desk.db.execute("SELECT DISTINCT actor FROM batchd_event") == [("tester",)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (BatchState.SUBMITTING, BatchState.SUBMITTING),
        (BatchState.SUBMITTING, BatchState.ABANDONED),
    ],
)
def test_only_one_moves_a_batch_from_where_it_stood(
    desk: Desk, batch: Batch, first: BatchState, second: BatchState
) -> None:
    """A second move from the same place finds it gone, and leaves no trace."""
    moved(desk, batch, first)
    before = desk.events()

    with pytest.raises(LeaseLostError, match="moved by somebody else") as error:
        moved(desk, batch, second)

    assert f"batchd show {batch.id}" == error.value.next_command
    assert before == desk.events()


def test_a_move_that_is_not_foreseen_is_refused(desk: Desk, batch: Batch) -> None:
    """No step is skipped."""
    with pytest.raises(ValueError, match="from built to closed"):
        moved(desk, batch, BatchState.CLOSED)

    assert batch == desk.store.read(lambda ledger: ledger.batches.get(batch.id))


def test_a_move_and_its_event_are_one(desk: Desk, batch: Batch) -> None:
    """If the transaction fails, neither is there."""

    def step(ledger: Ledger) -> None:
        ledger.batches.move(batch, BatchState.SUBMITTING, "on")
        raise BatchdError("stop")

    before = desk.events()
    with pytest.raises(BatchdError, match="stop"):
        desk.store.transact(step)

    assert before == desk.events()
    assert batch == desk.store.read(lambda ledger: ledger.batches.get(batch.id))


def test_a_held_batch_remembers_where_from_and_goes_on_there(desk: Desk, batch: Batch) -> None:
    """With the reason while it is held, and without it after."""
    submitted = moved(desk, batch, BatchState.SUBMITTING, BatchState.SUBMITTED)

    waiting = held(desk, submitted)
    again = held(desk, waiting)
    free = desk.store.transact(lambda ledger: ledger.batches.resume(waiting, "go on", checks_waived=1))

    assert (
        waiting.state,
        waiting.held_from,
        waiting.error_code,
    ) == (BatchState.HELD, BatchState.SUBMITTED, "odd")
    assert waiting == again
    assert BatchState.SUBMITTED is waiting.position
    assert (
        free.state, free.held_from, free.error_code, free.checks_waived,
    ) == (BatchState.SUBMITTED, None, None, True)  # fmt: skip
    assert [event[1:] for event in desk.events()[-2:]] == [
        ("held", "submitted", "held", "look at it"),
        ("resumed", "held", "submitted", "go on"),
    ]


def test_a_held_batch_moves_on_under_its_hold(desk: Desk, batch: Batch) -> None:
    """The vendor's copy expires, so it is polled and collected while a person thinks."""
    waiting = held(desk, moved(desk, batch, BatchState.SUBMITTING, BatchState.SUBMITTED))

    collected = moved(desk, waiting, BatchState.ENDED, BatchState.COLLECTED)

    assert (collected.state, collected.held_from) == (BatchState.HELD, BatchState.COLLECTED)
    with pytest.raises(LeaseLostError):
        moved(desk, waiting, BatchState.ENDED)


def test_a_batch_that_was_freed_meanwhile_is_not_moved_under_its_hold(desk: Desk, batch: Batch) -> None:
    """Held and free are two places."""
    submitted = moved(desk, batch, BatchState.SUBMITTING, BatchState.SUBMITTED)
    waiting = held(desk, submitted)
    with pytest.raises(LeaseLostError):
        moved(desk, submitted, BatchState.ENDED)

    desk.store.transact(lambda ledger: ledger.batches.resume(waiting, "go on"))

    with pytest.raises(LeaseLostError):
        moved(desk, waiting, BatchState.ENDED)


def test_a_batch_is_abandoned_unsent_or_by_a_person(desk: Desk, batch: Batch) -> None:
    """It is an end: nothing moves it any more, and it is open no longer."""
    with pytest.raises(ValueError, match="from submitting to abandoned"):
        desk.store.transact(lambda ledger: ledger.batches.abandon(replace(batch, state=BatchState.SUBMITTING), "no"))

    waiting = held(desk, batch)
    ended = desk.store.transact(lambda ledger: ledger.batches.abandon(waiting, "given up"))

    assert (ended.state, ended.held_from) == (BatchState.ABANDONED, None)
    assert desk.store.read(lambda ledger: ledger.batches.open_count(desk.task_id)) == 0
    assert desk.db.execute("SELECT count(closed_at) FROM batchd_batch") == [(1,)]
    assert desk.events()[-1][1:] == ("abandoned", "held", "abandoned", "given up")


def test_batches_are_found_where_they_stand(desk: Desk, batch: Batch) -> None:
    """Held ones too, oldest first, within the scope asked for, and not before their time."""
    second = desk.build([RowKey(4)], uid="u2")
    held(desk, second)

    def at(scope: Scope = EVERYTHING, *, due: bool = True) -> list[int]:
        found = desk.store.read(lambda ledger: ledger.batches.at(BatchState.BUILT, scope, due=due))
        return [one.id for one in found]

    assert [batch.id, second.id] == at() == at(Scope(task="items"))
    assert [second.id] == at(Scope(batch_id=second.id))
    assert at(Scope(task="others")) == []
    desk.store.transact(lambda ledger: ledger.batches.wait(batch, 60.0))
    assert [second.id] == at()
    assert [batch.id, second.id] == at(due=False)
    desk.store.transact(lambda ledger: ledger.batches.wait(batch, -1.0))
    assert [batch.id, second.id] == at()


def test_the_next_batch_that_is_due_is_told(desk: Desk, batch: Batch) -> None:
    """In seconds; none that is held or has ended."""

    def due() -> float | None:
        return desk.store.read(lambda ledger: ledger.batches.next_due(EVERYTHING))

    def any_later() -> bool:
        return desk.store.read(lambda ledger: ledger.batches.any_later(EVERYTHING))

    assert (due() or 0) < 0
    assert not any_later()
    desk.store.transact(lambda ledger: ledger.batches.wait(batch, 60.0))
    assert 59 < (due() or 0) <= 60
    assert any_later()
    held(desk, batch)
    assert due() is None
    assert not any_later()


def test_a_batch_is_found_by_whatever_a_person_has(desk: Desk, batch: Batch) -> None:
    """Number, uid or the vendor's id; anything else is nothing, and no error."""
    desk.store.transact(lambda ledger: ledger.batches.note(batch, vendor_batch_id="batch_abc"))

    def found(reference: str) -> int | None:
        one = desk.store.read(lambda ledger: ledger.batches.find(reference))
        return None if one is None else one.id

    assert [batch.id] * 3 == [found(reference) for reference in (str(batch.id), "u1", "batch_abc")]
    assert [found(odd) for odd in ("", "99", "²", "9" * 32, "-1", "' OR 1=1 --")] == [None] * 6


def test_the_vendors_ids_that_are_known_are_told_apart(desk: Desk, batch: Batch) -> None:
    """By account; uids by themselves."""
    desk.store.transact(lambda ledger: ledger.batches.note(batch, vendor_batch_id="b1"))

    assert {"b1": batch.created_at} == desk.store.read(lambda ledger: ledger.batches.sent_at("local", ["b1", "b2"]))
    assert {} == desk.store.read(lambda ledger: ledger.batches.sent_at("other", ["b1"]))
    many = [f"u{number}" for number in range(1000)]
    assert {"u1"} == desk.store.read(lambda ledger: ledger.batches.known_uids(many))


def test_each_unknown_try_stays_on_watch_for_its_time(desk: Desk, batch: Batch) -> None:
    """One does not push out another, and one that is there already is not put there anew."""

    def watched(account: str, seconds: float) -> list[tuple[int, str]]:
        found = desk.store.read(lambda ledger: ledger.batches.watched(account, seconds))
        return [(one.attempt, one.file_id) for one in found if one.batch_id == batch.id]

    def watch(ledger: Ledger) -> None:
        for attempt, file_id in ((1, "f1"), (2, "f2"), (2, "f3")):
            ledger.batches.watch(replace(batch, attempt=attempt, vendor_file_id=file_id))

    desk.store.transact(watch)

    assert [(1, "f1"), (2, "f2")] == watched("local", 60.0)
    assert [] == watched("other", 60.0)
    desk.db.execute("UPDATE batchd_watch SET since = '2026-01-01 00:00:00.000' WHERE attempt = 1")
    assert [(2, "f2")] == watched("local", 60.0)


def test_waits_are_told_by_the_databases_clock(desk: Desk, batch: Batch) -> None:
    """Past the time for settling, since the first absence and the submit, and past the vendor's window."""
    submitted = moved(desk, batch, BatchState.SUBMITTING, BatchState.SUBMITTED)
    desk.store.transact(lambda ledger: ledger.batches.settle_within(submitted, 60.0))
    # SQLite counts in days, whose fractions are off by some 40 microseconds.
    assert -60.001 < desk.store.read(lambda ledger: ledger.batches.seconds_unsettled(submitted)) < -50
    desk.store.transact(lambda ledger: ledger.batches.note_absent(submitted))
    assert 0 <= desk.store.read(lambda ledger: ledger.batches.seconds_absent(submitted)) < 10

    def seconds() -> list[float]:
        return desk.store.read(
            lambda ledger: [
                ledger.batches.seconds_unsettled(submitted),
                ledger.batches.seconds_absent(submitted),
                ledger.batches.seconds_since_submit(submitted),
                ledger.batches.seconds_past_window(submitted),
            ]
        )

    assert seconds()[-1] < 0
    hour_ago, now = desk.db.clock() - dt.timedelta(hours=1), desk.db.clock()
    desk.store.transact(
        lambda ledger: ledger.batches.note(
            submitted, settle_by=hour_ago, absent_since=hour_ago, submitted_at=hour_ago, expires_at=hour_ago
        )
    )
    assert all(3599 < found < 3660 for found in seconds())
    desk.store.transact(lambda ledger: ledger.batches.note(submitted, expires_at=now + dt.timedelta(hours=1)))
    assert -3601 < seconds()[-1] < -3540


def test_a_time_is_read_as_it_was_written(desk: Desk, batch: Batch) -> None:
    """In whatever zone it was given, to the millisecond."""
    given = dt.datetime(2026, 3, 1, 1, 2, 3, 456_000, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30)))

    desk.store.transact(lambda ledger: ledger.batches.note(batch, expires_at=given))

    assert given == desk.store.read(lambda ledger: ledger.batches.get(batch.id)).expires_at
    ((text,),) = desk.db.execute("SELECT expires_at FROM batchd_batch")
    assert given == moment(text)


def put_off_at(desk: Desk, batch: Batch, vendor_id: str) -> None:
    """It has this id at the vendor, and is due in an hour."""

    def write(ledger: Ledger) -> None:
        ledger.batches.note(batch, vendor_batch_id=vendor_id)
        ledger.batches.wait(batch, 3600.0)

    desk.store.transact(write)


def test_a_batch_at_the_vendor_is_brought_forward(desk: Desk, batch: Batch) -> None:
    """By the vendor's id, among others that nobody knows; nothing else of it changes, and nothing is recorded."""
    submitted = moved(desk, batch, BatchState.SUBMITTING, BatchState.SUBMITTED)
    put_off_at(desk, submitted, "batch_1")
    before = desk.events()
    due_before = desk.store.read(lambda ledger: ledger.batches.at(BatchState.SUBMITTED, EVERYTHING))
    names = ["batch_0", "batch_1", *(f"other_{number}" for number in range(900))]
    brought = desk.store.transact(lambda ledger: ledger.batches.bring_forward(batch.account, names))
    due_after = desk.store.read(lambda ledger: ledger.batches.at(BatchState.SUBMITTED, EVERYTHING))

    assert [] == due_before
    assert {"batch_1"} == brought
    assert [batch.id] == [one.id for one in due_after]
    assert replace(submitted, vendor_batch_id="batch_1") == due_after[0]
    assert before == desk.events()


@pytest.mark.parametrize("case", ["built", "ended", "held", "another account"])
def test_no_other_batch_is_brought_forward(desk: Desk, batch: Batch, case: str) -> None:
    """Not one that was not sent, has ended or is held, nor one of another account."""
    if case != "built":
        batch = moved(desk, batch, BatchState.SUBMITTING, BatchState.SUBMITTED)
    if case == "ended":
        batch = moved(desk, batch, BatchState.ENDED)
    if case == "held":
        batch = held(desk, batch)
    put_off_at(desk, batch, "batch_1")
    account = "somebody" if case == "another account" else batch.account
    brought = desk.store.transact(lambda ledger: ledger.batches.bring_forward(account, ["batch_1"]))

    assert frozenset() == brought
    assert desk.store.read(lambda ledger: ledger.batches.any_later(EVERYTHING)) is (case != "held")
    assert desk.db.execute("SELECT COUNT(*) FROM batchd_batch WHERE not_before IS NULL") == [(0,)]
