"""verify on ledgers that were broken on purpose: each check finds its own sabotage, and names it."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from batchd.inspection import verify
from batchd.inspection.checks import CHECKS
from batchd.pipeline import SENDING
from tests.fakes.answers import answered, both, by_seq
from tests.stages.bench import GOOD_ANSWER, Bench, person_task

CLAIM = SENDING[1:2]
CHAT = "/v1/chat/completions"
Found = list[tuple[str, str]]


@pytest.fixture
def sound(bench: Bench) -> Bench:
    """A closed batch of four (row 1 applied, 2 truncated, 3 a conflict, 4 invalid) and an open one (rows 5, 6)."""
    bench.configure(definition=person_task(retry_delay=3600.0))
    other = answered('{"name": "Bob", "level": "junior"}')
    bench.vendor.script = by_seq(
        {
            2: answered('{"name": "Ad', finish_reason="length"),
            3: both(answered(GOOD_ANSWER), other),
            4: answered("no json"),
        },
        answered(GOOD_ANSWER),
    )
    bench.add_people(*["text"] * 4)
    bench.run(*SENDING)
    bench.check_until("closed")
    bench.vendor.statuses = ("in_progress",)
    bench.add_people(*["text"] * 2, first=5)
    bench.run(*SENDING)
    assert ["closed", "submitted"] == bench.states()
    assert {2: "failed", 3: "failed", 4: "retry", 5: "open", 6: "open"} == bench.gates()
    assert [] == found(bench)
    return bench


def found(bench: Bench) -> Found:
    """Check and subject of each violation."""
    return [(one.check, one.subject) for one in verify(bench.place).violations]


def sql(*statements: str) -> Callable[[Bench], None]:
    """Sabotage by SQL, as a person at the database could do it."""

    def sabotage(bench: Bench) -> None:
        for statement in statements:
            bench.execute(statement)

    return sabotage


def output_file(bench: Bench, batch: int = 1) -> Path:
    return bench.folder / "spool" / f"{bench.batch(batch)['uid']}.output.jsonl"


def rewrite(bench: Bench, path: Path, column: str, batch: int, change: Callable[[bytes], bytes]) -> None:
    """Changes a file of the spool, and the hash that the ledger has of it."""
    content = change(path.read_bytes())
    path.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    bench.execute(f"UPDATE batchd_batch SET {column} = ? WHERE id = ?", sha256, batch)


def remove_output(bench: Bench) -> None:
    output_file(bench).unlink()


def alter_output(bench: Bench) -> None:
    output_file(bench).write_bytes(output_file(bench).read_bytes() + b"\n")


def smuggle_a_line_in(bench: Bench) -> None:
    rewrite(bench, output_file(bench), "output_sha256", 1, lambda lines: lines + b'{"custom_id": "not-ours"}\n')


def add_an_input_line(bench: Bench) -> None:
    bench.add_people("text", first=7)
    bench.run(*CLAIM)
    path = bench.spool.input_path(bench.batch(3)["uid"])
    rewrite(bench, path, "input_sha256", 3, lambda lines: lines * 2)


def finish_a_newer_one(bench: Bench) -> None:
    """Row 7 is asked and applied, and then its request is passed off as one of row 5, which is in work."""
    bench.vendor.statuses = ("validating", "completed")
    bench.add_people("text", first=7)
    bench.run(*SENDING)
    bench.check_until("closed", "submitted", "closed")
    bench.execute("UPDATE batchd_request SET key_int = 5 WHERE batch_id = 3")


def create_again(bench: Bench) -> None:
    (open_batch,) = [one for one in bench.vendor.batches() if one.id == bench.batch(2)["vendor_batch_id"]]
    bench.vendor.create_batch(open_batch.input_file_id or "", CHAT, open_batch.metadata)


def create_again_without_metadata(bench: Bench) -> None:
    bench.vendor.create_batch(bench.batch(2)["vendor_file_id"], CHAT, {})


def create_a_stranger(bench: Bench) -> None:
    ((installation,),) = bench.execute("SELECT installation_id FROM batchd_installation")
    bench.vendor.create_batch("file-1", CHAT, {"batchd_installation": installation, "batchd_uid": "f" * 32})


def follow_a_stranger(bench: Bench) -> None:
    other = bench.vendor.create_batch("file-x", CHAT, {"batchd_installation": "other", "batchd_uid": "f" * 32})
    bench.execute("UPDATE batchd_batch SET vendor_batch_id = ? WHERE id = 2", other.id)


def lose_at_the_vendor(bench: Bench) -> None:
    bench.vendor.forget(bench.batch(2)["vendor_batch_id"])


PRETEND_MISSING = (
    "UPDATE batchd_request SET outcome = 'missing' WHERE batch_id = 1 AND seq = 1",
    "UPDATE batchd_batch SET applied = 0, missing = 1 WHERE id = 1",
)
GATE_OF_ROW_1 = (
    "INSERT INTO batchd_gate"
    " (task_id, key_int, key_hash, key_text, state, paid_tries, batch_id, seq, outcome, changed_at)"
    " VALUES (1, 1, '', '', '{}', {}, 1, 1, 'applied', '2026-01-01')"
)
OWN_ID_OF_1 = "(SELECT vendor_batch_id FROM batchd_batch WHERE id = 1)"

SABOTAGES: list[tuple[Callable[[Bench], None], Found]] = [
    (sql("DELETE FROM batchd_gate WHERE key_int = 5"), [("ungated-request", "task people row 5")]),
    (
        sql("UPDATE batchd_gate SET state = 'failed', outcome = 'poison' WHERE key_int = 5"),
        [("ungated-request", "task people row 5")],
    ),
    (sql("UPDATE batchd_gate SET state = 'open' WHERE key_int = 2"), [("loose-gate", "task people row 2")]),
    (
        sql(
            "DELETE FROM batchd_request WHERE batch_id = 2 AND seq = 1",
            "UPDATE batchd_batch SET requests = 1 WHERE id = 2",
        ),
        [("loose-gate", "task people row 5")],
    ),
    (
        sql("UPDATE batchd_request SET key_int = 5 WHERE batch_id = 2 AND seq = 2"),
        [
            ("ungated-request", "task people row 5"),
            ("loose-gate", "task people row 6"),
            ("two-open-requests", "task people row 5"),
        ],
    ),
    (
        sql(f"UPDATE batchd_batch SET vendor_batch_id = {OWN_ID_OF_1} WHERE id = 2"),
        [("shared-vendor-id", "batch 2"), ("batch-not-followed", "batch 2"), ("foreign-batch", "batch 2")],
    ),
    (sql("UPDATE batchd_batch SET intent_at = NULL WHERE id = 1"), [("unrecorded-send", "batch 1")]),
    (sql("UPDATE batchd_batch SET submitted_at = NULL WHERE id = 2"), [("unrecorded-send", "batch 2")]),
    (
        sql("UPDATE batchd_batch SET state = 'held', held_from = 'submitting', attempt = 0 WHERE id = 2"),
        [("unrecorded-send", "batch 2")],
    ),
    (
        sql("UPDATE batchd_batch SET state = 'built' WHERE id = 2"),
        [("sent-but-built", "batch 2"), ("unsent-at-vendor", "batch 2")],
    ),
    (
        sql("UPDATE batchd_batch SET state = 'built', vendor_batch_id = NULL WHERE id = 2"),
        [("unsent-at-vendor", "batch 2")],
    ),
    (create_again, [("sent-twice", "batch 2")]),
    (create_again_without_metadata, [("sent-twice", "batch 2")]),
    (create_a_stranger, [("forgotten-batch", "vendor fake batch batch_6")]),
    (sql("UPDATE batchd_batch SET vendor_batch_id = 'batch_x' WHERE id = 1"), [("batch-not-followed", "batch 1")]),
    (follow_a_stranger, [("batch-not-followed", "batch 2"), ("foreign-batch", "batch 2")]),
    (lose_at_the_vendor, [("absent-at-vendor", "batch 2")]),
    (remove_output, [("result-file", "batch 1")]),
    (alter_output, [("result-file", "batch 1")]),
    (smuggle_a_line_in, [("strange-lines-not-kept", "batch 1")]),
    (sql(*PRETEND_MISSING), [("answer-passed-over", "batch 1")]),
    (sql("DELETE FROM batchd_content WHERE kind = 'line' AND seq = 2"), [("result-not-kept", "task people row 2")]),
    (sql("DELETE FROM batchd_content WHERE kind = 'line' AND part = 1"), [("result-not-kept", "task people row 3")]),
    (sql("INSERT INTO batchd_vendor_files VALUES (2, NULL, '2096-01-01')"), [("deleted-too-early", "batch 2")]),
    (sql("INSERT INTO batchd_vendor_files VALUES (1, NULL, '2006-01-01')"), [("deleted-too-early", "batch 1")]),
    (sql("DELETE FROM batchd_content WHERE kind = 'before'"), [("no-before-image", "task people row 1")]),
    (
        sql("UPDATE batchd_request SET finished_at = '2026-01-01' WHERE batch_id = 2 AND seq = 2"),
        [("outcome-taken-back", "task people row 6")],
    ),
    (
        sql("UPDATE batchd_request SET finished_at = NULL WHERE batch_id = 1 AND seq = 1"),
        [("outcome-taken-back", "task people row 1")],
    ),
    (sql(GATE_OF_ROW_1.format("retry", 1)), [("applied-due-again", "task people row 1")]),
    (sql(GATE_OF_ROW_1.format("failed", 0)), [("applied-due-again", "task people row 1")]),
    (finish_a_newer_one, [("overtaken-request", "task people row 5")]),
    (
        sql("UPDATE batchd_request SET guard = '' WHERE batch_id = 1 AND seq = 1"),
        [("not-compared", "task people row 1")],
    ),
    (
        sql("UPDATE batchd_request SET outcome = NULL, finished_at = NULL WHERE batch_id = 1 AND seq = 1"),
        [("open-in-ended-batch", "batch 1"), ("outcomes-miscounted", "batch 1")],
    ),
    (sql("UPDATE batchd_batch SET requests = 9 WHERE id = 1"), [("requests-miscounted", "batch 1")]),
    (sql("UPDATE batchd_batch SET applied = 2, conflict = 0 WHERE id = 1"), [("outcomes-miscounted", "batch 1")]),
    (sql("UPDATE batchd_batch SET cost_nano_usd = 1 WHERE id = 1"), [("outcomes-miscounted", "batch 1")]),
    (sql("UPDATE batchd_gate SET outcome = 'refused' WHERE key_int = 2"), [("gate-disagrees", "task people row 2")]),
    (sql("UPDATE batchd_gate SET state = 'done' WHERE key_int = 2"), [("gate-disagrees", "task people row 2")]),
    (sql("UPDATE batchd_gate SET key_int = 99 WHERE key_int = 2"), [("gate-disagrees", "task people row 99")]),
    (add_an_input_line, [("input-lines", "batch 3")]),
    (sql("UPDATE batchd_gate SET state = 'retry' WHERE key_int = 2"), [("due-again-unasked", "task people row 2")]),
    (sql("UPDATE batchd_gate SET paid_tries = 4 WHERE key_int = 2"), [("too-many-tries", "task people row 2")]),
    (sql("UPDATE batchd_gate SET paid_tries = 3 WHERE key_int = 4"), [("too-many-tries", "task people row 4")]),
    (sql("UPDATE batchd_gate SET unpaid_tries = 11 WHERE key_int = 5"), [("too-many-tries", "task people row 5")]),
]


@pytest.mark.parametrize(
    ("sabotage", "expected"), SABOTAGES, ids=[f"{at}-{one[1][0][0]}" for at, one in enumerate(SABOTAGES)]
)
def test_each_sabotage_is_named_and_nothing_else(
    sound: Bench, sabotage: Callable[[Bench], None], expected: Found
) -> None:
    """What was broken is found where it was broken; what was left alone is not suspected."""
    sabotage(sound)

    assert expected == found(sound)


def test_every_check_has_its_sabotage() -> None:
    """A check that nothing can break is no check."""
    caught = {check for _, expected in SABOTAGES for check, _ in expected}

    assert set(map(str, CHECKS)) == caught


def test_every_check_is_documented_with_its_promise() -> None:
    """The how-to names each check, and the promise that it is about."""
    page = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "verify-a-ledger.md"
    text = page.read_text(encoding="utf-8")

    assert [] == [name for name, check in CHECKS.items() if f"| `{name}` | {check.promise}" not in text]


def test_a_violation_says_which_promise_how_and_what_next(sound: Bench) -> None:
    """Number, sentence and command, with the batch's number in them."""
    remove_output(sound)

    (one,) = verify(sound.place).violations

    assert 3 == one.promise
    assert "what was collected is not in the spool any more: the output file is missing" == one.sentence
    assert "look for it in a backup of the spool, or on the machine that collected batch 1" == one.next_command


def test_a_lost_input_file_is_noted_and_breaks_no_promise(sound: Bench) -> None:
    """Nothing of it is paid: its rows are sent anew."""
    sound.add_people("text", first=7)
    sound.run(*CLAIM)
    sound.spool.remove_input(sound.batch(3)["uid"])

    verdict = verify(sound.place)

    assert verdict.is_sound, verdict.violations
    assert [("batch 3", "its input file is missing; nothing of it is known to be paid")] == [
        (one.subject, one.sentence) for one in verdict.notes
    ]


def test_what_ran_in_a_cancelled_extra_batch_is_noted(sound: Bench) -> None:
    """It was paid for; the promise is kept by what batchd did about it."""
    create_again(sound)
    (extra,) = [one for one in sound.vendor.batches() if one.id == "batch_6"]
    sound.vendor.cancel_batch(extra.id)
    sound.vendor.retrieve_batch(extra.id)

    verdict = verify(sound.place)

    assert verdict.is_sound, verdict.violations
    (note,) = verdict.notes
    assert "batch 2" == note.subject
    assert note.sentence.startswith("2 requests ran in batches that were cancelled")
