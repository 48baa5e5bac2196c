"""A row that changed while its batch was open is not overwritten, and one that nobody changed is not called stale."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batchd.core.fields import FieldSpec
from batchd.core.schema import ColumnInfo, answer_from_fields, with_columns
from batchd.core.tasks import Marker, TaskDefinition
from batchd.operations import RetryOrder, retry
from batchd.pipeline import SENDING
from batchd.ports import ConfiguredTask
from tests.fakes.answers import answered
from tests.stages.bench import Bench, person_task
from tests.stages.test_claim import meanwhile

# The résumé has no type of its own, so that 5 and '5' can both stand in it.
TABLE = """
CREATE TABLE person (
    id        INTEGER PRIMARY KEY,
    resume,
    name      TEXT,
    level     TEXT,
    done_at   TEXT,
    summary   TEXT,
    rank      TEXT,
    summed_at TEXT,
    version   INTEGER DEFAULT 1
)
"""
# Whoever writes a row, batchd included, moves its guard column.
BUMP = """
CREATE TRIGGER bump AFTER UPDATE ON person WHEN NEW.version IS OLD.version
BEGIN UPDATE person SET version = version + 1 WHERE id = NEW.id; END
"""
GUARDS = [None, "version"]
PENDING = "done_at IS NULL OR done_at = ''"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Rows with a guard column that every UPDATE moves; one paid try, so that what is stale stays so."""
    bench = Bench(tmp_path, table=TABLE)
    bench.planted = ""
    bench.execute(BUMP)
    return bench


def guard_with(bench: Bench, guard: str | None, **changes: Any) -> TaskDefinition:
    """The task as it is guarded: by the hash alone, or with a guard column in front of it."""
    definition = person_task(**{"guard_column": guard, "pending": PENDING, "max_attempts": 1, **changes})
    bench.configure(definition=definition)
    return definition


def rows(bench: Bench) -> list[Any]:
    """Everything in the table but the guard column."""
    columns = "id, typeof(resume), resume, name, level, done_at, summary, rank, summed_at"
    return bench.execute(f"SELECT {columns} FROM person ORDER BY id")


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE person SET resume = 'another text' WHERE id = 1",
        "UPDATE person SET resume = 'Text' WHERE id = 1",
        "UPDATE person SET resume = 'text ' WHERE id = 1",
        "UPDATE person SET resume = NULL WHERE id = 1",
        "UPDATE person SET resume = '' WHERE id = 2",
        "UPDATE person SET resume = NULL WHERE id = 3",
        "UPDATE person SET resume = 5 WHERE id = 4",
        "UPDATE person SET resume = x'35' WHERE id = 4",
        "UPDATE person SET name = 'by hand' WHERE id = 1",
        "UPDATE person SET level = 'junior' WHERE id = 1",
        "UPDATE person SET name = '' WHERE id = 1",
        "UPDATE person SET done_at = '' WHERE id = 1",
        "UPDATE person SET done_at = 'by hand' WHERE id = 1",
        "DELETE FROM person WHERE id = 1; INSERT INTO person (id, resume, version) VALUES (1, 'another text', 7)",
    ],
)
def test_a_row_that_changed_is_stale_and_keeps_what_stands_in_it(bench: Bench, guard: str | None, edit: str) -> None:
    """Any input, any column to be written, the marker; by a letter's case, a space, a type, NULL against ''."""
    guard_with(bench, guard)
    bench.add_people("text", None, "", "5")
    bench.run(*SENDING)
    for statement in edit.split("; "):
        bench.execute(statement)
    edited = rows(bench)
    number = int(edit.partition("id = ")[2][:1])

    bench.run_until_quiet()

    assert [(one, "stale" if one == number else "applied") for one in (1, 2, 3, 4)] == bench.outcomes()
    assert edited[number - 1] == rows(bench)[number - 1]
    assert [number] == [seq for seq, _ in bench.kept("line")]


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE person SET done_at = 'done'; UPDATE person SET done_at = NULL",
        "UPDATE person SET resume = 'other', name = 'x'; UPDATE person SET resume = 'text', name = NULL",
        "UPDATE person SET summary = 'not ours'",
        "UPDATE person SET version = version + 1",
        "UPDATE person SET version = NULL",
        "DELETE FROM person; INSERT INTO person (id, resume, version) VALUES (1, 'text', 7)",
        "DELETE FROM person; INSERT INTO person (id, resume) VALUES (1, 'text')",
    ],
)
def test_a_row_that_stands_as_it_was_read_is_written(bench: Bench, guard: str | None, edit: str) -> None:
    """Out of the predicate and back, changed and changed back, deleted and put back, or touched beside the task."""
    guard_with(bench, guard)
    bench.add_people("text")
    bench.run(*SENDING)
    for statement in edit.split("; "):
        bench.execute(statement)

    bench.run_until_quiet()

    assert [(1, "applied")] == bench.outcomes()
    assert [(1, "Ada", "senior", 1)] == bench.people()


@pytest.mark.parametrize("guard", GUARDS)
def test_a_row_that_is_deleted_is_gone(bench: Bench, guard: str | None) -> None:
    """Nothing is written, nothing is put back, and its paid answer is kept."""
    guard_with(bench, guard)
    bench.add_people("one", "two")
    bench.run(*SENDING)
    bench.execute("DELETE FROM person WHERE id = 1")

    bench.run_until_quiet()

    assert [(1, "gone"), (2, "applied")] == bench.outcomes()
    assert [2] == [number for number, *_ in bench.people()]
    assert [1] == [seq for seq, _ in bench.kept("line")]


@pytest.mark.parametrize("guard", GUARDS)
def test_a_row_that_left_the_predicate_is_let_go_of(bench: Bench, guard: str | None) -> None:
    """Neither written nor asked again: somebody else is done with it."""
    guard_with(bench, guard, pending="summary IS NULL")
    bench.add_people("one")
    bench.run(*SENDING)
    bench.execute("UPDATE person SET summary = 'no longer wanted'")

    bench.run_until_quiet()

    assert [(1, "stale")] == bench.outcomes()
    assert [(1, None, None, 0)] == bench.people()
    assert {} == bench.gates()


@pytest.mark.parametrize("beats", [False, True], ids=["still", "heartbeat"])
def test_a_guard_column_that_is_null_guards_by_the_hash(
    bench: Bench,
    beats: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Two NULLs are no equal guards: the changed row is stale, the other one is written."""
    guard_with(bench, "version")
    bench.execute("DROP TRIGGER bump")
    bench.add_people("one", "two")
    bench.execute("UPDATE person SET version = NULL")
    bench.run(*SENDING)
    bench.execute("UPDATE person SET resume = 'another text' WHERE id = 1")
    if beats:
        bench.execute("UPDATE person SET version = 9")

    bench.run_until_quiet()

    assert [(1, "stale"), (2, "applied")] == bench.outcomes()
    assert (1, None, None, 0) == bench.people()[0]


def test_a_heartbeat_over_every_row_makes_nothing_stale(bench: Bench) -> None:
    """Each look finds another version and the same row; all of them are written, and only what changed is not."""
    guard_with(bench, "version")
    bench.add_people(*("text",) * 30)
    bench.run(*SENDING)
    bench.execute("UPDATE person SET version = version + 100")
    bench.execute("UPDATE person SET name = 'by hand' WHERE id = 7")

    bench.run_until_quiet()

    assert [(one, "stale" if one == 7 else "applied") for one in range(1, 31)] == bench.outcomes()
    assert (7, "by hand", None, 0) == bench.people()[6]


@pytest.mark.parametrize("guard", GUARDS)
def test_a_row_edited_between_its_reading_and_the_record_is_not_overwritten(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, guard: str | None
) -> None:
    """The guard is that of what was rendered, not of what stood there when the batch was recorded."""
    guard_with(bench, guard)
    bench.add_people("the old text")
    meanwhile(bench, monkeypatch, "UPDATE person SET resume = 'the new text'")

    bench.run(*SENDING)
    assert [True] == [b"the old text" in line for line in bench.sent_lines()]
    bench.run_until_quiet()

    assert [(1, "stale")] == bench.outcomes()
    assert [(1, None, None, 0)] == bench.people()


def second_task(guard: str | None, **changes: Any) -> TaskDefinition:
    """Another task on the same table, with columns of its own."""
    fields = {
        "name": FieldSpec(type="string", nullable=True, column="summary"),
        "level": FieldSpec(type="string", enum=("junior", "senior"), column="rank"),
    }
    columns = {"summary": ColumnInfo("text"), "rank": ColumnInfo("text")}
    usual = {
        "name": "summaries",
        "pending": "summed_at IS NULL",
        "answer": with_columns(answer_from_fields(fields), columns),
        "on_success": {"summed_at": Marker(source="now")},
        "guard_column": guard,
    }
    return person_task(**{**usual, **changes})


def configure_both(bench: Bench, *definitions: TaskDefinition) -> None:
    """These tasks; the batches of the first one are applied first, for the first look finds all of them ended."""
    bench.vendor.statuses = ("validating", "completed")
    bench.place = replace(bench.place, tasks={one.name: ConfiguredTask(one) for one in definitions})


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("second_first", [False, True], ids=["people first", "summaries first"])
def test_two_tasks_on_one_table_make_nothing_stale_for_each_other(
    bench: Bench,
    guard: str | None,
    second_first: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Both batches are open when the first one is applied, and its writes move the guard column of every row."""
    both = [guard_with(bench, guard, max_attempts=3), second_task(guard)]
    configure_both(bench, *(reversed(both) if second_first else both))
    bench.add_people("one", "two")
    bench.run(*SENDING)
    assert ["submitted", "submitted"] == bench.states()

    bench.run_until_quiet()

    assert ["applied"] * 4 == [outcome for _, outcome in bench.outcomes()]
    assert [("Ada", "senior", "Ada", "senior")] * 2 == bench.execute("SELECT name, level, summary, rank FROM person")
    assert 4 == sum(bench.vendor.paid.values())


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("second_first", [False, True], ids=["people first", "summaries first"])
def test_what_one_task_writes_is_a_change_for_the_task_that_reads_it(
    bench: Bench,
    guard: str | None,
    second_first: bool,  # noqa: FBT001 - a parameter
) -> None:
    """A prompt made from the name as it was is asked again with the new one; the writer notices nothing."""
    writer = guard_with(bench, guard, max_attempts=3)
    reader = second_task(guard, inputs=("name",), prompt="Sum up: {{ name }}")
    configure_both(bench, *([reader, writer] if second_first else [writer, reader]))
    bench.add_people("one")
    bench.run(*SENDING)

    bench.run_until_quiet()

    expected = ["applied", "applied"] if second_first else ["applied", "stale", "applied"]
    assert expected == [outcome for _, outcome in bench.outcomes()]
    assert [("Ada", "Ada")] == bench.execute("SELECT name, summary FROM person")
    assert second_first is not any(b"Sum up: Ada" in line for line in bench.sent_lines())


def keeps_no_name(bench: Bench) -> TaskDefinition:
    """The answer is null, and pending asks for a name."""
    bench.vendor.script = answered('{"name": null, "level": "senior"}')
    return person_task(pending="name IS NULL", on_success={})


def resets_the_marker(bench: Bench) -> TaskDefinition:
    """A trigger takes the marker away as soon as it is set."""
    bench.execute(
        "CREATE TRIGGER reset AFTER UPDATE OF done_at ON person WHEN NEW.done_at IS NOT NULL"
        " BEGIN UPDATE person SET done_at = NULL WHERE id = NEW.id; END"
    )
    return person_task()


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("make", [keeps_no_name, resets_the_marker])
def test_a_row_that_stays_pending_is_billed_once_whatever_runs_after(
    bench: Bench, guard: str | None, make: Any
) -> None:
    """Not by a sweep, a restart, another config or a retry of everything; only by a person who names the row."""
    definition = make(bench).model_copy(update={"guard_column": guard})
    bench.configure(definition=definition)
    bench.add_people("one", "two")
    bench.run_until_quiet()
    assert [("pending-not-cleared", "task people")] == bench.findings()

    bench.run_until_quiet()
    bench.place = bench.workplace("restarted", *bench.place.tasks.values())
    bench.run_until_quiet()
    bench.configure(definition=definition.model_copy(update={"prompt": "Read this again: {{ resume }}"}))
    bench.run_until_quiet()
    retry(bench.place.store, "people", definition, RetryOrder())
    bench.run_until_quiet()
    assert {1: "done", 2: "done"} == bench.gates()
    assert [(1, "applied"), (2, "applied")] == bench.outcomes()
    assert 2 == sum(bench.vendor.paid.values())

    retry(bench.place.store, "people", definition, RetryOrder(["2"]))
    bench.run_until_quiet()
    assert [(1, "applied"), (2, "applied"), (2, "applied")] == bench.outcomes()
    assert {1: "done", 2: "done"} == bench.gates()


@pytest.mark.parametrize("guard", GUARDS)
def test_a_trigger_that_changes_what_is_written_changes_nothing_else(bench: Bench, guard: str | None) -> None:
    """The row holds what the trigger made of the answer; it is done, and paid for once."""
    guard_with(bench, guard, max_attempts=3)
    bench.execute(
        "CREATE TRIGGER shout AFTER UPDATE OF name ON person WHEN NEW.name IS NOT upper(NEW.name)"
        " BEGIN UPDATE person SET name = upper(NEW.name), resume = 'read' WHERE id = NEW.id; END"
    )
    bench.add_people("one", "two")

    bench.run_until_quiet()
    bench.run_until_quiet()

    assert [(1, "applied"), (2, "applied")] == bench.outcomes()
    assert [(1, "ADA", "senior", 1), (2, "ADA", "senior", 1)] == bench.people()
    assert 2 == sum(bench.vendor.paid.values())
    assert {} == bench.gates()


@pytest.mark.parametrize("guard", GUARDS)
def test_a_trigger_that_refuses_one_row_stops_that_row_only(bench: Bench, guard: str | None) -> None:
    """What it refuses is the row's own trouble: its answer is kept, the others are written."""
    guard_with(bench, guard)
    bench.execute(
        "CREATE TRIGGER refuse BEFORE UPDATE OF name ON person WHEN NEW.id = 2"
        " BEGIN SELECT RAISE(ABORT, 'not this one'); END"
    )
    bench.add_people("one", "two", "three")

    bench.run_until_quiet()

    assert [(1, "applied"), (2, "poison"), (3, "applied")] == bench.outcomes()
    assert (2, None, None, 0) == bench.people()[1]
