"""Whether a process is at work on a ledger, as far as the ledger shows: leases, and what nobody has looked after."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchd.cli.since import ago, lasting

Facts = Mapping[str, Any]
START = "batchd run"
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
        lease_seconds: for how long a lease is taken, by the config.
        last_sign: when work was last done, by whichever process.
        due_since: since when something is due that a daemon would have done; None where nothing is.
        waits: open batches, or rows that are due or wait for another try.
    """

    now: dt.datetime
    leases: Sequence[Facts]
    lease_seconds: float
    last_sign: dt.datetime | None
    due_since: dt.datetime | None
    waits: bool


def who_is_at_work(signs: Signs, is_dead: Callable[[str], bool]) -> dict[str, Any]:
    """``state`` (``at work``, ``none``, ``not seen``), a ``sentence``, the next command, and the processes known.

    The sentence is ``no daemon is at work: why`` where ``state`` is ``none``.

    ``none`` is said where a process has left its lease behind, or where what is due is not done. An idle daemon
    holds no lease, so ``not seen`` tells nothing about it.
    """
    processes = _processes(signs, is_dead)
    state, sentence = _judged(signs, processes)
    return {
        "state": state,
        "sentence": sentence,
        "next_command": START if state == "none" else "",
        "last_sign_at": signs.last_sign,
        "due_since": signs.due_since,
        "processes": processes,
    }


def process_words(owner: str) -> str:
    """``process 4711 on web1``; an owner or actor of another form is told as it is."""
    parts = owner.split("/")
    return f"process {parts[2]} on {parts[0]}" if len(parts) == PARTS_OF_AN_OWNER else owner


def _processes(signs: Signs, is_dead: Callable[[str], bool]) -> list[dict[str, Any]]:
    found = []
    for owner in dict.fromkeys(one["owner"] for one in signs.leases):
        held = [one for one in signs.leases if one["owner"] == owner]
        until = max(one["expires_at"] for one in held)
        state = "gone" if is_dead(owner) else "at work" if until > signs.now else "silent"
        found.append(
            {
                "owner": owner,
                "state": state,
                "leases": [one["subject"] for one in held],
                "lease_expires_at": until,
            }
        )
    return found


def _judged(signs: Signs, processes: Sequence[Facts]) -> tuple[str, str]:
    working = [one for one in processes if one["state"] == "at work"]
    if working:
        return "at work", "; ".join(_works(signs, one) for one in working)
    # A lease that was left long ago says nothing once somebody else has gone on.
    left = [one for one in processes if signs.last_sign is None or signs.last_sign <= one["lease_expires_at"]]
    if left:
        return "none", f"no daemon is at work: {_left(signs, left[0])}"
    if signs.due_since is not None:
        for_long = lasting((signs.now - signs.due_since).total_seconds())
        return "none", f"no daemon seems to be at work: what is due has waited for {for_long}, {_last(signs)}"
    if signs.last_sign is None:
        return "not seen", "no process holds a lease, and none has done any work yet"
    return "not seen", f"no process holds a lease now{_idle(signs)}; {_last(signs)}"


def _works(signs: Signs, process: Facts) -> str:
    first, *others = process["leases"]
    more = f" and {len(others)} more" if others else ""
    # A call to the vendor may take a longer lease than is usual.
    left = (process["lease_expires_at"] - signs.now).total_seconds()
    renewed = f", its lease renewed {lasting(signs.lease_seconds - left)} ago" if left <= signs.lease_seconds else ""
    return f"{process_words(process['owner'])} is at work on {first}{more}{renewed}"


def _left(signs: Signs, process: Facts) -> str:
    if process["state"] == "gone":
        return f"{process_words(process['owner'])} ended without giving its lease back"
    return f"the lease of {process_words(process['owner'])} ran out {ago(process['lease_expires_at'], signs.now)}"


def _idle(signs: Signs) -> str:
    return "" if signs.waits else ", and nothing waits for one"


def _last(signs: Signs) -> str:
    return f"last sign of work {ago(signs.last_sign, signs.now)}"


def overdue(due: dt.datetime | None, now: dt.datetime, pause: float) -> dt.datetime | None:
    """``due``, where it has passed by more than two pauses of a daemon and some grace; else None."""
    if due is None or (now - due).total_seconds() <= 2 * pause + _GRACE:
        return None
    return due
