"""Which rows become requests: in key order, each once, as many as fit, and none that must not be sent."""

import json
from dataclasses import replace
from typing import Any

import pytest

from batchd.pipeline import SENDING, StageMaker, run_pass
from batchd.ports import ConfiguredTask, Orders, Scope
from tests.fakes.answers import answered
from tests.stages.bench import Bench, person_task

CLAIM: tuple[StageMaker, ...] = (SENDING[1],)


def claimed(bench: Bench) -> list[int]:
    """Keys of all requests, in the order they stand in the files."""
    return [key for key, _ in bench.outcomes()]


def test_rows_are_packed_in_key_order_up_to_the_batch_size(bench: Bench) -> None:
    """Five rows at two a batch make three files."""
    bench.configure(batch_size=2)
    bench.add_people(*("text",) * 5)

    bench.run(*CLAIM)

    assert [1, 2, 3, 4, 5] == claimed(bench)
    assert [(2,), (2,), (1,)] == bench.execute("SELECT requests FROM batchd_batch ORDER BY id")


def test_a_file_never_passes_the_vendors_bytes(bench: Bench) -> None:
    """Rows that do not fit any more open the next file; nothing is left out."""
    bench.account(max_bytes=2_000)
    bench.add_people(*("x" * 500,) * 6)

    bench.run(*CLAIM)

    sizes = [size for (size,) in bench.execute("SELECT input_bytes FROM batchd_batch")]
    assert max(sizes) <= 2_000
    assert len(sizes) > 1
    assert [1, 2, 3, 4, 5, 6] == claimed(bench)


def test_a_file_never_passes_the_vendors_number_of_requests(bench: Bench) -> None:
    """The account's limit wins over a larger batch size."""
    bench.account(max_requests=3)
    bench.add_people(*("text",) * 4)

    bench.run(*CLAIM)

    assert [(3,), (1,)] == bench.execute("SELECT requests FROM batchd_batch ORDER BY id")


def test_a_request_larger_than_any_file_fails_by_name(bench: Bench) -> None:
    """It is never sent; its row says why, and its neighbours go their way."""
    bench.account(max_bytes=2_000)
    bench.add_people("small", "x" * 3_000, "small")

    bench.run(*CLAIM)

    assert [1, 3] == claimed(bench)
    assert [(2, "failed", "too_large")] == bench.execute(
        "SELECT key_int, state, outcome FROM batchd_gate WHERE state != 'open'"
    )


def test_a_row_that_cannot_be_rendered_fails_by_name(bench: Bench) -> None:
    """NULL where the task says that NULL is an error."""
    bench.configure(definition=person_task(null_input="error"))
    bench.add_people("text", None)

    bench.run(*CLAIM)

    assert [1] == claimed(bench)
    assert [(2, "failed", "unrenderable", "null_input")] == bench.execute(
        "SELECT key_int, state, outcome, error_code FROM batchd_gate WHERE state != 'open'"
    )


def test_the_file_holds_what_the_ledger_says(bench: Bench) -> None:
    """One line per request, named by batch and number, before anything is sent."""
    bench.add_people("a line\u2028break", 'quote "')

    bench.run(*CLAIM)

    batch = bench.batch()
    (file,) = (bench.folder / "spool").glob("*.input.jsonl")
    lines = [json.loads(line) for line in file.read_bytes().split(b"\n") if line]
    assert [f"{batch['uid']}-1", f"{batch['uid']}-2"] == [line["custom_id"] for line in lines]
    assert batch["input_bytes"] == file.stat().st_size


def test_a_row_in_work_is_not_claimed_again(bench: Bench) -> None:
    """It still matches the predicate; its gate keeps it out."""
    bench.add_people("text")

    bench.run(*CLAIM)
    bench.run(*CLAIM)

    assert [1] == claimed(bench)


def test_two_claims_that_race_for_a_row_send_it_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else gates a row between its reading and the record: it drops out of the file before it is sent."""
    bench.add_people("one", "two", "three")
    meanwhile(
        bench,
        monkeypatch,
        "INSERT INTO batchd_gate (task_id, key_int, key_hash, key_text, state, changed_at)"
        " VALUES (1, 2, '', '', 'open', '2026-01-01 00:00:00.000')",
    )

    bench.run(*SENDING)

    assert [1, 3] == claimed(bench)
    assert [b"one" in line or b"three" in line for line in bench.sent_lines()] == [True, True]


def test_a_row_finished_between_its_reading_and_the_record_is_not_sent(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The predicate is asked again in the transaction that records the batch."""
    bench.add_people("one", "two")
    meanwhile(bench, monkeypatch, "UPDATE person SET done_at = 'by hand' WHERE id = 1")

    bench.run(*SENDING)

    assert [2] == claimed(bench)
    assert {2: "open"} == bench.gates()
    assert 1 == len(list(bench.sent_lines()))


def test_a_batch_of_which_nothing_is_left_is_never_sent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of its rows were finished meanwhile: no file, no call, no gate."""
    bench.add_people("one")
    meanwhile(bench, monkeypatch, "UPDATE person SET done_at = 'by hand'")

    bench.run(*SENDING)

    assert [] == bench.vendor.calls
    assert {} == bench.gates()
    assert [] == list((bench.folder / "spool").glob("*.jsonl"))


def test_a_row_that_commits_late_with_a_low_key_is_found_by_the_sweep(bench: Bench) -> None:
    """The resume point only makes the common pass fast; a sweep from the start passes nobody over."""
    bench.add_people("five", first=5)
    bench.run(*CLAIM)
    bench.add_people("two", first=2)

    bench.run(*CLAIM, orders=Orders(eager=False))
    assert [5] == claimed(bench)

    bench.run(*CLAIM, orders=Orders(eager=True))
    assert [5, 2] == claimed(bench)


def test_the_common_pass_starts_after_the_last_claimed_key(bench: Bench) -> None:
    """New rows with growing keys are found without reading the table again."""
    bench.add_people("one", "two")
    bench.run(*CLAIM)
    bench.add_people("three", first=3)

    bench.run(*CLAIM, orders=Orders(eager=False))

    assert [1, 2, 3] == claimed(bench)
    assert [(3,)] == bench.execute("SELECT resume_key FROM batchd_task")


def test_open_batches_are_bounded(bench: Bench) -> None:
    """No more batches than allowed, and a DBA's limit in the ledger wins over the config's."""
    bench.configure(batch_size=1, max_open_batches=3)
    bench.add_people(*("text",) * 5)

    bench.run(*CLAIM)
    assert [1, 2, 3] == claimed(bench)

    bench.execute("UPDATE batchd_task SET max_open_batches = 4")
    bench.run(*CLAIM)
    assert [1, 2, 3, 4] == claimed(bench)
    assert [(1,)] == bench.execute("SELECT last_sweep_count FROM batchd_task")


def test_a_claim_can_be_told_how_many_batches_to_build(bench: Bench) -> None:
    """``--num-batches``."""
    bench.configure(batch_size=1)
    bench.add_people(*("text",) * 5)

    bench.run(*CLAIM, orders=Orders(eager=True, batches=2))

    assert [1, 2] == claimed(bench)


def test_a_small_batch_waits_for_more_rows_unless_a_person_waits(bench: Bench) -> None:
    """After a batch was built, the next one waits for min_batch_size or max_wait."""
    bench.configure(min_batch_size=3, max_wait=3600.0)
    bench.add_people("one", "two", "three")
    bench.run(*CLAIM, orders=Orders(eager=False))
    bench.add_people("four", first=4)

    bench.run(*CLAIM, orders=Orders(eager=False))
    assert [1, 2, 3] == claimed(bench)

    bench.run(*CLAIM, orders=Orders(eager=True))
    assert [1, 2, 3, 4] == claimed(bench)


def test_a_paused_task_is_not_claimed_for(bench: Bench) -> None:
    """Paused by a DBA with one UPDATE."""
    bench.add_people("one")
    bench.run(*CLAIM, orders=Orders(eager=True, batches=0))
    bench.execute("UPDATE batchd_task SET paused = 1, pause_reason = 'month end'")

    counts = bench.run(*CLAIM)

    assert [] == claimed(bench)
    assert 1 == counts["tasks_blocked"]


def test_retries_come_first_and_only_when_their_time_has_come(bench: Bench) -> None:
    """A due retry stands before new rows; one whose time has not come stands nowhere."""
    bench.vendor.script = answered("not valid")
    bench.add_people("one", "two")
    bench.run(*SENDING)
    bench.check_until("closed")
    bench.execute("UPDATE batchd_gate SET not_before = '2999-01-01 00:00:00.000' WHERE key_int = 1")
    bench.add_people("zero", first=0)

    bench.run(*CLAIM)

    assert [1, 2, 2, 0] == claimed(bench)


def test_a_retry_whose_row_is_done_or_gone_is_forgotten(bench: Bench) -> None:
    """Nothing is sent for it, and no gate is left behind."""
    bench.vendor.script = answered("not valid")
    bench.add_people("one", "two")
    bench.run(*SENDING)
    bench.check_until("closed")
    bench.execute("UPDATE person SET done_at = 'by hand' WHERE id = 1")
    bench.execute("DELETE FROM person WHERE id = 2")

    bench.run(*CLAIM)

    assert [1, 2] == claimed(bench)
    assert {} == bench.gates()


def test_two_processes_share_a_task_by_turns(bench: Bench) -> None:
    """While one holds the lease for claiming, the other builds nothing and says so."""
    bench.add_people("one")
    bench.run(*CLAIM, orders=Orders(eager=True, batches=0))
    other = bench.workplace("other", ConfiguredTask(person_task()))
    lease = other.store.transact(lambda ledger: ledger.tasks.take_lease(1, "other", 60.0))

    counts = bench.run(*CLAIM)
    assert [] == claimed(bench)
    assert {13} == counts.causes

    assert lease is not None
    other.store.transact(lambda ledger: ledger.tasks.release(lease))
    bench.run(*CLAIM)
    assert [1] == claimed(bench)


def test_a_scope_of_one_task_leaves_the_others_alone(bench: Bench) -> None:
    """``--task``."""
    bench.add_people("one")
    tasks = {name: ConfiguredTask(person_task(name=name)) for name in ("people", "others")}
    bench.place = replace(bench.place, tasks=tasks)

    run_pass(CLAIM, bench.place, Scope(task="others"), Orders(eager=True))

    assert [("others",)] == bench.execute("SELECT name FROM batchd_task")


def meanwhile(bench: Bench, monkeypatch: pytest.MonkeyPatch, sql: str) -> None:
    """Runs SQL as somebody else, after the rows were read and before their batch is recorded."""
    store = bench.place.store
    transact = store.transact
    done: list[str] = []

    def interrupted(work: Any, **options: Any) -> Any:
        files = list((bench.folder / "spool").glob("*.input.jsonl"))
        if files and not done:
            done.append(sql)
            bench.execute(sql)
        return transact(work, **options)

    monkeypatch.setattr(store, "transact", interrupted)


def test_a_row_of_bytes_that_are_no_text_fails_alone(bench: Bench) -> None:
    """Latin-1 in a TEXT column: SQLite keeps it, no prompt can be made of it, and its neighbours go their way."""
    bench.add_people("one", "two", "three")
    bench.execute("UPDATE person SET resume = CAST(x'4dfc6c6c' AS TEXT) WHERE id = 2")

    bench.run_until_quiet()

    assert [(1, "applied"), (3, "applied")] == bench.outcomes()
    assert [("failed", "unrenderable", "not_unicode")] == bench.execute(
        "SELECT state, outcome, error_code FROM batchd_gate WHERE key_int = 2"
    )
