"""The columns of ``batchd_batch`` as a :class:`Batch`, which of its rows a command is about, and what they sum up."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from batchd.core.model import Batch
from batchd.core.states import BatchState
from batchd.ports import Scope
from batchd.store import tables
from batchd.store.expressions import total

# What a batch sums over its requests.
SUMS = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "cost_nano_usd")
# What a new batch starts with.
ZEROS: dict[str, int] = dict.fromkeys(
    [
        "attempt",
        "requests",
        "looks",
        "checks_waived",
        "unpriced",
        "lease_epoch",
        *(outcome.value for outcome in tables.REQUEST_OUTCOMES),
        *SUMS,
    ],
    0,
)
_BATCH_FIELDS = tuple(
    name for name in Batch.__dataclass_fields__ if name not in {"task", "state", "held_from", "checks_waived"}
)


def with_task() -> sa.Select[Any]:
    """Every batch with the name of its task."""
    batch, task = tables.batch, tables.task
    return sa.select(batch, task.c.name.label("task")).join(task, task.c.id == batch.c.task_id)


def on_their_way(states: Sequence[str]) -> list[ColumnElement[bool]]:
    """Batches in some of the open states; that they are open is said apart, for it has an index of its own."""
    batch = tables.batch
    return [batch.c.state.in_(states), batch.c.closed_at.is_(None)]


def in_scope(scope: Scope) -> list[ColumnElement[bool]]:
    """The conditions of a scope."""
    batch, task = tables.batch, tables.task
    limits: list[ColumnElement[bool]] = []
    if scope.batch_id is not None:
        limits.append(batch.c.id == scope.batch_id)
    if scope.task is not None:
        limits.append(batch.c.task_id == sa.select(task.c.id).where(task.c.name == scope.task).scalar_subquery())
    if scope.account is not None:
        limits.append(batch.c.account == scope.account)
    return limits


def sums_by_outcome(batch_id: int) -> sa.Select[Any]:
    """For each outcome of a batch: ``requests``, how many of them are ``priced``, and each of :data:`SUMS`."""
    request = tables.request
    return (
        sa.select(
            request.c.outcome,
            sa.func.count().label("requests"),
            *(total(request.c[name]).label(name) for name in SUMS),
            sa.func.count(request.c.cost_nano_usd).label("priced"),
        )
        .where(request.c.batch_id == batch_id, request.c.outcome.is_not(None))
        .group_by(request.c.outcome)
    )


def batch_from(row: Any) -> Batch:
    """A row of :func:`with_task` as the stages know it."""
    return Batch(
        task=row.task,
        state=BatchState(row.state),
        held_from=BatchState(row.held_from) if row.held_from else None,
        checks_waived=bool(row.checks_waived),
        **{name: getattr(row, name) for name in _BATCH_FIELDS},
    )
