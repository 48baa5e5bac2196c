"""What the Vendor port promises, held against the fake and against the SDK's adapter over real HTTP."""

import contextlib
import gzip
import io
import json
import logging
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO, cast

import pytest

from batchd.core.model import VendorFault
from batchd.errors import (
    ConfigError,
    SpoolError,
    VendorAuthError,
    VendorBillingError,
    VendorBusyError,
    VendorError,
    VendorNotFoundError,
    VendorRefusedError,
    VendorUnclearError,
)
from batchd.ports import Vendor
from batchd.vendors.connection import Connection
from batchd.vendors.openai import OpenAIVendor
from tests.fakes.answers import answered
from tests.fakes.http_vendor import HttpVendor, Scripted, error_body, http_vendor
from tests.fakes.vendor import FakeVendor

REQUEST = b'{"custom_id": "u-0", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m"}}\n'
ENDPOINT = "/v1/chat/completions"


@pytest.fixture
def fake() -> FakeVendor:
    return FakeVendor(answered("yes"))


@pytest.fixture
def server(fake: FakeVendor) -> Iterator[HttpVendor]:
    with http_vendor(fake) as running:
        yield running


@pytest.fixture
def connection(server: HttpVendor) -> Connection:
    return Connection(api_key="sk-test", base_url=server.url, timeout=20.0, create_timeout=5.0)


@pytest.fixture
def adapter(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIVendor]:
    # The SDK's waits between tries are not what is tested here.
    monkeypatch.setattr("openai._base_client.time.sleep", lambda _: None)
    with contextlib.closing(OpenAIVendor(connection)) as vendor:
        yield vendor


@pytest.fixture(params=["fake", "openai"])
def vendor(request: pytest.FixtureRequest) -> Vendor:
    name = "adapter" if request.param == "openai" else "fake"
    found: Vendor = request.getfixturevalue(name)
    return found


@pytest.fixture
def request_file(tmp_path: Path) -> Path:
    path = tmp_path / "u.input.jsonl"
    path.write_bytes(REQUEST)
    return path


def downloaded(vendor: Vendor, file_id: str) -> bytes:
    sink = io.BytesIO()
    vendor.download(file_id, sink)
    return sink.getvalue()


def create(vendor: Vendor) -> str:
    return vendor.create_batch("file-1", ENDPOINT, {"uid": "u"}).id


# --- what the fake promises too -------------------------------------------------------------------


def test_a_batch_goes_from_upload_to_its_answers(vendor: Vendor, fake: FakeVendor, request_file: Path) -> None:
    """Upload, create, look until it ends, download: every step hands on what the next one needs."""
    file_id = vendor.upload(request_file, "batchd-u-1.jsonl")
    created = vendor.create_batch(file_id, ENDPOINT, {"uid": "u"})
    vendor.retrieve_batch(created.id)
    ended = vendor.retrieve_batch(created.id)

    assert (fake.filenames[file_id], fake.files[file_id]) == ("batchd-u-1.jsonl", REQUEST)
    assert (created.status, created.input_file_id, created.metadata) == ("validating", file_id, {"uid": "u"})
    assert (ended.status, ended.total, ended.completed, ended.failed) == ("completed", 1, 1, 0)
    assert ended.error_file_id is None
    assert ended.output_file_id is not None
    content = downloaded(vendor, ended.output_file_id)
    assert json.loads(content)["custom_id"] == "u-0"
    assert vendor.file_bytes(ended.output_file_id) == len(content)


def test_ids_nobody_knows_are_not_found(vendor: Vendor) -> None:
    """An unknown batch or file is told apart from a vendor in trouble."""
    with pytest.raises(VendorNotFoundError):
        vendor.retrieve_batch("batch_nobody")
    with pytest.raises(VendorNotFoundError):
        vendor.cancel_batch("batch_nobody")
    with pytest.raises(VendorNotFoundError):
        downloaded(vendor, "file-nobody")
    assert vendor.file_bytes("file-nobody") is None


def test_deleting_twice_is_no_error(vendor: Vendor, fake: FakeVendor) -> None:
    """What is to be gone may be gone already."""
    file_id = fake.add_file(b"x")

    vendor.delete_file(file_id)
    vendor.delete_file(file_id)

    assert file_id not in fake.files


def test_cancelling_an_open_batch_starts_its_end(vendor: Vendor) -> None:
    """The reply says ``cancelling``, a later look ``cancelled``."""
    batch_id = create(vendor)

    cancelling = vendor.cancel_batch(batch_id)

    assert cancelling.status == "cancelling"
    assert vendor.retrieve_batch(batch_id).status == "cancelled"


def test_cancelling_an_ended_batch_returns_it_as_it_is(vendor: Vendor, fake: FakeVendor) -> None:
    """The vendor's 409 is no trouble: the batch has ended, as was wanted."""
    fake.statuses = ("completed",)
    batch_id = create(vendor)
    vendor.retrieve_batch(batch_id)

    assert vendor.cancel_batch(batch_id).status == "completed"


def test_listing_leaves_out_what_is_older(vendor: Vendor, fake: FakeVendor) -> None:
    """Batches created at or after the moment asked for, and a word on whether all pages were read."""
    ids = []
    for moment in (100, 200, 300):
        fake.now = lambda moment=moment: moment  # type: ignore[misc]
        ids.append(create(vendor))

    listing = vendor.list_batches(200)

    assert {batch.id for batch in listing.batches} == set(ids[1:])
    assert listing.complete


def test_a_failed_batch_tells_its_faults(vendor: Vendor, fake: FakeVendor) -> None:
    """Code and line of each fault come through."""
    fake.statuses = ("validating", "failed")
    fake.faults = (VendorFault("invalid_url", param="url", line=3), VendorFault("token_limit_exceeded"))
    batch_id = create(vendor)

    failed = vendor.retrieve_batch(batch_id)

    assert [(found.code, found.line) for found in failed.faults] == [
        ("invalid_url", 3),
        ("token_limit_exceeded", None),
    ]


# --- the adapter: money ---------------------------------------------------------------------------


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


# --- the adapter: reading -------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [Scripted(500, error_body()), Scripted(drop=True), Scripted(502, b"<html>")])
def test_looks_are_repeated(adapter: OpenAIVendor, server: HttpVendor, trouble: Scripted) -> None:
    """A look costs nothing, so two failures are passed over."""
    batch_id = create(adapter)
    server.script(trouble, trouble)

    assert adapter.retrieve_batch(batch_id).id == batch_id


def test_uploads_are_repeated_whole(adapter: OpenAIVendor, server: HttpVendor, request_file: Path) -> None:
    """A repeated upload sends the file from its start again."""
    server.script(Scripted(500, error_body()), Scripted(drop=True))

    file_id = adapter.upload(request_file, "u.jsonl")

    assert server.fake.files[file_id] == REQUEST


def test_an_upload_that_takes_too_long_ends(
    adapter: OpenAIVendor, server: HttpVendor, request_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole upload has a limit, which leases are made longer than."""
    much_later = SimpleNamespace(monotonic=lambda: time.monotonic() + 16)
    monkeypatch.setattr("batchd.vendors.timed_file.time", much_later)

    with pytest.raises(VendorUnclearError) as caught:
        adapter.upload(request_file, "u.jsonl")

    assert caught.value.code == "timeout"
    assert server.fake.files == {}


def test_a_file_too_large_for_the_vendor_is_refused_for_good(
    adapter: OpenAIVendor, server: HttpVendor, request_file: Path
) -> None:
    """413 has no class of its own in the SDK."""
    server.script(Scripted(413, b"<html>too large</html>"))

    with pytest.raises(VendorRefusedError):
        adapter.upload(request_file, "u.jsonl")


def test_a_lost_input_file_is_the_spools_trouble(adapter: OpenAIVendor, tmp_path: Path) -> None:
    """The vendor is not asked at all."""
    with pytest.raises(SpoolError, match="cannot read"):
        adapter.upload(tmp_path / "lost.jsonl", "u.jsonl")


def test_a_page_of_a_proxy_is_no_missing_batch(adapter: OpenAIVendor, server: HttpVendor) -> None:
    """A 404 that isn't the API's says nothing about the batch."""
    server.script(Scripted(404, b"<html>nothing here</html>"))

    with pytest.raises(VendorUnclearError):
        adapter.retrieve_batch("batch_1")


def test_a_body_that_is_a_json_string_is_read(adapter: OpenAIVendor, server: HttpVendor) -> None:
    """Some compatible servers encode twice."""
    inner = json.dumps({"id": "batch_9", "status": "Completed", "error_file_id": "", "request_counts": None})
    server.script(Scripted(200, json.dumps(inner).encode()))

    batch = adapter.retrieve_batch("batch_9")

    assert (batch.id, batch.status, batch.error_file_id, batch.total) == ("batch_9", "completed", None, None)


@pytest.mark.parametrize(
    "reply",
    [
        Scripted(200, b"a\nb\nc\n", cut=2),
        Scripted(200, gzip.compress(b"a\n" * 999), {"Content-Encoding": "gzip"}, cut=9),
    ],
)
def test_a_download_cut_short_is_unclear(adapter: OpenAIVendor, server: HttpVendor, reply: Scripted) -> None:
    """The transport's own error is mapped, for plain and for compressed bodies."""
    server.script(reply)

    with pytest.raises(VendorUnclearError):
        downloaded(adapter, "file-1")


def test_a_compressed_download_is_whole(adapter: OpenAIVendor, server: HttpVendor) -> None:
    """Content-Length counts compressed bytes; the check must too."""
    content = b'{"custom_id": "u-0"}\n' * 500
    server.script(Scripted(200, gzip.compress(content), {"Content-Encoding": "gzip"}))

    assert downloaded(adapter, "file-1") == content


def test_a_download_without_a_length_is_taken_as_it_comes(adapter: OpenAIVendor, server: HttpVendor) -> None:
    """Where the end of the connection is the end of the file, the caller's checks decide."""
    server.script(Scripted(200, b"a\nb", {"Connection": "close"}))

    assert downloaded(adapter, "file-1") == b"a\nb"


def test_line_separators_survive_a_download(adapter: OpenAIVendor, fake: FakeVendor) -> None:
    """Bytes are passed on as bytes."""
    content = "a\u2028b\u2029c\u0085d\r\n".encode()

    assert downloaded(adapter, fake.add_file(content)) == content


def test_what_the_sink_raises_is_not_the_vendors(adapter: OpenAIVendor, fake: FakeVendor) -> None:
    """A full disk during a download comes through as it is."""

    class Full(io.BufferedIOBase):
        def write(self, _: object) -> int:
            raise SpoolError("no space left")

    with pytest.raises(SpoolError, match="no space"):
        adapter.download(fake.add_file(b"x"), cast("BinaryIO", Full()))


# --- the adapter: listing -------------------------------------------------------------------------


def test_all_pages_are_read(adapter: OpenAIVendor, server: HttpVendor) -> None:
    """Pages hang together by the id of their last entry."""
    server.page_size = 2
    ids = {create(adapter) for _ in range(5)}

    listing = adapter.list_batches(0)

    assert {batch.id for batch in listing.batches} == ids
    assert listing.complete


def test_the_endless_list_of_a_server_without_cursors_is_incomplete(adapter: OpenAIVendor, server: HttpVendor) -> None:
    """A server that ignores ``after`` gives the same page for ever."""
    page = json.dumps({"data": [{"id": "batch_1", "created_at": 5}], "has_more": True}).encode()
    server.script(*[Scripted(200, page)] * 3)

    listing = adapter.list_batches(0)

    assert [batch.id for batch in listing.batches] == ["batch_1"]
    assert not listing.complete


# --- the adapter: reaching the vendor -------------------------------------------------------------


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
    assert {seen.headers["authorization"] for seen in server.seen} == {"Bearer sk-test"}
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
