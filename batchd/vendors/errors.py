"""Which member of batchd's error tree a vendor's refusal is. Decided by status and code, never by message.

Messages of vendors quote values, so none of their text enters ours: status, code and request id only.
"""

import email.utils
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from batchd.core.quota import TOKEN_LIMIT, told_limit
from batchd.errors import (
    VendorAuthError,
    VendorBillingError,
    VendorBusyError,
    VendorError,
    VendorNotFoundError,
    VendorRefusedError,
    VendorUnclearError,
)
from batchd.vendors.wire import CODE, clean_code, json_from_bytes

# The vendor's words for "no money", as code or as type.
_BILLING = frozenset(
    {
        "billing_hard_limit_reached",
        "billing_not_active",
        "insufficient_quota",
        "organization_usage_limit_exceeded",
    }
)
# Refusals that pass by themselves although their status says "for good".
_PASSING = frozenset({"rate_limit_exceeded", "token_limit_exceeded"})
# With the standard error body, these say that nothing was done.
_NOT_DONE = frozenset({400, 401, 403, 404, 422, 429})

_KEY_COMMAND = "check the api_key (or entra) of this [vendors] section and what it may do, then run the command again"
_URL_COMMAND = (
    "check the base_url (for Azure endpoint and api_version) of this [vendors] section, then run the command again"
)
_BILLING_COMMAND = "add credit or raise the limit at the vendor, then run: batchd resume TASK"
_FILE_COMMAND = "lower max_bytes of this [vendors] section or batch_size of the task"
# Azure holds so many files and no more.
_FULL = "quotaExceeded"
_FULL_COMMAND = "delete old files of the resource that are not needed any more, then run: batchd resume TASK"


class Call(StrEnum):
    """What was asked of the vendor, in the words of our messages."""

    UPLOAD = "upload a batch file"
    CREATE = "create a batch"
    RETRIEVE = "look at a batch"
    LIST = "list batches"
    CANCEL = "cancel a batch"
    FILE = "look at a file"
    DOWNLOAD = "download a file"
    DELETE = "delete a file"


# Calls that name one thing at the vendor: a 404 is about that thing.
_NAMES_A_THING = frozenset({Call.RETRIEVE, Call.CANCEL, Call.FILE, Call.DOWNLOAD, Call.DELETE})


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply that is not a success: status, lower-case header names to values, and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Refusal:
    status: int
    standard: bool
    is_json: bool
    code: str
    billing: bool
    passing: bool
    request_id: str
    retry_after: float | None
    token_limit: int | None


def error_for(call: Call, reply: Reply, where: str) -> VendorError:
    """The error a reply stands for.

    Args:
        call: what was asked.
        reply: what came back.
        where: the vendor's URL, fit to be shown.
    """
    refusal = _read(reply)
    kind, next_command = _kind_of(call, refusal)
    code = refusal.code or f"http_{refusal.status}"
    message = f"{where} did not {call}: HTTP {refusal.status}{_details(refusal)}{_consequence(call, kind)}"
    if kind is VendorBusyError:
        return VendorBusyError(
            message,
            code=code,
            request_id=refusal.request_id,
            retry_after=refusal.retry_after,
            token_limit=refusal.token_limit,
        )
    return kind(message, code=code, request_id=refusal.request_id, next_command=next_command)


def request_id_of(headers: Mapping[str, str]) -> str:
    """The vendor's name for a request, "" where it gives none that is safe to show."""
    value = headers.get("x-request-id") or headers.get("apim-request-id") or ""
    return value if CODE.fullmatch(value) else ""


def _kind_of(call: Call, refusal: _Refusal) -> tuple[type[VendorError], str]:
    if call is Call.CREATE and not (refusal.standard and refusal.status in _NOT_DONE):
        return VendorUnclearError, _command_for_unclear(refusal.status)
    if refusal.billing:
        return VendorBillingError, _BILLING_COMMAND
    if refusal.passing or refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
        return VendorBusyError, ""
    return _kind_of_status(call, refusal)


def _kind_of_status(call: Call, refusal: _Refusal) -> tuple[type[VendorError], str]:
    match refusal.status:
        case 401 | 403:
            return VendorAuthError, _KEY_COMMAND
        case 404:
            return _kind_of_404(call, refusal)
        case 400 | 405 | 422 | 501:
            return VendorRefusedError, _FULL_COMMAND if refusal.code == _FULL else _URL_COMMAND
        case 413:
            return VendorRefusedError, _FILE_COMMAND
        case _:
            return VendorUnclearError, _command_for_unclear(refusal.status)


def _kind_of_404(call: Call, refusal: _Refusal) -> tuple[type[VendorError], str]:
    if call not in _NAMES_A_THING:
        return VendorRefusedError, _URL_COMMAND
    if refusal.is_json:
        return VendorNotFoundError, "batchd status"
    # A page of a proxy or a wrong path: it says nothing about this batch or file.
    return VendorUnclearError, _URL_COMMAND


def _command_for_unclear(status: int) -> str:
    redirected = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    return _URL_COMMAND if redirected else "run the command again in a minute"


def _details(refusal: _Refusal) -> str:
    parts = [f"code {refusal.code}"] if refusal.code else []
    parts += [f"request {refusal.request_id}"] if refusal.request_id else []
    return f" ({', '.join(parts)})" if parts else ""


def _consequence(call: Call, kind: type[VendorError]) -> str:
    if call is Call.CREATE and kind is VendorUnclearError:
        return "; whether a batch was made is settled by looking at the vendor's list"
    return ""


def _read(reply: Reply) -> _Refusal:
    body = _json_or_none(reply.body)
    error = body.get("error") if isinstance(body, dict) else None
    fields: dict[str, Any] = error if isinstance(error, dict) else {}
    code, kind = clean_code(fields.get("code")), clean_code(fields.get("type"))
    return _Refusal(
        status=reply.status,
        standard=isinstance(fields.get("message"), str) and ("type" in fields or "code" in fields),
        is_json=isinstance(body, dict),
        code=code or (kind if kind in _BILLING else ""),
        billing=bool(_BILLING & {code, kind}),
        passing=bool(_PASSING & {code, kind}),
        request_id=request_id_of(reply.headers),
        retry_after=_retry_after(reply.headers),
        # The one thing that is taken from a message: a number.
        token_limit=told_limit(str(fields.get("message"))) if code == TOKEN_LIMIT else None,
    )


def _json_or_none(body: bytes) -> Any:
    try:
        return json_from_bytes(body)
    except ValueError:
        return None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from ``retry-after-ms``, or ``retry-after`` as seconds or as a date."""
    if (milliseconds := _seconds(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    if text is None or (seconds := _seconds(text)) is not None:
        return None if text is None else seconds
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
