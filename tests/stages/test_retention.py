"""retention: what nobody needs any more leaves the ledger, in small steps; what somebody may need stays whole."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from batchd import failpoints
from batchd.errors import DatabaseError
from batchd.operations import RetryOrder, retry
from batchd.pipeline import BATCH_LANE
from batchd.ports import EVERYTHING, Counts
from batchd.stages import retention
from batchd.store.reading import ask, batch_detail, failure_facts
from batchd.store.retention import SqlRetention
from tests.fakes.answers import answered, both
from tests.stages.bench import GOOD_ANSWER, Bench, person_task
from tests.stages.judging import broken, notes
from tests.stages.reapplying import TOO_LONG, WIDER, write_kept

CLEANUP, RETENTION = BATCH_LANE[-2:]
LONG_AGO = "2026-01-01 00:00:00.000"
TRIMMED = "ledger: not looked at: requests that were removed as configured (batches: {})"


@pytest.fixture
def bench(bench: Bench) -> Bench:
    """Files go at once, and the ledger keeps the requests of a batch for an hour."""
    bench.place = replace(bench.place, keep_files=0.0, keep_ledger=3600.0)
    return bench


def grow_old(bench: Bench) -> None:
    """Every batch has ended long ago, and long ago what is left of it was looked at last."""
    bench.execute("UPDATE batchd_retention SET due_from = ? WHERE due_from IS NOT NULL", LONG_AGO)


def done(bench: Bench, number: int, **place: Any) -> None:
    """So many rows are done, in one batch, long ago."""
    bench.place = replace(bench.place, **place)
    bench.add_people(*["text"] * number)
    bench.run_until_quiet()
    grow_old(bench)


def left(bench: Bench) -> tuple[int, int]:
    """How many requests, and pieces of row content, the ledger has."""
    ((requests,),) = bench.execute("SELECT count(*) FROM batchd_request")
    ((pieces,),) = bench.execute("SELECT count(*) FROM batchd_content")
    return requests, pieces


def removed(counts: Counts) -> tuple[int, int]:
    """How many requests a pass has removed, and how many batches it has finished with."""
    return counts["requests_removed"], counts["batches_trimmed"]


def test_nothing_is_removed_unless_it_is_asked_for(bench: Bench) -> None:
    """Without ``keep_ledger`` the ledger keeps everything, for ever."""
    done(bench, 3, keep_ledger=None)

    assert not bench.run(RETENTION)
    assert (3, 3) == left(bench)


def test_young_requests_stay(bench: Bench) -> None:
    """They are kept for as long as the config says, from the end of their batch on."""
    bench.add_people("text")
    bench.run_until_quiet()
    bench.execute("UPDATE batchd_retention SET due_from = strftime('%Y-%m-%d %H:%M:%f', 'now', '-3500 seconds')")

    assert not bench.run(RETENTION)
    bench.execute("UPDATE batchd_retention SET due_from = strftime('%Y-%m-%d %H:%M:%f', 'now', '-3700 seconds')")
    assert (1, 1) == removed(bench.run(RETENTION))


def test_requests_stay_as_long_as_their_files(bench: Bench) -> None:
    """``verify`` holds the files of a batch against its requests."""
    done(bench, 2, keep_files=1e6)

    assert not bench.run(CLEANUP, RETENTION)
    assert (2, 2) == left(bench)


def test_the_batch_and_its_timeline_stay_as_the_record(bench: Bench) -> None:
    """Counts, tokens, cost and every move can be shown when the requests are gone; nothing counts as broken."""
    done(bench, 4)
    before, moves = bench.batch(), bench.execute("SELECT * FROM batchd_event")
    spent = bench.execute("SELECT * FROM batchd_v_spend_daily")

    assert (4, 1) == removed(bench.run(RETENTION))

    shown = ask(bench.database, lambda connection: batch_detail(connection, 1))
    assert (0, 0) == left(bench)
    assert (before, moves, spent) == (
        bench.batch(),
        bench.execute("SELECT * FROM batchd_event"),
        bench.execute("SELECT * FROM batchd_v_spend_daily"),
    )
    assert {"applied": 4} == shown["outcomes"]
    assert shown["requests_removed_at"] is not None
    assert ([], True) == (broken(bench), TRIMMED.format(1) in notes(bench))
    assert not bench.run(RETENTION), "a batch that is done with is looked at no more"


def test_rows_that_are_done_are_not_asked_again(bench: Bench) -> None:
    """Nothing is paid for again because the memory of it is gone: a done gate stays, and so does what marks the row."""
    bench.configure(definition=person_task(pending="version = 1"))
    done(bench, 2)

    assert (2, 1) == removed(bench.run(RETENTION))
    assert not bench.run()
    assert {1: "done", 2: "done"} == bench.gates()
    assert 1 == retry(bench.place.store, "people", person_task(pending="version = 1"), RetryOrder(["2"])).number


def test_rows_that_wait_for_a_person_keep_their_paid_answers(bench: Bench) -> None:
    """Promise 3: what was paid for and is not written can be written a year later, and is counted right."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.vendor.script = lambda request: (TOO_LONG if "odd" in str(request["body"]) else answered(GOOD_ANSWER))(
        request
    )
    bench.add_people("fine", "odd", "fine")
    bench.run_until_quiet()
    grow_old(bench)

    assert 2 == bench.run(RETENTION)["requests_removed"]
    assert [(2, "invalid")] == bench.outcomes()
    assert ["2"] == [one["key"] for one in ask(bench.database, failure_facts)]
    assert [] == broken(bench)

    bench.execute("ALTER TABLE person ADD COLUMN wide TEXT")
    assert 1 == write_kept(bench, WIDER).written
    told = bench.batch()
    assert (3, 0, 3) == (told["applied"], told["invalid"], told["requests"])


def test_a_reapplied_answer_is_kept_as_long_as_any_other(bench: Bench) -> None:
    """Its before-image is as young as the write."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.vendor.script = TOO_LONG
    done(bench, 1)
    bench.run(RETENTION)
    grow_old(bench)
    write_kept(bench, WIDER)

    assert not bench.run(RETENTION)
    grow_old(bench)
    assert (1, 1) == removed(bench.run(RETENTION))
    assert [] == broken(bench)


def test_all_tries_of_a_row_stay_while_it_waits(bench: Bench) -> None:
    """A row that is asked again keeps what its first try came to."""
    bench.configure(definition=person_task(max_attempts=3, retry_delay=1000.0))
    bench.vendor.script = TOO_LONG
    done(bench, 1)

    bench.run(RETENTION)
    assert [(1, "invalid")] == bench.outcomes()
    bench.execute("UPDATE batchd_gate SET not_before = ?", LONG_AGO)
    bench.vendor.script = answered(GOOD_ANSWER)
    bench.run_until_quiet()
    grow_old(bench)

    assert (2, 2) == removed(bench.run(RETENTION))
    assert (0, 0) == left(bench)


def test_a_batch_that_a_finding_is_open_about_stays_whole(bench: Bench) -> None:
    """Whoever looks into it finds everything; once it is closed, and as much time has passed again, it goes."""
    done(bench, 2)
    bench.execute(
        "INSERT INTO batchd_finding (kind, subject, next_command, opened_at) VALUES ('extra-batch', 'batch 1', '', ?)",
        LONG_AGO,
    )

    assert (0, 0) == removed(bench.run(RETENTION))
    bench.execute("UPDATE batchd_finding SET closed_at = opened_at")
    assert (0, 0) == removed(bench.run(RETENTION))
    grow_old(bench)
    assert (2, 1) == removed(bench.run(RETENTION))


def test_lines_of_nobody_go_with_the_last_request(bench: Bench) -> None:
    """What is kept of a whole batch stays as long as a request of it does."""
    done(bench, 2)
    bench.execute("INSERT INTO batchd_content VALUES (1, 0, 'stranger', 0, '{}', ?)", LONG_AGO)
    bench.execute(
        "INSERT INTO batchd_gate (task_id, key_int, key_hash, key_text, state, changed_at)"
        " VALUES (1, 2, '', '', 'failed', ?)",
        LONG_AGO,
    )

    bench.run(RETENTION)
    assert (1, 2) == left(bench)
    bench.execute("DELETE FROM batchd_gate")
    grow_old(bench)
    bench.run(RETENTION)
    assert (0, 0) == left(bench)


def test_a_pass_is_short_and_the_next_one_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Polling goes on in between, whatever there is to remove."""
    monkeypatch.setattr(retention, "_AT_ONCE", 2)
    monkeypatch.setattr(retention, "_SECONDS", 0.0)
    done(bench, 5)

    assert [2, 2, 1, 0] == [bench.run(RETENTION)["requests_removed"] for _ in range(4)]
    assert (0, 0) == left(bench)
    assert [] == broken(bench)


def test_a_transaction_removes_a_thousand_rows_at_most(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a conflict two lines are kept; nothing is locked for long."""
    bench.vendor.script = both(answered(GOOD_ANSWER), TOO_LONG)
    bench.configure(batch_size=400)
    done(bench, 400, chunk=400)
    bench.execute("DELETE FROM batchd_gate")
    transactions: list[int] = []
    monkeypatch.setattr(failpoints, "before", lambda _: transactions.append(sum(left(bench))))

    bench.run(RETENTION)

    left_over = [1200, *transactions, 0]
    steps = [one - other for one, other in pairwise(left_over)]
    assert (400 + 800, True) == (sum(steps), max(steps) <= 1000)


COMMITS = [step for step in failpoints.STEPS if step.startswith("retention.")]


class _KilledError(Exception):
    """The process ends here."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", COMMITS)
def test_killed_anywhere_it_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch, when: str, step: str) -> None:
    """Promise 8: nothing is broken at any moment, and the end is the same."""
    monkeypatch.setattr(retention, "_AT_ONCE", 2)
    done(bench, 5)

    def strike(name: str) -> None:
        if name == step:
            raise _KilledError

    with monkeypatch.context() as armed:
        armed.setattr(failpoints, when, strike)
        with pytest.raises(_KilledError):
            bench.run(RETENTION)
    assert [] == broken(bench)

    bench.run(RETENTION)
    assert (0, 0) == left(bench)
    assert [] == broken(bench)
    assert not bench.run(RETENTION)


def test_two_processes_at_once_remove_nothing_twice(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one was faster: there is nothing left to do, and nothing goes wrong."""
    done(bench, 3)
    other = retention.Retention(bench.place, EVERYTHING)
    due = SqlRetention.due

    def overtaken(self: SqlRetention, *arguments: Any) -> Any:
        found = due(self, *arguments)
        monkeypatch.setattr(SqlRetention, "due", due)
        other.run_once()
        return found

    monkeypatch.setattr(SqlRetention, "due", overtaken)
    counts = bench.run(RETENTION)

    assert (0, (0, 0)) == (counts["requests_removed"], left(bench))
    assert [] == broken(bench)


def test_a_missing_right_stops_nothing_else(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pass goes on, and its exit code tells that the database refused something."""
    done(bench, 1)

    def refuse(*_: Any) -> None:
        raise DatabaseError("the login lacks a right", next_command="have a DBA run: GRANT DELETE …")

    monkeypatch.setattr(SqlRetention, "remove", refuse)
    counts = bench.run(RETENTION)

    assert {DatabaseError.exit_code} == counts.causes
    assert (1, 1) == left(bench)


def test_a_batch_that_lost_requests_otherwise_is_broken(bench: Bench) -> None:
    """The mark of retention excuses what is gone, and nothing else."""
    done(bench, 3)
    bench.execute("DELETE FROM batchd_content")
    bench.execute("DELETE FROM batchd_request WHERE seq = 2")
    assert {"requests-miscounted", "outcomes-miscounted"} <= {check for check, _ in broken(bench)}

    bench.execute("UPDATE batchd_retention SET trimmed_at = due_from")
    bench.execute("UPDATE batchd_batch SET requests = 1, applied = 1")
    assert {"requests-miscounted", "outcomes-miscounted"} <= {check for check, _ in broken(bench)}
