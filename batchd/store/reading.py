"""What people ask of the ledger: plain dictionaries, for the command line and for ``--json``. Reads only."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection

from batchd.core.advice import next_step
from batchd.core.findings import KINDS, page_of
from batchd.core.keys import RowKey, key_label
from batchd.core.model import Moment
from batchd.core.outcomes import GateState, Outcome
from batchd.core.states import OPEN
from batchd.store import tables
from batchd.store.asking import asked
from batchd.store.batch_rows import on_their_way
from batchd.store.expressions import total
from batchd.store.opening import Database
from batchd.store.own_words import in_own_words

Facts = dict[str, Any]
T = TypeVar("T")
_BILLION = 1_000_000_000
_OPEN = sorted(state.value for state in OPEN)
_MAY_WAIT = ("built", "submitting", "held")
_GATE_STATES = (GateState.OPEN, GateState.RETRY, GateState.FAILED, GateState.HELD, GateState.DONE)


def ask(database: Database, question: Callable[[Connection], T]) -> T:
    """Runs a question on one consistent view, without a write lock. Raises DatabaseError."""
    with in_own_words(database.dialect, "the database could not be read"):
        return asked(database.engine, database.dialect, question)


def task_facts(connection: Connection, only: str | None = None) -> list[Facts]:
    """One dictionary per task: backlog, rows by gate state, requests by outcome, tokens, cost in USD."""
    query = sa.select(tables.task).order_by(tables.task.c.name)
    if only is not None:
        query = query.where(tables.task.c.name == only)
    return [_task(connection, row) for row in connection.execute(query).mappings().all()]


def backlogs_since(connection: Connection) -> Mapping[int, Moment]:
    """Since when each task has had a backlog, by its number; none of those whose last sweep left nothing."""
    since = tables.task.c.backlog_since
    rows = connection.execute(sa.select(tables.task.c.id, since).where(since.is_not(None)))
    return {row.id: row.backlog_since for row in rows}


def batch_facts(
    connection: Connection, *, task: str | None = None, most: int = 50, only_open: bool = False
) -> list[Facts]:
    """One dictionary per batch, newest first."""
    batch = tables.batch
    query = sa.select(batch, tables.task.c.name.label("task")).join(tables.task, tables.task.c.id == batch.c.task_id)
    if task is not None:
        query = query.where(tables.task.c.name == task)
    if only_open:
        query = query.where(*on_their_way(_OPEN))
    rows = connection.execute(query.order_by(batch.c.id.desc()).limit(most)).mappings().all()
    return [_batch(connection, row) for row in rows]


def waiting_facts(connection: Connection, task: str | None = None) -> list[Facts]:
    """One dictionary per open batch that is neither on its way nor at work: what it waits for, since when, until when.

    ``not_before`` is the next look, or the next try to send it; ``settle_by`` when an unknown create is held at last.
    """
    view = tables.batches_view
    # The states whose batches may wait, by their index: the view makes up its words for every batch there ever was.
    may_wait = (view.c.state.in_(_MAY_WAIT), view.c.closed_at.is_(None))
    told = [column for column in view.c if column is not view.c.closed_at]
    query = sa.select(*told).where(*may_wait, view.c.waits_for.is_not(None))
    if task is not None:
        query = query.where(view.c.task == task)
    return [dict(row) for row in connection.execute(query.order_by(view.c.batch)).mappings()]


def batch_detail(connection: Connection, batch_id: int) -> Facts:
    """One batch with its counts and its timeline of events."""
    batch, event = tables.batch, tables.event
    row = (
        connection.execute(
            sa.select(batch, tables.task.c.name.label("task"))
            .join(tables.task, tables.task.c.id == batch.c.task_id)
            .where(batch.c.id == batch_id)
        )
        .mappings()
        .one()
    )
    moves = connection.execute(
        sa.select(event).where(event.c.subject == "batch", event.c.subject_id == batch_id).order_by(event.c.id)
    ).mappings()
    timeline = [
        {
            "at": one["at"],
            "actor": one["actor"],
            "action": one["action"],
            "from": one["from_state"],
            "to": one["to_state"],
            "reason": one["reason"],
        }
        for one in moves
    ]
    times = {name: row[name] for name in ("intent_at", "polled_at", "expires_at", "collected_at", "not_before")}
    trimmed = sa.select(tables.retention.c.trimmed_at).where(tables.retention.c.batch_id == batch_id)
    deleted = sa.select(tables.vendor_files.c.deleted_at).where(tables.vendor_files.c.batch_id == batch_id)
    gone = {
        "requests_removed_at": connection.scalar(trimmed),
        "vendor_files_deleted_at": connection.scalar(deleted),
    }
    told = {"timeline": timeline, "findings": _told_of(connection, f"batch {batch_id}")}
    return _batch(connection, row) | times | gone | told


def _told_of(connection: Connection, subject: str) -> list[Facts]:
    """Findings about one subject, closed ones too, oldest first; by their kinds, for that is how their index goes."""
    finding = tables.finding
    query = sa.select(finding).where(finding.c.kind.in_(sorted(KINDS)), finding.c.subject == subject)
    return [
        {
            "kind": row["kind"],
            "meaning": KINDS[row["kind"]].meaning,
            "detail": row["detail"],
            "opened_at": row["opened_at"],
            "closed_at": row["closed_at"],
            "next_command": row["next_command"],
        }
        for row in connection.execute(query.order_by(finding.c.id)).mappings()
    ]


def failure_facts(
    connection: Connection, *, task: str | None = None, batch: int | None = None, most: int = 1000
) -> list[Facts]:
    """Rows that need a person: key, state, outcome, our reason, and what to do about it.

    By task and key. Of more than ``most``, those of the first tasks, and of these the ones that have waited longest.
    """
    tasks = sa.select(tables.task.c.id, tables.task.c.name).order_by(tables.task.c.name)
    if task is not None:
        tasks = tasks.where(tables.task.c.name == task)
    found: list[Facts] = []
    for one in connection.execute(tasks).all():
        states = _failed_states(connection, one.name)
        rows = _failed_rows(connection, one.id, states, batch, most - len(found))
        found += [_failure(one.name, row) for row in sorted(rows, key=lambda row: (row["key_int"], row["key_text"]))]
    return found


def _failed_rows(connection: Connection, task_id: int, states: list[str], batch: int | None, most: int) -> list[Any]:
    gate = tables.gate
    if batch is not None:
        rows = connection.execute(sa.select(gate).where(gate.c.batch_id == batch, gate.c.state.in_(states))).mappings()
        return [row for row in rows if row["task_id"] == task_id][:most]
    # State by state, each in the order of its index: what a table of millions has long done is not read to be sorted.
    found: list[Any] = []
    for state in states:
        query = sa.select(gate).where(gate.c.task_id == task_id, gate.c.state == state).order_by(gate.c.not_before)
        if most > len(found):
            found += connection.execute(query.limit(most - len(found))).mappings().all()
    return found


def _failed_states(connection: Connection, task: str) -> list[str]:
    # Where nothing makes a row no longer pending, its done gate is how it is remembered, and no failure.
    finding = tables.finding
    told = sa.select(finding.c.id).where(
        finding.c.kind == "pending-not-cleared", finding.c.subject == f"task {task}", finding.c.closed_at.is_(None)
    )
    failed = [GateState.FAILED.value, GateState.HELD.value]
    return failed if connection.scalar(told) is None else [*failed, GateState.DONE.value]


def finding_facts(connection: Connection) -> list[Facts]:
    """Open findings, the most urgent first: priority, kind, subject, what it means, since when, next command, page."""
    finding = tables.finding
    still_open = sa.select(finding).where(finding.c.closed_at.is_(None))
    rows = connection.execute(still_open.order_by(finding.c.priority, finding.c.id)).mappings()
    return [
        {
            "priority": row["priority"],
            "kind": row["kind"],
            "subject": row["subject"],
            "meaning": KINDS[row["kind"]].meaning if row["kind"] in KINDS else "",
            "detail": row["detail"],
            "since": row["opened_at"],
            "next_command": row["next_command"],
            "page": page_of(row["kind"]),
        }
        for row in rows
    ]


def _task(connection: Connection, row: Any) -> Facts:
    gate, batch = tables.gate, tables.batch
    counted = sa.select(gate.c.state, sa.func.count().label("rows")).where(gate.c.task_id == row["id"])
    gates = {one.state: one.rows for one in connection.execute(counted.group_by(gate.c.state))}
    sums = (
        connection.execute(
            sa.select(
                sa.func.count().label("batches"),
                total(sa.case((batch.c.state.in_(_OPEN), 1), else_=0)).label("open_batches"),
                total(sa.case((batch.c.state == "held", 1), else_=0)).label("held_batches"),
                total(batch.c.input_tokens).label("input_tokens"),
                total(batch.c.output_tokens).label("output_tokens"),
                total(batch.c.cost_nano_usd).label("cost"),
                total(batch.c.unpriced).label("unpriced"),
                sa.func.max(batch.c.applied_at).label("last_apply_at"),
            ).where(batch.c.task_id == row["id"])
        )
        .mappings()
        .one()
    )
    return {
        "task": row["name"],
        "paused": bool(row["paused"]),
        # An UPDATE that stops a task need not say why.
        "pause_reason": row["pause_reason"] or ("by SQL" if row["paused"] else ""),
        "backlog": row["last_sweep_count"],
        "backlog_at": row["last_sweep_at"],
        "rows": {state.value: gates.get(state.value, 0) for state in _GATE_STATES},
        "outcomes": _outcomes(connection, row["id"]),
        "batches": sums["batches"],
        "open_batches": sums["open_batches"],
        "held_batches": sums["held_batches"],
        "input_tokens": sums["input_tokens"],
        "output_tokens": sums["output_tokens"],
        "cost_usd": sums["cost"] / _BILLION,
        "unpriced_requests": sums["unpriced"],
        "last_apply_at": sums["last_apply_at"],
    }


def _outcomes(connection: Connection, task_id: int) -> Facts:
    # Closed batches carry their counts; only open ones are counted from their requests.
    batch, request = tables.batch, tables.request
    closed = (
        connection.execute(
            sa.select(*(total(batch.c[one.value]).label(one.value) for one in tables.REQUEST_OUTCOMES)).where(
                batch.c.task_id == task_id, batch.c.closed_at.is_not(None)
            )
        )
        .mappings()
        .one()
    )
    opened = connection.execute(
        sa.select(request.c.outcome, sa.func.count())
        .join(batch, batch.c.id == request.c.batch_id)
        .where(
            # Only a batch that answers were written of has any, and not while it waits at the vendor.
            batch.c.task_id == task_id,
            *on_their_way(_OPEN),
            batch.c.applied_at.is_not(None),
            request.c.outcome.is_not(None),
        )
        .group_by(request.c.outcome)
    )
    counts = {name: int(number) for name, number in closed.items()}
    for outcome, number in opened:
        counts[str(outcome)] += number
    return {name: number for name, number in counts.items() if number}


def _batch(connection: Connection, row: Any) -> Facts:
    counts = {one.value: row[one.value] for one in tables.REQUEST_OUTCOMES if row[one.value]}
    if row["closed_at"] is None and row["applied_at"] is not None:
        counts = _open_counts(connection, row["id"])
    return {
        "batch": row["id"],
        "uid": row["uid"],
        "task": row["task"],
        "state": row["state"],
        "held_from": row["held_from"],
        "vendor": row["account"],
        "vendor_batch_id": row["vendor_batch_id"],
        "vendor_status": row["vendor_status"],
        "vendor_counts": {
            "total": row["counted_total"],
            "completed": row["counted_completed"],
            "failed": row["counted_failed"],
        },
        "attempt": row["attempt"],
        "requests": row["requests"],
        "input_bytes": row["input_bytes"],
        "outcomes": counts,
        "input_tokens": row["input_tokens"],
        "cached_tokens": row["cached_tokens"],
        "output_tokens": row["output_tokens"],
        "reasoning_tokens": row["reasoning_tokens"],
        "cost_usd": row["cost_nano_usd"] / _BILLION,
        "unpriced_requests": row["unpriced"],
        "error_code": row["error_code"],
        "error_text": row["error_text"],
        "created_at": row["created_at"],
        "submitted_at": row["submitted_at"],
        "ended_at": row["ended_at"],
        "applied_at": row["applied_at"],
        "closed_at": row["closed_at"],
    }


def _open_counts(connection: Connection, batch_id: int) -> Facts:
    request = tables.request
    rows = connection.execute(
        sa.select(request.c.outcome, sa.func.count())
        .where(request.c.batch_id == batch_id, request.c.outcome.is_not(None))
        .group_by(request.c.outcome)
    )
    return {str(outcome): number for outcome, number in rows}


def _failure(task: str, row: Any) -> Facts:
    outcome = Outcome(row["outcome"]) if row["outcome"] else None
    key = key_label(RowKey(row["key_int"], row["key_text"], row["key_hash"]))
    return {
        "task": task,
        "key": key,
        "state": row["state"],
        "outcome": row["outcome"],
        "code": row["error_code"],
        "reason": row["error_text"],
        "paid_tries": row["paid_tries"],
        "unpaid_tries": row["unpaid_tries"],
        "batch": row["batch_id"],
        "since": row["changed_at"],
        "next_step": next_step(task, GateState(row["state"]), outcome, key),
    }
