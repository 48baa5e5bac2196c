"""What is known of the ledger, as Prometheus takes it: families of samples, made anew for each scrape."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.core import Metric as Family

from batchd.core.findings import KINDS
from batchd.core.model import Moment
from batchd.core.outcomes import Outcome
from batchd.core.states import OPEN, BatchState
from batchd.metrics import catalog
from batchd.metrics.catalog import Metric
from batchd.store.meters import LedgerMeter, TaskMeter

# Rows that can't be rendered, or are too large, are in no batch.
_OUTCOMES = tuple(one.value for one in Outcome if one not in {Outcome.UNRENDERABLE, Outcome.TOO_LARGE})
_STATES = tuple(state.value for state in BatchState if state in OPEN)
_NOTHING = TaskMeter(paused=False, backlog=None, backlog_at=None, backlog_since=None)

Samples = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True, slots=True)
class Known:
    """What a scrape tells.

    Attributes:
        ledger: as it was read last; None before the first time.
        ledger_at: when that was.
        is_up: it is as new as it should be.
        oldest: since when rows are pending, by the name of each task with a ``created_column``; None: none is.
        configured: names of the config's tasks.
        reloaded: the config was read without an error the last time.
        reloaded_at: when the one at work was read.
        version: of batchd, and of the ledger it works with.
    """

    ledger: LedgerMeter | None
    ledger_at: float | None
    is_up: bool
    oldest: Mapping[str, Moment | None]
    configured: frozenset[str]
    reloaded: bool
    reloaded_at: float
    version: tuple[str, str]


def families(known: Known) -> Iterator[Family]:
    """Every metric but those that this process counts itself."""
    yield _family(catalog.BUILD, [(known.version, 1)])
    yield _family(catalog.RELOAD_SUCCESSFUL, [((), known.reloaded)])
    yield _family(catalog.RELOADED_AT, [((), known.reloaded_at)])
    yield _family(catalog.LEDGER_UP, [((), known.is_up)])
    yield _family(catalog.LEDGER_READ, [((), known.ledger_at)] if known.ledger_at is not None else [])
    if known.ledger is None:
        # Zeros would be a claim: what nobody knows is not told.
        return
    tasks = {name: known.ledger.tasks.get(name, _NOTHING) for name in sorted(known.configured | {*known.ledger.tasks})}
    yield from _counters(tasks)
    yield from _gauges(tasks)
    yield _family(catalog.OLDEST_PENDING, _oldest(tasks, known.oldest))
    open_findings = {**dict.fromkeys(KINDS, 0), **known.ledger.findings}
    yield _family(catalog.FINDINGS, [((kind,), number) for kind, number in sorted(open_findings.items())])


def _counters(tasks: Mapping[str, TaskMeter]) -> Iterator[Family]:
    rows = [((name, outcome), task.rows.get(outcome, 0)) for name, task in tasks.items() for outcome in _OUTCOMES]
    yield _family(catalog.ROWS, rows)
    yield _family(catalog.COST, [((name,), task.cost_usd) for name, task in tasks.items()])
    yield _family(catalog.UNPRICED, [((name,), task.unpriced) for name, task in tasks.items()])


def _gauges(tasks: Mapping[str, TaskMeter]) -> Iterator[Family]:
    batches = [((name, state), task.batches.get(state, 0)) for name, task in tasks.items() for state in _STATES]
    yield _family(catalog.BATCHES, batches)
    counted = [((name,), task.backlog) for name, task in tasks.items() if task.backlog is not None]
    yield _family(catalog.BACKLOG, counted)
    yield _family(catalog.BACKLOG_AT, _times({name: task.backlog_at for name, task in tasks.items()}))
    yield _family(catalog.LAST_APPLY, _times({name: task.last_apply_at for name, task in tasks.items()}))
    yield _family(catalog.PAUSED, [((name,), task.paused) for name, task in tasks.items()])


def _oldest(tasks: Mapping[str, TaskMeter], by_column: Mapping[str, Moment | None]) -> Samples:
    return _times({name: by_column.get(name, task.backlog_since) for name, task in tasks.items()})


def _times(times: Mapping[str, Moment | None]) -> Samples:
    return [((name,), at.timestamp()) for name, at in times.items() if at is not None]


def _family(metric: Metric, samples: Samples) -> Family:
    make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = make(metric.name, metric.meaning, labels=metric.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family
