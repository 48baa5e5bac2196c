"""Kept answers are written once the write-back is mended: free, recorded, and only where the row is what it was."""

import json
from pathlib import Path

import pytest

from batchd.core.fields import FieldSpec
from batchd.core.outcomes import Outcome
from batchd.core.schema import ColumnInfo, answer_from_fields, with_columns
from batchd.core.tasks import KeyColumn
from batchd.errors import ConfigError, DatabaseError, UsageError
from batchd.operations import RetryOrder, retry
from batchd.pipeline import SENDING
from tests.fakes.answers import answered, both, by_seq
from tests.stages.bench import COLUMNS, FIELDS, GOOD_ANSWER, TABLE, Bench, person_task
from tests.stages.reapplying import LONG_NAME, TOO_LONG, WIDER, answer, write_kept


def money(bench: Bench) -> tuple[int, int]:
    """Answers that the vendor billed, and what the ledger says they cost."""
    ((cost,),) = bench.execute("SELECT sum(cost_nano_usd) FROM batchd_request")
    return sum(bench.vendor.paid.values()), cost


def fail_row(bench: Bench, number: int) -> None:
    """The database refuses any update of a row, until the trigger is dropped."""
    bench.execute(
        f"CREATE TRIGGER no_{number} BEFORE UPDATE ON person WHEN NEW.id = {number} "
        "BEGIN SELECT RAISE(ABORT, 'no'); END"
    )


def test_a_poison_row_is_written_free_once_its_constraint_is_gone(bench: Bench) -> None:
    """Row, request, gate, before-image, tallies and event: as if it had been applied, and nobody paid again."""
    bench.add_people("one", "two", "three")
    bench.execute("UPDATE person SET name = 'before' WHERE id = 2")
    fail_row(bench, 2)
    bench.run_until_quiet()
    assert {2: "failed"} == bench.gates()
    assert [("poison-rows", "task people")] == bench.findings()
    paid = money(bench)
    bench.execute("DROP TRIGGER no_2")

    told = write_kept(bench, reason="constraint dropped")
    bench.run_until_quiet()

    assert (1, {}, False) == (told.written, dict(told.left), told.waits)
    assert [(2, "Ada", "senior", 1)] == bench.people()[1:2]
    assert [(1, "applied"), (2, "applied"), (3, "applied")] == bench.outcomes()
    assert ({}, []) == (bench.gates(), bench.findings())
    assert [(2, {"name": "before", "level": None, "done_at": None})] == [
        (seq, json.loads(body)) for seq, body in bench.kept("before") if seq == 2
    ]
    assert (3, 0) == (bench.batch()["applied"], bench.batch()["poison"])
    assert paid == money(bench)
    assert [("poison", "applied", 1)] == bench.execute(
        "SELECT from_state, to_state, reason LIKE '1 kept answer, submitted with definition 1, written with 1: "
        "constraint dropped' FROM batchd_event WHERE action = 'reapplied'"
    )


def test_both_definitions_are_on_record(bench: Bench) -> None:
    """A wider column takes the answer: the request tells what it was submitted with, and what it was written with."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.vendor.script = TOO_LONG
    bench.add_people("one")
    bench.run_until_quiet()
    assert [(1, "invalid")] == bench.outcomes()

    told = write_kept(bench, WIDER)

    assert 1 == told.written
    assert [(1, LONG_NAME, "junior", 1)] == bench.people()
    assert [(person_task(max_attempts=1).version, WIDER.version)] == bench.execute(
        "SELECT sent.version, wrote.version FROM batchd_request r "
        "JOIN batchd_batch b ON b.id = r.batch_id JOIN batchd_task_version sent ON sent.id = b.version_id "
        "JOIN batchd_task_version wrote ON wrote.id = r.reapplied_version_id"
    )
    assert [(None, None)] == bench.execute("SELECT error_code, error_text FROM batchd_request")


def test_a_field_may_go_to_another_column_that_is_empty(bench: Bench) -> None:
    """What the batch did not know of has no guard: only an empty column is written."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.vendor.script = TOO_LONG
    bench.add_people("one", "two")
    bench.run_until_quiet()
    bench.execute("ALTER TABLE person ADD COLUMN full_name TEXT")
    bench.execute("UPDATE person SET full_name = 'by hand' WHERE id = 2")

    told = write_kept(bench, person_task(answer=answer("full_name", full_name=ColumnInfo("text"))))

    assert (1, {"stale": 1}, True) == (told.written, dict(told.left), told.waits)
    assert [(1, LONG_NAME), (2, "by hand")] == bench.execute("SELECT id, full_name FROM person ORDER BY id")
    assert {2: "failed"} == bench.gates()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE person SET resume = 'edited'",
        "UPDATE person SET name = 'by hand'",
        "UPDATE person SET done_at = 'by hand'",
    ],
)
def test_a_row_that_changed_is_never_overwritten(bench: Bench, change: str) -> None:
    """Inputs, columns to be written, being pending: the gate stays as it was, and says why."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.vendor.script = TOO_LONG
    bench.add_people("one")
    bench.run_until_quiet()
    bench.execute(change)
    before = bench.execute("SELECT * FROM person")

    told = write_kept(bench, WIDER)

    assert (0, {"stale": 1}, True) == (told.written, dict(told.left), told.waits)
    assert before == bench.execute("SELECT * FROM person")
    assert [(1, "invalid")] == bench.outcomes()
    assert {1: "failed"} == bench.gates()
    ((reason, told_too),) = bench.execute("SELECT g.error_text, r.error_text FROM batchd_gate g, batchd_request r")
    assert reason == told_too
    assert "the row changed" in reason


def test_a_row_that_is_again_what_it_was_takes_its_stale_answer(bench: Bench) -> None:
    """Somebody edited it and took that back: the answer fits, and is not paid for again."""
    bench.configure(definition=person_task(retry_delay=3600.0))
    bench.add_people("text")
    bench.run(*SENDING)
    bench.execute("UPDATE person SET resume = 'edited'")
    bench.check_until("closed")
    assert ([(1, "stale")], {1: "retry"}) == (bench.outcomes(), bench.gates())

    assert 0 == write_kept(bench).written
    bench.execute("UPDATE person SET resume = ?", f"text{bench.planted}")
    told = write_kept(bench)

    assert (1, False) == (told.written, told.waits)
    assert [(1, "Ada", "senior", 1)] == bench.people()
    assert {} == bench.gates()
    assert 1 == sum(bench.vendor.paid.values())


def test_a_row_that_vanished_is_left(bench: Bench) -> None:
    """Nothing to write to."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.vendor.script = TOO_LONG
    bench.add_people("one")
    bench.run_until_quiet()
    bench.execute("DELETE FROM person")

    told = write_kept(bench, WIDER)

    assert (0, {"gone": 1}) == (told.written, dict(told.left))
    assert [("the row is gone",)] == bench.execute("SELECT error_text FROM batchd_gate")


def test_an_answer_that_still_does_not_fit_stays_with_todays_reason(bench: Bench) -> None:
    """Cut off, too long even now, refused by the database: row and gate as they were, the reason renewed."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.vendor.script = by_seq(
        {1: answered('{"name": "Ad', finish_reason="length"), 2: TOO_LONG, 3: TOO_LONG}, answered(GOOD_ANSWER)
    )
    fail_row(bench, 3)
    bench.add_people("cut off", "too long", "poison", "fine")
    bench.run_until_quiet()
    bench.execute("UPDATE batchd_gate SET error_text = 'former reason'")

    told = write_kept(bench, person_task(answer=answer(name=ColumnInfo("text", 25))))
    assert (0, {"truncated": 1, "invalid": 2}) == (told.written, dict(told.left))
    assert ("column name takes 25 characters; the answer gives 30",) in bench.execute(
        "SELECT error_text FROM batchd_gate"
    )
    told = write_kept(bench, WIDER)

    assert (1, {"truncated": 1, "poison": 1}) == (told.written, dict(told.left))
    assert [(1, "truncated"), (2, "applied"), (3, "invalid"), (4, "applied")] == bench.outcomes()
    assert {1: "failed", 3: "failed"} == bench.gates()
    assert [("the database refused the values (SQLITE_CONSTRAINT_TRIGGER)",)] == bench.execute(
        "SELECT error_text FROM batchd_gate WHERE key_int = 3"
    )


def test_another_answer_schema_is_refused(bench: Bench) -> None:
    """The answer was given to another question; nothing is written, and asking anew is said to cost."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.vendor.script = TOO_LONG
    bench.add_people("one")
    bench.run_until_quiet()
    other = {**FIELDS, "name": FieldSpec(type="string", column="name")}

    with pytest.raises(ConfigError, match="answer another question") as refused:
        write_kept(bench, person_task(answer=with_columns(answer_from_fields(other), COLUMNS)))

    assert "paid for again" in refused.value.next_command
    assert [(1, None, None, 0)] == bench.people()


def test_another_table_or_key_is_refused(bench: Bench) -> None:
    """The results belong to other rows."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.vendor.script = TOO_LONG
    bench.add_people("one")
    bench.run_until_quiet()

    with pytest.raises(ConfigError, match="belong to other rows"):
        write_kept(bench, person_task(table="people"))


def test_a_column_that_is_gone_is_an_error_that_says_what_to_do(bench: Bench) -> None:
    """Without it nobody can prove that the row is what it was."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.vendor.script = TOO_LONG
    bench.add_people("one")
    bench.run_until_quiet()
    bench.execute("ALTER TABLE person RENAME COLUMN name TO full_name")

    with pytest.raises(DatabaseError, match="kept answers of batch 1 cannot be written") as refused:
        write_kept(bench, person_task(answer=answer("full_name", full_name=ColumnInfo("text"))))

    assert "must still be there" in refused.value.next_command


def test_of_two_answers_none_is_chosen(bench: Bench) -> None:
    """A conflict is left, and said so; asked for by name it is refused."""
    bench.vendor.script = both(answered(GOOD_ANSWER), answered('{"name": "Bob", "level": "junior"}'))
    bench.add_people("one")
    bench.run_until_quiet()

    told = write_kept(bench)

    assert (0, {"conflict": 1}, True) == (told.written, dict(told.left), told.waits)
    with pytest.raises(UsageError, match="batchd chooses none"):
        write_kept(bench, only=(Outcome.CONFLICT,))
    with pytest.raises(UsageError, match="no answer is kept"):
        write_kept(bench, only=(Outcome.EXPIRED,))


def test_only_what_was_asked_for_is_written(bench: Bench) -> None:
    """By key, by batch, by outcome."""
    bench.configure(definition=person_task(max_attempts=1), batch_size=2)
    bench.vendor.script = TOO_LONG
    bench.add_people("one", "two", "three", "four")
    bench.run_until_quiet()

    assert 0 == write_kept(bench, WIDER, only=(Outcome.POISON,)).written
    assert 1 == write_kept(bench, WIDER, keys=["2"]).written
    assert 2 == write_kept(bench, WIDER, batch="2").written
    assert {1: "failed"} == bench.gates()
    with pytest.raises(UsageError, match="no batch"):
        write_kept(bench, WIDER, batch="77")


def test_a_dry_run_writes_nothing_and_tells_the_same(bench: Bench) -> None:
    """Each write is tried and taken back, so that also what the database refuses is told."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.vendor.script = TOO_LONG
    fail_row(bench, 2)
    bench.add_people("one", "two", "three")
    bench.run_until_quiet()
    tables = [name for (name,) in bench.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    before = {name: bench.execute(f"SELECT * FROM {name}") for name in tables}

    told = write_kept(bench, WIDER, dry_run=True)

    assert before == {name: bench.execute(f"SELECT * FROM {name}") for name in tables}
    assert (2, {"poison": 1}) == (told.written, dict(told.left))
    assert told == write_kept(bench, WIDER)


def test_a_row_that_is_still_pending_is_never_billed_again(bench: Bench) -> None:
    """Written, and the mended task does not clear the predicate: a done gate, a finding, a person."""
    bench.configure(definition=person_task(max_attempts=1, on_success={}))
    bench.vendor.script = TOO_LONG
    bench.add_people("one")
    bench.run_until_quiet()

    told = write_kept(bench, WIDER.model_copy(update={"on_success": {}}))
    bench.run_until_quiet()

    assert (1, True) == (told.written, told.waits)
    assert {1: "done"} == bench.gates()
    assert [("pending-not-cleared", "task people")] == bench.findings()
    assert 1 == sum(bench.vendor.paid.values())


def test_a_retry_says_what_could_be_had_for_free(bench: Bench) -> None:
    """Two answers are kept and would fit a mended column: the sentence names the command that costs nothing."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.vendor.script = by_seq({3: answered('{"name": "Ad', finish_reason="length")}, TOO_LONG)
    bench.add_people("one", "two", "three")
    bench.run_until_quiet()

    sentence = retry(bench.place.store, "people", person_task(), RetryOrder()).sentence

    assert "3 rows of task people are due again" in sentence
    assert sentence.endswith(
        "2 answers are kept, and until they are asked again may be written for free: batchd reapply --task people"
    )
    assert 2 == write_kept(bench, WIDER).written
    assert {3: "retry"} == bench.gates()


def test_a_key_of_text_is_found_as_people_write_it(tmp_path: Path) -> None:
    """Keys that the ledger keeps as text and hash are found, compared and settled like numbers."""
    key = (KeyColumn(name="country", kind="text"), KeyColumn(name="number", kind="integer"))
    table = TABLE.replace("id        INTEGER PRIMARY KEY", "country TEXT, number INTEGER")
    task = person_task(key=key, max_attempts=1)
    bench = Bench(tmp_path, task, table)
    bench.vendor.script = TOO_LONG
    bench.execute("INSERT INTO person (country, number, resume) VALUES ('EU', 7, 'one'), ('US', 7, 'two')")
    bench.run_until_quiet()

    told = write_kept(bench, task.model_copy(update={"answer": WIDER.answer}), keys=["EU,7"])

    assert 1 == told.written
    assert [("EU", LONG_NAME), ("US", None)] == bench.execute("SELECT country, name FROM person ORDER BY country")
    assert [("failed",)] == bench.execute("SELECT state FROM batchd_gate")
