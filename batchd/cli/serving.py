"""Continuous mode, with all that may reach it from outside: signals, systemd, and whoever watches it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from batchd.app import continuous
from batchd.app.status_line import status_line
from batchd.app.webhooks import receiving
from batchd.cli.outside import watched_from_outside
from batchd.cli.place import Desk
from batchd.config import Config
from batchd.daemon import Herald, Service
from batchd.notify import Notifier
from batchd.ports import Counts, Workplace
from batchd.stop import Stop

if TYPE_CHECKING:
    from batchd.metrics.watch import Watch


class _Pulse:
    """How the service is, for those who are asked before it is there."""

    def __init__(self) -> None:
        self.service: Service | None = None

    def ill(self) -> str | None:
        """Why it makes no progress; None where all is well."""
        return None if self.service is None else self.service.ill()


def serve(desk: Desk, place: Workplace, said: continuous.Call, stop: Stop, report: Callable[[Counts], None]) -> Counts:
    """Runs until a signal ends it.

    Raises:
        ConfigError: a port to be watched at, or to be told at by vendors, can't be had.
    """
    pulse = _Pulse()
    with watched_from_outside(desk.config, place.tasks, pulse.ill) as watch:
        if watch is not None:
            place, said = replace(place, ran=watch.ran), _watched(said, watch)
        with continuous.ConfigReloads(desk.config, place, desk.database, desk.store, said) as reloads:
            herald = Herald(Notifier(), partial(status_line, desk.database))
            service = pulse.service = Service(reloads.first(), stop, report, reloads, herald)
            with receiving(desk.config, desk.store, service.wake_account):
                return service.run()


def _watched(said: continuous.Call, watch: "Watch") -> continuous.Call:
    """The same, where whoever watches hears of each pass and of each config."""

    def loaded(config: Config, place: Workplace) -> None:
        said.loaded(config, place)
        watch.config_loaded(config, place.tasks)

    return replace(
        said,
        adjusted=lambda place: replace(said.adjusted(place), ran=watch.ran),
        loaded=loaded,
        refused=watch.config_refused,
    )
