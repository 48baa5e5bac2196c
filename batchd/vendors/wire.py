"""What vendors send, read leniently: compatible servers differ in types, spelling and missing keys.

Pure functions from bytes or JSON values to batchd's own types. A reply that cannot be read raises ValueError.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from batchd.core.foreign_json import parsed
from batchd.core.model import VendorBatch, VendorFault

CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")

# Spellings of the standard statuses that were seen, or that differ in one letter only.
_STATUSES = {"canceled": "cancelled", "canceling": "cancelling"}
# Unix seconds stay below this for some thousands of years; larger numbers are milliseconds.
_MILLISECONDS_FROM = 100_000_000_000


@dataclass(frozen=True, slots=True)
class BatchPage:
    """One page of a listing.

    Attributes:
        batches: the entries that could be read.
        unreadable: number of entries that could not.
        entries: number of entries in all.
        last_id: cursor for the next page, None where there is none.
        has_more: what the vendor says about further pages, None where it says nothing.
    """

    batches: tuple[VendorBatch, ...]
    unreadable: int
    entries: int
    last_id: str | None
    has_more: bool | None


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file at the vendor; ``status`` in lower case, "" where the vendor tells none."""

    id: str
    status: str


def json_from_bytes(body: bytes) -> Any:
    """The JSON value of a reply; a JSON string that holds JSON text is opened too."""
    value = parsed(body)
    value = parsed(value.encode(errors="replace")) if isinstance(value, str) else value
    if value is None:
        msg = "not JSON"
        raise ValueError(msg)
    return value


def batch_from_json(value: Any) -> VendorBatch:
    """Reads a batch object. Only an id is indispensable; what is missing, null or ``""`` becomes None."""
    batch_id = _text(value.get("id")) if isinstance(value, Mapping) else None
    if batch_id is None:
        msg = "not a batch object: no id"
        raise ValueError(msg)
    counts = _mapping(value.get("request_counts"))
    return VendorBatch(
        id=batch_id,
        status=_status(value.get("status")),
        input_file_id=_text(value.get("input_file_id")),
        output_file_id=_text(value.get("output_file_id")),
        error_file_id=_text(value.get("error_file_id")),
        created_at=_seconds(value.get("created_at")),
        expires_at=_seconds(value.get("expires_at")),
        total=whole_number(counts.get("total")),
        completed=whole_number(counts.get("completed")),
        failed=whole_number(counts.get("failed")),
        faults=_faults(value.get("errors")),
        metadata={key: str(item) for key, item in _mapping(value.get("metadata")).items()},
    )


def page_from_json(value: Any) -> BatchPage:
    """Reads a page of a listing: the usual object, or a bare array of batches."""
    page = {"data": value, "has_more": False} if isinstance(value, list) else value
    if not isinstance(page, Mapping) or "data" not in page:
        msg = "not a page of batches: no data"
        raise ValueError(msg)
    entries = page["data"] if isinstance(page["data"], list) else []
    batches = tuple(batch for entry in entries if (batch := _batch_or_none(entry)))
    has_more = page.get("has_more")
    return BatchPage(
        batches=batches,
        unreadable=len(entries) - len(batches),
        entries=len(entries),
        last_id=_text(page.get("last_id")) or (batches[-1].id if batches else None),
        has_more=has_more if isinstance(has_more, bool) else None,
    )


def file_from_json(value: Any) -> UploadedFile:
    """Reads a file object. Only an id is indispensable."""
    file_id = _text(value.get("id")) if isinstance(value, Mapping) else None
    if file_id is None:
        msg = "not a file object: no id"
        raise ValueError(msg)
    return UploadedFile(file_id, _status(value.get("status")))


def file_bytes_from_json(value: Any) -> int | None:
    """The size in a file object, None where it tells none."""
    return whole_number(_mapping(value).get("bytes"))


def clean_code(value: Any) -> str:
    """A machine-readable code that is safe to show, "" for anything that looks like text or a value."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if CODE.fullmatch(text) else ""


def whole_number(value: Any) -> int | None:
    """A count of zero or more, also from its text form; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return int(value) if _is_number(value) and value >= 0 and value == int(value) else None


def _batch_or_none(value: Any) -> VendorBatch | None:
    try:
        return batch_from_json(value)
    except ValueError:
        return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value.strip() else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _status(value: Any) -> str:
    """``Completed``, ``InProgress`` and ``IN-PROGRESS`` as the API spells them; "" where there is none."""
    if not isinstance(value, str):
        return ""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|[\s-]+", "_", value.strip()).lower()
    return _STATUSES.get(words, words)


def _seconds(value: Any) -> int | None:
    """Unix seconds from seconds, milliseconds, their text form, or an ISO-8601 time (UTC by default)."""
    if isinstance(value, str):
        value = _number_or_time(value.strip())
    if not _is_number(value) or value <= 0:
        return None
    return int(value / 1000) if value >= _MILLISECONDS_FROM else int(value)


def _number_or_time(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _faults(errors: Any) -> tuple[VendorFault, ...]:
    """The entries of ``errors``: an object with ``data``, a bare array, or nothing; Azure's own schema has but one."""
    entries = errors if isinstance(errors, list) else _mapping(errors).get("data")
    entries = [entries] if isinstance(entries, Mapping) else entries
    return tuple(_fault(entry) for entry in entries) if isinstance(entries, list) else ()


def _fault(entry: Any) -> VendorFault:
    if isinstance(entry, str):
        return VendorFault(code="", message=entry)
    fields = _mapping(entry)
    return VendorFault(
        code=clean_code(fields.get("code")),
        param=_text(fields.get("param")),
        line=whole_number(fields.get("line")) or None,
        message=_text(fields.get("message")) or "",
    )
