"""The adapter creates a batch: one POST, and a sure word on whether it was made."""

import contextlib
from dataclasses import replace

import pytest

from batchd.errors import (
    VendorAuthError,
    VendorBillingError,
    VendorBusyError,
    VendorError,
    VendorRefusedError,
    VendorUnclearError,
)
from batchd.vendors.connection import Connection
from batchd.vendors.openai import OpenAIVendor
from tests.conformance.vendor_calls import create
from tests.fakes.http_vendor import HttpVendor, Scripted, error_body


@pytest.mark.parametrize(
    "reply",
    [
        Scripted(500, error_body()),
        Scripted(503, b"<html>busy</html>"),
        Scripted(409, error_body()),
        Scripted(408, error_body()),
        Scripted(429, b"slow down"),
        Scripted(400, b"<html>proxy</html>"),
        Scripted(413, error_body()),
        Scripted(302, b"", {"Location": "/v1/elsewhere"}),
        Scripted(307, b"", {"Location": "/v1/batches"}),
        Scripted(drop=True, act=True),
        Scripted(200, b"not json", act=True),
        Scripted(200, b'{"object": "batch"}', act=True),
        Scripted(200, b'{"id": "batch_1"}', cut=5, act=True),
        Scripted(500, error_body(), {"x-should-retry": "true"}),
    ],
)
def test_an_unclear_create_is_one_post_and_an_unclear_error(
    adapter: OpenAIVendor, server: HttpVendor, reply: Scripted
) -> None:
    """Whatever happens, a create is sent once; a repeat could be a second paid batch."""
    server.script(reply)

    with pytest.raises(VendorUnclearError):
        create(adapter)

    assert len(server.posts("/batches")) == 1


def test_a_create_that_takes_too_long_is_unclear_and_sent_once(server: HttpVendor, connection: Connection) -> None:
    """The batch was made, the reply never came: the orphan case."""
    server.script(Scripted(delay=30, act=True))

    with (
        contextlib.closing(OpenAIVendor(replace(connection, create_timeout=0.6))) as vendor,
        pytest.raises(VendorUnclearError) as caught,
    ):
        create(vendor)

    assert caught.value.code == "timeout"
    assert len(server.posts("/batches")) == 1
    assert len(server.fake.batches()) == 1


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "invalid_value", VendorRefusedError),
        (400, "billing_hard_limit_reached", VendorBillingError),
        (400, "token_limit_exceeded", VendorBusyError),
        (401, "invalid_api_key", VendorAuthError),
        (403, None, VendorAuthError),
        (404, None, VendorRefusedError),
        (422, None, VendorRefusedError),
        (429, "rate_limit_exceeded", VendorBusyError),
        (429, "insufficient_quota", VendorBillingError),
        (429, "organization_usage_limit_exceeded", VendorBillingError),
    ],
)
def test_a_clear_refusal_of_a_create_is_told_from_its_body(
    adapter: OpenAIVendor, server: HttpVendor, status: int, code: str | None, error: type[VendorError]
) -> None:
    """With the standard error body, these say that nothing was made."""
    server.script(Scripted(status, error_body(code)))

    with pytest.raises(error) as caught:
        create(adapter)

    assert type(caught.value) is error
    assert caught.value.code == (code or f"http_{status}")
    assert caught.value.request_id == "req_1"
    assert "SECRET" not in str(caught.value)
    assert len(server.posts("/batches")) == 1


def test_a_long_retry_after_comes_through(adapter: OpenAIVendor, server: HttpVendor) -> None:
    """The vendor's wish is told to whoever paces the calls, also when it is long."""
    server.script(Scripted(429, error_body("rate_limit_exceeded"), {"Retry-After": "600"}))

    with pytest.raises(VendorBusyError) as caught:
        create(adapter)

    assert caught.value.retry_after == 600.0
