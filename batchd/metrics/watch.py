"""What is watched of a daemon: its registry, which outlives a reload of the config, and its port."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from batchd import __version__
from batchd.app.workplace import opened_database
from batchd.config import Config
from batchd.core.model import Moment
from batchd.errors import BatchdError
from batchd.metrics.catalog import STAGE_DURATION
from batchd.metrics.paced import Paced
from batchd.metrics.pages import pages
from batchd.metrics.samples import Known, families
from batchd.ports import ConfiguredTask, Counts
from batchd.serving import serving
from batchd.store.meters import LedgerMeter, read_meter
from batchd.store.migrate import ledger_version
from batchd.store.oldest import oldest_pending
from batchd.store.opening import Database

# How old what is told of the ledger may be, and how long a scrape waits for it, in seconds.
_FRESH = 5.0
_PATIENCE = 2.0
_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


@dataclass(frozen=True, slots=True)
class _AtWork:
    """A config at work.

    Attributes:
        tasks: names of its tasks.
        told: names of those with a ``created_column``.
        oldest: since when rows of these are pending; none of one whose table could not be read.
        since: when it was read, in seconds since 1970.
    """

    tasks: frozenset[str]
    told: frozenset[str]
    oldest: Paced[dict[str, Moment | None]]
    since: float


class Watch(Collector):
    """Tells how the daemon is, and what its ledger counts.

    Args:
        config: the config at work.
        tasks: its tasks that fit their tables.
        database: opened for this alone, so that nothing of the daemon waits for it.
    """

    def __init__(self, config: Config, tasks: Mapping[str, ConfiguredTask], database: Database) -> None:
        self._database = database
        self._version = (__version__, str(ledger_version(database.dialect)))
        self._ledger: Paced[LedgerMeter] = Paced(lambda: read_meter(database), pause=_FRESH, patience=_PATIENCE)
        self.config_loaded(config, tasks)
        # Of use to nobody, and as many lines again.
        disable_created_metrics()  # type: ignore[no-untyped-call] # published without
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self._durations = Histogram(
            STAGE_DURATION.name,
            STAGE_DURATION.meaning,
            STAGE_DURATION.labels,
            buckets=_BUCKETS,
            registry=self.registry,
        )

    def ran(self, stage: str, seconds: float, _: Counts) -> None:
        """A pass of a stage has ended."""
        self._durations.labels(stage).observe(seconds)

    def config_loaded(self, config: Config, tasks: Mapping[str, ConfiguredTask]) -> None:
        """This config is at work from now on. The port and the database are those of the start all the same."""
        with_column = {name: task for name, task in tasks.items() if task.created_column is not None}
        oldest = Paced(
            lambda: _oldest(self._database, with_column), pause=config.daemon.sweep_interval, patience=_PATIENCE
        )
        self._at_work = _AtWork(frozenset(config.tasks), frozenset(with_column), oldest, time.time())
        self._reloaded = True

    def config_refused(self) -> None:
        """A config was read that is not right; the one before it goes on."""
        self._reloaded = False

    def troubles(self) -> list[str]:
        """Why the daemon can't do its work now; empty where it can."""
        trouble = self._ledger.latest().trouble
        return [trouble] if trouble else []

    def collect(self) -> Iterator[Family]:
        """Asked by the registry with each scrape."""
        at_work, ledger = self._at_work, self._ledger.latest()
        # A database that does not answer is not waited for twice.
        oldest = at_work.oldest.known() if ledger.trouble or not at_work.told else at_work.oldest.latest()
        yield from families(
            Known(
                ledger=ledger.value,
                ledger_at=ledger.at,
                is_up=not ledger.trouble,
                oldest=dict.fromkeys(at_work.told) | (oldest.value or {}),
                configured=at_work.tasks,
                reloaded=self._reloaded,
                reloaded_at=at_work.since,
                version=self._version,
            )
        )

    def describe(self) -> Iterator[Family]:
        """Nothing: the ledger is not read only to be registered."""
        yield from ()


def _oldest(database: Database, tasks: Mapping[str, ConfiguredTask]) -> dict[str, Moment | None]:
    found: dict[str, Moment | None] = {}
    for name, task in tasks.items():
        # What keeps one table from being read is told of it elsewhere, and says nothing of the others.
        with contextlib.suppress(BatchdError):
            found[name] = oldest_pending(database, task.definition, task.created_column or "")
    return found


@contextlib.contextmanager
def watched(
    config: Config, port: int, tasks: Mapping[str, ConfiguredTask], live: Callable[[], str | None]
) -> Iterator[Watch]:
    """Serves until the end of the block. Raises ConfigError where the port can't be had, DatabaseError."""
    with opened_database(config) as database:
        watch = Watch(config, tasks, database)
        key = f"{config.where('metrics', 'port')}: metrics.port"
        with serving(pages(watch.registry, live, watch.troubles), config.metrics.host, port, configured_as=key):
            yield watch
