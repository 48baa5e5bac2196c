"""The ledger's findings on each database: what is logged of them, who tells people, and the backlog's age."""

import sqlalchemy as sa
from structlog.testing import capture_logs

from batchd.core.findings import KINDS
from batchd.core.notices import Notice
from batchd.core.outcomes import Outcome
from batchd.ports import Ledger
from batchd.store.reading import ask, finding_facts
from tests.conformance.stores import Desk


def find(desk: Desk, kind: str, subject: str, detail: str = "") -> None:
    desk.store.transact(lambda ledger: ledger.findings.open(kind, subject, detail), step="test")


def due(desk: Desk, least_urgent: int = 3) -> list[Notice]:
    return desk.store.ask(lambda ledger: ledger.notices.due(least_urgent, 10))


def test_the_view_shows_what_a_dba_needs_most_urgent_first(desk: Desk) -> None:
    """One row per open finding: how urgent, what, since when, what to run, where to read on."""
    for kind in ("overdue", "strange-lines", "unknown-submit"):
        find(desk, kind, "batch 12", "told")

    rows = desk.db.execute(
        "SELECT priority, kind, subject, detail, next_command, page FROM batchd_v_findings ORDER BY priority, since"
    )

    assert [
        (KINDS[kind].priority, kind, "batch 12", "told", next_command, f"docs/runbook/{kind}.md")
        for kind, next_command in (
            ("unknown-submit", "batchd resolve 12"),
            ("overdue", "batchd show 12"),
            ("strange-lines", "batchd show 12"),
        )
    ] == [tuple(row) for row in rows]
    facts = ask(desk.db.open(), finding_facts)
    assert [(row[0], row[1], row[5]) for row in rows] == [(one["priority"], one["kind"], one["page"]) for one in facts]


def test_opening_and_closing_are_logged_once_each(desk: Desk) -> None:
    """However often either is asked for."""
    with capture_logs() as said:
        for _ in range(2):
            find(desk, "billing-stop", "task items", "insufficient_quota")
        for _ in range(2):
            desk.store.transact(
                lambda ledger: ledger.findings.close_all("task items", ["billing-stop", "task-moved"]), step="test"
            )

    assert [
        {
            "event": "finding.opened",
            "log_level": "warning",
            "kind": "billing-stop",
            "subject": "task items",
            "priority": 1,
            "next_command": "batchd resume items",
        },
        {"event": "finding.closed", "log_level": "info", "kind": "billing-stop", "subject": "task items", "seconds": 0},
    ] == said


def test_a_transaction_that_is_rolled_back_tells_nothing(desk: Desk) -> None:
    """Nor does one that is run again tell what its first run did."""
    runs: list[int] = []
    # Asked for before the transaction, whose lock it would wait for on SQLite.
    duplicate = _duplicate(desk)

    def refused(ledger: Ledger) -> None:
        runs.append(1)
        ledger.findings.open("overdue", f"batch {len(runs)}")
        if len(runs) == 1:
            raise sa.exc.IntegrityError("INSERT", {}, duplicate)

    with capture_logs() as said:
        desk.store.transact(refused, step="test")

    told = [one["subject"] for one in said if one["event"] == "finding.opened"]
    assert ["batch 2"] == told == [one.subject for one in due(desk)]


def test_a_finding_is_taken_by_one_process_and_told_once(desk: Desk) -> None:
    """The second one that saw it as due does not get it; a wait that is over makes it due again."""
    find(desk, "overdue", "batch 1")
    (seen,) = due(desk)

    taken = [desk.store.transact(lambda ledger: ledger.notices.take(seen, 60.0), step="test") for _ in range(2)]
    waiting = due(desk)
    desk.db.execute("UPDATE batchd_finding SET notify_after = opened_at")
    (again,) = due(desk)
    half = frozenset({"webhook"})
    desk.store.transact(lambda ledger: ledger.notices.note_told(again, half, all_of_them=False), step="test")
    (rest,) = due(desk)
    desk.store.transact(
        lambda ledger: ledger.notices.note_told(rest, half | {"command"}, all_of_them=True), step="test"
    )

    assert ([True, False], []) == (taken, waiting)
    assert (0, 1, 1) == (seen.tries, again.tries, rest.tries)
    assert (frozenset(), half) == (again.told_by, rest.told_by)
    assert [] == due(desk)


def test_only_open_findings_that_are_urgent_enough_are_due(desk: Desk) -> None:
    """The most urgent first; one that has ended is not taken either."""
    for kind in ("strange-lines", "overdue", "unknown-submit", "stranger"):
        find(desk, kind, "batch 1")
    everything = due(desk)
    desk.store.transact(lambda ledger: ledger.findings.close("stranger", "batch 1"), step="test")
    (closed,) = (one for one in everything if one.kind == "stranger")

    assert ["unknown-submit", "stranger", "overdue", "strange-lines"] == [one.kind for one in everything]
    assert ["unknown-submit", "overdue"] == [one.kind for one in due(desk, least_urgent=2)]
    assert not desk.store.transact(lambda ledger: ledger.notices.take(closed, 60.0), step="test")


def test_a_backlog_is_as_old_as_the_first_sweep_that_left_rows(desk: Desk) -> None:
    """It keeps that time while it lasts, and begins anew after a sweep that left none."""

    def swept(backlog: int) -> object:
        desk.store.transact(lambda ledger: ledger.tasks.record_sweep(desk.task_id, backlog), step="test")
        ((since,),) = desk.db.execute("SELECT backlog_since FROM batchd_task WHERE name = 'items'")
        return since

    none, first, still, over, anew = (swept(backlog) for backlog in (0, 7, 3, 0, 2))

    assert (None, None) == (none, over)
    assert first is not None
    assert first == still
    assert anew is not None


def test_failed_rows_are_told_apart_by_their_outcome(desk: Desk) -> None:
    """Whether a row of one kind is left decides when its finding ends."""
    desk.db.execute(
        "INSERT INTO batchd_gate (task_id, key_int, key_hash, key_text, state, paid_tries, unpaid_tries, outcome,"
        " changed_at) SELECT id, 7, '', '', 'failed', 1, 0, 'poison', created_at FROM batchd_task"
    )

    found = [
        desk.store.ask(lambda ledger, of=outcome: ledger.gates.any_failed(desk.task_id, of))  # type: ignore[misc]
        for outcome in (Outcome.POISON, Outcome.REFUSED)
    ]

    assert [True, False] == found


def _duplicate(desk: Desk) -> Exception:
    """The driver's own error for a row that somebody else was faster with."""
    insert = "INSERT INTO batchd_task (name, fingerprint, created_at, paused, pause_reason, lease_epoch) SELECT"
    try:
        desk.db.execute(f"{insert} name, fingerprint, created_at, 0, '', 0 FROM batchd_task")
    except Exception as error:  # noqa: BLE001 - whichever the driver has
        return error
    raise AssertionError("a name was taken twice")
