"""What becomes of a row: every outcome, and what stands in row, ledger and gate after it."""

import json

import pytest

from batchd.core.landing import FEWEST_TO_SUSPECT
from batchd.operations import resolve
from batchd.pipeline import SENDING
from tests.fakes.answers import Script, answered, both, by_seq, http_error, never_run, nothing
from tests.stages.bench import GOOD_ANSWER, Bench, person_task


def test_an_answer_is_written_with_its_marker_and_its_before_image(bench: Bench) -> None:
    """The row has its columns, the request its outcome, the gate is gone, the former values are kept."""
    bench.add_people("a résumé")
    bench.execute("UPDATE person SET name = 'before' WHERE id = 1")

    bench.run_until_quiet()

    assert [(1, "Ada", "senior", 1)] == bench.people()
    assert [(1, "applied")] == bench.outcomes()
    assert {} == bench.gates()
    assert ["closed"] == bench.states()
    assert [(1, {"name": "before", "level": None, "done_at": None})] == [
        (seq, json.loads(body)) for seq, body in bench.kept("before")
    ]


def test_a_closed_batch_carries_its_counts_tokens_and_cost(bench: Bench) -> None:
    """The batch's figures are the sums over its requests."""
    bench.add_people("one", "two")

    bench.run_until_quiet()

    batch = bench.batch()
    ((tokens, cost),) = bench.execute(
        "SELECT sum(input_tokens + output_tokens), sum(cost_nano_usd) FROM batchd_request"
    )
    assert 2 == batch["applied"] == batch["requests"]
    assert tokens == batch["input_tokens"] + batch["output_tokens"] > 0
    assert cost == batch["cost_nano_usd"] == tokens


@pytest.mark.parametrize(
    ("script", "outcome", "gate"),
    [
        (answered("no json"), "invalid", "failed"),
        (answered('{"name": "' + "x" * 21 + '", "level": "junior"}'), "invalid", "failed"),
        (answered('{"name": "Ada", "level": "boss"}'), "invalid", "failed"),
        (answered('{"name": "Ad', finish_reason="length"), "truncated", "failed"),
        (answered("", refusal="I would rather not"), "refused", "failed"),
        (answered("", finish_reason="content_filter"), "refused", "failed"),
        (both(answered(GOOD_ANSWER), answered('{"name": "Bob", "level": "junior"}')), "conflict", "failed"),
        (http_error(400, "invalid_value"), "rejected", "failed"),
        (http_error(429, "rate_limit_exceeded"), "errored", "retry"),
        (http_error(500), "errored", "retry"),
        (http_error(0), "errored", "retry"),
        (never_run("batch_expired"), "expired", "retry"),
        (never_run("batch_cancelled"), "cancelled", "held"),
    ],
)
def test_an_answer_that_cannot_be_written_leaves_row_alone_and_says_why(
    bench: Bench, script: Script, outcome: str, gate: str
) -> None:
    """Each outcome of the closed list, with the gate that follows when one paid try is all that is allowed."""
    bench.configure(definition=person_task(max_attempts=1, retry_delay=3600.0))
    bench.vendor.script = script
    bench.add_people("a résumé")

    bench.run_until_quiet()

    assert [(1, outcome)] == bench.outcomes()
    assert {1: gate} == bench.gates()
    assert [(1, None, None, 0)] == bench.people()
    assert ["closed"] == bench.states()
    ((code, sentence),) = bench.execute("SELECT error_code, error_text FROM batchd_gate")
    assert code
    assert sentence


def test_a_request_in_neither_file_is_missing_after_a_second_look(bench: Bench) -> None:
    """One look more, then the request is counted as paid and the row is due again."""
    bench.vendor.script = by_seq({2: nothing()}, answered(GOOD_ANSWER))
    bench.add_people("one", "two")
    bench.run(*SENDING)

    bench.check_until("closed")

    assert [(1, "applied"), (2, "missing")] == bench.outcomes()
    assert {2: "retry"} == bench.gates()
    assert [(1, 0)] == bench.execute("SELECT paid_tries, unpaid_tries FROM batchd_gate")
    assert 1 == bench.batch()["looks"]


def test_a_row_whose_input_changed_is_not_overwritten(bench: Bench) -> None:
    """The answer was made from text that is no longer there: stale, kept, and asked anew."""
    bench.add_people("old text")
    bench.run(*SENDING)
    bench.execute("UPDATE person SET resume = 'new text' WHERE id = 1")

    bench.check_until("closed")

    assert [(1, "stale")] == bench.outcomes()
    assert [(1, None, None, 0)] == bench.people()
    assert {1: "retry"} == bench.gates()
    assert GOOD_ANSWER in json.loads(bench.kept("line")[0][1])["response"]["body"]["choices"][0]["message"]["content"]


def test_a_column_that_a_person_filled_meanwhile_is_not_overwritten(bench: Bench) -> None:
    """The guard covers the columns to be written, not only the inputs."""
    bench.add_people("text")
    bench.run(*SENDING)
    bench.execute("UPDATE person SET name = 'by hand' WHERE id = 1")

    bench.check_until("closed")

    assert [(1, "stale")] == bench.outcomes()
    assert [(1, "by hand", None, 0)] == bench.people()


def test_a_row_that_stopped_being_pending_is_left_alone_for_good(bench: Bench) -> None:
    """Somebody else finished it: stale, and no gate, since the predicate keeps it out."""
    bench.add_people("text")
    bench.run(*SENDING)
    bench.execute("UPDATE person SET done_at = 'by hand' WHERE id = 1")

    bench.run_until_quiet()

    assert [(1, "stale")] == bench.outcomes()
    assert {} == bench.gates()
    assert [("by hand",)] == bench.execute("SELECT done_at FROM person")


def test_a_row_that_left_the_predicate_by_another_column_is_left_alone(bench: Bench) -> None:
    """Neither an input nor an output changed; the row is no longer wanted all the same."""
    bench.configure(definition=person_task(pending="done_at IS NULL AND version = 1"))
    bench.add_people("text")
    bench.run(*SENDING)
    bench.execute("UPDATE person SET version = 2")

    bench.run_until_quiet()

    assert [(1, "stale")] == bench.outcomes()
    assert [(1, None, None, 0)] == bench.people()
    assert {} == bench.gates()


def test_a_row_that_vanished_is_gone(bench: Bench) -> None:
    """Nothing to write to; the answer is kept, the gate goes."""
    bench.add_people("text")
    bench.run(*SENDING)
    bench.execute("DELETE FROM person")

    bench.run_until_quiet()

    assert [(1, "gone")] == bench.outcomes()
    assert {} == bench.gates()
    assert 1 == len(bench.kept("line"))


def test_an_equal_guard_column_is_a_quick_yes(bench: Bench) -> None:
    """With a guard column that did not move, a change that it does not know of goes unseen: it was asked to."""
    bench.configure(definition=person_task(guard_column="version"))
    bench.add_people("text")
    bench.run(*SENDING)
    bench.execute("UPDATE person SET resume = 'changed behind its back' WHERE id = 1")

    bench.run_until_quiet()

    assert [(1, "applied")] == bench.outcomes()


def test_a_guard_column_that_moved_without_reason_makes_nothing_stale(bench: Bench) -> None:
    """A heartbeat bumps every row's version: the hash is compared, and the row is the same."""
    bench.configure(definition=person_task(guard_column="version"))
    bench.add_people("text", "other")
    bench.run(*SENDING)
    bench.execute("UPDATE person SET version = version + 1")
    bench.execute("UPDATE person SET resume = 'changed' WHERE id = 2")

    bench.check_until("closed")

    assert [(1, "applied"), (2, "stale")] == bench.outcomes()


def test_a_row_the_database_refuses_is_found_alone_and_its_siblings_are_written(bench: Bench) -> None:
    """Halving isolates the poison rows; everything else is applied."""
    bench.execute(
        "CREATE TRIGGER no_13 BEFORE UPDATE ON person WHEN new.id IN (5, 13) BEGIN SELECT RAISE(ABORT, 'secret'); END"
    )
    bench.add_people(*("text",) * 16)

    bench.run_until_quiet()

    assert {5: "poison", 13: "poison"} == {key: outcome for key, outcome in bench.outcomes() if outcome != "applied"}
    assert {5: "failed", 13: "failed"} == bench.gates()
    assert [("poison-rows", "task people")] == bench.findings()
    assert 14 == sum(done for *_, done in bench.people())
    assert "secret" not in str(bench.execute("SELECT * FROM batchd_gate"))
    assert "secret" not in str(bench.execute("SELECT * FROM batchd_request"))


def test_a_row_still_pending_after_its_write_is_never_billed_again(bench: Bench) -> None:
    """Nothing clears the predicate: a done gate and a finding, and no second request however often it runs."""
    bench.configure(definition=person_task(on_success={}))
    bench.add_people("text")

    bench.run_until_quiet()
    bench.run_until_quiet()

    assert [(1, "applied")] == bench.outcomes()
    assert {1: "done"} == bench.gates()
    assert [("pending-not-cleared", "task people")] == bench.findings()
    assert 1 == bench.vendor.calls.count("create_batch")


def test_a_task_without_a_predicate_keeps_done_gates_and_no_finding(bench: Bench) -> None:
    """Every row of the table, once each."""
    bench.configure(definition=person_task(pending=None, on_success={}))
    bench.add_people("one", "two")

    bench.run_until_quiet()
    bench.run_until_quiet()

    assert [(1, "applied"), (2, "applied")] == bench.outcomes()
    assert {1: "done", 2: "done"} == bench.gates()
    assert [] == bench.findings()


def test_retries_stop_at_max_attempts(bench: Bench) -> None:
    """An answer that is never valid is paid for so often and no more."""
    bench.configure(definition=person_task(max_attempts=3))
    bench.vendor.script = answered("never valid")
    bench.add_people("text")

    bench.run_until_quiet()

    assert [(1, "invalid")] * 3 == bench.outcomes()
    assert {1: "failed"} == bench.gates()
    assert 3 == sum(bench.vendor.paid.values())


def test_unpaid_tries_have_a_bound_of_their_own(bench: Bench) -> None:
    """A vendor that keeps failing costs nothing, but not for ever."""
    bench.configure(definition=person_task(max_attempts=3, max_resends=4))
    bench.vendor.script = http_error(500)
    bench.add_people("text")

    bench.run_until_quiet()

    assert [(1, "errored")] * 5 == bench.outcomes()
    assert {1: "failed"} == bench.gates()


def test_a_first_chunk_that_is_mostly_odd_holds_the_batch_and_writes_nothing(bench: Bench) -> None:
    """A wrong schema or a mass edit is likelier than twenty odd rows; a person decides."""
    bench.add_people(*("text",) * FEWEST_TO_SUSPECT)
    bench.run(*SENDING)
    bench.execute("UPDATE person SET resume = 'edited' WHERE id > 5")
    bench.check_until("held")

    assert ["held"] == bench.states()
    assert [("suspect-results", "batch 1")] == bench.findings()
    ((detail,),) = bench.execute("SELECT detail FROM batchd_finding")
    assert "of the first 20 rows: 15 stale; most often: the row changed, or stopped being pending" in detail
    assert {None} == {outcome for _, outcome in bench.outcomes()}

    resolve(bench.place, "1")
    bench.check_until("closed")

    assert 5 == sum(outcome == "applied" for _, outcome in bench.outcomes())
    assert [] == bench.findings()


def test_a_database_that_cannot_be_written_holds_the_batch_and_blames_no_row(bench: Bench) -> None:
    """A dropped column is not the rows' fault: nothing is settled until a person has looked."""
    bench.add_people("text")
    bench.run(*SENDING)
    bench.execute("ALTER TABLE person RENAME COLUMN level TO rank")
    bench.check_until("held")

    assert ["held"] == bench.states()
    assert [("apply-failed", "batch 1")] == bench.findings()
    assert [(1, None)] == bench.outcomes()

    bench.execute("ALTER TABLE person RENAME COLUMN rank TO level")
    resolve(bench.place, "1")
    bench.run_until_quiet()

    assert [(1, "applied")] == bench.outcomes()


def test_lines_of_strangers_are_kept_and_found(bench: Bench) -> None:
    """An id that is not ours is nobody's answer; it was perhaps paid, so it is kept."""

    def with_stranger(request: dict[str, object]) -> list[object]:
        other = {**request, "custom_id": "somebody-else-7"}
        return [*answered(GOOD_ANSWER)(request), *answered(GOOD_ANSWER)(other)]

    bench.vendor.script = with_stranger  # type: ignore[assignment]
    bench.add_people("text")

    bench.run_until_quiet()

    assert [(1, "applied")] == bench.outcomes()
    assert [("strange-lines", "batch 1")] == bench.findings()
    assert "somebody-else-7" in bench.kept("stranger")[0][1]


def test_the_same_line_twice_is_one_answer(bench: Bench) -> None:
    """A repeated delivery changes nothing."""
    bench.vendor.script = both(answered(GOOD_ANSWER), answered(GOOD_ANSWER))
    bench.add_people("text")

    bench.run_until_quiet()

    assert [(1, "applied")] == bench.outcomes()


def test_a_result_file_that_was_lost_is_fetched_again(bench: Bench) -> None:
    """The spool is another machine's, or somebody tidied up: the vendor still has it."""
    bench.add_people("text")
    bench.run(*SENDING)
    bench.execute("UPDATE batchd_task SET paused = 1")
    bench.check_until("collected")
    bench.execute("UPDATE batchd_task SET paused = 0")
    for file in (bench.folder / "spool").glob("*.output.jsonl"):
        file.unlink()

    bench.run_until_quiet()

    assert [(1, "applied")] == bench.outcomes()
    assert 2 == bench.vendor.calls.count("download")


def test_a_result_file_that_was_altered_is_never_applied(bench: Bench) -> None:
    """Its hash is not the one it was collected with: the vendor's copy is fetched anew, and that is written."""
    bench.add_people("text")
    bench.run(*SENDING)
    bench.execute("UPDATE batchd_task SET paused = 1")
    bench.check_until("collected")
    bench.execute("UPDATE batchd_task SET paused = 0")
    (file,) = (bench.folder / "spool").glob("*.output.jsonl")
    file.write_bytes(file.read_bytes().replace(b"Ada", b"Eve"))

    bench.run_until_quiet()

    assert [(1, "Ada", "senior", 1)] == bench.people()
    assert 2 == bench.vendor.calls.count("download")


def test_what_was_submitted_is_what_is_applied(bench: Bench) -> None:
    """The config changed while the batch was open: its own definition is used."""
    bench.add_people("text")
    bench.run(*SENDING)
    bench.configure(definition=person_task(on_success={"done_at": {"constant": "new config"}}))

    bench.run_until_quiet()

    assert [(1, "applied")] == bench.outcomes()
    assert [("new config",)] != bench.execute("SELECT done_at FROM person")


def test_a_paused_task_applies_nothing_but_is_still_collected(bench: Bench) -> None:
    """The vendor's copy expires, so polling and collecting go on."""
    bench.add_people("text")
    bench.run(*SENDING)
    bench.execute("UPDATE batchd_task SET paused = 1")

    bench.check_until("collected")
    bench.run()

    assert ["collected"] == bench.states()
    assert [(1, None, None, 0)] == bench.people()


def test_a_chunk_that_was_not_suspect_is_not_suspected_by_halves(bench: Bench) -> None:
    """One poison row halves it; that its odd rows stand together at the front says nothing."""
    bench.add_people(*(f"row {number}" for number in range(100)))
    bench.vendor.script = by_seq(dict.fromkeys(range(1, 41), answered("no JSON")), answered(GOOD_ANSWER))
    bench.execute("CREATE TRIGGER poison BEFORE UPDATE ON person WHEN NEW.id = 60 BEGIN SELECT RAISE(ABORT, 'no'); END")
    bench.run(*SENDING)

    bench.check_until("closed")

    assert (40, 59, 1) == tuple(bench.batch()[name] for name in ("invalid", "applied", "poison"))


def test_a_column_of_bytes_that_are_no_text_is_written_over_and_kept(bench: Bench) -> None:
    """The before-image of such a value is escaped; the answer is applied all the same."""
    bench.add_people("one")
    bench.execute("UPDATE person SET name = CAST(x'4dfc6c6c' AS TEXT)")

    bench.run_until_quiet()

    assert [(1, "applied")] == bench.outcomes()
    assert "M\\udcfcll" in bench.kept("before")[0][1]
