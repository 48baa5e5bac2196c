"""What the metrics say of a ledger: the truth whichever process made it, and nothing that goes back."""

import datetime as dt
from dataclasses import replace

from batchd.core.outcomes import Outcome
from batchd.operations import pause
from batchd.pipeline import BATCH_LANE, SENDING, WORKING
from batchd.store.meters import TaskMeter, read_meter
from batchd.store.oldest import oldest_pending
from tests.stages.bench import Bench, person_task
from tests.stages.reapplying import TOO_LONG, WIDER, write_kept

RETENTION = BATCH_LANE[-1]
LONG_AGO = "2026-01-01 00:00:00.000"


def meter(bench: Bench) -> TaskMeter:
    return read_meter(bench.database).tasks["people"]


def rows(bench: Bench) -> dict[str, int]:
    """Outcomes that were seen at all."""
    return {outcome: number for outcome, number in meter(bench).rows.items() if number}


def test_rows_and_cost_are_counted(bench: Bench) -> None:
    """As the ledger's own figures say, with the time of the last write."""
    bench.add_people("one", "two", "three")
    bench.run_until_quiet()

    found = meter(bench)
    ((cost,),) = bench.execute("SELECT sum(cost_nano_usd) FROM batchd_request")
    assert {"applied": 3} == rows(bench)
    assert (cost / 1e9, 0, {}) == (found.cost_usd, found.unpriced, found.batches)
    assert found.last_apply_at is not None
    assert abs(found.last_apply_at - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=5)


def test_open_batches_are_counted_by_state(bench: Bench) -> None:
    """And nothing of them is a row that came to an end."""
    bench.configure(batch_size=2)
    bench.add_people("one", "two", "three")
    bench.run(*SENDING)

    assert {"submitted": 2} == meter(bench).batches
    assert {} == rows(bench)


def test_rows_of_a_batch_that_is_being_written_are_counted(bench: Bench) -> None:
    """A batch of fifty thousand shows how it gets on, and no row is counted again when it closes."""
    bench.place = replace(bench.place, chunk=1)
    bench.add_people("one", "two", "three")
    bench.run(*SENDING)
    bench.place = replace(bench.place, stopping=lambda: rows_written(bench) > 0)
    while not rows_written(bench):
        bench.run(*WORKING)
    midway = rows(bench)
    bench.place = replace(bench.place, stopping=bool)
    bench.run_until_quiet()

    assert {"applied": 1} == midway
    assert {"applied": 3} == rows(bench)


def test_counters_do_not_go_back_when_answers_are_reapplied(bench: Bench) -> None:
    """What was poison stays counted as that, also after its answer was written, and once more as applied."""
    bench.add_people("one", "two", "three")
    bench.execute("CREATE TRIGGER no BEFORE UPDATE ON person WHEN NEW.id > 1 BEGIN SELECT RAISE(ABORT, 'no'); END")
    bench.run_until_quiet()
    before = rows(bench)
    bench.execute("DROP TRIGGER no")

    write_kept(bench)

    assert {"applied": 1, "poison": 2} == before
    assert {"applied": 3, "poison": 2} == rows(bench)


def test_counters_do_not_go_back_when_requests_leave_the_ledger(bench: Bench) -> None:
    """Batches keep their counts; also those of answers that were reapplied before."""
    bench.place = replace(bench.place, keep_files=0.0, keep_ledger=3600.0)
    bench.vendor.script = TOO_LONG
    bench.configure(definition=person_task(max_attempts=1))
    bench.add_people("one")
    bench.run_until_quiet()
    write_kept(bench, WIDER)
    before, cost = rows(bench), meter(bench).cost_usd
    bench.execute("UPDATE batchd_retention SET due_from = ? WHERE due_from IS NOT NULL", LONG_AGO)
    bench.run(RETENTION)

    assert [] == bench.execute("SELECT seq FROM batchd_request")
    assert {"applied": 1, "invalid": 1} == before == rows(bench)
    assert cost == meter(bench).cost_usd > 0


def test_a_pause_and_findings_are_told(bench: Bench) -> None:
    """By kind; those that are closed no more."""
    bench.add_people("one")
    bench.run_until_quiet()
    pause(bench.place.store, "people", "for now")
    bench.place.store.transact(lambda ledger: ledger.findings.open("overdue", "batch 1", "late"))
    bench.place.store.transact(lambda ledger: ledger.findings.open("overdue", "batch 2", "late"))
    bench.place.store.transact(lambda ledger: ledger.findings.open("vendor-auth", "vendor fake", "no"))
    bench.place.store.transact(lambda ledger: ledger.findings.close_all("vendor fake", ("vendor-auth",)))

    assert meter(bench).paused
    assert {"overdue": 2} == read_meter(bench.database).findings


def test_the_backlog_is_told_with_its_beginning(bench: Bench) -> None:
    """Rows that the sweep left; since when they are, not since the last sweep."""
    bench.configure(batch_size=1, max_open_batches=1)
    bench.place = replace(bench.place, sweep_interval=0.0)
    bench.add_people("one", "two", "three")
    bench.run(*SENDING)
    since = meter(bench).backlog_since
    bench.run(*SENDING)

    assert (2, since) == (meter(bench).backlog, meter(bench).backlog_since)
    assert since is not None


def test_every_outcome_of_a_request_has_its_count(bench: Bench) -> None:
    """None is forgotten between the ledger's columns and the metric."""
    bench.add_people("one")
    bench.run_until_quiet()

    assert set(Outcome) - {Outcome.UNRENDERABLE, Outcome.TOO_LARGE} == set(meter(bench).rows)


def test_the_oldest_row_is_one_that_can_be_claimed(bench: Bench) -> None:
    """Rows that are done, or in work, do not wait any more."""
    definition = person_task()
    bench.execute("ALTER TABLE person ADD COLUMN created TEXT")
    bench.add_people("one", "two", "three", "four")
    for number, day in (
        (1, "2026-01-01"),
        (2, "2026-01-02 10:00:00"),
        (3, "2026-01-03T10:00:00+02:00"),
        (4, "2026-01-04"),
    ):
        bench.execute("UPDATE person SET created = ? WHERE id = ?", day, number)
    bench.execute("UPDATE person SET done_at = 'yes' WHERE id = 1")
    bench.configure(batch_size=1, max_open_batches=1)
    nobody = oldest_pending(bench.database, definition, "created")
    bench.run(*SENDING)

    assert nobody is None, "the ledger does not know the task yet"
    assert dt.datetime(2026, 1, 3, 8, tzinfo=dt.UTC) == oldest_pending(bench.database, definition, "created")


def test_a_column_without_times_tells_nothing(bench: Bench) -> None:
    """It is told as no time at all, and keeps nothing from work."""
    bench.add_people("one")
    bench.run_until_quiet()
    bench.add_people("two", first=2)

    assert oldest_pending(bench.database, person_task(), "resume") is None


def rows_written(bench: Bench) -> int:
    ((number,),) = bench.execute("SELECT count(*) FROM person WHERE done_at IS NOT NULL")
    return int(number)
