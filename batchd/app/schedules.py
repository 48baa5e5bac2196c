"""When the tasks of a config are claimed for."""

from collections.abc import Iterable

from batchd.config import Config
from batchd.daemon import Schedule, turn_of
from batchd.errors import ConfigError


def schedules_of(config: Config, names: Iterable[str]) -> dict[str, Schedule]:
    """By task. Raises ConfigError for a cron line that can't be used."""
    return {name: _schedule_of(config, name) for name in names}


def _schedule_of(config: Config, name: str) -> Schedule:
    schedule = Schedule(every=config.tasks[name].every, cron=config.tasks[name].cron)
    try:
        turn_of(schedule, config.daemon.timezone)
    except ConfigError as error:
        raise config.error(error.message, "tasks", name, "cron", next_command=error.next_command) from error
    return schedule
