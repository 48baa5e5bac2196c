"""Whether a daemon is at work, in one sentence: none that was killed is called alive, none that lives is missed."""

import datetime as dt
from typing import Any

import pytest

from batchd.cli.at_work import Signs, who_is_at_work

NOW = dt.datetime(2026, 11, 20, 14, 30, tzinfo=dt.UTC)
UNDONE = "a daemon is there, and leaves work undone: what is due has waited for 25 min, last sign of work 1 min ago"
ONE, OTHER = "web1/a/4711/9", "web2/a/12/3"


def moment(seconds: float) -> dt.datetime:
    """So long from now; ago, where negative."""
    return NOW + dt.timedelta(seconds=seconds)


def lease(owner: str, until: float, subject: str = "batch 46") -> dict[str, Any]:
    return {"owner": owner, "expires_at": moment(until), "subject": subject}


def run(owner: str, seen: float) -> dict[str, Any]:
    """A run that said so many seconds ago that it lives."""
    return {
        "owner": owner,
        "version": "0.1.0",
        "started_at": moment(-3600),
        "seen_at": moment(-seen),
        "expires_at": moment(60 - seen),
    }


def told(*, dead: str = "", **signs: Any) -> dict[str, Any]:
    """What is said of these signs, on a ledger where work waits and was done 90 seconds ago."""
    usual: dict[str, Any] = {"leases": [], "processes": [], "last_sign": moment(-90), "due_since": None, "waits": True}
    return who_is_at_work(Signs(now=NOW, lease_seconds=300.0, **usual | signs), lambda owner: owner == dead)


@pytest.mark.parametrize(
    ("signs", "state", "sentence", "command"),
    [
        ({"processes": [run(ONE, 8)]}, "idle",
         "process 4711 on web1 is there, seen 8 s ago; it has nothing in hand", ""),
        ({"processes": [run(ONE, 8)], "waits": False}, "idle",
         "process 4711 on web1 is there, seen 8 s ago; nothing waits for it", ""),
        ({"processes": [run(ONE, 8)], "leases": [lease(ONE, 280)]}, "at work",
         "process 4711 on web1 is at work on batch 46, its lease renewed 20 s ago", ""),
        ({"processes": [run(ONE, 8), run(OTHER, 9)], "dead": ONE}, "idle",
         "process 12 on web2 is there, seen 9 s ago; it has nothing in hand", ""),
        ({"processes": [run(ONE, 8)], "dead": ONE}, "none",
         "no daemon is at work: process 4711 on web1 ended without a word", "batchd run"),
        ({"processes": [run(ONE, 180)], "last_sign": moment(-200)}, "none",
         "no daemon is at work: process 4711 on web1 was last seen 3 min ago", "batchd run"),
        ({"processes": [run(ONE, 180)], "last_sign": moment(-5)}, "not seen",
         "no daemon is there now; last sign of work 5 s ago", ""),
        ({"leases": [lease(ONE, -30)]}, "none",
         "no daemon is at work: the lease of process 4711 on web1 ran out 30 s ago", "batchd run"),
        ({"leases": [lease(ONE, 200)], "waits": False, "dead": ONE}, "not seen",
         "no daemon is there now, and nothing waits for one; last sign of work 1 min ago", ""),
        ({"processes": [run(ONE, 8)], "waits": False, "dead": ONE}, "none",
         "no daemon is at work: process 4711 on web1 ended without a word", "batchd run"),
        ({"processes": [run(ONE, 8)], "leases": [lease(OTHER, -30)]}, "idle",
         "process 4711 on web1 is there, seen 8 s ago; it has nothing in hand", ""),
        ({"due_since": moment(-1500)}, "none",
         "no daemon is at work: what is due has waited for 25 min, last sign of work 1 min ago", "batchd run"),
        ({"processes": [run(ONE, 8)], "due_since": moment(-1500)}, "idle",
         f"{UNDONE}; process 4711 on web1 is there, seen 8 s ago", "batchd doctor"),
        ({"waits": False}, "not seen",
         "no daemon is there now, and nothing waits for one; last sign of work 1 min ago", ""),
        ({"last_sign": None}, "not seen", "no daemon is there, and none has done any work yet", ""),
        ({"last_sign": None, "due_since": moment(-1500)}, "none",
         "no daemon is at work: what is due has waited for 25 min, no sign of work yet", "batchd run"),
    ],
)  # fmt: skip
def test_who_is_at_work(signs: dict[str, Any], state: str, sentence: str, command: str) -> None:
    """Leases, what runs say of themselves, and what is overdue, each alone and together."""
    found = told(**signs)

    assert (found["state"], found["sentence"], found["next_command"]) == (state, sentence, command)


def test_each_process_is_told_once() -> None:
    """With its leases, and with what it says of itself, if it is a run."""
    found = told(processes=[run(ONE, 8)], leases=[lease(OTHER, -30), lease(ONE, 200), lease(ONE, 100, "task resumes")])

    by_owner = {one["owner"]: one for one in found["processes"]}
    assert {owner: one["state"] for owner, one in by_owner.items()} == {ONE: "at work", OTHER: "silent"}
    assert by_owner[ONE]["leases"] == ["batch 46", "task resumes"]
    assert by_owner[ONE]["lease_expires_at"] == moment(200)
    assert (by_owner[ONE]["version"], by_owner[OTHER]["version"]) == ("0.1.0", None)
