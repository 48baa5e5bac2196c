"""Where a batch of the sandbox stands, by times alone; its clock, its view, and its fault rules."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from batchd.sandbox.batch_view import Disguise, batch_object
from batchd.sandbox.batches import BatchEnd, BatchRecord, NewBatch
from batchd.sandbox.clock import VirtualClock
from batchd.sandbox.faults import parse_faults, replace_faults, show_faults, take_route_fault
from batchd.sandbox.progress import Answered, Pace, progress
from batchd.sandbox.state import State

NEW = NewBatch(
    id="batch_x",
    endpoint="/v1/chat/completions",
    input_file_id="file-x",
    completion_window="24h",
    metadata=None,
    output_seconds=None,
    created_at=1000.0,
    duration=100.0,
    upstream=False,
    model="m",
    total=10,
    prompt_tokens=5,
    errors=None,
)
BATCH = BatchRecord(NEW, cancelling_at=None, end=None)
FREE = Pace()


def status(batch: BatchRecord, now: float, pace: Pace = FREE, answered: Answered | None = None) -> str:
    return progress(batch, now, pace, answered).status


def with_duration(seconds: float) -> BatchRecord:
    return replace(BATCH, created=replace(NEW, duration=seconds))


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (1000, "validating"),
        (1010, "in_progress"),
        (1089, "in_progress"),
        (1090, "finalizing"),
        (1100, "completed"),
    ],
)
def test_a_batch_goes_its_way(now: float, expected: str) -> None:
    """The first and the last tenth of the duration are validation and finalizing."""
    assert status(BATCH, now) == expected


def test_a_batch_without_duration_is_done_at_once() -> None:
    """Duration 0 completes in the moment of creation."""
    assert status(with_duration(0), 1000) == "completed"


def test_a_bad_file_fails_when_validation_is_over() -> None:
    """What is wrong with the file is told at the end of validation, not before."""
    bad = replace(BATCH, created=replace(NEW, errors=[{"code": "x"}]))

    assert [status(bad, now) for now in (1005, 1010)] == ["validating", "failed"]


@pytest.mark.parametrize("duration", [100_000.0, 10_000_000.0])
def test_the_window_ends_what_is_not_done(duration: float) -> None:
    """A batch that needs longer than 24 hours expires, in validation too."""
    slow = with_duration(duration)

    assert status(slow, 1000 + 86_399) in ("validating", "in_progress")
    assert status(slow, 1000 + 86_400) == "expired"
    assert progress(slow, 1000 + 90_000, FREE).since == 1000 + 86_400


def test_a_held_batch_goes_no_further() -> None:
    """stay_in holds a batch at its status, past its window; earlier statuses are not skipped."""
    held = Pace(stay_in="in_progress")

    assert [status(BATCH, now, held) for now in (1005, 1050, 999_999)] == [
        "validating",
        "in_progress",
        "in_progress",
    ]


def test_finalizing_may_be_skipped() -> None:
    """A poller may never see finalizing."""
    assert status(BATCH, 1095, Pace(skip_finalizing=True)) == "in_progress"


def test_cancelling_takes_a_while_and_keeps_its_share() -> None:
    """The share that had run when cancelling began is what was run."""
    cancelling = replace(BATCH, cancelling_at=1050.0)

    assert progress(cancelling, 1055, FREE).status == "cancelling"
    assert progress(cancelling, 1060, FREE).status == "cancelled"
    assert progress(cancelling, 1060, FREE).share == 0.5


def test_an_upstream_batch_ends_with_its_last_answer() -> None:
    """Time alone does not complete a batch that another server answers."""
    batch = replace(BATCH, created=replace(NEW, upstream=True))

    assert status(batch, 5000, answered=Answered(9, 1300.0)) == "in_progress"
    assert progress(batch, 5000, FREE, Answered(10, 1300.0)).since == 1300.0


def test_an_ended_batch_is_shown_with_its_counts_and_times() -> None:
    """The model is the snapshot, ids are null or, disguised, empty strings."""
    end = BatchEnd("completed", 1100.0, completed=8, failed=2, output_file_id="file-o")
    ended = replace(BATCH, end=end)
    stands = progress(BATCH, 1100, FREE)
    shown = batch_object(ended, stands, Disguise())

    assert shown["model"] == "m-2026-03-17"
    assert shown["request_counts"] == {"total": 10, "completed": 8, "failed": 2}
    assert (shown["in_progress_at"], shown["finalizing_at"], shown["completed_at"]) == (1010, 1090, 1100)
    assert (shown["output_file_id"], shown["error_file_id"]) == ("file-o", None)
    assert batch_object(ended, stands, Disguise(empty_string_ids=True))["error_file_id"] == ""


def test_a_failed_batch_shows_its_errors_and_no_counts() -> None:
    """Counts stay zero, and the model is not resolved."""
    errors: list[dict[str, object]] = [{"code": "x", "message": "m", "param": None, "line": 1}]
    failed = replace(BATCH, created=replace(NEW, errors=errors), end=BatchEnd("failed", 1010.0))
    shown = batch_object(failed, progress(failed, 1010, FREE), Disguise())

    assert shown["errors"] == {"object": "list", "data": errors}
    assert shown["request_counts"] == {"total": 0, "completed": 0, "failed": 0}
    assert (shown["model"], shown["in_progress_at"], shown["failed_at"]) == (None, None, 1010)


@pytest.fixture
def state(tmp_path: Path) -> State:
    """A state of its own."""
    return State(tmp_path / "state.db")


def test_the_clock_is_moved_frozen_and_freed(state: State) -> None:
    """A frozen clock moves only when told to, and goes on from there."""
    real = iter(range(100, 200))
    clock = VirtualClock(lambda: float(next(real)))

    def at(connection: sqlite3.Connection) -> int:
        return int(clock.now(connection))

    with state.transaction() as connection:
        started = at(connection)
        clock.advance(connection, 1000)
        advanced = at(connection)
        clock.freeze(connection)
        frozen = [at(connection), at(connection)]
        clock.advance(connection, 50)
        moved = at(connection)
        clock.unfreeze(connection)
        freed = [at(connection), at(connection)]

    assert advanced > started + 1000
    assert frozen[0] == frozen[1]
    assert moved == frozen[0] + 50
    assert moved < freed[0] < freed[1] < moved + 5


def test_route_rules_are_used_up_in_their_order(state: State) -> None:
    """The first rule with times left is taken; the numbers left are kept."""
    rules = [
        {"route": "batches.list", "times": 1, "status": 500},
        {"route": "batches.list", "times": 1, "status": 503},
    ]
    with state.transaction() as connection:
        replace_faults(connection, {"routes": rules})
        taken = [take_route_fault(connection, "batches.list") for _ in range(3)]
        other = take_route_fault(connection, "files.create")
        left = show_faults(connection)["routes"]

    assert [fault.status if fault else None for fault in taken] == [500, 503, None]
    assert other is None
    assert isinstance(left, list)
    assert [rule["times"] for rule in left] == [0, 0]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"line": {}}, "line"),
        ({"lines": {"kinds": ["odd"]}}, "odd"),
        ({"lines": {"kind_by_input": [{"contains": "x", "kind": "odd"}]}}, "odd"),
        ({"routes": [{"route": "batches.nothing"}]}, "batches.nothing"),
        ({"routes": [{"route": "batches.list", "truncate": {"byte": 1}}]}, "truncate.byte"),
        ({"batches": {"stay_in": "completed"}}, "completed"),
        ({"batches": {"list_order": "odd"}}, "odd"),
        ({"batches": [1]}, "batches is not an object"),
    ],
)
def test_a_fault_that_is_not_known_is_named(given: dict[str, object], named: str) -> None:
    """A misspelt fault is an error, not a fault that never happens."""
    with pytest.raises(ValueError, match=named):
        parse_faults(given)
