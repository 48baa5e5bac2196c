"""What a config makes of a continuous run, and where the next such setup comes from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from batchd.daemon.plan import Schedule
from batchd.errors import ConfigError
from batchd.ports import ConfiguredTask, Workplace


@dataclass(frozen=True, slots=True)
class Setup:
    """What a config makes of a run.

    Attributes:
        place: the workplace, with the tasks that fit their tables.
        schedules: when each task of the config is claimed for, also one that does not fit its table yet.
        resolve: looks at a task's table again. Raises ConfigError, DatabaseError.
        only: the one task that is worked for, open batches of others included in none of it; None for all.
        timezone: that cron lines mean.
        let_go: called once nothing works with this setup any more, because another has taken its place.
    """

    place: Workplace
    schedules: Mapping[str, Schedule]
    resolve: Callable[[str], ConfiguredTask]
    only: str | None = None
    timezone: str = "UTC"
    let_go: Callable[[], object] = bool


class Reloads(Protocol):
    """The config, read again while the service is at work."""

    def is_wanted(self) -> bool:
        """True from when somebody asks for it until it is loaded."""

    def load(self) -> Setup:
        """What the config makes of the run now. Raises BatchdError where it can't be used; nothing has changed then."""


class NoReloads:
    """Nobody asks."""

    def is_wanted(self) -> bool:
        """Never."""
        return False

    def load(self) -> Setup:
        """Nobody asks for it. Raises ConfigError."""
        raise ConfigError("this run does not read its config again")
