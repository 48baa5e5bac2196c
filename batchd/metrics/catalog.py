"""Every metric by its name: its type, its labels, what it says. The reference and the scrape are made of this."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: as it is scraped.
        kind: its type.
        labels: names of its labels.
        meaning: its help text, one sentence.
        source: where the figure is from, and when there is none.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    source: str


_TASK = ("task",)

ROWS = Metric(
    "batchd_rows_total",
    "counter",
    ("task", "outcome"),
    "Requests that came to an end, by what became of them.",
    "the counts of all batches there ever were, and the requests of those that are being written; an answer that was "
    "written by `batchd reapply` counts under both outcomes",
)
COST = Metric(
    "batchd_cost_usd_total",
    "counter",
    _TASK,
    "What closed batches cost, in US dollars.",
    "the batches in the ledger; it moves when a batch closes",
)
UNPRICED = Metric(
    "batchd_unpriced_requests_total",
    "counter",
    _TASK,
    "Paid requests of closed batches whose price is not known, so that they are missing in the cost.",
    "the batches in the ledger",
)
BATCHES = Metric(
    "batchd_batches",
    "gauge",
    ("task", "state"),
    "Open batches, by state.",
    "the batches in the ledger; every open state of every task, zeros too",
)
BACKLOG = Metric(
    "batchd_backlog_rows",
    "gauge",
    _TASK,
    "Pending rows that the last sweep of the table left unclaimed.",
    "`batchd_task.last_sweep_count`; none before the first sweep",
)
BACKLOG_AT = Metric(
    "batchd_backlog_timestamp_seconds",
    "gauge",
    _TASK,
    "When the backlog was counted.",
    "`batchd_task.last_sweep_at`; none before the first sweep",
)
OLDEST_PENDING = Metric(
    "batchd_oldest_pending_timestamp_seconds",
    "gauge",
    _TASK,
    "Since when the oldest pending row waits.",
    "`created_column` of the task, read at most once in a `sweep_interval`; without it `batchd_task.backlog_since`: "
    "since the backlog was last zero; none while nothing is pending",
)
LAST_APPLY = Metric(
    "batchd_last_apply_timestamp_seconds",
    "gauge",
    _TASK,
    "When answers were last written to rows.",
    "the batches in the ledger; none before the first answer",
)
PAUSED = Metric(
    "batchd_task_paused",
    "gauge",
    _TASK,
    "1 while the task is paused, by a person or a billing stop.",
    "`batchd_task.paused`",
)
FINDINGS = Metric(
    "batchd_findings",
    "gauge",
    ("kind",),
    "Open findings, by kind: what needs a person.",
    "the findings in the ledger; every kind, zeros too",
)
STAGE_DURATION = Metric(
    "batchd_stage_duration_seconds",
    "histogram",
    ("stage",),
    "How long a pass of a stage took, in seconds.",
    "this process, since it started; passes that found nothing to do count too",
)
LEDGER_UP = Metric(
    "batchd_ledger_up",
    "gauge",
    (),
    "1 where the ledger was read for this scrape, or a few seconds before; 0 where what is told of it is older.",
    "this process",
)
LEDGER_READ = Metric(
    "batchd_ledger_read_timestamp_seconds",
    "gauge",
    (),
    "When the ledger was read for what is told of it.",
    "this process; none before the first time",
)
RELOAD_SUCCESSFUL = Metric(
    "batchd_config_last_reload_successful",
    "gauge",
    (),
    "1 where the config was read without an error the last time; 0 where the one before it goes on.",
    "this process; reading it at the start counts",
)
RELOADED_AT = Metric(
    "batchd_config_last_reload_timestamp_seconds",
    "gauge",
    (),
    "When the config that is at work was read.",
    "this process",
)
BUILD = Metric(
    "batchd_build_info",
    "gauge",
    ("version", "ledger_version"),
    "1; its labels are the version of batchd, and that of the ledger it works with.",
    "this process",
)

METRICS: tuple[Metric, ...] = (
    ROWS,
    COST,
    UNPRICED,
    BATCHES,
    BACKLOG,
    BACKLOG_AT,
    OLDEST_PENDING,
    LAST_APPLY,
    PAUSED,
    FINDINGS,
    STAGE_DURATION,
    LEDGER_UP,
    LEDGER_READ,
    RELOAD_SUCCESSFUL,
    RELOADED_AT,
    BUILD,
)
