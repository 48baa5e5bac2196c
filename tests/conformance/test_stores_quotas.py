"""The ledger of enqueued tokens: what counts, what is learnt, and that no two processes take the same room."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from batchd.core.keys import RowKey
from batchd.core.model import Batch
from batchd.core.outcomes import Outcome
from batchd.core.quota import Learnt, Standing, fits
from batchd.core.states import BatchState
from batchd.ports import EVERYTHING, Ledger, Scope
from tests.conformance.ledger_steps import finished, held, moved
from tests.conformance.stores import Desk

MODEL = "gpt-6-luna"
SUBMITTING, SUBMITTED, ENDED, COLLECTED, CLOSED = (
    BatchState.SUBMITTING,
    BatchState.SUBMITTED,
    BatchState.ENDED,
    BatchState.COLLECTED,
    BatchState.CLOSED,
)


def enqueue(desk: Desk, batch: Batch, tokens: int, model: str = MODEL) -> None:
    """The batch is written down with so many tokens."""
    desk.store.transact(lambda ledger: ledger.quotas.enqueue(batch, model, tokens))


def reserve(desk: Desk, batch: Batch, tokens: int, beside: int = 0) -> None:
    """The batch is let through."""
    desk.store.transact(lambda ledger: ledger.quotas.reserve(batch.id, tokens, beside))


def take_lease(desk: Desk, batch: Batch, seconds: float = 60.0) -> None:
    """Somebody works on the batch."""
    assert desk.store.transact(lambda ledger: ledger.batches.take_lease(batch.id, "worker", seconds)) is not None


def standing(desk: Desk, model: str = MODEL, *, account: str = "local", apart: int | None = None) -> Standing:
    """What is enqueued."""
    return desk.store.read(lambda ledger: ledger.quotas.standing(account, model, apart=apart))


def another(desk: Desk, number: int) -> Batch:
    """A further batch, of a row of its own."""
    return desk.build([RowKey(number)], uid=f"u{number}")


def test_a_batch_is_written_down_once(desk: Desk, batch: Batch) -> None:
    """A transaction that is repeated adds nothing; nothing is enqueued by it yet."""
    enqueue(desk, batch, 100)
    enqueue(desk, batch, 200)
    (entry,) = desk.store.read(lambda ledger: ledger.quotas.entries([batch.id, 99])).values()

    assert (batch.id, MODEL, 100, None) == (entry.batch_id, entry.model, entry.tokens, entry.beside)
    assert (False, False, 0) == (entry.waits, entry.had_turn, entry.passed)
    assert {} == standing(desk).in_flight


@pytest.mark.parametrize(
    ("way", "counts"),
    [
        ((), False),
        ((SUBMITTING,), True),
        ((SUBMITTING, SUBMITTED), True),
        ((SUBMITTING, BatchState.BUILT), False),
        ((SUBMITTING, SUBMITTED, ENDED), False),
        ((SUBMITTING, SUBMITTED, ENDED, BatchState.BUILT), False),
        ((SUBMITTING, SUBMITTED, ENDED, COLLECTED), False),
        ((SUBMITTING, SUBMITTED, ENDED, COLLECTED, CLOSED), False),
    ],
)
def test_a_batch_counts_while_the_vendor_has_it_or_may_have_it(
    desk: Desk,
    batch: Batch,
    way: tuple[BatchState, ...],
    counts: bool,  # noqa: FBT001
) -> None:
    """From the intent to create until the end is reported, or until it is known not to have been created."""
    enqueue(desk, batch, 100)
    reserve(desk, batch, 100)
    moved(desk, batch, *way)

    assert ({"items": 100} if counts else {}) == standing(desk).in_flight


@pytest.mark.parametrize(("way", "counts"), [((), False), ((SUBMITTING,), True), ((SUBMITTING, SUBMITTED), True)])
def test_a_held_batch_counts_as_where_it_stands(
    desk: Desk,
    batch: Batch,
    way: tuple[BatchState, ...],
    counts: bool,  # noqa: FBT001
) -> None:
    """What may be at the vendor counts there, whether or not a person is asked."""
    enqueue(desk, batch, 100)
    held(desk, moved(desk, batch, *way))

    assert ({"items": 100} if counts else {}) == standing(desk).in_flight


def test_a_batch_that_is_about_to_be_sent_counts_while_somebody_works_on_it(desk: Desk, batch: Batch) -> None:
    """A reservation that a crash has left behind takes no room: it is worth as much as the lease."""
    enqueue(desk, batch, 100)
    take_lease(desk, batch)
    before = standing(desk).in_flight
    reserve(desk, batch, 120)
    at_work = standing(desk).in_flight
    desk.db.execute("UPDATE batchd_batch SET lease_expires_at = '2000-01-01 00:00:00.000'")
    afterwards = standing(desk).in_flight

    assert ({}, {"items": 120}, {}) == (before, at_work, afterwards)


def test_whoever_is_provably_dead_keeps_no_room(desk: Desk, batch: Batch) -> None:
    """Its lease outlives it; but nobody would wait for a batch that is at work on itself, so to say."""
    enqueue(desk, batch, 100)
    take_lease(desk, batch)
    reserve(desk, batch, 120)
    desk.store.transact(lambda ledger: ledger.quotas.wait([batch.id], batch.id))

    def found() -> tuple[dict[str, int], bool]:
        will_be = desk.store.read(lambda ledger: ledger.quotas.will_be_freed(EVERYTHING))
        return dict(standing(desk).in_flight), will_be

    alive = found()
    desk.dead.add("worker")

    assert (({"items": 120}, True), ({}, False)) == (alive, found())


def test_accounts_and_models_are_told_apart(desk: Desk, batch: Batch) -> None:
    """A limit is that of one account and one model; a batch that asks is not counted against itself."""
    other = another(desk, 2)
    enqueue(desk, batch, 100)
    enqueue(desk, other, 30, "gpt-6-LUNA")
    for one in (batch, other):
        moved(desk, one, SUBMITTING)

    assert 100 == standing(desk).enqueued
    assert 30 == standing(desk, "gpt-6-LUNA").enqueued
    assert 0 == standing(desk, account="elsewhere").enqueued
    assert 0 == standing(desk, apart=batch.id).enqueued


def test_creates_of_the_last_hour_are_counted_whatever_their_model(desk: Desk, batch: Batch) -> None:
    """With each further try of a batch; those of earlier hours, and of other accounts, are not."""
    tried, old, asking = another(desk, 2), another(desk, 3), another(desk, 4)
    for one, model in ((batch, MODEL), (tried, "other"), (old, MODEL), (asking, MODEL)):
        enqueue(desk, one, 1, model)
        reserve(desk, one, 1)
    desk.store.transact(lambda ledger: ledger.batches.note(tried, attempt=3))
    desk.db.execute(f"UPDATE batchd_enqueued SET reserved_at = '2026-01-01 00:00:00.000' WHERE batch_id = {old.id}")

    assert 1 + 3 == standing(desk, apart=asking.id).created
    assert 0 == standing(desk, account="elsewhere").created


def test_what_is_learnt_is_kept(desk: Desk) -> None:
    """With how long ago, by the database's clock; per account and model."""

    def learn(ledger: Ledger) -> None:
        ledger.quotas.lock("local", MODEL)
        ledger.quotas.lock("local", "other")
        ledger.quotas.learn("local", MODEL, Learnt(2_000_000_000_000, told=True, age=7.0))

    desk.store.transact(learn)
    learnt = standing(desk).learnt

    assert (2_000_000_000_000, True) == (learnt.tokens, learnt.told)
    assert 0 <= learnt.age < 60
    assert Learnt() == standing(desk, "other").learnt
    desk.db.execute("UPDATE batchd_quota SET learnt_tokens = NULL")
    assert Learnt() == standing(desk).learnt


def test_a_batch_waits_until_it_is_sent(desk: Desk, batch: Batch) -> None:
    """Since when it waits, and since when it is its turn, is marked once; what is sent meanwhile has passed it."""
    small, tiny = another(desk, 2), another(desk, 3)
    for one, tokens in ((batch, 100), (small, 30), (tiny, 4)):
        enqueue(desk, one, tokens)
    desk.store.transact(lambda ledger: ledger.quotas.wait([batch.id, small.id], None))
    reserve(desk, tiny, 4)
    # The ledger's times are of milliseconds; what is sent in the same one may as well have come after.
    time.sleep(0.005)
    moments = "SELECT waits_since, turn_at FROM batchd_enqueued ORDER BY batch_id"
    desk.store.transact(lambda ledger: ledger.quotas.wait([batch.id], batch.id))
    first = desk.db.execute(moments)
    desk.store.transact(lambda ledger: ledger.quotas.wait([batch.id], batch.id))
    reserve(desk, small, 33)
    entries = desk.store.read(lambda ledger: ledger.quotas.entries([batch.id, small.id]))
    kept = desk.db.execute(moments)[0]
    reserve(desk, batch, 100)
    sent = desk.store.read(lambda ledger: ledger.quotas.entries([batch.id]))[batch.id]

    assert (False, False, 0) == (sent.waits, sent.had_turn, sent.passed)
    assert first[0] == kept
    assert [True, True] == [first[0][0] is not None, first[0][1] is not None]
    assert (True, True, 33) == (entries[batch.id].waits, entries[batch.id].had_turn, entries[batch.id].passed)
    assert (False, False, 0) == (entries[small.id].waits, entries[small.id].had_turn, entries[small.id].passed)


def test_tokens_are_wanted_while_a_batch_waits_for_them(desk: Desk, batch: Batch) -> None:
    """Of that account; a held batch waits for a person."""

    def are_wanted(account: str = "local") -> bool:
        return desk.store.read(lambda ledger: ledger.quotas.are_wanted(account))

    enqueue(desk, batch, 100)
    before = are_wanted()
    desk.store.transact(lambda ledger: ledger.quotas.wait([batch.id], None))
    waiting, elsewhere = are_wanted(), are_wanted("elsewhere")
    held(desk, batch)

    assert (False, True, False, False) == (before, waiting, elsewhere, are_wanted())


def test_tokens_will_be_freed_by_batches_that_somebody_looks_after(desk: Desk, batch: Batch) -> None:
    """Of any task; but not by those that nobody polls, or that wait for a person."""
    other = another(desk, 2)
    for one in (batch, other):
        enqueue(desk, one, 100)

    def will_be(scope: Scope = EVERYTHING) -> bool:
        return desk.store.read(lambda ledger: ledger.quotas.will_be_freed(scope))

    at_vendor = moved(desk, other, SUBMITTING, SUBMITTED)
    nobody_waits = will_be()
    desk.store.transact(lambda ledger: ledger.quotas.wait([batch.id], None))
    somebody_waits = will_be(), will_be(Scope(task="items")), will_be(Scope(task="others"))
    desk.store.transact(lambda ledger: ledger.batches.wait(at_vendor, 60.0))
    looked_after = will_be()
    desk.db.execute("UPDATE batchd_batch SET not_before = '2026-01-01 00:00:00.000' WHERE state = 'submitted'")
    left_alone = will_be()
    held(desk, at_vendor)

    assert (False, (True, True, False), True, False, False) == (
        nobody_waits,
        somebody_waits,
        looked_after,
        left_alone,
        will_be(),
    )


def test_what_closed_batches_were_counted_is_what_estimates_rest_on(desk: Desk, batch: Batch) -> None:
    """Bytes, requests, answers and tokens of those that are closed, of that task and model."""
    enqueue(desk, batch, 100)
    before = desk.store.read(lambda ledger: ledger.quotas.samples(desk.task_id, MODEL))

    def close(ledger: Ledger) -> None:
        ledger.batches.note(batch, input_bytes=900, requests=3)
        ledger.requests.finish(batch.id, [finished(1, Outcome.APPLIED, 70), finished(2, Outcome.INVALID, 30)])
        ledger.requests.finish(batch.id, [finished(3, Outcome.EXPIRED)])
        ledger.batches.tally(batch)

    desk.store.transact(close)
    moved(desk, batch, SUBMITTING, SUBMITTED, ENDED, COLLECTED, CLOSED)
    (sample,) = desk.store.read(lambda ledger: ledger.quotas.samples(desk.task_id, MODEL))

    assert [] == before
    assert (900, 3, 2, 100) == (sample.bytes, sample.requests, sample.answered, sample.tokens)
    assert [] == desk.store.read(lambda ledger: ledger.quotas.samples(desk.task_id, "other"))
    assert [] == desk.store.read(lambda ledger: ledger.quotas.samples(desk.task_id + 1, MODEL))


def let_through(ledger: Ledger, batch: Batch, tokens: int) -> bool:
    """Whether the batch is let through beside what is enqueued, where 100 tokens may be."""
    ledger.quotas.lock("local", MODEL)
    now = ledger.quotas.standing("local", MODEL, apart=batch.id)
    if fits(tokens, now.enqueued, 100):
        ledger.quotas.reserve(batch.id, tokens, now.enqueued)
    return fits(tokens, now.enqueued, 100)


def test_processes_that_ask_at_once_never_get_more_than_there_is(desk: Desk, batch: Batch) -> None:
    """Each asks for a third and a bit: two of six are let through, whoever was first."""
    batches = [batch, *(another(desk, number) for number in range(2, 7))]
    start = threading.Barrier(len(batches))
    for one in batches:
        enqueue(desk, one, 34)
        take_lease(desk, one)

    def ask(one: Batch) -> bool:
        start.wait(20)
        return desk.store.transact(lambda ledger: let_through(ledger, one, 34))

    with ThreadPoolExecutor(len(batches)) as threads:
        answers = list(threads.map(ask, batches))

    assert 2 == sum(answers)
    assert 68 == standing(desk).enqueued


@pytest.fixture
def _several_writers(desk: Desk) -> None:
    if desk.db.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")


@pytest.mark.usefixtures("_several_writers")
@pytest.mark.parametrize("is_first", [True, False])
def test_whoever_asks_meanwhile_waits(desk: Desk, batch: Batch, *, is_first: bool) -> None:
    """Between the sum and the reservation nobody else gets in, also where there was no row to lock at the beginning."""
    small, late = another(desk, 2), another(desk, 3)
    other = Desk(desk.db, actor="other")
    for one in (batch, small, late):
        enqueue(desk, one, 60)
        take_lease(desk, one)
    desk.store.transact(lambda ledger: None if is_first else ledger.quotas.lock("local", MODEL))
    answers: dict[str, bool] = {}

    def ask(name: str, one: Batch, tokens: int) -> None:
        answers[name] = other.store.transact(lambda ledger: let_through(ledger, one, tokens))

    racer = threading.Thread(target=ask, args=("late", late, 60))

    def begin(statement: str) -> None:
        if is_first and "small" not in answers and statement.startswith("UPDATE") and "batchd_quota" in statement:
            # It makes the row that this transaction has found missing.
            ask("small", small, 1)

    def get_in(statement: str) -> None:
        if statement.startswith("UPDATE") and "batchd_enqueued" in statement and not racer.ident:
            racer.start()
            racer.join(0.3)

    sa.event.listen(desk.database.engine, "after_cursor_execute", lambda *told: begin(told[2]))
    sa.event.listen(desk.database.engine, "before_cursor_execute", lambda *told: get_in(told[2]))
    answers["batch"] = desk.store.transact(lambda ledger: let_through(ledger, batch, 60))
    racer.join(30.0)

    assert {"batch": True, "late": False} == {name: answers[name] for name in ("batch", "late")}
    assert (61 if is_first else 60) == standing(desk).enqueued
