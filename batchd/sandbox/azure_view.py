"""The batch object as a resource of Azure shows it, made from the plain one."""

from datetime import UTC, datetime

IDS = ("output_file_id", "error_file_id")
ENDED = ("completed", "expired", "cancelled")
NOT_SHOWN = ("model", "usage")


def azure_batch(plain: dict[str, object], *, old: bool) -> dict[str, object]:
    """Return a batch without model and usage, its counts null until it has ended, ids empty in place of null.

    With ``old``, times are text and statuses are written like ``InProgress``.
    """
    batch = {key: value for key, value in plain.items() if key not in NOT_SHOWN}
    status = str(batch["status"])
    if status not in ENDED:
        batch["request_counts"] = {"total": None, "completed": None, "failed": None}
    else:
        batch |= {key: batch[key] or "" for key in IDS}
    if status == "failed":
        batch |= {"completed_at": batch["failed_at"], "failed_at": None, **dict.fromkeys(IDS, "")}
    return _as_text(batch) if old else batch


def _as_text(batch: dict[str, object]) -> dict[str, object]:
    times = {key: _moment(value) for key, value in batch.items() if key.endswith("_at")}
    status = "".join(word.capitalize() for word in str(batch["status"]).split("_"))
    return {**batch, **times, "status": status}


def _moment(seconds: object) -> str | None:
    # Seven digits behind the seconds, as .NET writes them.
    if not isinstance(seconds, int):
        return None
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.2491382+00:00"
