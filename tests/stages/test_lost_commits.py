"""Every commit of every stage, broken: taken and not answered, not taken, refused as busy; nobody can tell in the end.

Each way leads a few rows through the stages; the fault strikes at one commit of it, and the end is compared with the
undisturbed run of the same way: rows, every update that a row saw, ledger, findings, batches and bills at the vendor.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from batchd import events
from batchd.core.model import VendorFault
from batchd.errors import VendorBusyError, VendorNotFoundError
from batchd.operations import resolve
from batchd.pipeline import BATCH_LANE, SENDING
from batchd.ports import Orders
from tests.fakes.answers import ResultLine, Script, answered, http_error, nothing
from tests.fakes.vendor import unclear
from tests.stages.bench import GOOD_ANSWER, TABLE, Bench, person_task
from tests.stages.lost_commits import BrokenCommit, BrokenStatement, Fault

Way = Callable[[Bench], None]

AUDIT = """
CREATE TABLE audit (id, name, level, done);
CREATE TRIGGER seen AFTER UPDATE ON person
BEGIN INSERT INTO audit VALUES (NEW.id, NEW.name, NEW.level, NEW.done_at IS NOT NULL); END
"""


def at_first(odd: dict[str, Script]) -> Script:
    """Rows of these texts are answered oddly when they are asked for the first time, then well as all others are."""
    left = dict(odd)

    def script(request: dict[str, Any]) -> list[ResultLine]:
        text = request["body"]["messages"][-1]["content"].removeprefix("Read this: ").removesuffix(Bench.planted)
        return left.pop(text, answered(GOOD_ANSWER))(request)

    return script


def plainly(bench: Bench) -> None:
    """Two batches in chunks of two; an answer that is no answer, a row that the database refuses, a retry."""
    bench.vendor.script = at_first({"two": answered("no JSON")})
    bench.execute("CREATE TRIGGER no BEFORE UPDATE ON person WHEN NEW.id = 6 BEGIN SELECT RAISE(ABORT, 'no'); END")
    bench.run_until_quiet()


def unrendered(bench: Bench) -> None:
    """A row without a text, and one whose key is none."""
    bench.execute("UPDATE person SET resume = NULL")
    bench.execute("INSERT INTO person (id, resume) VALUES ('no number', 'text')")
    bench.run_until_quiet()


def created_unseen(bench: Bench) -> None:
    """The create took effect and was not answered."""
    bench.vendor.fail_next("create_batch", unclear(), after=True)
    bench.run_until_quiet()


def fenced(bench: Bench) -> None:
    """The create was not answered and did not happen; the vendor's list proves it."""
    bench.account(resubmit="fence")
    bench.vendor.fail_next("create_batch", unclear())
    bench.run_until_quiet()


def not_found(bench: Bench) -> None:
    """The same, and a person is asked."""
    bench.vendor.fail_next("create_batch", unclear())
    bench.run_until_quiet()


def not_listed(bench: Bench) -> None:
    """A create is unknown, and the vendor cannot be asked just then."""
    bench.vendor.fail_next("create_batch", unclear(), after=True)
    bench.run(*SENDING)
    bench.vendor.fail_next("list_batches", VendorBusyError("later", code="http_429"))
    bench.run_until_quiet()


def not_taken(bench: Bench) -> None:
    """An upload and a create that the vendor refuses for now."""
    bench.vendor.fail_next("upload", VendorBusyError("later", code="http_429"))
    bench.vendor.fail_next("create_batch", VendorBusyError("later", code="http_429"))
    bench.run_until_quiet()


def held_back(bench: Bench) -> None:
    """The vendor's quota has room for one batch at a time."""
    bench.run(SENDING[1])
    bench.account(enqueued_tokens={"gpt-6-luna": 1})
    bench.run_until_quiet()


def input_lost(bench: Bench) -> None:
    """A batch's file is gone before it was sent."""
    bench.run(SENDING[1])
    for file in (bench.folder / "spool").glob(f"*{1:032x}*"):
        file.unlink()
    bench.run_until_quiet()


def learned_late(bench: Bench) -> None:
    """The lease goes to another process while the create is on its way, and it comes to nothing there."""
    create = bench.vendor.create_batch

    def slowly(*arguments: Any) -> Any:
        bench.vendor.create_batch = create  # type: ignore[method-assign]
        bench.execute("UPDATE batchd_batch SET lease_epoch = lease_epoch + 1 WHERE state = 'submitting'")
        return create(*arguments)

    bench.vendor.create_batch = slowly  # type: ignore[method-assign, assignment]
    bench.run(*SENDING)
    bench.execute("UPDATE batchd_batch SET lease_owner = NULL")
    bench.run_until_quiet()


def out_of_sight(bench: Bench) -> None:
    """The vendor does not know a batch for a while, and is busy once."""
    bench.vendor.fail_next("retrieve_batch", VendorNotFoundError("gone", code="http_404"))
    bench.vendor.fail_next("retrieve_batch", VendorBusyError("later", code="http_429"))
    bench.run_until_quiet()


def refused_whole(bench: Bench) -> None:
    """The vendor's validation refuses a batch for one of its lines."""
    bench.vendor.statuses = ("validating", "failed")
    bench.vendor.faults = (VendorFault("invalid_request", param="body.messages", line=2),)
    bench.run(*SENDING)
    bench.check_until("failed", "failed")
    bench.vendor.statuses = ("validating", "completed")
    bench.run_until_quiet()


def short(bench: Bench) -> None:
    """A line is in neither file, and the download fails once."""
    bench.vendor.script = at_first({"two": nothing(), "three": http_error(500)})
    bench.vendor.fail_next("download", VendorBusyError("later", code="http_429"))
    bench.run(*SENDING)
    bench.check_until("closed", "closed")
    bench.run_until_quiet()


def fetched_again(bench: Bench) -> None:
    """A result file is gone before it was applied."""
    bench.execute("UPDATE batchd_task SET paused = 0")
    bench.run(*SENDING)
    bench.execute("UPDATE batchd_task SET paused = 1")
    bench.check_until("collected", "collected")
    bench.execute("UPDATE batchd_task SET paused = 0")
    for file in (bench.folder / "spool").glob("*.output.jsonl"):
        file.unlink()
    bench.run_until_quiet()


def not_writable(bench: Bench) -> None:
    """A column is gone for a while; a person lets the batches go on."""
    bench.run(*SENDING)
    bench.execute("ALTER TABLE person RENAME COLUMN level TO rank")
    bench.check_until("held", "held")
    bench.execute("ALTER TABLE person RENAME COLUMN rank TO level")
    resolve(bench.place, "1")
    resolve(bench.place, "2")
    bench.run_until_quiet()


def unread(bench: Bench) -> None:
    """The vendor's list cannot be read at the start, then it can."""
    bench.vendor.fail_next("list_batches", VendorBusyError("later", code="http_429"))
    for _ in range(2):
        bench.run(*BATCH_LANE, orders=Orders(eager=True, first=True))
    bench.run_until_quiet()


WAYS: dict[Way, tuple[str, ...]] = {
    plainly: (
        "claim.register",
        "claim.lease",
        "claim.version",
        "claim.forget",
        "claim.record",
        "claim.sweep",
        "claim.release",
        "lease.take",
        "lease.release",
        "recover.accounts",
        "submit.reserve",
        "submit.intent",
        "submit.record",
        "poll.record",
        "collect.record",
        "apply.chunk",
        "apply.close",
    ),
    unrendered: ("claim.failures", "claim.unusable"),
    created_unseen: ("submit.unknown", "recover.adopt"),
    fenced: ("recover.absent", "recover.fence"),
    not_found: ("recover.absent",),
    not_listed: ("recover.wait",),
    not_taken: ("submit.refusal",),
    held_back: ("submit.wait",),
    input_lost: ("submit.lost_input",),
    learned_late: ("submit.record_late",),
    out_of_sight: ("poll.vanished", "poll.postpone"),
    refused_whole: ("poll.record", "collect.refused"),
    short: ("collect.short", "collect.note", "collect.postpone"),
    fetched_again: ("apply.fetch_again",),
    not_writable: ("apply.hold",),
    unread: ("recover.unread", "recover.read", "recover.strangers"),
}

# Commits of stages that have tests of their own: late arrivals, a full disk, what is tidied up, people who are told.
ELSEWHERE = {
    "recover.report_late",
    "recover.take_late",
    "room.report",
    "claim.unfit",
    "cleanup.record",
    "retention.remove",
    "retention.remove_rest",
    "retention.finish",
    "notify.take",
    "notify.record",
    "vendor_files.record",
    "vendor_files.put_off",
}

# They are passed once only on their way.
ONCE = {
    "submit.wait",
    "claim.failures",
    "submit.unknown",
    "recover.adopt",
    "recover.fence",
    "recover.wait",
    "submit.lost_input",
    "submit.record_late",
    "poll.vanished",
    "poll.postpone",
    "collect.postpone",
    "collect.short",
    "collect.note",
    "recover.read",
    "recover.strangers",
    "recover.unread",
    "claim.forget",
}

FAULTS: tuple[tuple[int, Fault], ...] = ((1, "answer lost"), (2, "answer lost"), (1, "connection lost"), (1, "busy"))
# What was not taken at all is run again whichever passing it is; what was taken is met anew each time.
CASES: list[tuple[Way, str, int, Fault]] = [
    (way, step, passing, fault)
    for way, steps in WAYS.items()
    for step in steps
    for passing, fault in FAULTS
    if passing == 1 or step not in ONCE
]


def begin(folder: Path, way: Way) -> Bench:
    """Six rows that wait, and an audit of every update that a row sees."""
    folder.mkdir()
    task = person_task(null_input="error", max_attempts=2)
    table = TABLE.replace("INTEGER PRIMARY KEY", "INTEGER UNIQUE") if way is unrendered else TABLE
    bench = Bench(folder, task, table)
    bench.configure(batch_size=3)
    bench.place = replace(bench.place, chunk=2)
    for statement in AUDIT.split(";\n"):
        bench.execute(statement + ("; END" if "BEGIN" in statement and "END" not in statement else ""))
    bench.add_people("one", "two", "three", "four", "five", "six")
    return bench


def end_of_going(way: Way, bench: Bench) -> dict[str, Any]:
    """Goes a way, and tells its end."""
    with capture_logs() as said:
        way(bench)
    told = [one for one in said if one["event"] in {events.FINDING_OPENED, events.FINDING_CLOSED}]
    ends = [one for one in said if one["event"] == events.BATCH_CLOSED]
    return end(bench) | {
        "told of findings": sorted((one["event"], one["kind"], one["subject"]) for one in told),
        "told of ends": sorted((one["batch"], one["state"], str(one["outcomes"]), one["cost_usd"]) for one in ends),
    }


def end(bench: Bench) -> dict[str, Any]:
    """Everything that a user could compare."""
    return {
        "rows": bench.people(),
        "updates of rows": bench.execute("SELECT * FROM audit ORDER BY id"),
        "outcomes": sorted(bench.outcomes()),
        "gates": bench.execute("SELECT key_int, state, paid_tries, unpaid_tries, outcome FROM batchd_gate ORDER BY 1"),
        "findings": sorted(bench.findings()),
        "batches": sorted(bench.states()),
        "open": bench.execute("SELECT count(*) FROM batchd_batch WHERE lease_owner IS NOT NULL"),
        "cost": bench.execute("SELECT sum(cost_nano_usd) FROM batchd_request"),
        "kept": bench.execute("SELECT kind, count(*) FROM batchd_content GROUP BY kind ORDER BY kind"),
        "batches at the vendor": sorted(batch.status for batch in bench.vendor.batches()),
        "bills": sorted(bench.vendor.paid.values()),
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Way], dict[str, Any]]:
    """The end of a way without any fault; each way is gone once."""
    ends: dict[Way, dict[str, Any]] = {}

    def end_of(way: Way) -> dict[str, Any]:
        if way not in ends:
            bench = begin(tmp_path_factory.mktemp("undisturbed") / way.__name__, way)
            ends[way] = end_of_going(way, bench)
        return ends[way]

    return end_of


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0].__name__}-{case[1]}-{case[2]}-{case[3]}")
def test_a_broken_commit_changes_nothing_in_the_end(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    undisturbed: Callable[[Way], dict[str, Any]],
    case: tuple[Way, str, int, Fault],
) -> None:
    """Promises 2, 4 and 8: whatever the database says or does not say of a commit, the end is the undisturbed one."""
    way, step, passing, fault = case
    expected = undisturbed(way)
    bench = begin(tmp_path / "broken", way)
    broken = BrokenCommit(step, passing, fault)
    broken.arm(monkeypatch, bench.database.engine)

    found = end_of_going(way, bench)

    assert broken.struck, f"{way.__name__} has no commit {passing} of {step}; it has {broken.seen}"
    assert expected == found


@pytest.mark.parametrize(
    "beginning",
    [
        "UPDATE main.batchd_batch SET lease_expires_at",
        "SELECT main.batchd_request.seq, main.batchd_request.key_int",
        "UPDATE person",
        "INSERT INTO batchd_content",
        "UPDATE batchd_request",
        "DELETE FROM main.batchd_gate",
        "UPDATE main.batchd_gate",
        "UPDATE main.batchd_batch SET applied_at",
    ],
)
def test_a_connection_that_dies_in_the_middle_of_a_chunk_changes_nothing_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: Callable[[Way], dict[str, Any]], beginning: str
) -> None:
    """The whole transaction is run again: nothing of it was kept, nothing of it is kept twice."""
    expected = undisturbed(plainly)
    bench = begin(tmp_path / "broken", plainly)
    broken = BrokenStatement(beginning)
    broken.arm(monkeypatch, bench.database.engine)

    found = end_of_going(plainly, bench)

    assert broken.struck, f"no statement begins with {beginning!r}"
    assert expected == found


def test_every_commit_of_a_stage_is_broken_somewhere() -> None:
    """A new step must be led through here, or be drilled elsewhere by name."""
    root = Path(__file__).resolve().parents[2] / "batchd"
    sources = [*(root / "stages").glob("*.py"), *root.glob("*.py")]
    named = {name for path in sources for name in re.findall(r'step="([a-z_.]+)"', path.read_text(encoding="utf-8"))}

    assert named - ELSEWHERE == {step for steps in WAYS.values() for step in steps}


def test_a_repeated_record_knows_no_line_that_its_file_has_lost(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 1 is done when a record is tried, and pending again when it is tried again; row 2 the other way round."""
    bench.add_people("one", "two", "three")
    BrokenCommit("claim.record", fault="busy").arm(monkeypatch, bench.database.engine)
    store, tries = bench.place.store, []
    transact = store.transact

    def changing(work: Callable[[Any], Any], **options: Any) -> Any:
        if options.get("step") != "claim.record":
            return transact(work, **options)

        def changed(ledger: Any) -> Any:
            tries.append(1)
            done = "UPDATE person SET done_at = CASE WHEN id = ? THEN 'done' END WHERE id < 3"
            ledger.connection.exec_driver_sql(done, (len(tries),))
            return work(ledger)

        return transact(changed, **options)

    monkeypatch.setattr(store, "transact", changing)
    bench.run(SENDING[1])
    monkeypatch.undo()

    assert [1, 1] == tries
    assert {3: "open"} == bench.gates()
    bench.run_until_quiet()
    assert {"applied"} == {outcome for _, outcome in bench.outcomes()}
    assert [(1, 1), (2, 1), (3, 1)] == [(number, done) for number, *_, done in bench.people()]
