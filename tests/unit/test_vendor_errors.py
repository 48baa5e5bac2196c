"""Which of batchd's errors a vendor's reply is; nothing of its text comes through."""

import json
from typing import Any

import pytest

from batchd.errors import (
    VendorAuthError,
    VendorBillingError,
    VendorBusyError,
    VendorError,
    VendorNotFoundError,
    VendorRefusedError,
    VendorUnclearError,
)
from batchd.vendors.errors import Call, Reply, error_for

SECRET = "Jane Doe, born 1970"


def body(code: Any = None, kind: str = "invalid_request_error") -> bytes:
    return json.dumps({"error": {"message": SECRET, "type": kind, "param": None, "code": code}}).encode()


def mapped(call: Call, status: int, content: bytes = b"", headers: dict[str, str] | None = None) -> VendorError:
    return error_for(call, Reply(status, headers or {}, content), "https://api.example.org")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429])
@pytest.mark.parametrize("content", [b"", b"<html>", b'{"detail": "x"}', b'{"error": "x"}', b"[]", body()[:-3]])
def test_a_create_refused_without_the_standard_body_is_unclear(status: int, content: bytes) -> None:
    """A proxy in between may have said so after the vendor made the batch."""
    assert type(mapped(Call.CREATE, status, content)) is VendorUnclearError


@pytest.mark.parametrize("status", [301, 302, 307, 308, 402, 405, 408, 409, 413, 500, 502, 503, 504])
def test_a_create_with_any_other_status_is_unclear(status: int) -> None:
    """Only six statuses say that nothing was made, whatever the body says."""
    for code in (None, "insufficient_quota", "rate_limit_exceeded"):
        assert type(mapped(Call.CREATE, status, body(code))) is VendorUnclearError


@pytest.mark.parametrize(
    ("call", "status", "content", "error"),
    [
        (Call.RETRIEVE, 404, body(), VendorNotFoundError),
        (Call.DOWNLOAD, 404, b'{"detail": "Not Found"}', VendorNotFoundError),
        (Call.RETRIEVE, 404, b"<html>", VendorUnclearError),
        (Call.LIST, 404, body(), VendorRefusedError),
        (Call.FILE, 501, b"", VendorRefusedError),
        (Call.CREATE, 501, body(), VendorUnclearError),
        (Call.UPLOAD, 404, b"", VendorRefusedError),
        (Call.UPLOAD, 413, b"", VendorRefusedError),
        (Call.UPLOAD, 400, body(), VendorRefusedError),
        (Call.LIST, 401, b"", VendorAuthError),
        (Call.LIST, 403, b"<html>", VendorAuthError),
        (Call.LIST, 429, b"", VendorBusyError),
        (Call.LIST, 429, body("insufficient_quota"), VendorBillingError),
        (Call.UPLOAD, 403, body(None, "insufficient_quota"), VendorBillingError),
        (Call.LIST, 500, body(), VendorUnclearError),
        (Call.LIST, 302, b"", VendorUnclearError),
    ],
)
def test_other_calls_are_mapped_by_status_and_code(
    call: Call, status: int, content: bytes, error: type[VendorError]
) -> None:
    """Where a repeat costs nothing, the status alone is enough."""
    assert type(mapped(call, status, content)) is error


@pytest.mark.parametrize("code", [None, SECRET, "x" * 65, "a\nb", {"a": 1}, "", True])
def test_nothing_of_the_vendors_text_gets_into_ours(code: Any) -> None:
    """Messages quote values; so may a code that doesn't look like one, and a request id."""
    error = mapped(Call.CREATE, 400, body(code), {"x-request-id": SECRET})

    shown = " ".join([str(error), error.code, error.request_id, error.next_command])
    assert "Jane" not in shown
    assert error.code == "http_400"


def test_status_code_and_request_id_are_told() -> None:
    """What a vendor's support asks for is in the message."""
    error = mapped(Call.CREATE, 400, body("invalid_value"), {"x-request-id": "req_7"})

    assert (error.code, error.request_id) == ("invalid_value", "req_7")
    assert error.message == (
        "https://api.example.org did not create a batch: HTTP 400 (code invalid_value, request req_7)"
    )


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "600"}, 600.0),
        ({"retry-after": "3", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
    ],
)
def test_how_long_to_wait_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds or a date; nonsense is no wish at all."""
    error = mapped(Call.LIST, 429, body("rate_limit_exceeded"), headers)

    assert isinstance(error, VendorBusyError)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("code", "message", "limit"),
    [
        ("token_limit_exceeded", "Enqueued token limit reached for m. Limit: 2000 enqueued tokens.", 2000),
        ("token_limit_exceeded", "The number of enqueued tokens has surpassed the configured limit.", None),
        ("rate_limit_exceeded", "Limit: 2000 requests.", None),
    ],
)
def test_of_a_refusal_for_enqueued_tokens_the_limit_is_read(code: str, message: str, limit: int | None) -> None:
    """The one number that is taken from a vendor's text; nothing was made, and it passes."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}

    found = mapped(Call.CREATE, 400, json.dumps({"error": error}).encode())

    assert isinstance(found, VendorBusyError)
    assert (code, limit) == (found.code, found.token_limit)
