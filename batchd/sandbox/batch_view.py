"""The batch object of the API: every key is always there, null where nothing applies."""

from dataclasses import dataclass

from batchd.sandbox.batches import BatchRecord
from batchd.sandbox.progress import Progress, expires_at, finalizing_at, validated_at

SNAPSHOT = "-2026-03-17"
NO_COUNTS = {"total": 0, "completed": 0, "failed": 0}


@dataclass(frozen=True)
class Disguise:
    """Oddities seen at real servers, put on while a batch is shown."""

    empty_string_ids: bool = False
    null_output: bool = False
    unknown_status: str | None = None
    request_counts: dict[str, object] | None = None
    null_metadata: bool = False


def snapshot(model: str) -> str:
    """Return the resolved name that replies carry for a model."""
    return model if model.endswith(SNAPSHOT) else model + SNAPSHOT


def batch_object(batch: BatchRecord, standing: Progress, disguise: Disguise) -> dict[str, object]:
    """Return the batch as the API shows it; ``standing`` is its progress while it has no recorded end."""
    status = batch.end.status if batch.end else standing.status
    shown = disguise.unknown_status if disguise.unknown_status and status == "in_progress" else status
    created = batch.created
    return {
        "id": created.id,
        "object": "batch",
        "endpoint": created.endpoint,
        "model": snapshot(created.model) if created.model and _validated(batch, status) else None,
        "errors": {"object": "list", "data": created.errors} if status == "failed" else None,
        "input_file_id": created.input_file_id,
        "completion_window": created.completion_window,
        "status": shown,
        **_file_ids(batch, disguise),
        **_times(batch, status),
        "request_counts": (disguise.request_counts if batch.end else None) or _counts(batch, status, standing),
        "usage": batch.end.usage if batch.end else None,
        "metadata": None if disguise.null_metadata else created.metadata,
    }


def _validated(batch: BatchRecord, status: str) -> bool:
    if status in ("validating", "failed"):
        return False
    return batch.cancelling_at is None or batch.cancelling_at >= validated_at(batch)


def _file_ids(batch: BatchRecord, disguise: Disguise) -> dict[str, object]:
    output = batch.end.output_file_id if batch.end and not disguise.null_output else None
    error = batch.end.error_file_id if batch.end else None
    nothing = "" if disguise.empty_string_ids else None
    return {"output_file_id": output or nothing, "error_file_id": error or nothing}


def _times(batch: BatchRecord, status: str) -> dict[str, object]:
    ended_at = int(batch.end.at) if batch.end else None
    ran = _validated(batch, status)
    finalized = status == "finalizing" or (status == "completed" and batch.end is not None and batch.end.finalized)
    by_upstream = batch.created.upstream and ended_at is not None
    return {
        "created_at": int(batch.created.created_at),
        "in_progress_at": int(validated_at(batch)) if ran else None,
        "expires_at": int(expires_at(batch)),
        "finalizing_at": (ended_at if by_upstream else int(finalizing_at(batch))) if finalized else None,
        "completed_at": ended_at if status == "completed" else None,
        "failed_at": ended_at if status == "failed" else None,
        "expired_at": ended_at if status == "expired" else None,
        "cancelling_at": None if batch.cancelling_at is None else int(batch.cancelling_at),
        "cancelled_at": ended_at if status == "cancelled" else None,
    }


def _counts(batch: BatchRecord, status: str, standing: Progress) -> dict[str, object]:
    if status in ("validating", "failed") or batch.created.errors is not None:
        return dict(NO_COUNTS)
    total = batch.created.total
    if batch.end:
        return {"total": total, "completed": batch.end.completed, "failed": batch.end.failed}
    return {"total": total, "completed": int(standing.share * total), "failed": 0}
