"""A task whose answers go to another table: each outcome, and that nothing is written over or paid for again."""

import json
from pathlib import Path
from typing import Any

import pytest

from batchd.core.schema import ColumnInfo
from batchd.core.tasks import Target
from batchd.operations import RetryOrder, retry
from batchd.pipeline import SENDING
from batchd.ports import Orders
from batchd.store.rows_elsewhere import SqlRowsElsewhere
from tests.fakes.answers import answered, by_seq
from tests.stages.bench import GOOD_ANSWER, Bench
from tests.stages.elsewhere_bench import MODES, NOT_YET, ElsewhereBench, Mode, elsewhere
from tests.stages.reapplying import LONG_NAME, TOO_LONG, answer, write_kept

DONE = ("Ada", "senior", 1, "new")


@pytest.fixture(params=MODES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> ElsewhereBench:
    """In each of the two modes."""
    return ElsewhereBench(tmp_path, request.param)


@pytest.fixture
def filling(tmp_path: Path) -> ElsewhereBench:
    """Rows that are there are filled."""
    return ElsewhereBench(tmp_path, "update")


@pytest.fixture
def adding(tmp_path: Path) -> ElsewhereBench:
    """A row is added for each answer."""
    return ElsewhereBench(tmp_path, "insert")


def paid(bench: Bench) -> int:
    """How many answers the vendor has billed."""
    return sum(bench.vendor.paid.values())


def test_answers_of_a_view_are_written_to_another_table(bench: ElsewhereBench) -> None:
    """Columns, markers and key are there; what the task does not name is as it was; the source is untouched."""
    bench.add_people("one", "two")

    bench.run_until_quiet()

    assert [(1, *DONE), (2, *DONE)] == bench.results()
    assert [(1, "one", 0), (2, "two", 0)] == bench.execute("SELECT * FROM cv")
    assert [(1, "applied"), (2, "applied")] == bench.outcomes()
    bench.check()


def test_a_row_of_a_source_that_nothing_ends_is_done_once_it_is_written(bench: ElsewhereBench) -> None:
    """It is remembered, and that is no finding: a condition over a read-only source can't be ended by batchd."""
    bench.configure(definition=elsewhere(bench.mode, pending="resume <> 'no'"))
    bench.add_people("one", "no", "three")

    bench.run_until_quiet()
    bench.run_until_quiet()

    assert [(1, "applied"), (3, "applied")] == bench.outcomes()
    assert {1: "done", 3: "done"} == bench.gates()
    assert [] == bench.findings()


def test_a_row_that_was_added_and_taken_away_is_not_paid_for_again(adding: ElsewhereBench) -> None:
    """Whoever reads the other table may empty it; only a person's retry asks anew."""
    adding.add_people("one")
    adding.run_until_quiet()
    adding.execute("DELETE FROM result")

    adding.run_until_quiet()
    assert 1 == paid(adding)
    retry(adding.place.store, "people", elsewhere("insert"), RetryOrder(["1"]))
    adding.run_until_quiet()

    assert 2 == paid(adding)
    assert [(1, *DONE)] == adding.results()


def test_a_condition_that_asks_the_other_table_is_ended_by_writing_there(bench: ElsewhereBench) -> None:
    """Nothing has to be remembered; and a marker that is taken away makes the row due again."""
    bench.configure(definition=elsewhere(bench.mode, pending=NOT_YET))
    bench.add_people("one", "two")

    bench.run_until_quiet()
    assert {} == bench.gates()
    bench.execute("DELETE FROM result WHERE person = 2" if bench.mode == "insert" else
                  "UPDATE result SET done_at = NULL, name = NULL, level = NULL WHERE person = 2")  # fmt: skip
    bench.run_until_quiet()

    assert [(1, "applied"), (2, "applied"), (2, "applied")] == bench.outcomes()
    assert [] == bench.findings()
    bench.check()


def test_a_condition_on_the_other_table_that_writing_does_not_end_is_told(bench: ElsewhereBench) -> None:
    """The row is done all the same, and not paid for again."""
    bench.configure(
        definition=elsewhere(bench.mode, pending="NOT EXISTS (SELECT 1 FROM result r WHERE r.note = 'never')")
    )
    bench.add_people("one")

    bench.run_until_quiet()

    assert {1: "done"} == bench.gates()
    assert [("pending-not-cleared", "task people")] == bench.findings()


def test_only_rows_that_can_be_written_are_sent(bench: ElsewhereBench) -> None:
    """No row to fill, or a row already there: nothing is asked, nothing is paid; later it may be."""
    bench.add_people("one", "two")
    odd = "DELETE FROM result WHERE person = 2" if bench.mode == "update" else "INSERT INTO result (person) VALUES (2)"
    bench.execute(odd)
    bench.run_until_quiet()
    first, backlog = bench.outcomes(), bench.execute("SELECT last_sweep_count FROM batchd_task")

    bench.execute("DELETE FROM result WHERE person = 2" if bench.mode == "insert" else
                  "INSERT INTO result (person) VALUES (2)")  # fmt: skip
    bench.run_until_quiet()

    assert [(1, "applied")] == first
    assert [(0,)] == backlog
    assert [(1, "applied"), (2, "applied")] == bench.outcomes()


SOURCE = [
    ("UPDATE cv SET resume = 'other' WHERE id = 1", "stale"),
    ("UPDATE cv SET resume = NULL WHERE id = 1", "stale"),
    ("DELETE FROM cv WHERE id = 1", "gone"),
    ("UPDATE cv SET hidden = 1 WHERE id = 1", "gone"),
]
FILLED = [
    ("UPDATE result SET name = 'by hand' WHERE person = 1", "stale"),
    ("UPDATE result SET name = '' WHERE person = 1", "stale"),
    ("UPDATE result SET level = 'junior' WHERE person = 1", "stale"),
    ("UPDATE result SET done_at = 'by hand' WHERE person = 1", "stale"),
    ("DELETE FROM result WHERE person = 1", "gone"),
]
ADDED = [
    ("INSERT INTO result (person, name) VALUES (1, 'by hand')", "stale"),
    ("INSERT INTO result (person) VALUES (1)", "stale"),
]
EDITS = [("update", *one) for one in SOURCE + FILLED] + [("insert", *one) for one in SOURCE + ADDED]


@pytest.mark.parametrize(("mode", "edit", "outcome"), EDITS)
def test_what_somebody_changed_meanwhile_is_not_written_over(
    tmp_path: Path, mode: Mode, edit: str, outcome: str
) -> None:
    """Neither what was read, nor what stands where the answer goes; and the paid answer is kept."""
    bench = ElsewhereBench(tmp_path, mode)
    bench.add_people("one", "two")
    bench.run(*SENDING)
    bench.execute(edit)
    edited = bench.execute("SELECT * FROM result WHERE person = 1")

    bench.run_until_quiet()

    assert [(1, outcome), (2, "applied")] == bench.outcomes()
    assert edited == bench.execute("SELECT * FROM result WHERE person = 1")
    assert [(2, *DONE)] == bench.results()[-1:]
    assert [1] == [seq for seq, _ in bench.kept("line")]
    bench.check()


@pytest.mark.parametrize(
    ("mode", "edit"),
    [("update", "DELETE FROM result WHERE person = 1"), ("insert", "INSERT INTO result (person) VALUES (1)")],
)
def test_a_row_that_can_no_longer_be_written_is_not_asked_for_again(tmp_path: Path, mode: Mode, edit: str) -> None:
    """However many tries it has: it would be paid for again and again."""
    bench = ElsewhereBench(tmp_path, mode, max_attempts=3)
    bench.add_people("one")
    bench.run(*SENDING)
    bench.execute(edit)

    bench.run_until_quiet()

    assert 1 == paid(bench)
    assert {} == bench.gates()


def test_a_stale_row_is_due_again_while_it_can_be_written(bench: ElsewhereBench) -> None:
    """With what it says now."""
    bench.configure(definition=elsewhere(bench.mode, max_attempts=2))
    bench.add_people("one")
    bench.run(*SENDING)
    bench.execute("UPDATE cv SET resume = 'other'")

    bench.run_until_quiet()

    assert [(1, "stale"), (1, "applied")] == bench.outcomes()
    assert [(1, *DONE)] == bench.results()


def test_what_stands_beside_the_columns_that_are_written_is_free_to_change(filling: ElsewhereBench) -> None:
    """Only what would be lost counts."""
    filling.add_people("one")
    filling.run(*SENDING)
    filling.execute("UPDATE result SET note = 'mine', badge = 'b'")

    filling.run_until_quiet()

    assert [(1, "Ada", "senior", 1, "mine")] == filling.results()


def test_a_before_image_can_undo_what_was_written(bench: ElsewhereBench) -> None:
    """Of a row that was filled, its columns; of one that was added, that there was none."""
    bench.add_people("one")
    bench.execute("UPDATE result SET name = 'before'")

    bench.run_until_quiet()

    ((_, body),) = bench.kept("before")
    expected = {"name": "before", "level": None, "done_at": None} if bench.mode == "update" else None
    assert expected == json.loads(body)


def test_columns_of_the_same_name_in_both_tables_are_two(tmp_path: Path) -> None:
    """What is read of the one and written to the other is compared in each."""
    bench = ElsewhereBench(tmp_path, "update")
    bench.execute("DROP VIEW wanted")
    bench.execute("CREATE VIEW wanted AS SELECT id, resume AS name FROM cv WHERE hidden = 0")
    bench.configure(definition=elsewhere("update", inputs=("name",), prompt="{{ name }}"))
    bench.add_people("one", "two", "three")
    bench.run(*SENDING)
    bench.execute("UPDATE cv SET resume = 'other' WHERE id = 1")
    bench.execute("UPDATE result SET name = 'by hand' WHERE person = 2")

    bench.run_until_quiet()

    assert [(1, "stale"), (2, "stale"), (3, "applied")] == bench.outcomes()
    assert [None, "by hand", "Ada"] == [name for _, name, *_ in bench.results()]


def refuse(bench: ElsewhereBench, person: int) -> None:
    """The database takes no answer for this person."""
    verb = "UPDATE" if bench.mode == "update" else "INSERT"
    bench.execute(
        f"CREATE TRIGGER refuses BEFORE {verb} ON result WHEN NEW.person = {person} "
        "BEGIN SELECT RAISE(ABORT, 'no'); END"
    )


def test_a_poison_row_is_found_alone(bench: ElsewhereBench) -> None:
    """Its neighbours are written; its answer is kept, and written free once it may be."""
    bench.add_people(*(f"text {number}" for number in range(1, 8)))
    refuse(bench, 5)

    bench.run_until_quiet()

    assert [(one, "poison" if one == 5 else "applied") for one in range(1, 8)] == bench.outcomes()
    assert [5] == [seq for seq, _ in bench.kept("line")]
    bench.execute("DROP TRIGGER refuses")
    assert 1 == write_kept(bench).written
    assert 7 == paid(bench)
    assert [(number, *DONE) for number in range(1, 8)] == bench.results()
    assert {"done"} == set(bench.gates().values())


def test_an_answer_that_another_unique_column_refuses_is_poison(adding: ElsewhereBench) -> None:
    """The row is not there; so nobody else has added it, and the values are to blame."""
    badge = answer(column="badge", badge=ColumnInfo("text"))
    adding.configure(definition=elsewhere("insert", answer=badge))
    adding.add_people("one", "two")

    adding.run_until_quiet()

    assert [(1, "applied"), (2, "poison")] == adding.outcomes()
    adding.check()


@pytest.mark.parametrize("rows", [1, 4])
def test_a_row_that_is_added_at_the_last_moment_is_stale(
    adding: ElsewhereBench, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """Between the look and the write: the unique key keeps it from being added twice, and no value is blamed."""
    adding.add_people(*(f"text {number}" for number in range(1, rows + 1)))
    adding.run(*SENDING)
    adding.execute("INSERT INTO result (person, name) VALUES (1, 'by hand')")
    look = SqlRowsElsewhere._standing
    looks: list[bool] = []

    def too_early(rows: SqlRowsElsewhere, keys: Any, *, locked: bool = False) -> Any:
        looks.append(locked)
        return {} if looks.count(True) == 1 and locked else look(rows, keys, locked=locked)

    monkeypatch.setattr(SqlRowsElsewhere, "_standing", too_early)
    adding.run_until_quiet()

    assert [(one, "stale" if one == 1 else "applied") for one in range(1, rows + 1)] == adding.outcomes()
    assert ["by hand"] == [name for person, name, *_ in adding.results() if person == 1]
    adding.check()


def test_rows_of_a_batch_that_are_no_answer_touch_nothing(bench: ElsewhereBench) -> None:
    """An answer that does not fit its column stays invalid, and is written free once the column is wider."""
    bench.vendor.script = by_seq({1: TOO_LONG}, answered(GOOD_ANSWER))
    bench.add_people("one", "two")
    bench.run_until_quiet()
    assert [(1, "invalid"), (2, "applied")] == bench.outcomes()

    wider = elsewhere(bench.mode, answer=answer(name=ColumnInfo("text", 40)))
    told = write_kept(bench, wider)

    assert 1 == told.written
    assert [(1, LONG_NAME, "junior", 1, "new"), (2, *DONE)] == bench.results()


def test_a_kept_answer_is_not_written_over_what_came_meanwhile(bench: ElsewhereBench) -> None:
    """A row that was added or filled by somebody else keeps what stands in it."""
    bench.add_people("one")
    refuse(bench, 1)
    bench.run_until_quiet()
    bench.execute("DROP TRIGGER refuses")
    hand = "UPDATE result SET name = 'by hand'"
    bench.execute(hand if bench.mode == "update" else "INSERT INTO result (person, name) VALUES (1, 'by hand')")

    told = write_kept(bench)

    assert (0, {"stale": 1}) == (told.written, dict(told.left))
    assert ["by hand"] == [name for _, name, *_ in bench.results()]


def test_a_task_that_writes_elsewhere_from_now_on_waits_for_its_rows(bench: ElsewhereBench) -> None:
    """What is in work for the one table would be remembered as done for the other."""
    bench.add_people("one", "two")
    bench.run(*SENDING)
    moved = elsewhere(bench.mode)
    assert moved.target is not None
    bench.execute("CREATE TABLE other (person INTEGER PRIMARY KEY, name, level, done_at)")
    other = Target(table="other", key=moved.target.key, mode=moved.target.mode)
    bench.configure(definition=elsewhere(bench.mode, target=other))

    bench.run(*SENDING)
    assert [("task-moved", "task people")] == bench.findings()
    bench.run_until_quiet()

    assert [(1, *DONE), (2, *DONE)] == bench.results()
    assert [] == bench.execute("SELECT * FROM other")


def test_a_count_of_the_backlog_leaves_out_what_cannot_be_written(bench: ElsewhereBench) -> None:
    """It is what a claim would take."""
    bench.add_people("one", "two", "three")
    odd = "DELETE FROM result WHERE person = 2" if bench.mode == "update" else "INSERT INTO result (person) VALUES (2)"
    bench.execute(odd)
    bench.run(*SENDING, orders=Orders(batches=0))

    def count(ledger: Any) -> int:
        return int(ledger.rows(1, elsewhere(bench.mode)).count_claimable())

    assert 2 == bench.place.store.read(count)
