"""What a run is to do: for which tasks, when to claim for each, and when it ends."""

import datetime as dt
from dataclasses import dataclass

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from batchd.errors import ConfigError
from batchd.ports import EVERYTHING, Scope

SHORTEST_PAUSE = 0.2
# So many processes that were started by one hand don't ask the vendor, or the database, all at once.
_JITTER_PART = 0.1
_LONGEST_JITTER = 10.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a task is claimed for: every so many seconds, or by a cron line of five fields."""

    every: float = 600.0
    cron: str | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """When a run ends by itself: with nothing left to do, or once so many batches were built and finished."""

    until_idle: bool = False
    batches: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a bounded run is to do: for which tasks, and when it ends."""

    tasks: tuple[str, ...]
    scope: Scope = EVERYTHING
    bounds: Bounds = Bounds(until_idle=True)


def turn_of(schedule: Schedule, timezone: str = "UTC") -> BaseTrigger:
    """The scheduler's trigger. Raises ConfigError for a cron line that it does not understand, or that never comes."""
    if schedule.cron is None:
        return every(schedule.every)
    try:
        trigger = CronTrigger.from_crontab(schedule.cron, timezone=timezone)
    except ValueError as error:
        raise _unusable(schedule.cron, str(error)) from error
    if trigger.get_next_fire_time(None, dt.datetime.now(dt.UTC)) is None:
        raise _unusable(schedule.cron, "no day is like that")
    return trigger


def _unusable(cron: str, why: str) -> ConfigError:
    return ConfigError(
        f"cron {cron!r} can't be used: {why}",
        next_command='write it like "0 2 * * *": minute, hour, day, month, weekday',
    )


def every(seconds: float) -> IntervalTrigger:
    """A turn each so many seconds, a little sooner or later each time."""
    seconds = max(seconds, SHORTEST_PAUSE)
    return IntervalTrigger(seconds=seconds, jitter=min(seconds * _JITTER_PART, _LONGEST_JITTER), timezone="UTC")
