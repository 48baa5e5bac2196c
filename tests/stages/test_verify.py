"""verify on ledgers that are as batchd leaves them: it finds nothing, whatever has happened, and changes nothing."""

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from batchd.core.model import VendorFault
from batchd.inspection import verify
from batchd.operations import RetryOrder, abandon, cancel, resolve, retry
from batchd.pipeline import BATCH_LANE, CHECKING, SENDING
from batchd.store.tables import REQUEST_OUTCOMES
from tests.fakes.answers import answered, both, by_seq, http_error, never_run, nothing
from tests.fakes.vendor import unclear
from tests.stages.bench import GOOD_ANSWER, TABLE, Bench, person_task
from tests.stages.judging import broken

CLAIM = SENDING[1:2]
OTHER_ANSWER = answered('{"name": "Bob", "level": "junior"}')


def test_a_run_that_went_well_is_proven_with_what_was_looked_at(bench: Bench) -> None:
    """No violation, no note, and the figures of all that was compared."""
    bench.add_people("one", "two", "three")
    bench.run_until_quiet()

    verdict = verify(bench.place)

    assert verdict.is_sound, verdict.violations
    assert () == verdict.notes
    assert {
        "batches": 1,
        "requests": 3,
        "gates": 0,
        "result_files": 1,
        "result_lines": 3,
        "vendor_batches": 1,
    } == verdict.looked_at


def test_every_state_on_the_way_is_sound(bench: Bench) -> None:
    """Looked at after each stage, a batch is sound at every state that it passes."""
    bench.add_people("one", "two")
    seen = set()

    for _ in range(20):
        for stage in BATCH_LANE:
            bench.run(stage)
            seen.update(bench.states())
            assert [] == broken(bench), f"after {bench.states()}"

    assert {"built", "submitted", "ended", "collected", "closed"} == seen


def all_outcomes(bench: Bench) -> None:
    """Fourteen rows, each of which ends differently."""
    bench.configure(definition=person_task(retry_delay=3600.0))
    bench.execute("CREATE TRIGGER no BEFORE UPDATE ON person WHEN new.id = 12 BEGIN SELECT RAISE(ABORT, 'no'); END")
    bench.vendor.script = by_seq(
        {
            2: answered("no json"),
            3: answered('{"name": "Ad', finish_reason="length"),
            4: answered("", refusal="no"),
            5: both(answered(GOOD_ANSWER), OTHER_ANSWER),
            6: http_error(400, "invalid_value"),
            7: http_error(500),
            8: never_run("batch_expired"),
            9: never_run("batch_cancelled"),
            10: nothing(),
        },
        answered(GOOD_ANSWER),
    )
    bench.add_people(*["text"] * 13)
    bench.run(*SENDING)
    bench.execute("UPDATE person SET resume = 'changed' WHERE id = 11")
    bench.execute("DELETE FROM person WHERE id = 13")
    bench.check_until("closed")
    bench.add_people("never sent", first=14)
    bench.run(*CLAIM)
    bench.spool.remove_input(bench.batch(2)["uid"])
    bench.run(*SENDING)


def test_every_outcome_is_sound(bench: Bench) -> None:
    """A ledger with all fourteen outcomes, and rows that a person frees after them."""
    all_outcomes(bench)

    assert {one.value for one in REQUEST_OUTCOMES} == {outcome for _, outcome in bench.outcomes()}
    assert [] == broken(bench)

    retry(bench.place.store, "people", person_task(), RetryOrder())
    assert [] == broken(bench)


def refuse_lines(bench: Bench) -> None:
    bench.vendor.statuses = ("validating", "failed")
    bench.vendor.faults = (VendorFault("invalid_value", "body", 1),)
    bench.add_people("one", "two")
    bench.run(*SENDING)
    bench.check_until("failed")


def leave_submit_unknown(bench: Bench) -> None:
    bench.add_people("one")
    bench.vendor.fail_next("create_batch", unclear(), after=True)
    bench.run(*SENDING)
    assert ["submitting"] == bench.states()


def hold_unknown_submit(bench: Bench) -> None:
    bench.add_people("known", first=9)
    bench.run(*SENDING)
    bench.add_people("one")
    bench.vendor.fail_next("create_batch", unclear())
    for _ in range(4):
        bench.run(*SENDING)
    assert "held" in bench.states()


def hold_suspect_results(bench: Bench) -> None:
    bench.add_people(*["text"] * 30)
    bench.run(*SENDING)
    bench.execute("UPDATE person SET resume = 'changed'")
    bench.check_until("held")


def give_up_what_vanished(bench: Bench) -> None:
    bench.add_people("one")
    bench.run(*SENDING)
    bench.vendor.forget(bench.batch()["vendor_batch_id"])
    bench.run(*CHECKING)
    abandon(bench.place, "1")
    assert ["abandoned"] == bench.states()


def cancel_before_sending(bench: Bench) -> None:
    bench.add_people("one")
    bench.run(*CLAIM)
    cancel(bench.place, "1")


def stop_between_chunks(bench: Bench) -> None:
    bench.add_people("one", "two", "three")
    bench.place = replace(bench.place, chunk=1)
    bench.run(*SENDING)
    bench.check_until("collected", stages=CHECKING[:-1])
    asked = iter([False, True])
    bench.place = replace(bench.place, stopping=lambda: next(asked, True))
    bench.run(CHECKING[-1])
    assert [(1, "applied"), (2, None), (3, None)] == bench.outcomes()


def lose_what_was_collected(bench: Bench) -> None:
    bench.add_people("one")
    bench.run(*SENDING)
    bench.check_until("collected", stages=CHECKING[:-1])
    (bench.folder / "spool" / f"{bench.batch()['uid']}.output.jsonl").unlink()


def free_a_done_row(bench: Bench) -> None:
    bench.configure(definition=person_task(on_success={}))
    bench.add_people("one")
    bench.run_until_quiet()
    assert {1: "done"} == bench.gates()
    retry(bench.place.store, "people", person_task(), RetryOrder(["1"]))
    assert [] == broken(bench)
    bench.run(*SENDING)


def free_a_done_row_that_cannot_be_sent(bench: Bench) -> None:
    bench.configure(definition=person_task(on_success={}))
    bench.add_people("one")
    bench.run_until_quiet()
    retry(bench.place.store, "people", person_task(), RetryOrder(["1"]))
    bench.configure(definition=person_task(null_input="error"))
    bench.execute("UPDATE person SET resume = NULL")
    bench.run(*SENDING)
    assert [("failed", "unrenderable")] == bench.execute("SELECT state, outcome FROM batchd_gate")


def retry_while_an_older_batch_is_open(bench: Bench) -> None:
    bench.vendor.statuses = ("in_progress",)
    bench.add_people("slow")
    bench.run(*SENDING)
    bench.vendor.statuses = ("validating", "completed")
    bench.vendor.script = http_error(500)
    bench.add_people("quick", first=2)
    bench.run(*SENDING)
    bench.check_until("submitted", "closed")
    bench.run(*SENDING)
    assert ["submitted", "closed", "submitted"] == bench.states()


def expire_an_extra_batch(bench: Bench) -> None:
    """Two creates came of one; nothing of the second ever ran."""
    bench.vendor.script = never_run()
    bench.add_people("one")
    bench.run(*SENDING)
    (first,) = bench.vendor.batches()
    bench.vendor.statuses = ("expired",)
    bench.vendor.create_batch(first.input_file_id or "", "/v1/chat/completions", first.metadata)


def allow_fewer_attempts(bench: Bench) -> None:
    bench.vendor.script = answered("no json")
    bench.add_people("one")
    bench.run(*SENDING)
    bench.check_until("closed")
    bench.configure(definition=person_task(max_attempts=1))
    bench.run_until_quiet()
    assert [(2,)] == bench.execute("SELECT paid_tries FROM batchd_gate")


def fetch_again_and_find_more(bench: Bench) -> None:
    """The first files lacked a line; the second ones, fetched after one was lost, have it."""
    bench.place = replace(bench.place, chunk=1)
    bench.vendor.script = by_seq({1: nothing()}, answered(GOOD_ANSWER))
    bench.add_people("one", "two")
    bench.run(*SENDING)
    bench.check_until("collected", stages=CHECKING[:-1])
    asked = iter([False, True])
    whole, bench.place = bench.place, replace(bench.place, stopping=lambda: next(asked, True))
    bench.run(CHECKING[-1])
    assert [(1, "missing"), (2, None)] == bench.outcomes()
    bench.place = whole
    lines = bench.vendor.files[bench.batch()["output_file_id"]]
    found = lines + lines.replace(b'-2"', b'-1"')
    bench.vendor.files[bench.batch()["output_file_id"]] = found
    (bench.folder / "spool" / f"{bench.batch()['uid']}.output.jsonl").unlink()
    bench.check_until("closed")


@pytest.mark.parametrize(
    "happened",
    [
        refuse_lines,
        leave_submit_unknown,
        hold_unknown_submit,
        hold_suspect_results,
        give_up_what_vanished,
        cancel_before_sending,
        stop_between_chunks,
        lose_what_was_collected,
        free_a_done_row,
        free_a_done_row_that_cannot_be_sent,
        retry_while_an_older_batch_is_open,
        expire_an_extra_batch,
        allow_fewer_attempts,
        fetch_again_and_find_more,
    ],
    ids=lambda one: one.__name__,
)
def test_what_can_happen_is_no_violation(bench: Bench, happened: Callable[[Bench], None]) -> None:
    """Refusals, holds, lost files, a person's word: all of it is accounted for."""
    happened(bench)

    assert [] == broken(bench)


def test_what_a_person_let_go_on_is_sound(bench: Bench) -> None:
    """A held batch that was resolved ends as any other."""
    hold_suspect_results(bench)
    resolve(bench.place, "1")
    bench.check_until("closed")

    assert [] == broken(bench)


def test_composite_keys_are_compared_by_all_their_parts(tmp_path: Path) -> None:
    """Rows without an integer key are told apart by their digest."""
    table = TABLE.replace("id        INTEGER PRIMARY KEY", "id INTEGER, region TEXT")
    key = [{"name": "region", "kind": "text"}, {"name": "id", "kind": "integer"}]
    bench = Bench(tmp_path, person_task(key=key), table)
    for region in ("EU", "US"):
        bench.execute("INSERT INTO person (id, region, resume) VALUES (1, ?, 'text')", region)
    bench.run(*SENDING)

    assert [] == broken(bench)

    bench.execute("UPDATE batchd_gate SET key_hash = 'another' WHERE key_text LIKE '%US%'")
    row = "task people row US, 1"
    assert [("ungated-request", row), ("loose-gate", row)] == broken(bench)


def everything_in(bench: Bench) -> str:
    """The database and the spool, as text."""
    with closing(sqlite3.connect(bench.path)) as connection:
        dump = "\n".join(connection.iterdump())
    files = sorted((bench.folder / "spool").iterdir())
    return dump + "".join(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files)


def test_it_changes_nothing(bench: Bench) -> None:
    """Ledger and spool stay byte by byte, also where much is wrong; the vendor is asked and told nothing."""
    all_outcomes(bench)
    bench.execute("DELETE FROM batchd_content")
    bench.vendor.create_batch("file-1", "/v1/chat/completions", {"batchd_uid": bench.batch()["uid"]})
    before, asked = everything_in(bench), len(bench.vendor.calls)

    verdict = verify(bench.place)

    assert not verdict.is_sound
    assert before == everything_in(bench)
    assert {"list_batches", "retrieve_batch"} >= set(bench.vendor.calls[asked:])
