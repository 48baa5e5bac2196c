"""Each thing a person may do, in each state a batch or row may be in: allowed or refused, and what it costs."""

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pytest

from batchd.errors import LeaseLostError, UsageError
from batchd.operations import (
    Done,
    ReapplyOrder,
    RetryOrder,
    abandon,
    adopt,
    cancel,
    reapply,
    resolve,
    retry,
    send_again,
)
from batchd.pipeline import SENDING
from batchd.ports import ConfiguredTask, Workplace
from tests.fakes.answers import answered
from tests.stages.bench import GOOD_ANSWER, Bench, NoProgress, PauseAfterAChunk, person_task
from tests.stages.leads import (
    abandoned,
    built,
    closed,
    collected,
    ended,
    failed,
    held_before_it_was_sent,
    held_refused,
    held_short,
    held_unknown,
    held_unwritable,
    held_vanished,
    submitted,
    submitting,
)

# What each sentence must hold where a row may come to be paid for a second time, and nowhere else.
COSTS = "paid for again"

Operation = Callable[[Workplace], Done]


def do_adopt(place: Workplace) -> Done:
    batches = place.accounts["fake"].vendor.batches()  # type: ignore[attr-defined]
    return adopt(place, "1", batches[0].id if batches else "batch_77")


OPERATIONS: dict[str, Operation] = {
    "cancel": lambda place: cancel(place, "1"),
    "resolve": lambda place: resolve(place, "1"),
    "give up": lambda place: abandon(place, "1"),
    "send again": lambda place: send_again(place, "1"),
    "adopt": do_adopt,
}

# By state: what may be done, and whether it may come to be paid for again.
ALLOWED: dict[Callable[[Bench], None], dict[str, bool]] = {
    built: {"cancel": False},
    submitting: {},
    submitted: {"cancel": False},
    ended: {},
    collected: {},
    closed: {},
    failed: {},
    abandoned: {},
    held_before_it_was_sent: {"cancel": False, "resolve": False, "give up": False},
    held_unknown: {"give up": True, "send again": True, "adopt": False},
    held_vanished: {"cancel": False, "resolve": False, "give up": True},
    held_short: {"resolve": True, "give up": True},
    held_refused: {"resolve": False, "give up": False},
    held_unwritable: {"resolve": True},
}


def begin(bench: Bench, lead: Callable[[Bench], None]) -> None:
    """Two rows on their way to a state."""
    bench.add_people("one", "two")
    lead(bench)
    state = lead.__name__.partition("_")[0]
    assert [state] == bench.states()[:1]


def ledger(bench: Bench) -> dict[str, Any]:
    """Everything in the database, but for leases and the time of the last look."""
    with closing(sqlite3.connect(bench.path)) as connection:
        connection.row_factory = sqlite3.Row
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            table: [
                {name: row[name] for name in row.keys() if not name.startswith("lease_")}  # noqa: SIM118 - a Row
                for row in connection.execute(f"SELECT * FROM {table}")
            ]
            for table in tables
        }


def payments(bench: Bench) -> dict[int, int]:
    """How often each row was paid for at the vendor."""
    keys = dict(
        bench.execute("SELECT uid || '-' || seq, key_int FROM batchd_request JOIN batchd_batch ON batch_id = id")
    )
    paid: Counter[int] = Counter()
    for custom_id, times in bench.vendor.paid.items():
        paid[keys[custom_id]] += times
    return dict(paid)


def finish(bench: Bench) -> None:
    """The vendor and the daemon go on until nothing is left to do; what was hidden comes to light."""
    bench.vendor.statuses, bench.vendor.faults = ("validating", "completed"), ()
    for run in bench.vendor._runs.values():
        run.unseen = 0
    bench.run_until_quiet()


@pytest.mark.parametrize("lead", ALLOWED, ids=lambda lead: lead.__name__)
def test_what_a_person_may_not_do_with_a_batch_changes_nothing(bench: Bench, lead: Callable[[Bench], None]) -> None:
    """Each refusal leaves ledger, rows and vendor as they are."""
    begin(bench, lead)
    before, batches = ledger(bench), bench.vendor.batches()

    for name in OPERATIONS.keys() - ALLOWED[lead].keys():
        with pytest.raises(UsageError):
            OPERATIONS[name](bench.place)

    assert before == ledger(bench)
    assert batches == bench.vendor.batches()


WHAT_MAY_BE_DONE = pytest.mark.parametrize(
    ("lead", "name"),
    [(lead, name) for lead, names in ALLOWED.items() for name in names],
    ids=lambda value: getattr(value, "__name__", str(value)),
)


@WHAT_MAY_BE_DONE
def test_what_a_person_may_do_with_a_batch_says_what_it_costs(
    bench: Bench, lead: Callable[[Bench], None], name: str
) -> None:
    """A sentence says that a row may be paid for again exactly where it may; where it does not, none is."""
    begin(bench, lead)

    sentence = OPERATIONS[name](bench.place).sentence
    finish(bench)

    assert ALLOWED[lead][name] == (COSTS in sentence), sentence
    if COSTS not in sentence:
        assert [] == [row for row, times in payments(bench).items() if times > 1], sentence
    assert set(bench.states()) <= {"closed", "failed", "abandoned"}


@WHAT_MAY_BE_DONE
def test_a_batch_that_another_process_works_on_is_left_to_it(
    bench: Bench, lead: Callable[[Bench], None], name: str
) -> None:
    """Exit code 13: nothing written, the vendor not asked for anything."""
    begin(bench, lead)
    bench.place.store.transact(lambda ledger: ledger.batches.take_lease(1, "a daemon", 60.0))
    before, calls = ledger(bench), list(bench.vendor.calls)

    with pytest.raises(LeaseLostError, match="another batchd is at work on batch 1; nothing was done") as refused:
        OPERATIONS[name](bench.place)

    assert 13 == refused.value.exit_code
    assert before == ledger(bench)
    assert calls == bench.vendor.calls


def test_a_batch_that_the_vendor_shows_is_not_sent_again(bench: Bench) -> None:
    """A person's word is held against the vendor's list: sent again, it would be paid for twice."""
    begin(bench, held_unknown)
    (created,) = bench.vendor.batches()
    bench.vendor._runs[created.id].unseen = 0

    with pytest.raises(UsageError, match="the vendor has batch 1") as refused:
        send_again(bench.place, "1")
    assert f"batchd resolve 1 --adopt {created.id}" == refused.value.next_command
    finish(bench)

    assert {1: 1, 2: 1} == payments(bench)
    assert 1 == len(bench.vendor.batches())


@dataclass(frozen=True)
class ForRow:
    """What a gate state lets a person do: freed all together, freed by its key, its kept answer written."""

    freed: bool
    freed_by_key: bool
    reapplied: bool


GATES = {
    "open": ForRow(freed=False, freed_by_key=False, reapplied=False),
    "retry": ForRow(freed=False, freed_by_key=False, reapplied=True),
    "failed": ForRow(freed=True, freed_by_key=True, reapplied=True),
    "held": ForRow(freed=True, freed_by_key=True, reapplied=False),
    "done": ForRow(freed=False, freed_by_key=True, reapplied=False),
}


@pytest.mark.parametrize("state", GATES)
def test_what_a_person_may_do_with_a_row_and_what_it_costs(bench: Bench, state: str) -> None:
    """A retry says that it may cost again, reapply never costs; a row in work is left by both."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.vendor.script = answered("no JSON")
    bench.add_people("one")
    bench.run_until_quiet()
    later = "UPDATE batchd_gate SET state = ?, not_before = '2999-01-01 00:00:00.000'"
    good = "UPDATE batchd_content SET body = replace(body, 'no JSON', ?) WHERE kind = 'line'"
    bench.execute(good, GOOD_ANSWER.replace('"', '\\"'))
    told = GATES[state]

    bench.execute(later, state)
    freed = retry(bench.place.store, "people", person_task(), RetryOrder())
    bench.execute(later, state)
    by_key = retry(bench.place.store, "people", person_task(), RetryOrder(["1"]))
    bench.execute(later, state)
    done, _ = reapply(bench.place, "people", person_task(max_attempts=1), ReapplyOrder())

    assert told == ForRow(freed=bool(freed.number), freed_by_key=bool(by_key.number), reapplied=bool(done.number))
    assert (told.freed, told.freed_by_key) == (COSTS in freed.sentence, COSTS in by_key.sentence)
    assert COSTS not in done.sentence
    assert "free of charge" in done.sentence
    assert {1: 1} == payments(bench)


def beside(bench: Bench) -> Workplace:
    """Another process on the same database, with its own name."""
    return bench.workplace("a person", *(ConfiguredTask(one.definition) for one in bench.place.tasks.values()))


@pytest.mark.parametrize("moment", ["upload", "create_batch"])
def test_a_cancel_while_the_batch_is_being_sent_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Between upload and create nobody may free its rows: they would be paid for in two batches."""
    refusals: list[LeaseLostError] = []
    usual = getattr(bench.vendor, moment)

    def meanwhile(*arguments: Any) -> Any:
        with pytest.raises(LeaseLostError) as refused:
            cancel(beside(bench), "1")
        refusals.append(refused.value)
        return usual(*arguments)

    monkeypatch.setattr(bench.vendor, moment, meanwhile)
    bench.add_people("one")

    bench.run_until_quiet()

    assert [13] == [refused.exit_code for refused in refusals]
    assert [(1, "applied")] == bench.outcomes()
    assert {1: 1} == payments(bench)


@pytest.mark.parametrize(
    ("lead", "name", "call"),
    [
        (submitted, "cancel", "cancel_batch"),
        (held_unknown, "send again", "delete_file"),
        (held_unknown, "give up", "delete_file"),
        (held_unknown, "adopt", "retrieve_batch"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_daemon_leaves_a_batch_alone_while_a_person_settles_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, lead: Callable[[Bench], None], name: str, call: str
) -> None:
    """A whole pass of another process, while the person's command talks to the vendor, moves nothing."""
    begin(bench, lead)
    usual = getattr(bench.vendor, call)
    daemon = beside(bench)
    moves: list[Any] = []

    def meanwhile(*arguments: Any) -> Any:
        monkeypatch.setattr(bench.vendor, call, usual)
        before = bench.execute("SELECT state, held_from FROM batchd_batch")
        here, bench.place = bench.place, daemon
        bench.run()
        bench.place = here
        moves.append((before, bench.execute("SELECT state, held_from FROM batchd_batch")))
        return usual(*arguments)

    monkeypatch.setattr(bench.vendor, call, meanwhile)
    OPERATIONS[name](bench.place)

    ((before, after),) = moves
    assert before == after


def test_a_pause_in_the_middle_of_a_batch_stops_after_the_chunk_in_hand(bench: Bench) -> None:
    """What is written stays; nothing more is, until the task goes on."""
    bench.place = replace(bench.place, chunk=1, progress=PauseAfterAChunk(bench))
    bench.add_people("one", "two")
    bench.run(*SENDING)
    bench.check_until("collected")
    bench.run()

    assert [(1, "applied"), (2, None)] == bench.outcomes()
    assert [1, 0] == [done for *_, done in bench.people()]

    bench.place = replace(bench.place, progress=NoProgress())
    bench.execute("UPDATE batchd_task SET paused = 0")
    bench.run_until_quiet()

    assert [(1, "applied"), (2, "applied")] == bench.outcomes()
    assert {1: 1, 2: 1} == payments(bench)
