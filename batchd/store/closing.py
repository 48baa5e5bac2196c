"""What a batch came to: all its figures, for the event logged once the transaction of its end is through."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from batchd.core.tasks import TaskDefinition
from batchd.store import tables
from batchd.store.expressions import as_number
from batchd.store.news import Ended

_NANO = 1e-9
# Where a batch stands from each moment on.
_STATES = (
    ("built", "created_at"),
    ("submitted", "submitted_at"),
    ("ended", "ended_at"),
    ("collected", "collected_at"),
)
_TOKENS = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
_BYTES = ("input_bytes", "output_bytes", "error_bytes")


def ends_with(connection: Connection, ended: Sequence[int], unanswered: Sequence[Ended]) -> list[Ended]:
    """The ends that this transaction has made, and those that it finds made by its own COMMIT that was not answered."""
    closed_at = sa.select(tables.batch.c.closed_at)
    before = (one for one in unanswered if one.batch_id not in ended)
    return [
        *(_what_came_of(connection, batch_id) for batch_id in ended),
        # Where that COMMIT was none, another may have ended the batch since, and told it.
        *(one for one in before if connection.scalar(closed_at.filter_by(id=one.batch_id)) == one.closed_at),
    ]


def _what_came_of(connection: Connection, batch_id: int) -> Ended:
    """Names and figures as documented with ``batch.closed``; None and zeros left out."""
    row = connection.execute(_asked(batch_id)).one()
    outcomes = {outcome.value: getattr(row, outcome.value) for outcome in tables.REQUEST_OUTCOMES}
    figures = {
        "task": row.task,
        "batch": row.id,
        "vendor_batch": row.vendor_batch_id,
        "uid": row.uid,
        "state": row.state,
        "vendor": row.account,
        "vendor_status": row.vendor_status,
        "code": row.error_code,
        "model": TaskDefinition.model_validate_json(row.definition).model,
        "requests": row.requests,
        "outcomes": {name: number for name, number in outcomes.items() if number},
        **{name: getattr(row, name) for name in (*_TOKENS, *_BYTES) if getattr(row, name)},
        "cost_usd": round(row.cost_nano_usd * _NANO, 9),
        # Requests with tokens that no price is known for: the cost is that of the others.
        "unpriced": row.unpriced or None,
        "tries": row.attempt,
        "held": bool(row.was_held),
        "seconds": dict(_seconds(row)),
    }
    return Ended(batch_id, row.closed_at, {name: value for name, value in figures.items() if value is not None})


def _asked(batch_id: int) -> sa.Select[Any]:
    batch, task, version, event = tables.batch, tables.task, tables.task_version, tables.event
    held = sa.exists().where(event.c.subject == "batch", event.c.subject_id == batch_id, event.c.action == "held")
    return (
        sa.select(
            batch,
            task.c.name.label("task"),
            version.c.definition,
            as_number(held).label("was_held"),
        )
        .join(task, task.c.id == batch.c.task_id)
        .join(version, version.c.id == batch.c.version_id)
        .where(batch.c.id == batch_id)
    )


def _seconds(row: Any) -> Iterator[tuple[str, float]]:
    """How long it stood in each state it went through, and in all; of a batch that was sent again, at its last try."""
    moments = [(state, getattr(row, name)) for state, name in _STATES if getattr(row, name) is not None]
    # What an earlier try has left behind lies before the moment that it would have to follow.
    reached = [one for at, one in enumerate(moments) if all(one[1] >= before for _, before in moments[:at])]
    ends = [at for _, at in reached[1:]] + [row.closed_at]
    for (state, since), until in zip(reached, ends, strict=True):
        yield state, round((until - since).total_seconds(), 3)
    yield "all", round((row.closed_at - row.created_at).total_seconds(), 3)
