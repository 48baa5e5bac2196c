"""When a task's backlog will be done, at the pace of the batches that ended lately."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from batchd.cli.since import roughly

Facts = Mapping[str, Any]
_HOUR = 3600.0
_DAY = dt.timedelta(days=1)
# So many batches of the last hour, none of them older than this, tell more than a day that may have had a pause in it.
_ENOUGH = 3
_SHORT_LIVED = dt.timedelta(hours=2)


def pace(task: Facts, applied: Facts, now: dt.datetime) -> dict[str, Any]:
    """What is left to do, and until when: ``rows_left``, ``rows_per_hour``, ``done_at``, or ``why_not``.

    Args:
        task: as ``status`` tells it: its backlog, and its rows by state.
        applied: by span (``hour``, ``day``): rows, batches, and when the first of these was built.
        now: by the database's clock.

    The backlog as it was counted last, and the rows in flight or waiting for another try, are all left.
    """
    counted = task["backlog_now"] if task.get("backlog_now") is not None else task["backlog"]
    left = None if counted is None else counted + task["rows"]["open"] + task["rows"]["retry"]
    seconds, rows = _measured(applied, now)
    rate = rows / seconds * _HOUR if rows and seconds else None
    why_not = _why_not(task, left, rate)
    ahead = left / rate * _HOUR if left is not None and rate is not None and not why_not else None
    return {
        "rows_left": left,
        "rows_per_hour": None if rate is None else round(rate, 1),
        "measured_seconds": None if rate is None else round(seconds),
        "done_at": None if ahead is None else _after(now, ahead),
        "why_not": why_not,
    }


def pace_words(told: Facts, now: dt.datetime) -> str:
    """``in about 3 h``, or why that is not known."""
    if told["done_at"] is None:
        return str(told["why_not"])
    return f"in {roughly((told['done_at'] - now).total_seconds())}"


def _measured(applied: Facts, now: dt.datetime) -> tuple[float, int]:
    """Seconds, and the rows applied in them. A span begins no sooner than its first batch was built."""
    hour, day = applied.get("hour"), applied.get("day")
    if hour and hour["batches"] >= _ENOUGH and now - hour["since"] <= _SHORT_LIVED:
        return max((now - hour["since"]).total_seconds(), 1.0), hour["rows"]
    if day and day["since"] is not None:
        return max(min(now - day["since"], _DAY).total_seconds(), 1.0), day["rows"]
    return 0.0, 0


def _why_not(task: Facts, left: int | None, rate: float | None) -> str:
    if left is None:
        return "not counted: batchd status --count"
    if not left:
        return "nothing is left"
    if task["paused"]:
        return "not while it is paused"
    if not task["configured"]:
        return "not in the config any more"
    if rate is None:
        return "not known: nothing written in 24 h"
    return ""


def _after(now: dt.datetime, seconds: float) -> dt.datetime | None:
    try:
        return now + dt.timedelta(seconds=seconds)
    except OverflowError:
        return None
