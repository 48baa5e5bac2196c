"""The Azure adapter before a scripted server: paths, credentials, and the wait for an uploaded file."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from batchd.errors import ConfigError, VendorAuthError, VendorBusyError, VendorRefusedError, VendorUnclearError
from batchd.vendors.azure import AzureVendor
from batchd.vendors.connection import AzureConnection
from tests.conformance.azure_vendor import DATED
from tests.conformance.vendor_calls import REQUEST, create, downloaded
from tests.fakes.http_vendor import HttpVendor, Scripted, error_body

NOT_AZURES = ("authorization", "openai-organization", "openai-project")


def file_reply(status: str, file_id: str = "file-9") -> Scripted:
    """A file object in this status."""
    return Scripted(200, json.dumps({"id": file_id, "object": "file", "status": status}).encode())


def looks(server: HttpVendor) -> int:
    """How often a file was looked at."""
    return sum(seen.method == "GET" and "/files/" in seen.path for seen in server.seen)


def test_the_v1_api_is_asked_without_a_version(azure_adapter: AzureVendor, server: HttpVendor) -> None:
    """Below /openai/v1, with the key as api-key and in no other header."""
    create(azure_adapter)

    (seen,) = server.seen
    assert "/openai/v1/batches" == seen.path
    assert "az-test" == seen.headers["api-key"]
    assert [] == [name for name in NOT_AZURES if name in seen.headers]


def test_a_dated_api_is_asked_with_its_version(server: HttpVendor, azure_connection: AzureConnection) -> None:
    """Below /openai, each call with the version in its query, a page of the list too."""
    with contextlib.closing(AzureVendor(replace(azure_connection, api_version=DATED))) as vendor:
        create(vendor)
        vendor.list_batches(0)

    asked = [urlsplit(seen.path) for seen in server.seen]
    assert ["/openai/batches"] * 2 == [url.path for url in asked]
    assert [[DATED]] * 2 == [parse_qs(url.query)["api-version"] for url in asked]


def test_a_token_is_asked_for_before_each_request(server: HttpVendor, azure_connection: AzureConnection) -> None:
    """A token of Entra ID goes out as a bearer, and a new one as soon as there is one."""
    tokens = iter(["token-one", "token-two"])
    by_token = replace(azure_connection, api_key=lambda: next(tokens), by_token=True)

    with contextlib.closing(AzureVendor(by_token)) as vendor:
        vendor.list_batches(0)
        vendor.list_batches(0)

    assert ["Bearer token-one", "Bearer token-two"] == [seen.headers["authorization"] for seen in server.seen]
    assert ["api-key" in seen.headers for seen in server.seen] == [False, False]


def test_nothing_comes_from_the_sdks_environment(
    server: HttpVendor, azure_connection: AzureConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables meant for other programs don't change where requests go and whose they are."""
    for name in ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN", "OPENAI_API_KEY", "OPENAI_ORG_ID"):
        monkeypatch.setenv(name, "from-outside")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OPENAI_API_VERSION", "from-outside")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Extra: from-outside\napi-key: from-outside")

    with contextlib.closing(AzureVendor(azure_connection)) as vendor:
        create(vendor)

    (seen,) = server.seen
    assert "from-outside" not in f"{seen.path} {seen.headers}"
    assert "az-test" == seen.headers["api-key"]


def test_a_key_stays_behind_when_a_look_is_sent_elsewhere(
    azure_adapter: AzureVendor, server: HttpVendor, azure_connection: AzureConnection
) -> None:
    """A look follows a redirect to another host, but the key does not."""
    elsewhere = azure_connection.base_url.replace("127.0.0.1", "localhost")
    server.script(Scripted(307, b"", {"Location": f"{elsewhere}/openai/v1/batches?limit=100"}))

    azure_adapter.list_batches(0)

    assert [True, False] == ["api-key" in seen.headers for seen in server.seen]


def test_a_create_is_not_sent_elsewhere(azure_adapter: AzureVendor, server: HttpVendor) -> None:
    """What is paid for is sent once, and to nobody else."""
    server.script(Scripted(307, b"", {"Location": "/openai/v1/batches"}))

    with pytest.raises(VendorUnclearError):
        create(azure_adapter)

    assert 1 == len(server.posts("/batches"))


@pytest.mark.parametrize("on_the_way", [[], ["pending"], ["pending", "running", "Running"], ["uploaded", "pending"]])
def test_an_upload_waits_until_its_file_is_processed(
    azure_adapter: AzureVendor, server: HttpVendor, request_file: Path, on_the_way: list[str]
) -> None:
    """However many looks it takes; a file that is processed at once is not looked at again."""
    server.script(*map(file_reply, [*on_the_way, "processed"]))

    assert "file-9" == azure_adapter.upload(request_file, "u.jsonl")
    assert len(on_the_way) == looks(server)


@pytest.mark.parametrize("trouble", [Scripted(500, error_body()), Scripted(drop=True), Scripted(429, error_body())])
def test_a_look_at_a_file_that_fails_tells_nothing(
    azure_adapter: AzureVendor, server: HttpVendor, request_file: Path, trouble: Scripted
) -> None:
    """The file is looked at again; it is not uploaded a second time."""
    server.script(file_reply("pending"), trouble, file_reply("processed"))

    assert "file-9" == azure_adapter.upload(request_file, "u.jsonl")
    assert 1 == len(server.posts("/files"))


def test_a_file_that_cannot_be_processed_is_refused_and_deleted(
    azure_adapter: AzureVendor, server: HttpVendor, request_file: Path
) -> None:
    """No batch could be made of it, and it would only take up room."""
    server.script(file_reply("pending"), file_reply("error"))

    with pytest.raises(VendorRefusedError) as caught:
        azure_adapter.upload(request_file, "u.jsonl")

    assert "file_error" == caught.value.code
    assert ("DELETE", "/openai/v1/files/file-9") == (server.seen[-1].method, server.seen[-1].path)


def test_a_file_that_stays_pending_is_given_up_and_deleted(
    server: HttpVendor, azure_connection: AzureConnection, request_file: Path
) -> None:
    """The upload ends within its time, as a passing trouble, and leaves no file behind."""
    server.script(*[file_reply("pending")] * 3)

    with (
        contextlib.closing(AzureVendor(replace(azure_connection, file_timeout=0.9))) as vendor,
        pytest.raises(VendorBusyError) as caught,
    ):
        vendor.upload(request_file, "u.jsonl")

    assert "file_pending" == caught.value.code
    assert ("DELETE", "/openai/v1/files/file-9") == (server.seen[-1].method, server.seen[-1].path)


def test_an_upload_asks_for_thirty_days(azure_adapter: AzureVendor, server: HttpVendor, request_file: Path) -> None:
    """A resource holds few files that live for ever; the life is asked for in both spellings that versions know."""
    file_id = azure_adapter.upload(request_file, "u.jsonl")

    sent = server.posts("/files")[0].body
    assert REQUEST == server.fake.files[file_id]
    for name in ("expires_after.seconds", "expires_after[seconds]"):
        assert f'name="{name}"\r\n\r\n2592000\r\n'.encode() in sent


def test_a_full_resource_says_what_to_do(azure_adapter: AzureVendor, server: HttpVendor, request_file: Path) -> None:
    """Azure's own code for it; its errors have no type."""
    body = b'{"error": {"code": "quotaExceeded", "message": "SECRET ROW TEXT"}}'
    server.script(Scripted(400, body, {"apim-request-id": "apim-7"}))

    with pytest.raises(VendorRefusedError) as caught:
        azure_adapter.upload(request_file, "u.jsonl")

    assert "quotaExceeded" == caught.value.code
    assert "delete old files" in caught.value.next_command
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (401, "401", VendorAuthError),
        (401, "PermissionDenied", VendorAuthError),
        (403, "AccessDenied", VendorAuthError),
        (404, "404", VendorRefusedError),
        (400, "unexpectedEntityState", VendorRefusedError),
        (400, "token_limit_exceeded", VendorBusyError),
        (429, "429", VendorBusyError),
    ],
)
def test_a_refused_create_is_told_from_azures_body(
    azure_adapter: AzureVendor, server: HttpVendor, status: int, code: str, error: type[Exception]
) -> None:
    """A code and a message, no type: still a clear word that nothing was made."""
    server.script(Scripted(status, json.dumps({"error": {"code": code, "message": "SECRET ROW TEXT"}}).encode()))

    with pytest.raises(error) as caught:
        create(azure_adapter)

    assert error is type(caught.value)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "az-a b", "az-é"])
def test_a_key_that_cannot_be_sent_is_refused_unseen(azure_connection: AzureConnection, key: str) -> None:
    """No part of such a key gets into the error or what is chained to it."""
    with (
        contextlib.closing(AzureVendor(replace(azure_connection, api_key=key))) as vendor,
        pytest.raises(VendorAuthError) as caught,
    ):
        vendor.retrieve_batch("batch_1")

    assert "az-" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_endpoint_that_is_no_url_is_an_error_of_the_config(azure_connection: AzureConnection) -> None:
    """It is found before anything is sent."""
    with pytest.raises(ConfigError) as caught:
        AzureVendor(replace(azure_connection, base_url="my-resource"))

    assert "endpoint" in caught.value.next_command


def test_a_batch_in_azures_own_words_is_read(azure_adapter: AzureVendor, server: HttpVendor) -> None:
    """Times as text, capitalised statuses, null counts, empty ids, an error that is no list."""
    shown = {
        "id": "batch_fe3f047a-de39-4068-9008-346795bfc1db",
        "status": "InProgress",
        "created_at": "2024-07-19T17:13:57.2491382+00:00",
        "output_file_id": "",
        "request_counts": {"total": None, "completed": None, "failed": None},
        "errors": {"object": "list", "data": {"code": "url_mismatch", "line": "3"}},
    }
    server.script(Scripted(200, json.dumps(shown).encode()))

    batch = azure_adapter.retrieve_batch("batch_1")

    assert ("in_progress", 1_721_409_237) == (batch.status, batch.created_at)
    assert (None, None, None) == (batch.output_file_id, batch.total, batch.completed)
    assert [("url_mismatch", 3)] == [(fault.code, fault.line) for fault in batch.faults]


def test_a_file_of_no_bytes_is_downloaded(azure_adapter: AzureVendor, server: HttpVendor) -> None:
    """Every good batch has an error file like that."""
    server.script(Scripted(200, b""))

    assert b"" == downloaded(azure_adapter, "file-1")
