"""A hostile vendor, batch by batch: batches that end oddly or never, files that are cut off, lines that are wrong."""

from collections.abc import Iterator

from tests.drills.hostile_acts import (
    clock_stands,
    config_says,
    is_told,
    time_has_come,
    vendor_clock_right,
    vendor_passes,
)
from tests.drills.hostile_case import AGAIN, CANCEL, CHECK, RESOLVE, ROWS, SUBMIT, Acts, Case, Words, case, rule
from tests.drills.scenarios import RUN, clear_faults, routes


def refused() -> Iterator[Case]:
    """Batches that the vendor fails whole: for passing reasons they go again, and no row's try is charged."""
    full = {"fail_with": {"code": "token_limit_exceeded", "message": "Enqueued token limit reached."}, "times": 2}
    yield case("failed: token_limit_exceeded", {"batches": full}, created=3, killed=True)
    lost = {"fail_with": {"code": "invalid_request", "param": "file_id", "message": "Cannot find file."}, "times": 2}
    yield case("failed: invalid_request on a good file", {"batches": lost}, created=3, killed=True)
    new = {"fail_with": {"code": "some_new_code", "message": "No."}, "times": 1}
    acts: Acts = (RUN, is_told("batch-refused"), RESOLVE, RUN)
    sent_again: Words = {"codes": (20, 0, 0), "outcomes": {"unsent": ROWS, "applied": ROWS}, "created": 2}
    yield case("failed: for a reason that nobody knows", {"batches": new}, acts, **sent_again)


def ends() -> Iterator[Case]:
    """Batches that stay, expire, are cancelled, or count otherwise than they hold."""
    stuck: Acts = (vendor_passes(-2 * 86_400), SUBMIT, CHECK, is_told("overdue"), clear_faults, vendor_clock_right, RUN)
    yield case("stuck in finalizing", {"batches": {"stay_in": "finalizing"}}, stuck, codes=(0, 5, 0))
    paused = {"unknown_status": "paused", "stay_in": "in_progress"}
    acts: Acts = (SUBMIT, CHECK, is_told("unknown-status"), *AGAIN)
    yield case("a status that nobody knows", {"batches": paused}, acts, codes=(0, 5, 0))
    yield case("passes finalizing by", {"batches": {"skip_finalizing": True}})
    expire: Acts = (clock_stands, SUBMIT, vendor_passes(86_401), CHECK, config_says(), RUN)
    yield case(
        "expired with a part done",
        {},
        expire,
        settings={"batch_duration": "160000s"},
        codes=(0, 0, 0),
        outcomes={"applied": ROWS, "expired": 3},
        created=2,
        killed=True,
    )
    cancel: Acts = (clock_stands, SUBMIT, vendor_passes(500), CANCEL, vendor_passes(200), CHECK)
    half: Words = {"settings": {"batch_duration": "1000s"}, "killed": True}
    some: Words = {"outcomes": {"applied": 3, "cancelled": 3}, "gates": {"held": 3}}
    yield case("cancelled with a part done", {}, (*cancel, RUN), codes=(0, 0, 3, 0), **half, **some)
    none: Words = {"outcomes": {"cancelled": ROWS}, "gates": {"held": ROWS}}
    disagree = {"batches": {"cancelled_counts_disagree": True}}
    acts = (*cancel, time_has_come, CHECK, RUN)
    yield case("cancelled, and what was done is in no file", disagree, acts, codes=(0, 0, 5, 3, 0), **half, **none)
    counts: dict[str, dict[str, int | None]] = {
        "too much": {"total": 99, "completed": 99, "failed": 7},
        "too little": {"total": ROWS, "completed": 2, "failed": 0},
        "nothing": {"total": None, "completed": None, "failed": None},
    }
    for way, figures in counts.items():
        yield case(f"counts {way}", {"batches": {"request_counts": figures}})


def files() -> Iterator[Case]:
    """Result files that are cut off, or are not there."""
    short: Acts = (RUN, is_told("short-results"), *AGAIN)
    told: Words = {"truncate": {"bytes": 100, "keep_length": True}}
    untold: Words = {"truncate": {"bytes": 100, "keep_length": False}}
    yield case("cut off once, its length told", rule("files.content", **told), killed=True)
    yield case("cut off once, no length told", rule("files.content", **untold), killed=True)
    # A connection that breaks off may hold the next time; a file that ends early is a person's in the end.
    tries: Acts = (SUBMIT, CHECK, time_has_come, CHECK, *AGAIN)
    yield case(
        "cut off again and again, its length told",
        rule("files.content", times=None, **told),
        tries,
        codes=(0, 12, 12, 0),
    )
    yield case("cut off for good, no length told", rule("files.content", times=None, **untold), short, codes=(12, 0))
    unsized = {"route": "files.retrieve", "times": None, "status": 404}
    cut_once = {"route": "files.content", "times": 1, "truncate": {"bytes": 100}}
    yield case("cut off once, no size told anywhere", routes(unsized, cut_once))
    yield case("an empty string for a file's id", {"batches": {"empty_string_ids": True}})
    yield case("completed without a file", {"batches": {"null_output": True}}, short, codes=(20, 0), killed=True)
    nothing: Words = {"lines": {"rate": 1.0, "kinds": ["rejected"]}}
    left: Words = {"codes": (3,), "outcomes": {"rejected": ROWS}, "gates": {"failed": ROWS}}
    yield case("no output file, for all lines failed", nothing, killed=True, **left)
    none = {**nothing, "batches": {"empty_string_ids": True}}
    yield case("an empty string for the output file, for all lines failed", none, **left)
    yield case("output in no order", {"batches": {"shuffle_output": True}}, killed=True)


def lines() -> Iterator[Case]:
    """Lines that are missing, come twice, are strange, or no text."""
    yield case("a line twice, the same", _odd("duplicate_same"))
    applied = {"applied": ROWS}
    conflict: Words = {"codes": (3,), "outcomes": {"applied": ROWS - 1, "conflict": 1}, "gates": {"failed": 1}}
    yield case("a line twice, another", _odd("duplicate_different"), killed=True, **conflict)
    yield case("a line in both files", _odd("both_files"), **conflict)
    yield case("a line with an id that is not ours", _odd("unknown_id"), findings=("strange-lines",), killed=True)
    # The vendor loses the line once: it is looked for twice, then asked again, and paid for again.
    lost: Acts = (SUBMIT, CHECK, time_has_come, CHECK, *AGAIN)
    again: Words = {"codes": (0, 5, 0, 0), "most_paid": 2, "created": 2, "killed": True}
    missing = {**applied, "missing": 1}
    yield case("a line is missing", _odd("missing"), lost, outcomes=missing, findings=("missing-lines",), **again)
    found = ("missing-lines", "strange-lines")
    yield case("a line that is no UTF-8", _odd("invalid_utf8"), lost, outcomes=missing, findings=found, **again)
    errored: Words = {"codes": (0, 0, 0), "outcomes": {**applied, "errored": 1}, "created": 2}
    for kind in ("status_0", "errored_429", "errored_500"):
        yield case(f"a line with {kind}", _odd(kind), (SUBMIT, CHECK, *AGAIN), **errored)
    yield case("line separators within a text", _odd("u2028"), unlike=frozenset({3}))
    yield case("lines of a megabyte", {"lines": {"rate": 1.0, "kinds": ["big_line"]}}, killed=True)


def _odd(kind: str) -> Words:
    """The line of one row, the third, goes wrong."""
    return {"lines": {"kind_by_input": [{"contains": "Number3 ", "kind": kind}]}}


CASES: tuple[Case, ...] = (*refused(), *ends(), *files(), *lines())
