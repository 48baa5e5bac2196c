"""What ``batchd status`` asks of the ledger beside its tables' plain facts: work, pace, failures, spend. Reads only."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from batchd.core.outcomes import GateState
from batchd.core.states import OPEN
from batchd.store import tables
from batchd.store.batch_rows import on_their_way
from batchd.store.dialects.base import LedgerDialect
from batchd.store.expressions import total
from batchd.store.types import Moment

Facts = dict[str, Any]
# Of each task, no more failed rows are told apart: those that have waited longest.
MOST_TOLD_APART = 10_000
_BILLION = 1_000_000_000
_OPEN = sorted(state.value for state in OPEN)
_HOUR, _DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
# The newest moves are looked through for one of a batch: what people do to tasks is no sign of a process at work.
_NEWEST_MOVES = 20
_FAILED = (GateState.FAILED, GateState.HELD)


def clock(connection: Connection, dialect: LedgerDialect) -> dt.datetime:
    """The database's time, by which all others in the ledger are."""
    return connection.execute(sa.select(sa.type_coerce(dialect.now(), Moment()))).scalar_one()


def in_flight_facts(connection: Connection, task: str | None = None) -> list[Facts]:
    """Open batches by task and state: ``batches``, ``rows``, the ``oldest``, what the vendor has answered.

    ``look_due`` is since when, or from when on, a batch at the vendor is to be looked at.
    """
    batch, named = tables.batch, tables.task.c.name
    at_vendor = batch.c.state == "submitted"
    query = (
        sa.select(
            named.label("task"),
            batch.c.state,
            sa.func.count().label("batches"),
            total(batch.c.requests).label("rows"),
            sa.func.min(batch.c.created_at).label("oldest"),
            total(batch.c.counted_completed).label("vendor_completed"),
            total(batch.c.counted_total).label("vendor_total"),
            sa.func.max(batch.c.polled_at).label("last_look"),
            sa.func.min(sa.case((at_vendor, sa.func.coalesce(batch.c.not_before, batch.c.submitted_at)))).label(
                "look_due"
            ),
        )
        .join(tables.task, tables.task.c.id == batch.c.task_id)
        .where(*on_their_way(_OPEN))
        .group_by(named, batch.c.state)
        .order_by(named, batch.c.state)
    )
    if task is not None:
        query = query.where(named == task)
    return [dict(row) for row in connection.execute(query).mappings()]


def backlog_in_all(connection: Connection) -> int:
    """Rows that are pending, as of each task's last sweep."""
    return connection.scalar(sa.select(total(tables.task.c.last_sweep_count))) or 0


def lease_facts(connection: Connection) -> list[Facts]:
    """Leases that were not given back: ``owner``, ``expires_at`` by the database's clock, and the ``subject``."""
    batch, task = tables.batch, tables.task
    on_tasks = sa.select(task.c.lease_owner, task.c.lease_expires_at, task.c.name).where(
        task.c.lease_owner.is_not(None)
    )
    on_batches = sa.select(batch.c.lease_owner, batch.c.lease_expires_at, batch.c.id).where(
        *on_their_way(_OPEN), batch.c.lease_owner.is_not(None)
    )
    return [
        {"owner": owner, "expires_at": until, "subject": f"{kind} {subject}"}
        for kind, query in (("task", on_tasks), ("batch", on_batches))
        for owner, until, subject in connection.execute(query)
    ]


def process_facts(connection: Connection) -> list[Facts]:
    """Runs that have begun and not ended: ``owner``, ``version``, and when each began, was seen, is to be seen by."""
    process = tables.process
    return [dict(row) for row in connection.execute(sa.select(process).order_by(process.c.started_at)).mappings()]


def last_move(connection: Connection) -> dt.datetime | None:
    """When a batch was last moved on; None where that is long ago, or never was."""
    event = tables.event
    newest = connection.execute(sa.select(event.c.subject, event.c.at).order_by(event.c.id.desc()).limit(_NEWEST_MOVES))
    return next((one.at for one in newest if one.subject == "batch"), None)


def recent_facts(connection: Connection, now: dt.datetime) -> dict[str, Facts]:
    """By task: what batches that ended since midnight (UTC) cost, and what those of the last hour and day applied."""
    batch = tables.batch
    midnight = now.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    today = batch.c.closed_at >= midnight
    spans = {"hour": batch.c.closed_at >= now - _HOUR, "day": batch.c.closed_at >= now - _DAY}
    query = (
        sa.select(
            tables.task.c.name.label("task"),
            _sum_where(today, batch.c.cost_nano_usd).label("cost"),
            *(column for name, within in spans.items() for column in _applied(name, within)),
        )
        .join(tables.task, tables.task.c.id == batch.c.task_id)
        .where(batch.c.closed_at >= now - _DAY)
        .group_by(tables.task.c.name)
    )
    found = {row["task"]: _recent(row, list(spans)) for row in connection.execute(query).mappings()}
    for task, spent in _spent_so_far(connection, midnight).items():
        known = found.setdefault(task, {"cost_usd_today": 0.0, "applied": {}})
        known["cost_usd_today"] += spent.pop("today")
        known["open"] = spent
    return found


def _applied(name: str, within: ColumnElement[bool]) -> list[ColumnElement[Any]]:
    batch = tables.batch
    return [
        _sum_where(within, batch.c.applied).label(f"{name}_rows"),
        _sum_where(within, sa.literal(1)).label(f"{name}_batches"),
        sa.func.min(sa.case((within, batch.c.created_at))).label(f"{name}_since"),
    ]


def _recent(row: Any, spans: Sequence[str]) -> Facts:
    parts = ("rows", "batches", "since")
    return {
        "cost_usd_today": row["cost"] / _BILLION,
        "applied": {span: {part: row[f"{span}_{part}"] for part in parts} for span in spans},
    }


def _spent_so_far(connection: Connection, midnight: dt.datetime) -> dict[str, Facts]:
    """Of batches that are being written: their own row tells what they came to only as they end."""
    batch, request = tables.batch, tables.request
    query = (
        sa.select(
            tables.task.c.name.label("task"),
            _sum_where(request.c.finished_at >= midnight, request.c.cost_nano_usd).label("today"),
            total(request.c.cost_nano_usd).label("cost"),
            total(request.c.input_tokens).label("input_tokens"),
            total(request.c.output_tokens).label("output_tokens"),
        )
        .join(batch, batch.c.id == request.c.batch_id)
        .join(tables.task, tables.task.c.id == batch.c.task_id)
        .where(*on_their_way(_OPEN), batch.c.applied_at.is_not(None), request.c.outcome.is_not(None))
        .group_by(tables.task.c.name)
    )
    return {
        row["task"]: {
            "today": row["today"] / _BILLION,
            "cost_usd": row["cost"] / _BILLION,
            "input_tokens": row["input_tokens"],
            "output_tokens": row["output_tokens"],
        }
        for row in connection.execute(query).mappings()
    }


def reason_facts(connection: Connection, task: str | None = None) -> list[Facts]:
    """Rows that wait for a person, by task, outcome and code, the most frequent first.

    ``counted_all`` is False where a task has more of them than are told apart.
    """
    tasks = sa.select(tables.task.c.id, tables.task.c.name).order_by(tables.task.c.name)
    if task is not None:
        tasks = tasks.where(tables.task.c.name == task)
    found = [
        {"task": one.name, **reason}
        for one in connection.execute(tasks).all()
        for state in _FAILED
        for reason in _reasons(connection, one.id, state.value)
    ]
    return sorted(found, key=lambda one: (-one["rows"], one["task"]))


def _reasons(connection: Connection, task_id: int, state: str) -> list[Facts]:
    gate = tables.gate
    # In the order of its index: a table whose every row has failed is not read whole for one line on a screen.
    longest = (
        sa.select(gate.c.outcome, gate.c.error_code)
        .where(gate.c.task_id == task_id, gate.c.state == state)
        .order_by(gate.c.not_before)
        .limit(MOST_TOLD_APART)
        .subquery("longest")
    )
    number = sa.func.count()
    query = sa.select(longest.c.outcome, longest.c.error_code, number).group_by(longest.c.outcome, longest.c.error_code)
    rows = connection.execute(query).all()
    whole = sum(number for _, _, number in rows) < MOST_TOLD_APART
    return [
        {"state": state, "outcome": outcome, "code": code, "rows": number, "counted_all": whole}
        for outcome, code, number in rows
    ]


def _sum_where(condition: ColumnElement[bool], value: ColumnElement[Any]) -> ColumnElement[int]:
    return total(sa.case((condition, value), else_=0))
