"""Lets the daemon be watched over HTTP, where the config has a port for that."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from batchd.config import Config
from batchd.ports import ConfiguredTask

if TYPE_CHECKING:
    from batchd.metrics.watch import Watch


@contextlib.contextmanager
def watched_from_outside(
    config: Config, tasks: Mapping[str, ConfiguredTask], live: Callable[[], str | None]
) -> Iterator["Watch | None"]:
    """Serves metrics and health until the end of the block; None where no port is configured.

    ``live`` tells why the daemon makes no progress; None while it does. Raises ConfigError where the port is taken.
    """
    if config.metrics.port is None:
        yield None
        return
    # Slow to import, and most have no use for it.
    from batchd.metrics.watch import watched

    with watched(config, config.metrics.port, tasks, live) as watch:
        yield watch
