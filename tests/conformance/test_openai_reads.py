"""The adapter uploads, looks, lists and downloads: repeated where that costs nothing, never half read."""

import gzip
import io
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO, cast

import pytest

from batchd.errors import (
    SpoolError,
    VendorRefusedError,
    VendorUnclearError,
)
from batchd.vendors.openai import OpenAIVendor
from tests.conformance.vendor_calls import REQUEST, create, downloaded
from tests.fakes.http_vendor import HttpVendor, Scripted, error_body
from tests.fakes.vendor import FakeVendor


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


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_without_a_list_shows_nothing_and_proves_nothing(
    adapter: OpenAIVendor, server: HttpVendor, status: int
) -> None:
    """No call may fail for it, and nothing may be taken for absent because of it."""
    server.script(*[Scripted(status, b'{"detail": "Not Found"}')] * 3)

    listing = adapter.list_batches(0)

    assert (listing.batches, listing.complete) == ((), False)
