"""Vendors' replies, read without a vendor: error mapping, lenient objects, pages, the catalogue."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.core.model import VendorBatch, VendorFault
from batchd.errors import (
    ConfigError,
    VendorAuthError,
    VendorBillingError,
    VendorBusyError,
    VendorError,
    VendorNotFoundError,
    VendorRefusedError,
    VendorUnclearError,
)
from batchd.vendors.catalog import account_fingerprint, connect
from batchd.vendors.connection import Connection
from batchd.vendors.errors import Call, Reply, error_for
from batchd.vendors.listing import walk
from batchd.vendors.wire import BatchPage, batch_from_json, json_from_bytes, page_from_json

SECRET = "Jane Doe, born 1970"


def body(code: Any = None, kind: str = "invalid_request_error") -> bytes:
    return json.dumps({"error": {"message": SECRET, "type": kind, "param": None, "code": code}}).encode()


def mapped(call: Call, status: int, content: bytes = b"", headers: dict[str, str] | None = None) -> VendorError:
    return error_for(call, Reply(status, headers or {}, content), "https://api.example.org")


# --- which error a reply is -----------------------------------------------------------------------


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


# --- batch objects --------------------------------------------------------------------------------


def test_a_standard_batch_is_read_whole() -> None:
    """Every field that batchd uses."""
    batch = batch_from_json(
        {
            "id": "batch_1",
            "status": "completed",
            "input_file_id": "file-1",
            "output_file_id": "file-2",
            "error_file_id": None,
            "created_at": 1_795_132_800,
            "expires_at": 1_795_219_200,
            "request_counts": {"total": 3, "completed": 2, "failed": 1},
            "errors": {"object": "list", "data": [{"code": "invalid_url", "param": "url", "line": 4}]},
            "metadata": {"uid": "u"},
        }
    )

    assert batch == VendorBatch(
        id="batch_1",
        status="completed",
        input_file_id="file-1",
        output_file_id="file-2",
        created_at=1_795_132_800,
        expires_at=1_795_219_200,
        total=3,
        completed=2,
        failed=1,
        faults=(VendorFault("invalid_url", "url", 4),),
        metadata={"uid": "u"},
    )


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"output_file_id": "", "error_file_id": " "},
        {"request_counts": None, "errors": None, "metadata": None},
        {"request_counts": {"total": None, "completed": None}, "errors": {"object": "list", "data": None}},
        {"request_counts": [], "errors": {}, "metadata": [], "created_at": "", "expires_at": 0},
        {"created_at": True, "expires_at": "soon", "request_counts": {"total": -1, "failed": "many"}},
    ],
)
def test_what_says_nothing_is_none(extra: dict[str, Any]) -> None:
    """Missing, null, empty and mistyped are all the same: the vendor doesn't tell."""
    assert batch_from_json({"id": "b", "status": "in_progress", **extra}) == VendorBatch("b", "in_progress")


@pytest.mark.parametrize(
    ("status", "read"),
    [
        ("Completed", "completed"),
        ("InProgress", "in_progress"),
        ("IN_PROGRESS", "in_progress"),
        ("in-progress", "in_progress"),
        ("canceled", "cancelled"),
        ("queued", "queued"),
        (None, ""),
        (7, ""),
    ],
)
def test_statuses_are_read_in_every_spelling(status: Any, read: str) -> None:
    """Unknown ones stay what they are: the batch is still open then."""
    assert batch_from_json({"id": "b", "status": status}).status == read


@pytest.mark.parametrize(
    "moment",
    [
        1_795_132_800,
        1_795_132_800.7,
        "1795132800",
        1_795_132_800_000,
        "2026-11-20T00:00:00Z",
        "2026-11-20T00:00:00",
    ],
)
def test_times_are_read_in_every_form(moment: Any) -> None:
    """Seconds, milliseconds and ISO-8601, as numbers or text."""
    assert batch_from_json({"id": "b", "created_at": moment}).created_at == 1_795_132_800


@pytest.mark.parametrize(
    ("errors", "faults"),
    [
        (["text only"], (VendorFault("", message="text only"),)),
        ({"data": [{"code": SECRET, "line": "3"}]}, (VendorFault("", line=3),)),
        ({"data": [{"code": "a", "line": 0}, None]}, (VendorFault("a"), VendorFault(""))),
    ],
)
def test_faults_are_read_in_every_form(errors: Any, faults: tuple[VendorFault, ...]) -> None:
    """A bare array, lines as text, entries that are none; a code that isn't one is left out."""
    assert batch_from_json({"id": "b", "errors": errors}).faults == faults


@pytest.mark.parametrize("value", [None, [], 5, {}, {"id": ""}, {"id": None}, {"error": {"message": "x"}}])
def test_without_an_id_it_is_no_batch(value: Any) -> None:
    """Such a reply leaves open what happened; it is never guessed."""
    with pytest.raises(ValueError, match="not a batch"):
        batch_from_json(value)


def test_a_reply_may_be_json_in_json() -> None:
    """Some compatible servers encode twice."""
    assert json_from_bytes(json.dumps(json.dumps({"id": "b"})).encode()) == {"id": "b"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
batch_fields = [
    "status",
    "created_at",
    "expires_at",
    "output_file_id",
    "request_counts",
    "errors",
    "metadata",
]


@given(st.dictionaries(st.sampled_from(batch_fields), json_values))
def test_no_batch_object_breaks_the_reader(fields: dict[str, Any]) -> None:
    """With an id, anything can be read."""
    assert batch_from_json({"id": "b", **fields}).id == "b"


# --- pages and walking them -----------------------------------------------------------------------


def pages(*contents: list[int | None], more_at_end: bool = False) -> Callable[[str | None], BatchPage]:
    """A list in pages; an entry's id is its place, its number its time."""
    numbered, place = [], 0
    for content in contents:
        numbered.append([{"id": f"b{place + n}", "created_at": moment} for n, moment in enumerate(content)])
        place += len(content)
    cursors = [None, *(page[-1]["id"] if page else None for page in numbered)]

    def page_after(cursor: str | None) -> BatchPage:
        number = cursors.index(cursor)
        more = more_at_end or number + 1 < len(numbered)
        return page_from_json({"data": numbered[number], "has_more": more})

    return page_after


@pytest.mark.parametrize(
    ("contents", "found", "read"),
    [
        ([[9, 8], [7, 6], [5, 4], [3]], 3, 2),
        ([[3, 4], [5, 6], [7, 8], [9]], 3, 4),
        ([[9, 8], [10, 6], [7]], 4, 3),
        ([[5, 5], [5, 5], [9]], 1, 3),
        ([[9, None], [3, 8]], 3, 2),
    ],
)
def test_a_walk_ends_early_only_in_a_list_that_is_newest_first(
    contents: list[list[int | None]], found: int, read: int
) -> None:
    """No order is promised: pages that don't descend are read to the end."""
    asked: list[str | None] = []
    source = pages(*contents)

    def page_after(cursor: str | None) -> BatchPage:
        asked.append(cursor)
        return source(cursor)

    listing = walk(page_after, since=7)

    assert (len(listing.batches), len(asked), listing.complete) == (found, read, True)


def test_an_empty_page_is_the_end() -> None:
    """Whatever ``has_more`` says."""
    listing = walk(pages([9], [], more_at_end=True), since=0)

    assert ([batch.id for batch in listing.batches], listing.complete) == (["b0"], True)


def test_a_list_that_repeats_itself_is_incomplete() -> None:
    """A server that ignores the cursor would keep us reading for ever."""
    page = page_from_json({"data": [{"id": "b1"}, {"id": "b2"}], "has_more": True})

    listing = walk(lambda _: page, since=0)

    assert (len(listing.batches), listing.complete) == (2, False)


def test_a_list_without_end_is_incomplete() -> None:
    """Ever new entries stop at the cap."""
    numbers = iter(range(10_000))

    def page_after(_: str | None) -> BatchPage:
        return page_from_json({"data": [{"id": f"b{next(numbers)}"}], "has_more": True})

    listing = walk(page_after, since=0)

    assert not listing.complete
    assert len(listing.batches) == 1000


def test_an_entry_that_cannot_be_read_makes_the_list_incomplete() -> None:
    """It may have been ours."""
    listing = walk(lambda _: page_from_json({"data": [{"id": "b1"}, {"status": "x"}]}), since=0)

    assert ([batch.id for batch in listing.batches], listing.complete) == (["b1"], False)


@pytest.mark.parametrize("value", [None, {}, {"error": {}}, "text"])
def test_a_reply_without_data_is_no_page(value: Any) -> None:
    """An error object with status 200 isn't an empty list."""
    with pytest.raises(ValueError, match="not a page"):
        page_from_json(value)


# --- the catalogue --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (("openai", "https://API.openai.com:443/v1/", None), True),
        (("openai", "https://key:secret@api.openai.com/v1", ""), True),
        (("openai", "https://eu.api.openai.com/v1", None), False),
        (("openai", "https://api.openai.com/v1", "proj_1"), False),
        (("sandbox", "https://api.openai.com/v1", None), False),
    ],
)
def test_an_accounts_fingerprint_is_its_kind_place_and_project(
    other: tuple[str, str, str | None], *, same: bool
) -> None:
    """Spelling and credentials don't make another account; a host or a project does."""
    first = account_fingerprint("openai", "https://api.openai.com/v1", None)

    assert len(first) == 64
    assert (first == account_fingerprint(*other)) is same


def test_an_unknown_kind_is_an_error_of_the_config() -> None:
    """The message names the kinds there are."""
    with pytest.raises(ConfigError, match="openai"):
        connect("fax", Connection(api_key="sk"))


def test_the_sdk_is_loaded_by_connecting_only() -> None:
    """Commands that speak to no vendor don't pay for the SDK's import, nor for the price list's."""
    code = (
        "import sys, batchd.vendors.catalog, batchd.vendors.errors, batchd.prices\n"
        "print({'openai', 'httpx2', 'genai_prices'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
