"""What the log says of the work: one line for a pass that did something, one for a batch at its end."""

from dataclasses import replace
from typing import Any

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from batchd import events
from batchd.core.model import VendorFault
from batchd.core.outcomes import Outcome
from batchd.errors import DatabaseBusyError
from batchd.operations import cancel, pause, resolve
from batchd.pipeline import SENDING
from tests.stages.bench import Bench


def passes(bench: Bench, level: str = "info") -> list[tuple[str, dict[str, int]]]:
    """Stage and counts of each line that passes of the whole lane leave at this level, until all is done."""
    with capture_logs(processors=[merge_contextvars]) as said:
        bench.run()
        while set(bench.states()) - {"closed"}:
            bench.run()
    return [(one["stage"], one["counts"]) for one in said if _is(one, events.STAGE_FINISHED, level)]


def ends(said: list[Any]) -> list[dict[str, Any]]:
    """The lines about batches that have ended."""
    return [dict(one) for one in said if one["event"] == events.BATCH_CLOSED]


def _is(one: Any, event: str, level: str) -> bool:
    return bool(one["event"] == event and one["log_level"] == level)


def test_a_pass_that_did_something_is_one_line(bench: Bench) -> None:
    """Each stage says what it did, with how many seconds it took; the next pass, with nothing to do, says nothing."""
    bench.add_people("one", "two")

    assert [
        ("claim", {"batches_built": 1, "rows_claimed": 2}),
        ("submit", {"batches_submitted": 1, "rows_submitted": 2}),
        ("poll", {"batches_ended": 1, "batches_polled": 1}),
        ("collect", {"batches_collected": 1}),
        ("apply", {"applied": 2, "batches_closed": 1}),
    ] == passes(bench)
    assert [] == passes(bench)


def test_a_pass_that_only_looked_is_for_those_who_look_for_more(bench: Bench) -> None:
    """A paused task is in the way of each pass of a weekend: that is said once."""
    bench.add_people("one")
    bench.run()
    pause(bench.place.store, "people", "for the weekend")

    with capture_logs() as said:
        bench.run(SENDING[1])
        bench.run(SENDING[1])
    blocked = [one["log_level"] for one in said if one["event"] == events.CLAIM_BLOCKED]
    finished = [one["log_level"] for one in said if one["event"] == events.STAGE_FINISHED]
    assert (["warning", "debug"], ["debug", "debug"]) == (blocked, finished)


def test_a_spool_without_room_is_told_once_and_again_when_it_comes_back(bench: Bench) -> None:
    """A disk that is full for a night is one line of the log, not one a minute."""
    bench.add_people("one")
    roomy = bench.place

    with capture_logs() as said:
        for number in (2, 3):
            bench.place = replace(roomy, spool_reserve=10**18)
            bench.run(SENDING[1])
            bench.run(SENDING[1])
            bench.place = roomy
            bench.run(SENDING[1])
            bench.add_people("another", first=number)
    blocked = [one["log_level"] for one in said if one["event"] == events.CLAIM_BLOCKED]

    assert ["warning", "debug", "warning", "debug"] == blocked


def test_the_end_of_a_batch_is_told_once_with_all_its_figures(bench: Bench) -> None:
    """Whoever keeps the logs needs no ledger to know what a batch was, became, took and cost."""
    bench.add_people("one", "two", "three")
    bench.run(*SENDING)
    bench.execute("DELETE FROM person WHERE id = 3")

    with capture_logs() as said:
        bench.run_until_quiet()
    (told,) = ends(said)
    batch = bench.batch()

    assert {"built", "submitted", "ended", "collected", "all"} == set(told.pop("seconds"))
    assert {
        "event": "batch.closed",
        "log_level": "info",
        "task": "people",
        "batch": 1,
        "vendor_batch": batch["vendor_batch_id"],
        "uid": batch["uid"],
        "state": "closed",
        "vendor": "fake",
        "vendor_status": "completed",
        "model": "gpt-6-luna",
        "requests": 3,
        "outcomes": {"applied": 2, "gone": 1},
        "input_tokens": batch["input_tokens"],
        "output_tokens": batch["output_tokens"],
        "input_bytes": batch["input_bytes"],
        "output_bytes": batch["output_bytes"],
        "cost_usd": batch["cost_nano_usd"] / 1e9,
        "tries": 1,
        "held": False,
    } == told
    assert batch["cost_nano_usd"] > 0


def test_the_seconds_add_up(bench: Bench) -> None:
    """What a batch stood in each state is all of its time."""
    bench.add_people("one")
    with capture_logs() as said:
        bench.run_until_quiet()
    (told,) = ends(said)

    parts = [seconds for state, seconds in told["seconds"].items() if state != "all"]
    assert pytest.approx(told["seconds"]["all"], abs=0.01) == sum(parts)
    assert min(parts) >= 0


def test_a_batch_that_was_refused_whole_tells_its_end_too(bench: Bench) -> None:
    """The same line with the same figures, and what the vendor said; it was held on the way."""
    bench.vendor.statuses = ("validating", "failed")
    bench.vendor.faults = (VendorFault("model_not_found", param="body.model", line=1),)
    bench.add_people("one")
    bench.run(*SENDING)
    bench.check_until("held")
    resolve(bench.place, "1")

    with capture_logs() as said:
        bench.check_until("failed")
    (told,) = ends(said)

    assert ("failed", "failed", "model_not_found", {"unsent": 1}, True) == (
        told["state"],
        told["vendor_status"],
        told["code"],
        told["outcomes"],
        told["held"],
    )


def test_a_batch_that_is_never_sent_tells_its_end_too(bench: Bench) -> None:
    """Cancelled by a person before it was sent: abandoned, with nothing paid."""
    bench.add_people("one", "two")
    bench.run(SENDING[1])

    with capture_logs() as said:
        cancel(bench.place, "1")
    (told,) = ends(said)

    assert ("abandoned", {"cancelled": 2}, 0.0, 0, ["built", "all"]) == (
        told["state"],
        told["outcomes"],
        told["cost_usd"],
        told["tries"],
        list(told["seconds"]),
    )


def test_a_transaction_that_did_not_come_through_tells_no_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was rolled back did not happen; the transaction that comes through tells it."""
    bench.add_people("one")
    bench.run(SENDING[1])
    monkeypatch.setattr("batchd.failpoints.before", _fail)

    with capture_logs() as said, pytest.raises(DatabaseBusyError):
        cancel(bench.place, "1")
    monkeypatch.undo()
    with capture_logs() as again:
        cancel(bench.place, "1")

    assert (0, 1) == (len(ends(said)), len(ends(again)))


def _fail(step: str) -> None:
    if step == "operate.cancel":
        raise DatabaseBusyError("not now")


def test_what_it_is_about_is_bound_to_whatever_is_logged(bench: Bench) -> None:
    """An event that names no batch itself still bears stage, task, batch and the vendor's id of it."""
    bench.add_people("one")
    bench.run(*SENDING)

    with capture_logs(processors=[merge_contextvars]) as said:
        bench.run_until_quiet()
    (chunk,) = [one for one in said if one["event"] == events.APPLY_CHUNK_WRITTEN]

    assert {
        "stage": "apply",
        "task": "people",
        "batch": 1,
        "vendor_batch": bench.batch()["vendor_batch_id"],
    }.items() <= chunk.items()
    assert Outcome.APPLIED == bench.outcomes()[0][1]
