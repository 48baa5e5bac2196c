"""Whether a process is at work on a ledger: by what runs say of themselves, by leases, by what nobody has done."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchd.cli.since import ago, lasting

Facts = Mapping[str, Any]
_START = "batchd run"
_LOOK_CLOSER = "batchd doctor"
# ``host/namespace/pid/start``.
PARTS_OF_AN_OWNER = 4
# A daemon that is busy elsewhere may come so much later to what is due.
_GRACE = 15.0


@dataclass(frozen=True, slots=True)
class Signs:
    """What the ledger shows.

    Attributes:
        now: by the database's clock, as are all times here.
        leases: those that were not given back: owner, expires_at, subject.
        processes: runs that have not ended, as they say: owner, version, started_at, seen_at, expires_at.
        lease_seconds: for how long a lease is taken, by the config.
        last_sign: when work was last done, by whichever process.
        due_since: since when something is due that a daemon would have done; None where nothing is.
        waits: open batches, or rows that are due or wait for another try.
    """

    now: dt.datetime
    leases: Sequence[Facts]
    processes: Sequence[Facts]
    lease_seconds: float
    last_sign: dt.datetime | None
    due_since: dt.datetime | None
    waits: bool


def who_is_at_work(signs: Signs, is_dead: Callable[[str], bool]) -> dict[str, Any]:
    """``state`` (``at work``, ``idle``, ``none``, ``not seen``), a ``sentence``, the next command, and the processes.

    The sentence is ``what is wrong: why`` where there is a next command. ``none`` is said where a process ended
    without a word, or where what is due is not done; ``not seen`` where no run is there and none is missed.
    """
    processes = [_process(signs, owner, is_dead) for owner in _owners(signs)]
    state, sentence, command = _judged(signs, processes)
    return {
        "state": state,
        "sentence": sentence,
        "next_command": command,
        "last_sign_at": signs.last_sign,
        "due_since": signs.due_since,
        "processes": processes,
    }


def process_words(owner: str) -> str:
    """``process 4711 on web1``; an owner or actor of another form is told as it is."""
    parts = owner.split("/")
    return f"process {parts[2]} on {parts[0]}" if len(parts) == PARTS_OF_AN_OWNER else owner


def _owners(signs: Signs) -> list[str]:
    return list(dict.fromkeys(one["owner"] for one in (*signs.leases, *signs.processes)))


def _process(signs: Signs, owner: str, is_dead: Callable[[str], bool]) -> dict[str, Any]:
    held = [one for one in signs.leases if one["owner"] == owner]
    shown: Facts = next((one for one in signs.processes if one["owner"] == owner), {})
    lease_until = max((one["expires_at"] for one in held), default=None)
    return {
        "owner": owner,
        "state": "gone" if is_dead(owner) else _state(signs.now, lease_until, shown.get("expires_at")),
        "leases": [one["subject"] for one in held],
        "lease_expires_at": lease_until,
        **{name: shown.get(name) for name in ("version", "started_at", "seen_at", "expires_at")},
    }


def _state(now: dt.datetime, lease_until: dt.datetime | None, seen_by: dt.datetime | None) -> str:
    if lease_until is not None and lease_until > now:
        return "at work"
    return "idle" if seen_by is not None and seen_by > now else "silent"


def _judged(signs: Signs, processes: Sequence[Facts]) -> tuple[str, str, str]:
    working = [one for one in processes if one["state"] == "at work"]
    if working:
        return "at work", "; ".join(_works(signs, one) for one in working), ""
    idle = [one for one in processes if one["state"] == "idle"]
    if idle:
        return "idle", *_idles(signs, idle)
    left = [one for one in processes if _is_missed(signs, one)]
    if left:
        return "none", f"no daemon is at work: {_left(signs, left[0])}", _START
    if signs.due_since is not None:
        return "none", f"no daemon is at work: {_overdue(signs, signs.due_since)}", _START
    if signs.last_sign is None:
        return "not seen", "no daemon is there, and none has done any work yet", ""
    nothing = "" if signs.waits else ", and nothing waits for one"
    return "not seen", f"no daemon is there now{nothing}; {_last(signs)}", ""


def _works(signs: Signs, process: Facts) -> str:
    first, *others = process["leases"]
    more = f" and {len(others)} more" if others else ""
    # A call to the vendor may take a longer lease than is usual.
    left = (process["lease_expires_at"] - signs.now).total_seconds()
    renewed = f", its lease renewed {lasting(signs.lease_seconds - left)} ago" if left <= signs.lease_seconds else ""
    return f"{process_words(process['owner'])} is at work on {first}{more}{renewed}"


def _idles(signs: Signs, processes: Sequence[Facts]) -> tuple[str, str]:
    """In words, and the next command: one that is there and does not do what is due may have another config."""
    there = "; ".join(
        f"{process_words(one['owner'])} is there, seen {ago(one['seen_at'], signs.now)}" for one in processes
    )
    if signs.due_since is not None:
        return f"a daemon is there, and leaves work undone: {_overdue(signs, signs.due_since)}; {there}", _LOOK_CLOSER
    nothing = "it has nothing in hand" if signs.waits else "nothing waits for it"
    return f"{there}; {nothing}", ""


def _is_missed(signs: Signs, process: Facts) -> bool:
    # What was left long ago says nothing once somebody else has gone on; nor does what a short command left, where
    # nothing waits.
    is_latest = signs.last_sign is None or signs.last_sign <= _good_until(process)
    return is_latest and (signs.waits or process["seen_at"] is not None)


def _good_until(process: Facts) -> dt.datetime:
    moments: list[dt.datetime | None] = [process["lease_expires_at"], process["expires_at"]]
    return max(one for one in moments if one is not None)


def _left(signs: Signs, process: Facts) -> str:
    who = process_words(process["owner"])
    if process["state"] == "gone":
        return f"{who} ended without a word"
    if process["seen_at"] is not None:
        return f"{who} was last seen {ago(process['seen_at'], signs.now)}"
    return f"the lease of {who} ran out {ago(process['lease_expires_at'], signs.now)}"


def _overdue(signs: Signs, since: dt.datetime) -> str:
    return f"what is due has waited for {lasting((signs.now - since).total_seconds())}, {_last(signs)}"


def _last(signs: Signs) -> str:
    return "no sign of work yet" if signs.last_sign is None else f"last sign of work {ago(signs.last_sign, signs.now)}"


def overdue(due: dt.datetime | None, now: dt.datetime, pause: float) -> dt.datetime | None:
    """``due``, where it has passed by more than two pauses of a daemon and some grace; else None."""
    if due is None or (now - due).total_seconds() <= 2 * pause + _GRACE:
        return None
    return due
