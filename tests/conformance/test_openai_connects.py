"""The adapter reaches the vendor: URL, key, the SDK's environment and logs."""

import contextlib
import logging
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from batchd.errors import (
    ConfigError,
    VendorAuthError,
    VendorNotFoundError,
    VendorUnclearError,
)
from batchd.vendors.connection import Connection
from batchd.vendors.openai import OpenAIVendor
from tests.conformance.vendor_calls import create
from tests.fakes.http_vendor import HttpVendor
from tests.planted import KEY


def test_a_vendor_that_cannot_be_reached_is_named(connection: Connection) -> None:
    """The message has the host, without credentials, and the next command what to check."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        base_url = f"http://user:pass@127.0.0.1:{port}/v1"
        with (
            contextlib.closing(OpenAIVendor(replace(connection, base_url=base_url))) as vendor,
            pytest.raises(VendorUnclearError) as caught,
        ):
            create(vendor)

    assert caught.value.code == "unreachable"
    assert f"http://127.0.0.1:{port}" in caught.value.message
    assert "pass" not in caught.value.message
    assert "base_url" in caught.value.next_command


@pytest.mark.parametrize("base_url", ["localhost:1/v1", "http://", "http://[bad/v1", "http://host:x/v1", ""])
def test_a_url_that_is_none_is_an_error_of_the_config(connection: Connection, base_url: str) -> None:
    """A mistyped base_url is found before anything is sent."""
    with pytest.raises(ConfigError, match="base_url"):
        OpenAIVendor(replace(connection, base_url=base_url))


def test_nothing_comes_from_the_sdks_environment(
    server: HttpVendor, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables meant for other programs don't change where requests go and whose they are."""
    for name in ("API_KEY", "ORG_ID", "PROJECT_ID", "ADMIN_KEY"):
        monkeypatch.setenv(f"OPENAI_{name}", "from-outside")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Extra: from-outside\nAuthorization: from-outside")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    with contextlib.closing(OpenAIVendor(replace(connection, organization="org-1"))) as vendor:
        create(vendor)
        vendor.list_batches(0)

    assert {"from-outside"}.isdisjoint(value for seen in server.seen for value in seen.headers.values())
    assert {seen.headers["openai-organization"] for seen in server.seen} == {"org-1"}
    assert {seen.headers["authorization"] for seen in server.seen} == {f"Bearer {KEY}"}
    assert all("openai-project" not in seen.headers for seen in server.seen)


def test_the_key_is_asked_for_before_each_request(server: HttpVendor, connection: Connection) -> None:
    """A key file may be replaced while the daemon runs; a newline at its end does no harm."""
    keys = iter(["sk-one\n", "sk-two"])

    with contextlib.closing(OpenAIVendor(replace(connection, api_key=lambda: next(keys)))) as vendor:
        vendor.list_batches(0)
        vendor.list_batches(0)

    assert [seen.headers["authorization"] for seen in server.seen] == ["Bearer sk-one", "Bearer sk-two"]


@pytest.mark.parametrize("key", ["", " ", "sk-a b", "sk-é", "sk-a\nb"])
def test_a_key_that_cannot_be_sent_is_refused_unseen(connection: Connection, key: str) -> None:
    """No part of such a key gets into the error or what is chained to it."""
    with (
        contextlib.closing(OpenAIVendor(replace(connection, api_key=key))) as vendor,
        pytest.raises(VendorAuthError) as caught,
    ):
        vendor.retrieve_batch("batch_1")

    assert "sk-" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_sdk_logs_nothing(adapter: OpenAIVendor, caplog: pytest.LogCaptureFixture, request_file: Path) -> None:
    """The SDK and its transport log URLs, and requests at debug level."""
    with caplog.at_level(logging.DEBUG):
        adapter.upload(request_file, "u.jsonl")

    assert caplog.records == []


@pytest.mark.parametrize("batch_id", ["..", ".", "a/b", "é ü", "x?y#z"])
def test_odd_ids_stay_ids(adapter: OpenAIVendor, server: HttpVendor, batch_id: str) -> None:
    """What a person types as an id cannot reach another path of the API."""
    with pytest.raises(VendorNotFoundError):
        adapter.retrieve_batch(batch_id)

    assert all(seen.path.count("/") == 3 for seen in server.seen)
