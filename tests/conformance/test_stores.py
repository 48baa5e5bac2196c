"""The ledger: batches and their moves, requests, gates, kept content, findings."""

import datetime as dt
from dataclasses import replace
from functools import reduce
from typing import Any

import pytest

from batchd.core.keys import RowKey
from batchd.core.model import Batch, FinishedRequest, Kept, NewRequest, SettledGate
from batchd.core.outcomes import GateState, Outcome, Tries
from batchd.core.packing import Failure
from batchd.core.states import BatchState
from batchd.core.verdicts import Usage
from batchd.errors import BatchdError, LeaseLostError
from batchd.ports import EVERYTHING, Ledger, Scope
from tests.conformance.stores import Desk, moment

ONE, TWO, THREE = RowKey(1), RowKey(2), RowKey(3)


@pytest.fixture
def batch(desk: Desk) -> Batch:
    """A built batch of the first three rows."""
    return desk.build([ONE, TWO, THREE])


def moved(desk: Desk, batch: Batch, *states: BatchState) -> Batch:
    def on(ledger: Ledger) -> Batch:
        return reduce(lambda now, to: ledger.batches.move(now, to, "on"), states, batch)

    return desk.store.transact(on)


def held(desk: Desk, batch: Batch) -> Batch:
    return desk.store.transact(lambda ledger: ledger.batches.hold(batch, "look at it", "odd"))


def finished(seq: int, outcome: Outcome, tokens: int = 0, cost: int | None = None) -> FinishedRequest:
    usage = Usage(input=tokens, cached=tokens // 2, output=tokens, reasoning=1 if tokens else 0)
    return FinishedRequest(seq, outcome, usage, "stop", "", "", cost)


def settled(seq: int, state: GateState | None, delay: float = 0.0) -> SettledGate:
    return SettledGate(seq, RowKey(seq), state, delay, Tries(1, 2), Outcome.INVALID, "code", "our words")


def settle(desk: Desk, batch: Batch, *gates: SettledGate) -> None:
    desk.store.transact(lambda ledger: ledger.gates.settle(desk.task_id, batch.id, gates))


def gates(desk: Desk) -> list[Any]:
    return desk.db.execute("SELECT key_int, state FROM batchd_gate ORDER BY key_int")


# --- batches ------------------------------------------------------------------------------------


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

    assert (due() or 0) < 0
    desk.store.transact(lambda ledger: ledger.batches.wait(batch, 60.0))
    assert 59 < (due() or 0) <= 60
    held(desk, batch)
    assert due() is None


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
    desk.store.transact(lambda ledger: ledger.batches.note(batch, vendor_batch_id="b1", fenced_file_id="f1"))

    assert {"b1"} == desk.store.read(lambda ledger: ledger.batches.known_vendor_ids("local", ["b1", "b2"]))
    assert set() == desk.store.read(lambda ledger: ledger.batches.known_vendor_ids("other", ["b1"]))
    many = [f"u{number}" for number in range(1000)]
    assert {"u1"} == desk.store.read(lambda ledger: ledger.batches.known_uids(many))
    assert [(batch.id, "f1")] == desk.store.read(lambda ledger: ledger.batches.fenced("local"))


def test_waits_are_told_by_the_databases_clock(desk: Desk, batch: Batch) -> None:
    """Since the intent, since the submit, and past the vendor's window."""
    submitted = moved(desk, batch, BatchState.SUBMITTING, BatchState.SUBMITTED)

    def seconds() -> list[float]:
        return desk.store.read(
            lambda ledger: [
                ledger.batches.seconds_waiting(submitted),
                ledger.batches.seconds_since_submit(submitted),
                ledger.batches.seconds_past_window(submitted),
            ]
        )

    assert seconds()[2] < 0
    hour_ago, now = desk.db.clock() - dt.timedelta(hours=1), desk.db.clock()
    desk.store.transact(
        lambda ledger: ledger.batches.note(submitted, intent_at=hour_ago, submitted_at=hour_ago, expires_at=hour_ago)
    )
    assert all(3599 < found < 3660 for found in seconds())
    desk.store.transact(lambda ledger: ledger.batches.note(submitted, expires_at=now + dt.timedelta(hours=1)))
    assert -3601 < seconds()[2] < -3540


def test_a_time_is_read_as_it_was_written(desk: Desk, batch: Batch) -> None:
    """In whatever zone it was given, to the millisecond."""
    given = dt.datetime(2026, 3, 1, 1, 2, 3, 456_000, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30)))

    desk.store.transact(lambda ledger: ledger.batches.note(batch, expires_at=given))

    assert given == desk.store.read(lambda ledger: ledger.batches.get(batch.id)).expires_at
    ((text,),) = desk.db.execute("SELECT expires_at FROM batchd_batch")
    assert given == moment(text)


# --- requests -----------------------------------------------------------------------------------


def test_requests_are_finished_once(desk: Desk, batch: Batch) -> None:
    """A second outcome for the same request changes nothing."""
    desk.store.transact(lambda ledger: ledger.requests.finish(batch.id, [finished(1, Outcome.APPLIED)]))
    desk.store.transact(
        lambda ledger: ledger.requests.finish(batch.id, [finished(1, Outcome.STALE), finished(2, Outcome.GONE)])
    )

    outcomes = desk.db.execute("SELECT seq, outcome FROM batchd_request ORDER BY seq")
    assert outcomes == [(1, "applied"), (2, "gone"), (3, None)]
    assert {1, 2, 3} == desk.store.read(lambda ledger: ledger.requests.seqs(batch.id))
    assert desk.store.read(lambda ledger: ledger.requests.open_after(batch.id, 0, 10)) == [3]
    locked = desk.store.transact(lambda ledger: ledger.requests.lock_open(batch.id, [1, 2, 3]))
    assert [one.key for one in locked] == [THREE]


def test_open_requests_come_in_order_and_in_chunks(desk: Desk, batch: Batch) -> None:
    """After the last one that was seen."""
    assert desk.store.read(lambda ledger: ledger.requests.open_after(batch.id, 0, 2)) == [1, 2]
    assert desk.store.read(lambda ledger: ledger.requests.open_after(batch.id, 2, 2)) == [3]


def test_an_open_request_knows_its_rows_tries(desk: Desk, batch: Batch) -> None:
    """Those before this one, from the gate."""
    settle(desk, batch, settled(1, GateState.RETRY))
    second = desk.build([ONE], uid="u2", retried=True)

    (found,) = desk.store.transact(lambda ledger: ledger.requests.lock_open(second.id, [1]))

    assert (ONE, Tries(1, 2)) == (found.key, found.tries)


def test_a_tally_adds_up_what_was_finished(desk: Desk, batch: Batch) -> None:
    """Counts per outcome, tokens, cost, and how many paid requests have no price."""
    results = [
        finished(1, Outcome.APPLIED, 10, 5),
        finished(2, Outcome.APPLIED, 4),
        finished(3, Outcome.GONE, 2, 3),
    ]
    desk.store.transact(lambda ledger: ledger.requests.finish(batch.id, results))

    counts = desk.store.transact(lambda ledger: ledger.batches.tally(batch))

    assert counts == {Outcome.APPLIED: 2, Outcome.GONE: 1}
    assert desk.db.execute(
        "SELECT applied, gone, stale, input_tokens, cached_tokens, output_tokens, reasoning_tokens,"
        " cost_nano_usd, unpriced FROM batchd_batch"
    ) == [(2, 1, 0, 16, 8, 16, 3, 8, 1)]


def test_a_batch_has_open_requests_until_all_is_settled(desk: Desk, batch: Batch) -> None:
    """Requests and gates, both."""

    def is_open() -> bool:
        return desk.store.read(lambda ledger: ledger.batches.has_open_requests(batch))

    assert is_open()
    every = [finished(seq, Outcome.APPLIED) for seq in (1, 2, 3)]
    desk.store.transact(lambda ledger: ledger.requests.finish(batch.id, every))
    assert is_open()
    settle(desk, batch, settled(1, None), settled(2, GateState.FAILED), settled(3, GateState.RETRY))
    assert not is_open()


# --- gates --------------------------------------------------------------------------------------


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
    assert -10 < (desk.store.read(lambda ledger: ledger.gates.next_retry(desk.task_id)) or 0) <= -2
    settle(desk, batch, settled(1, GateState.FAILED), settled(3, GateState.HELD))
    assert due(10) == []
    assert 59 < (desk.store.read(lambda ledger: ledger.gates.next_retry(desk.task_id)) or 0) <= 60
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
    """With fresh tries, due at once; rows in work and done ones are not touched."""
    states = [settled(1, GateState.FAILED), settled(2, GateState.HELD), settled(3, GateState.DONE)]
    settle(desk, batch, *states)

    def free(keys: list[RowKey] | None) -> int:
        return desk.store.transact(lambda ledger: ledger.gates.free(desk.task_id, keys))

    assert free([ONE, THREE, RowKey(99)]) == 1
    assert free(None) == 1
    assert gates(desk) == [(1, "retry"), (2, "retry"), (3, "done")]
    assert desk.store.read(lambda ledger: ledger.gates.due_retries(desk.task_id, 9)) == [ONE, TWO]
    assert desk.db.execute("SELECT DISTINCT paid_tries, unpaid_tries FROM batchd_gate WHERE key_int < 3") == [(0, 0)]


def test_gates_of_rows_no_longer_pending_are_dropped(desk: Desk, batch: Batch) -> None:
    """Only those named."""
    desk.store.transact(lambda ledger: ledger.gates.drop(desk.task_id, [TWO, RowKey(99)]))

    assert gates(desk) == [(1, "open"), (3, "open")]
    assert batch.id


# --- content, findings, tasks -------------------------------------------------------------------


def test_content_is_kept_in_its_own_place(desk: Desk, batch: Batch) -> None:
    """By kind, in the order of requests and parts; any text of any length."""
    pieces = [
        Kept(2, "line", "é漢😀\n", 1),
        Kept(2, "line", "x" * 1_000_000),
        Kept(1, "line", ""),
        Kept(1, "before", "{}"),
    ]

    desk.store.transact(lambda ledger: ledger.contents.keep(batch.id, pieces))

    found = desk.store.read(lambda ledger: ledger.contents.read(batch.id, "line"))
    assert [pieces[2], pieces[1], pieces[0]] == found
    assert desk.store.read(lambda ledger: ledger.contents.read(batch.id, "stranger")) == []


def test_a_finding_is_open_once_and_can_come_back(desk: Desk) -> None:
    """Raised twice it is one; closed it may be raised again."""

    def tell(step: str) -> bool:
        def told(ledger: Ledger) -> bool:
            act = ledger.findings.open if step == "open" else ledger.findings.close
            return act("overdue", "batch 12")

        return desk.store.transact(told)

    assert [tell(step) for step in ("open", "open", "close", "close", "open")] == [
        True,
        False,
        True,
        False,
        True,
    ]
    assert desk.db.execute("SELECT count(*), count(closed_at) FROM batchd_finding") == [(2, 1)]
    assert desk.db.execute("SELECT DISTINCT next_command FROM batchd_finding") == [("batchd show 12",)]
    assert desk.store.read(lambda ledger: ledger.findings.is_open("overdue", "batch"))
    assert not desk.store.read(lambda ledger: ledger.findings.is_open("overdue", "b%"))
    assert not desk.store.read(lambda ledger: ledger.findings.is_open("stranger", "batch"))


def test_a_task_has_open_work_until_every_gate_is_done(desk: Desk, batch: Batch) -> None:
    """A failed row waits for a person; a done one waits for nobody."""

    def is_open() -> bool:
        return desk.store.read(lambda ledger: ledger.tasks.has_open_work(desk.task_id))

    settle(desk, batch, settled(1, GateState.DONE), settled(2, None), settled(3, GateState.FAILED))
    desk.store.transact(lambda ledger: ledger.batches.abandon(batch, "given up"))
    assert is_open()
    settle(desk, batch, settled(3, GateState.DONE))
    assert not is_open()


def test_a_task_keeps_its_work_under_a_new_name_or_table(desk: Desk) -> None:
    """A new fingerprint forgets the resume point; each is told."""

    def step(ledger: Ledger) -> None:
        ledger.tasks.set_resume_key(desk.task_id, 7)
        ledger.tasks.record_sweep(desk.task_id, 5)
        ledger.tasks.rename(desk.task_id, "renamed")

    desk.store.transact(step)
    before = desk.store.read(lambda ledger: ledger.tasks.find("renamed"))
    desk.store.transact(lambda ledger: ledger.tasks.set_fingerprint(desk.task_id, "other"))
    after = desk.store.read(lambda ledger: ledger.tasks.find("renamed"))

    assert before is not None
    assert after is not None
    assert (desk.task_id, 7, desk.definition.fingerprint) == (
        before.id,
        before.resume_key,
        before.fingerprint,
    )
    assert (desk.task_id, None, "other") == (after.id, after.resume_key, after.fingerprint)
    assert [event[1] for event in desk.events()] == ["renamed", "rebound"]
    since = desk.store.read(lambda ledger: ledger.tasks.seconds_since_sweep(desk.task_id))
    assert since is not None
    assert 0 <= since < 60
    assert desk.store.read(lambda ledger: ledger.tasks.find("items")) is None


def test_a_paused_task_is_paused_for_everyone(desk: Desk) -> None:
    """With the reason, until somebody lets it go on."""
    desk.store.transact(lambda ledger: ledger.tasks.pause(desk.task_id, "no money"))
    paused = desk.store.read(lambda ledger: ledger.tasks.find("items"))
    desk.store.transact(lambda ledger: ledger.tasks.unpause(desk.task_id, "paid"))
    free = desk.store.read(lambda ledger: ledger.tasks.find("items"))

    assert paused is not None
    assert free is not None
    assert (paused.paused, paused.pause_reason) == (True, "no money")
    assert (free.paused, free.pause_reason) == (False, "")
    assert [(event[1], event[4]) for event in desk.events()] == [("paused", "no money"), ("resumed", "paid")]
