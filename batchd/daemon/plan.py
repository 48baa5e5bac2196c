"""What a run is to do: for which tasks, when to claim for each, and when it ends."""

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
    """The scheduler's trigger. Raises ConfigError for a cron line it does not understand."""
    if schedule.cron is None:
        return every(schedule.every)
    try:
        return CronTrigger.from_crontab(schedule.cron, timezone=timezone)
    except ValueError as error:
        raise ConfigError(
            f"cron {schedule.cron!r} can't be used: {error}",
            next_command='write it like "0 2 * * *": minute, hour, day, month, weekday',
        ) from error


def every(seconds: float) -> IntervalTrigger:
    """A turn each so many seconds, a little sooner or later each time."""
    seconds = max(seconds, SHORTEST_PAUSE)
    return IntervalTrigger(seconds=seconds, jitter=min(seconds * _JITTER_PART, _LONGEST_JITTER), timezone="UTC")
