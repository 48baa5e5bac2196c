"""Records of batches: what was asked for, what validation found, and how it ended once it has."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

WINDOW_SECONDS = 86_400
END_STATUSES = ("completed", "failed", "expired", "cancelled")


@dataclass(frozen=True)
class NewBatch:
    """What is stored at creation; ``errors`` is what validation will report, None for a sound file."""

    id: str
    endpoint: str
    input_file_id: str
    completion_window: str
    metadata: dict[str, str] | None
    output_seconds: int | None
    created_at: float
    duration: float
    upstream: bool
    model: str | None
    total: int
    prompt_tokens: int
    errors: list[dict[str, object]] | None


@dataclass(frozen=True)
class BatchEnd:
    """How a batch ended: a terminal status, its time, the counts, the files and the token usage."""

    status: str
    at: float
    finalized: bool = True
    completed: int = 0
    failed: int = 0
    output_file_id: str | None = None
    error_file_id: str | None = None
    usage: dict[str, object] | None = None


@dataclass(frozen=True)
class BatchRecord:
    """One batch: how it was created, when its cancelling began, and its end (None while it is open)."""

    created: NewBatch
    cancelling_at: float | None
    end: BatchEnd | None


def add_batch(connection: sqlite3.Connection, batch: NewBatch) -> None:
    """Remember a new batch."""
    connection.execute(
        "INSERT INTO batch (id, endpoint, input_file_id, completion_window, metadata, output_seconds,"
        " created_at, duration, upstream, model, total, prompt_tokens, errors)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            batch.id,
            batch.endpoint,
            batch.input_file_id,
            batch.completion_window,
            _dump(batch.metadata),
            batch.output_seconds,
            batch.created_at,
            batch.duration,
            batch.upstream,
            batch.model,
            batch.total,
            batch.prompt_tokens,
            _dump(batch.errors),
        ),
    )


def find_batch(connection: sqlite3.Connection, batch_id: str) -> BatchRecord | None:
    """Return the batch, or None when it is unknown."""
    row = connection.execute("SELECT * FROM batch WHERE id = ?", (batch_id,)).fetchone()
    return None if row is None else _record(row)


def list_batches(connection: sqlite3.Connection) -> list[BatchRecord]:
    """Return all batches, newest first."""
    return [_record(row) for row in connection.execute("SELECT * FROM batch ORDER BY seq DESC")]


def open_batches(connection: sqlite3.Connection) -> list[BatchRecord]:
    """Return the batches without a recorded end, oldest first."""
    rows = connection.execute("SELECT * FROM batch WHERE end_status IS NULL ORDER BY seq")
    return [_record(row) for row in rows]


def start_cancelling(connection: sqlite3.Connection, batch_id: str, at: float) -> None:
    """Record that the batch was asked to stop."""
    connection.execute("UPDATE batch SET cancelling_at = ? WHERE id = ?", (at, batch_id))


def record_end(connection: sqlite3.Connection, batch_id: str, end: BatchEnd) -> None:
    """Record how the batch ended; an end never changes."""
    connection.execute(
        "UPDATE batch SET end_status = ?, ended_at = ?, finalized = ?, completed = ?, failed = ?,"
        " output_file_id = ?, error_file_id = ?, usage = ? WHERE id = ? AND end_status IS NULL",
        (
            end.status,
            end.at,
            end.finalized,
            end.completed,
            end.failed,
            end.output_file_id,
            end.error_file_id,
            _dump(end.usage),
            batch_id,
        ),
    )


def _record(row: sqlite3.Row) -> BatchRecord:
    return BatchRecord(_created(row), row["cancelling_at"], _end(row))


def _created(row: sqlite3.Row) -> NewBatch:
    return NewBatch(
        id=row["id"],
        endpoint=row["endpoint"],
        input_file_id=row["input_file_id"],
        completion_window=row["completion_window"],
        metadata=_load(row["metadata"]),
        output_seconds=row["output_seconds"],
        created_at=row["created_at"],
        duration=row["duration"],
        upstream=bool(row["upstream"]),
        model=row["model"],
        total=row["total"],
        prompt_tokens=row["prompt_tokens"],
        errors=_load(row["errors"]),
    )


def _end(row: sqlite3.Row) -> BatchEnd | None:
    if row["end_status"] is None:
        return None
    return BatchEnd(
        status=row["end_status"],
        at=row["ended_at"],
        finalized=bool(row["finalized"]),
        completed=row["completed"],
        failed=row["failed"],
        output_file_id=row["output_file_id"],
        error_file_id=row["error_file_id"],
        usage=_load(row["usage"]),
    )


def _dump(value: object) -> str | None:
    return None if value is None else json.dumps(value)


def _load(text: str | None) -> Any:
    return None if text is None else json.loads(text)
