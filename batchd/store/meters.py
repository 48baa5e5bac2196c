"""What a monitoring system is told of the ledger: counts and times, in as many queries whatever there are of tasks."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy import Connection

from batchd.core.model import Moment
from batchd.core.states import OPEN
from batchd.store import migrate, tables
from batchd.store.batch_rows import on_their_way
from batchd.store.expressions import total
from batchd.store.opening import Database
from batchd.store.own_words import in_own_words
from batchd.store.reading import ask, backlogs_since

_BILLION = 1_000_000_000
_OPEN = sorted(state.value for state in OPEN)


@dataclass(slots=True)
class TaskMeter:
    """What the ledger counts of one task.

    Attributes:
        paused: by a person, or by a billing stop.
        backlog: rows that the last sweep left unclaimed; None before the first one.
        backlog_at: when that was.
        backlog_since: since when sweeps have left rows.
        batches: open batches, by state.
        rows: requests that came to an end, by outcome; never fewer than at an earlier look.
        cost_usd: of closed batches.
        unpriced: requests of closed batches whose price nobody knows.
        last_apply_at: when answers were last written.
    """

    paused: bool
    backlog: int | None
    backlog_at: Moment | None
    backlog_since: Moment | None
    batches: dict[str, int] = field(default_factory=dict)
    rows: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    cost_usd: float = 0.0
    unpriced: int = 0
    last_apply_at: Moment | None = None


@dataclass(frozen=True, slots=True)
class LedgerMeter:
    """What the ledger counts: its tasks by name, its open findings by kind."""

    tasks: Mapping[str, TaskMeter]
    findings: Mapping[str, int]


def read_meter(database: Database) -> LedgerMeter:
    """Counts on one consistent view. Raises LedgerVersionError, DatabaseError."""
    with in_own_words(database.dialect, "the ledger could not be read"):
        migrate.check_version(database.engine, database.dialect, database.url)
    return ask(database, _meter)


def _meter(connection: Connection) -> LedgerMeter:
    since, task = backlogs_since(connection), tables.task
    found = {row.id: row for row in connection.execute(sa.select(task))}
    meters = {
        number: TaskMeter(bool(row.paused), row.last_sweep_count, row.last_sweep_at, since.get(number))
        for number, row in found.items()
    }
    _count_open(connection, meters)
    _count_running(connection, meters)
    _count_closed(connection, meters)
    _count_reapplied(connection, meters)
    return LedgerMeter({found[number].name: meter for number, meter in meters.items()}, _findings(connection))


def _count_open(connection: Connection, meters: Mapping[int, TaskMeter]) -> None:
    batch = tables.batch
    query = sa.select(batch.c.task_id, batch.c.state, sa.func.count(), sa.func.max(batch.c.applied_at))
    query = query.where(*on_their_way(_OPEN)).group_by(batch.c.task_id, batch.c.state)
    for task_id, state, batches, applied_at in connection.execute(query):
        meters[task_id].batches[state] = batches
        _note_apply(meters[task_id], applied_at)


def _count_running(connection: Connection, meters: Mapping[int, TaskMeter]) -> None:
    """Of batches that are being written: they have no counts of their own yet."""
    batch, request = tables.batch, tables.request
    query = (
        sa.select(batch.c.task_id, request.c.outcome, sa.func.count())
        .join(batch, batch.c.id == request.c.batch_id)
        .where(*on_their_way(_OPEN), batch.c.applied_at.is_not(None), request.c.outcome.is_not(None))
        .group_by(batch.c.task_id, request.c.outcome)
    )
    for task_id, outcome, requests in connection.execute(query):
        meters[task_id].rows[outcome] += requests


def _count_closed(connection: Connection, meters: Mapping[int, TaskMeter]) -> None:
    """Batches keep their counts, also when their requests have left the ledger."""
    batch = tables.batch
    summed = [batch.c[name] for name in (*tables.REQUEST_OUTCOMES, "cost_nano_usd", "unpriced")]
    query = sa.select(
        batch.c.task_id,
        sa.func.max(batch.c.applied_at).label("applied_at"),
        *(total(column).label(column.name) for column in summed),
    )
    for row in connection.execute(query.where(batch.c.closed_at.is_not(None)).group_by(batch.c.task_id)):
        meter = meters[row.task_id]
        for outcome in tables.REQUEST_OUTCOMES:
            meter.rows[outcome] += getattr(row, outcome)
        meter.cost_usd, meter.unpriced = row.cost_nano_usd / _BILLION, row.unpriced
        _note_apply(meter, row.applied_at)


def _count_reapplied(connection: Connection, meters: Mapping[int, TaskMeter]) -> None:
    """A kept answer that was written later is `applied` now; that it was something else before stays counted too."""
    batch, event = tables.batch, tables.event
    query = (
        sa.select(batch.c.task_id, event.c.from_state, event.c.reason)
        .join(batch, sa.and_(event.c.subject == "batch", event.c.subject_id == batch.c.id))
        # Nothing else writes answers of a batch that is closed, so few are looked at.
        .where(batch.c.applied_at > batch.c.closed_at, event.c.action == "reapplied")
    )
    for task_id, was, reason in connection.execute(query):
        # Its number is the first word, as operations/rewriting.py writes it.
        meters[task_id].rows[was] += int(reason.partition(" ")[0])


def _findings(connection: Connection) -> dict[str, int]:
    finding = tables.finding
    query = (
        sa.select(finding.c.kind, sa.func.count().label("open"))
        .where(finding.c.closed_at.is_(None))
        .group_by(finding.c.kind)
    )
    return {row.kind: row.open for row in connection.execute(query)}


def _note_apply(meter: TaskMeter, at: Moment | None) -> None:
    if at is not None:
        meter.last_apply_at = at if meter.last_apply_at is None else max(at, meter.last_apply_at)
