"""What the program asks a ledger with a long past: no statement reads a large table whole, on SQLite and PostgreSQL.

What `status` asks is looked at on MariaDB too, in `test_status_plans.py`.

Not looked at: `batchd verify`, which judges everything there is, and `batchd db upgrade`.
"""

import datetime as dt
import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from batchd.core.keys import RowKey
from batchd.core.outcomes import Outcome
from batchd.core.quota import Learnt
from batchd.core.states import OPEN
from batchd.errors import UsageError
from batchd.operations import (
    ReapplyOrder,
    RetryOrder,
    abandon,
    cancel,
    foresee_cancel,
    foresee_pause,
    foresee_retry,
    pause,
    reapply,
    resolve,
    resume,
    retry,
)
from batchd.operations.findings import mark_seen
from batchd.pipeline import BATCH_LANE, HOUSEKEEPING, SENDING
from batchd.ports import EVERYTHING, Ledger, Scope
from batchd.store import (
    batches,
    contents,
    findings,
    gates,
    kept_results,
    keyed,
    leases,
    meters,
    overview,
    processes,
    quotas,
    reading,
    requests,
    retention,
    rows,
    tasks,
    vendor_files,
)
from batchd.store.reading import ask
from tests.conformance.large_ledger import FIRST_OLD, LargeBench
from tests.conformance.statement_watch import Planner, PostgresqlPlanner, SqlitePlanner, StatementWatch
from tests.conformance.stores import StoreUnderTest
from tests.fakes.answers import answered, http_error
from tests.fakes.vendor import unclear
from tests.stages.bench import GOOD_ANSWER, PauseAfterAChunk, person_task

RECOVER, CLAIM, SUBMIT = SENDING
PLANNERS: dict[str, type[Planner]] = {"sqlite": SqlitePlanner, "postgresql": PostgresqlPlanner}
TOO_LONG = answered('{"name": "' + "A" * 30 + '", "level": "junior"}')
# By who asks. Whatever else reads a large table whole, or much of it, turns the test red.
ABOUT_ALL_THERE_IS = {
    "store/rows.py:SqlRows.claimable_rows": "the full sweep, at most every sweep_interval; else from the resume point",
    "store/rows.py:SqlRows.claimable": "the same, of keys that are no single integer",
    "store/rows.py:SqlRows.count_claimable": "counts the backlog, after a sweep and where a person asks (--count)",
    "store/reading.py:_task": "counts a task's gates, in its index alone, and sums up its batches",
    "store/reading.py:_outcomes": "sums up a task's batches",
    "store/reading.py:batch_facts": "from the newest on, by number, and ends after as many as are shown",
    "store/meters.py:_count_closed": "sums up all batches, on a connection of its own, a twentieth of the time at most",
    "store/meters.py:_count_reapplied": "the same, for those that were written to after they were closed",
    "store/meters.py:_findings": "closed ones too: there are as many as people were asked",
    "store/overview.py:last_move": "from the newest on, by number, and ends after twenty",
    "store/reading.py:finding_facts": "closed ones too: there are as many as people were asked",
    "store/reading.py:_told_of": "the same, and by kind and subject where there are many",
}
TOO_MUCH = (
    "SELECT count(*) FROM {}batchd_request WHERE outcome = 'stale'",
    "SELECT max(changed_at) FROM {}batchd_gate WHERE task_id = 1",
    "UPDATE {}batchd_batch SET looks = 0 WHERE account_fingerprint = 'x' AND looks = 7",
    "DELETE FROM {}batchd_event WHERE actor = 'nobody'",
)
# What holds SQL and is not passed by any step below, with the reason.
NOT_DRIVEN = {
    "term": "one row, by its number, on databases whose driver may lose a transaction",
    "SqlTasks.add": "adds one row",
    "SqlTasks.rename": "one task row, by its number",
    "SqlTasks.set_fingerprint": "one task row, by its number",
    "SqlVendorFiles.let_go_of_all": "whole tables, in the one moment in which a copy is adopted",
    "SqlBatches.seconds_past_window": "one batch row, by its number",
}


@pytest.fixture
def bench(db: StoreUnderTest, tmp_path: Path) -> LargeBench:
    """A large ledger, whose statements nobody watches yet; its task has two live batches."""
    bench = LargeBench(tmp_path, db)
    bench.place = replace(bench.place, keep_files=0.0, chunk=5)
    bench.configure(batch_size=5, definition=person_task(max_resends=1))
    bench.add_people(*["a résumé"] * 12)
    bench.run(*SENDING)
    bench.give_a_past()
    return bench


def watched(bench: LargeBench, *, analysed: bool) -> StatementWatch:
    """The bench's statements, with or without what ANALYZE tells a planner; SQLite's users seldom run it."""
    if analysed:
        bench.execute("ANALYZE")
    return StatementWatch(bench.database.engine, PLANNERS[bench.db.name]())


@pytest.mark.parametrize(
    ("db", "analysed"), [("sqlite", False), ("sqlite", True), ("postgresql", True)], indirect=["db"]
)
def test_no_statement_reads_a_large_table_whole(bench: LargeBench, analysed: bool) -> None:  # noqa: FBT001
    """Each SELECT, UPDATE and DELETE of the lanes and of what people do is led by an index to what it is about."""
    watch = watched(bench, analysed=analysed)

    for step in STEPS:
        step(bench)

    told = "\n".join(map(str, watch.breaches(frozenset(ABOUT_ALL_THERE_IS))))
    assert not told, f"statements that read too much of a large ledger:\n{told}"
    assert set(ABOUT_ALL_THERE_IS) <= watch.called, "nobody asks so any more: take it from the list"
    assert not lost(watch), "these ask the ledger something that no step of this test passes"


@pytest.mark.parametrize("db", ["sqlite", "postgresql"], indirect=True)
def test_statements_that_read_too_much_are_told(bench: LargeBench) -> None:
    """What this suite is there for: a new question without an index is red, also where an index leads to it all."""
    watch = watched(bench, analysed=True)
    schema = "batchd." if bench.db.name == "postgresql" else ""
    asked = [sql.format(schema) for sql in TOO_MUCH]

    with bench.database.engine.begin() as connection:
        for sql in asked:
            connection.execute(sa.text(sql))

    assert asked == [one.sql for one in watch.breaches(frozenset(ABOUT_ALL_THERE_IS))]


def read(bench: LargeBench, *questions: Callable[[Ledger], object]) -> None:
    """Asks the ledger, each question in a transaction of its own."""
    for question in questions:
        bench.place.store.read(question)


def lane_with_all_kinds_of_ends(bench: LargeBench) -> None:
    """Answers that fit, that don't, and lines that fail; the retries of these; files and requests go at the end."""
    bench.run_until_quiet()
    for script in (TOO_LONG, http_error(500), http_error(400), answered(GOOD_ANSWER)):
        bench.vendor.script = script
        bench.add_people(*["another"] * 7, first=next_id(bench))
        bench.run_until_quiet()


def next_id(bench: LargeBench) -> int:
    """Behind the ids that a test has added."""
    ((last,),) = bench.db.execute("SELECT max(id) FROM person WHERE id < ?", FIRST_OLD)
    return int(last) + 1


def send_one(bench: LargeBench) -> str:
    """One more batch is sent; its number."""
    bench.add_people("one more", first=next_id(bench))
    bench.run(CLAIM, SUBMIT)
    return newest(bench)


def newest(bench: LargeBench) -> str:
    """The number of the newest batch."""
    ((number,),) = bench.db.execute("SELECT max(id) FROM batchd_batch")
    return str(number)


def unknown_creates(bench: LargeBench) -> None:
    """A create that took effect unseen is found; one that did not is held, and given up by a person."""
    bench.vendor.fail_next("create_batch", unclear(), after=True)
    send_one(bench)
    bench.run(*BATCH_LANE)
    bench.run_until_quiet()
    bench.vendor.fail_next("create_batch", unclear())
    number = send_one(bench)
    past = "2026-01-01 00:00:00.000"
    bench.db.execute("UPDATE batchd_batch SET settle_by = ?, not_before = NULL WHERE id = ?", past, int(number))
    bench.run(RECOVER)
    abandon(bench.place, number)
    bench.run_until_quiet()


def what_people_do(bench: LargeBench) -> None:
    """Pause, cancel, resolve, retry and reapply."""
    pause(bench.place.store, "people", "wait")
    bench.run(*BATCH_LANE)
    resume(bench.place.store, "people", "go on")
    number = send_one(bench)
    foresee_pause(bench.place.store, "people")
    foresee_cancel(bench.place, number)
    cancel(bench.place, number)
    bench.run_until_quiet()
    bench.vendor.script = TOO_LONG
    bench.configure(definition=person_task(max_attempts=1))
    number = send_one(bench)
    bench.run_until_quiet()
    for order in (ReapplyOrder(dry_run=True), ReapplyOrder(batch=number), ReapplyOrder(keys=("1",))):
        reapply(bench.place, "people", person_task(max_attempts=1), order)
    bench.vendor.script = answered(GOOD_ANSWER)
    for keys in ([], ["1", str(FIRST_OLD + 5)]):
        freed = RetryOrder(keys, only=[] if keys else [Outcome.INVALID])
        foresee_retry(bench.place.store, bench.place.prices, "people", person_task(), freed)
        retry(bench.place.store, "people", person_task(), freed)
    bench.run_until_quiet()
    for reference in (number, "nothing"):
        for act in (resolve, mark_seen, cancel, abandon):
            with pytest.raises(UsageError):
                act(bench.place, reference)


def commands_that_look(bench: LargeBench) -> None:
    """status, batches, show, failures, check."""
    apply_half_a_batch(bench)
    number = int(newest(bench))
    for question in (
        reading.task_facts,
        lambda connection: reading.task_facts(connection, "people"),
        reading.batch_facts,
        lambda connection: reading.batch_facts(connection, task="people", most=10, only_open=True),
        reading.waiting_facts,
        reading.finding_facts,
        meters._meter,
        lambda connection: overview.clock(connection, bench.database.dialect),
        overview.in_flight_facts,
        lambda connection: overview.in_flight_facts(connection, "people"),
        overview.backlog_in_all,
        overview.lease_facts,
        overview.process_facts,
        overview.last_move,
        lambda connection: overview.recent_facts(connection, dt.datetime.now(dt.UTC)),
        overview.reason_facts,
        lambda connection: reading.batch_detail(connection, number),
        lambda connection: reading.failure_facts(connection, most=200),
        lambda connection: reading.failure_facts(connection, batch=number),
    ):
        ask(bench.database, question)
    for view in ("batches WHERE batch = 7", "findings"):
        ask(bench.database, lambda connection, named=view: view_rows(connection, bench, named))  # type: ignore[misc]


def apply_half_a_batch(bench: LargeBench) -> None:
    """A person pauses the task when the first chunk of a batch is written."""
    bench.configure(batch_size=20)
    bench.add_people(*["another"] * 20, first=next_id(bench))
    bench.place = replace(bench.place, progress=PauseAfterAChunk(bench))
    passes = iter(range(20))
    while not bench.db.execute("SELECT 1 FROM batchd_task WHERE paused = 1"):
        assert next(passes, None) is not None, "no chunk was written"
        bench.run()


def view_rows(connection: sa.Connection, bench: LargeBench, view: str) -> Sequence[object]:
    """A DBA's question."""
    schema = "batchd." if bench.db.name == "postgresql" else ""
    return connection.execute(sa.text(f"SELECT * FROM {schema}batchd_v_{view}")).all()


def what_the_daemon_asks(bench: LargeBench) -> None:
    """Between its passes, and what the stages ask where something is odd."""
    people = Scope(task="people")
    ids = [f"oldbatch-{number}" for number in range(1, 20)]
    read(
        bench,
        lambda ledger: ledger.batches.next_due(EVERYTHING),
        lambda ledger: ledger.batches.next_due(people),
        lambda ledger: ledger.batches.any_later(people),
        lambda ledger: ledger.batches.open_count(1),
        lambda ledger: ledger.batches.open_accounts(),
        lambda ledger: ledger.batches.open_tasks(),
        lambda ledger: [ledger.batches.at(state, people) for state in OPEN],
        lambda ledger: ledger.batches.sent_at("fake", ids),
        lambda ledger: ledger.batches.known_uids(ids),
        lambda ledger: ledger.batches.find("oldbatch-77"),
        lambda ledger: ledger.batches.find("old-77"),
        lambda ledger: ledger.batches.newest_at("another"),
        lambda ledger: ledger.batches.bytes_on_the_way(),
        lambda ledger: ledger.batches.with_old_files(EVERYTHING, 1e9, 50),
        lambda ledger: ledger.retention.due(people, 1e9, 50),
        lambda ledger: ledger.retention.trimmed_at(7),
        lambda ledger: ledger.vendor_files.due(people, ("fake", "account-1"), 1e9, 50),
        lambda ledger: ledger.vendor_files.deleted_at(7),
        lambda ledger: ledger.gates.next_retry(1),
        lambda ledger: ledger.gates.due_retries(1, 50_000),
        lambda ledger: ledger.tasks.find("people"),
        lambda ledger: ledger.tasks.has_open_work(1),
        lambda ledger: ledger.tasks.remembers_rows(1),
        lambda ledger: [ledger.tasks.definitions(one) for one in ledger.tasks.all()],
        lambda ledger: ledger.tasks.seconds_since_batch(1),
        lambda ledger: ledger.tasks.seconds_since_sweep(1),
        lambda ledger: ledger.findings.was_told("late-batch", "batch 77", "x"),
        lambda ledger: ledger.findings.was_closed("late-batch", "batch 77"),
        lambda ledger: ledger.findings.is_open("late-batch", "batch 77"),
        lambda ledger: ledger.findings.is_any_open("batch 77"),
        lambda ledger: ledger.contents.read(7, "line"),
        lambda ledger: ledger.kept.written_among(7, [1, 2, 3]),
        lambda ledger: ledger.rows(1, person_task()).claimable((50,), 10),
        lambda ledger: ledger.rows(1, person_task()).count_claimable(),
        lambda ledger: ledger.quotas.will_be_freed(people),
    )
    told = ["oldbatch-1", "nobody-knows"]
    bench.place.store.transact(lambda ledger: ledger.batches.bring_forward("fake", told))
    bench.place.store.transact(lambda ledger: ledger.quotas.wait(range(100, 140), 100))
    bench.place.store.transact(lambda ledger: ledger.quotas.learn("fake", "gpt-6-luna", Learnt(1000)))
    bench.place.store.transact(lambda ledger: ledger.processes.forget_others("me", 1.0))
    bench.place.store.transact(lambda ledger: ledger.processes.show("me", "1", 1.0))
    bench.place.store.transact(lambda ledger: ledger.processes.leave("me"))
    bench.place.store.transact(lambda ledger: ledger.gates.drop(1, [RowKey(FIRST_OLD)]))
    bench.place.store.transact(lambda ledger: ledger.findings.close_all("batch 77", ["late-batch"]))


def retention_of_old_batches(bench: LargeBench) -> None:
    """Requests of some batches leave: of those that are done with, and of one that a finding is open about."""
    bench.db.execute("UPDATE batchd_retention SET due_from = ? WHERE batch_id < 60", "2026-01-01 00:00:00.000")
    bench.db.execute(
        "INSERT INTO batchd_finding (kind, subject, detail, next_command, opened_at)"
        " VALUES ('late-batch', 'batch 50', '', '', '2026-01-01 00:00:00.000')"
    )
    bench.place = replace(bench.place, keep_ledger=1.0)
    bench.run(BATCH_LANE[-1])
    bench.place = replace(bench.place, keep_ledger=None)


def files_of_old_batches(bench: LargeBench) -> None:
    """Some files at the vendor leave, and those of another batch stay for a while."""
    bench.db.execute("UPDATE batchd_vendor_files SET due_from = ? WHERE batch_id < 60", "2026-01-01 00:00:00.000")
    bench.place = replace(bench.place, keep_vendor_files=1.0)
    bench.run(HOUSEKEEPING[0])
    bench.place = replace(bench.place, keep_vendor_files=None)


STEPS: tuple[Callable[[LargeBench], None], ...] = (
    lane_with_all_kinds_of_ends,
    unknown_creates,
    what_people_do,
    commands_that_look,
    what_the_daemon_asks,
    retention_of_old_batches,
    files_of_old_batches,
)
_ASKING = (
    batches, contents, findings, gates, kept_results, keyed, leases, meters, overview, processes, quotas, reading,
    requests, retention, rows, tasks, vendor_files,
)  # fmt: skip


def lost(watch: StatementWatch) -> list[str]:
    """Public functions and methods with SQL of their own that were not passed."""
    there = {
        f"{Path(inspect.getfile(module)).stem}.py:{function.__qualname__}"
        for module in _ASKING
        for function in _functions_of(module)
        if {"execute", "scalar", "scalars"} & set(function.__code__.co_names)
    }
    passed = {one.rpartition("/")[2] for one in watch.called}
    return sorted(one for one in there - passed if one.partition(":")[2] not in NOT_DRIVEN)


def _functions_of(module: object) -> list[Callable[..., object]]:
    mine = [one for one in vars(module).values() if getattr(one, "__module__", "") == getattr(module, "__name__", "")]
    classes = [one for one in mine if inspect.isclass(one)]
    methods = [method for one in classes for method in vars(one).values()]
    return [one for one in (*mine, *methods) if inspect.isfunction(one)]
