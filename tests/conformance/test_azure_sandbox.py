"""The sandbox as a resource of Azure, before the SDK's own AzureOpenAI: what such a resource takes, and what not."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from batchd.sandbox_process import Flavour, SandboxStartError, start_or_join
from tests.conformance.azure_vendor import (
    DATED,
    DEPLOYMENT,
    MODEL,
    OLD,
    AzureSandbox,
    emptied,
    start_azure,
    wait_until_processed,
)
from tests.conformance.sandbox_calls import CHAT, chat_line, responses_line

DAY = 86_400


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureSandbox]:
    """A resource with one deployment."""
    with start_azure(tmp_path_factory.mktemp("azure")) as handle:
        yield AzureSandbox(handle.url)


@pytest.fixture
def azure(running: AzureSandbox) -> AzureSandbox:
    """The same one for all tests, emptied."""
    return emptied(running)


def line(custom_id: str = "a", text: str = "Jane", **body: Any) -> dict[str, Any]:
    """One chat line for the deployment."""
    return chat_line(custom_id, text, **{"model": DEPLOYMENT, **body})


def codes(azure: AzureSandbox, lines: list[Any]) -> list[tuple[str | None, int | None]]:
    """Code and line of what is wrong with a file."""
    batch = azure.run(lines)
    found = batch.errors.data if batch.errors else None
    assert "failed" == batch.status
    return [(one.code, one.line) for one in found or []]


@pytest.mark.parametrize("version", [DATED, OLD, "2025-04-01-preview"])
def test_each_dated_version_is_served_below_openai(azure: AzureSandbox, version: str) -> None:
    """The SDK's client for Azure reaches files and batches by it."""
    client = azure.by(version=version, api_key="sandbox-key")

    assert [] == list(client.batches.list())
    assert [] == client.files.list().data


def test_the_v1_api_needs_no_version(azure: AzureSandbox) -> None:
    """Below /openai/v1; a dated version has no place there."""
    headers = {"api-key": "sandbox-key"}

    assert 200 == httpx2.get(f"{azure.url}/openai/v1/batches", headers=headers).status_code
    dated = httpx2.get(f"{azure.url}/openai/v1/batches?api-version={DATED}", headers=headers)
    assert 400 == dated.status_code


@pytest.mark.parametrize("path", ["/v1/batches", "/openai/batches", "/openai/batches?api-version=2023-05-15"])
def test_a_path_or_version_that_is_not_served_is_404(azure: AzureSandbox, path: str) -> None:
    """The plain API's path, no version, one from before there were batches: Azure's error, without a type."""
    reply = httpx2.get(f"{azure.url}{path}", headers={"api-key": "sandbox-key"})

    assert 404 == reply.status_code
    assert {"error": {"code": "404", "message": "Resource not found"}} == reply.json()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"api-key": "wrong"},
        {"authorization": "Bearer sandbox-key"},
        {"authorization": "Bearer wrong"},
        {"api-key": "wrong", "authorization": "Bearer sandbox-token"},
    ],
)
def test_a_call_without_good_credentials_is_401(azure: AzureSandbox, headers: dict[str, str]) -> None:
    """A key is no token: it goes into its own header."""
    reply = httpx2.get(f"{azure.url}/openai/v1/batches", headers=headers)

    assert 401 == reply.status_code
    assert ["code", "message"] == sorted(reply.json()["error"])


def test_a_token_of_entra_id_is_taken(azure: AzureSandbox) -> None:
    """As a bearer, with the SDK's own client."""
    assert [] == list(azure.by(token="sandbox-token").batches.list())


def test_an_upload_is_pending_then_running_then_processed(azure: AzureSandbox) -> None:
    """The file says so each time it is looked at."""
    azure.pace(file_processing=0.4)

    assert ["pending", "running", "processed"] == wait_until_processed(azure, azure.upload([line()]))


def test_no_batch_is_made_of_a_file_that_is_not_processed(azure: AzureSandbox) -> None:
    """Refused, without a trace, as long as it takes."""
    azure.pace(file_processing=3_600)

    with pytest.raises(openai.BadRequestError, match="'pending' state") as caught:
        azure.create([line()])

    assert "unexpectedEntityState" == caught.value.code
    assert [] == list(azure.client.batches.list())


def test_no_batch_is_made_of_a_file_that_is_gone(azure: AzureSandbox) -> None:
    """Where the plain API makes a batch that fails."""
    file_id = azure.upload([line()])
    azure.client.files.delete(file_id)

    with pytest.raises(openai.NotFoundError):
        azure.client.batches.create(input_file_id=file_id, endpoint=CHAT, completion_window="24h")


def test_a_good_batch_has_an_error_file_of_no_bytes(azure: AzureSandbox) -> None:
    """Its id is there, its content is empty."""
    batch = azure.run([line()])

    assert batch.error_file_id
    assert 0 == azure.client.files.retrieve(batch.error_file_id).bytes
    assert b"" == azure.client.files.content(batch.error_file_id).read()


def test_lines_have_no_id_and_name_the_model_behind_the_deployment(azure: AzureSandbox) -> None:
    """In another order than the plain API's, with what the content filter found."""
    batch = azure.run([line("good"), line("bad", max_completion_tokens=-1)])
    (good,), (bad,) = azure.lines(batch.output_file_id), azure.lines(batch.error_file_id)

    assert ["custom_id", "response", "error"] == list(good) == list(bad)
    assert good["response"]["body"]["model"].startswith(MODEL)
    assert good["response"]["body"]["choices"][0]["content_filter_results"]["hate"]["filtered"] is False
    assert ("bad", 400) == (bad["custom_id"], bad["response"]["status_code"])


def test_a_batch_of_responses_goes_by_its_file(azure: AzureSandbox) -> None:
    """The create call may name another endpoint, in either spelling."""
    lines = [{**responses_line("a", "Jane", model=DEPLOYMENT), "url": "/responses"}]
    batch = azure.run(lines, "/chat/completions")

    assert "completed" == batch.status
    assert "response" == azure.lines(batch.output_file_id)[0]["response"]["body"]["object"]


def test_counts_are_null_until_the_end(azure: AzureSandbox) -> None:
    """Each of the three; then they are numbers. Model and usage are not shown at all."""
    batch_id = azure.create([line()]).id
    created = azure.client.batches.with_raw_response.create(
        input_file_id=azure.upload([line()]), endpoint=CHAT, completion_window="24h", metadata={"run": "7"}
    )
    shown = json.loads(created.content)
    ended = azure.wait(batch_id)

    assert {"total": None, "completed": None, "failed": None} == shown["request_counts"]
    assert {"model", "usage"}.isdisjoint(shown)
    assert {"run": "7"} == shown["metadata"]
    assert ended.request_counts is not None
    assert (1, 1, 0) == (ended.request_counts.total, ended.request_counts.completed, ended.request_counts.failed)


def test_the_oldest_version_writes_times_as_text(azure: AzureSandbox) -> None:
    """And statuses with capitals."""
    file_id = azure.upload([line()])
    body = {"input_file_id": file_id, "endpoint": CHAT, "completion_window": "24h"}
    reply = httpx2.post(
        f"{azure.url}/openai/batches?api-version={OLD}", json=body, headers={"api-key": "sandbox-key"}
    ).json()

    assert "Validating" == reply["status"]
    assert reply["created_at"].endswith("+00:00")


def test_a_batch_is_not_expired_after_a_day(azure: AzureSandbox) -> None:
    """It goes on, and completes whenever it does."""
    azure.control("POST", "clock", {"freeze": True})
    azure.pace(batch_duration=3 * DAY)
    batch = azure.create([line(f"r-{n}") for n in range(10)])

    azure.advance(2 * DAY)
    late = azure.client.batches.retrieve(batch.id).status
    azure.advance(DAY)
    ended = azure.wait(batch.id)

    assert ("in_progress", "completed") == (late, ended.status)
    assert 10 == len(azure.lines(ended.output_file_id))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([b""], [("empty_file", None)]),
        ([b"no json"], [("invalid_json_line", 1)]),
        ([b"\xef\xbb\xbf" + json.dumps(line()).encode()], [("invalid_json_line", 1)]),
        ([line(), line()], [("duplicate_custom_id", 2)]),
        ([line(), {**line("b"), "url": "/v1/responses"}], [("url_mismatch", 2)]),
        ([line(), line("b", model="other")], [("model_mismatch", 2)]),
        ([line(model=MODEL)], [("model_not_found", 1)]),
        ([line(messages=None)], [("invalid_request", 1)]),
        ([{**line(), "url": "/v1/embeddings"}], [("url_mismatch", 1)]),
    ],
    ids=["empty", "no json", "byte order mark", "twice", "url", "models", "model name", "no messages", "embeddings"],
)
def test_a_bad_file_is_found_out_by_its_batch(azure: AzureSandbox, lines: list[Any], expected: list[Any]) -> None:
    """Taken at upload, refused in validation, with Azure's codes; a model's name is no deployment's."""
    assert expected == codes(azure, lines)


def test_a_failed_batch_says_when_it_completed(azure: AzureSandbox) -> None:
    """Its time is at the wrong key, and its ids are empty."""
    batch = azure.run([line(model="no-such-deployment")])

    assert batch.completed_at is not None
    assert batch.failed_at is None
    assert ("", "") == (batch.output_file_id, batch.error_file_id)


def test_another_window_makes_a_batch_that_fails(azure: AzureSandbox) -> None:
    """Where the plain API refuses the call."""
    created = azure.client.batches.create(
        input_file_id=azure.upload([line()]),
        endpoint=CHAT,
        completion_window="1h",  # type: ignore[arg-type]
    )

    assert "failed" == azure.wait(created.id).status


def test_too_many_tokens_are_refused_at_once(azure: AzureSandbox) -> None:
    """As in regions that fail fast."""
    azure.control("POST", "settings", {"token_limit": 1})

    with pytest.raises(openai.BadRequestError) as caught:
        azure.create([line()])

    assert "token_limit_exceeded" == caught.value.code


@pytest.mark.parametrize(
    ("fields", "life"),
    [
        ({}, None),
        ({"expires_after.anchor": "created_at", "expires_after.seconds": "1209600"}, 1_209_600),
        ({"expires_after[anchor]": "created_at", "expires_after[seconds]": "1209600"}, None),
    ],
)
def test_a_file_lives_for_ever_unless_told_otherwise(
    azure: AzureSandbox, fields: dict[str, str], life: int | None
) -> None:
    """By fields with dots; what is in brackets is not known."""
    file = azure.client.files.create(file=("a.jsonl", b"{}\n"), purpose="batch", extra_body=fields or None)

    assert life == (None if file.expires_at is None else file.expires_at - file.created_at)


@pytest.mark.parametrize("seconds", ["3600", "2592001"])
def test_a_life_shorter_than_two_weeks_is_refused(azure: AzureSandbox, seconds: str) -> None:
    """14 to 30 days."""
    fields = {"expires_after.anchor": "created_at", "expires_after.seconds": seconds}

    with pytest.raises(openai.BadRequestError):
        azure.client.files.create(file=("a.jsonl", b"{}\n"), purpose="batch", extra_body=fields)


def test_a_resource_holds_so_many_lasting_files(azure: AzureSandbox) -> None:
    """500 that live for ever, and still room for one that does not."""
    azure.client.files.create(file=("a.jsonl", b"{}\n"), purpose="batch")
    with closing(sqlite3.connect(azure.control("GET", "health")["state"])) as state, state:
        # An upload takes a while; the other 499 are written down.
        copied = "SELECT ?, filename, purpose, bytes, created_at, expires_at FROM file LIMIT 1"
        columns = "id, filename, purpose, bytes, created_at, expires_at"
        state.executemany(f"INSERT INTO file ({columns}) {copied}", [(f"file-{n}",) for n in range(499)])

    with pytest.raises(openai.BadRequestError) as caught:
        azure.client.files.create(file=("a.jsonl", b"{}\n"), purpose="batch")
    fields = {"expires_after.anchor": "created_at", "expires_after.seconds": "2592000"}
    expiring = azure.client.files.create(file=("a.jsonl", b"{}\n"), purpose="batch", extra_body=fields)

    assert "quotaExceeded" == caught.value.code
    assert expiring.expires_at is not None


def test_a_state_keeps_its_flavour(tmp_path: Path) -> None:
    """Neither a running server nor a state with files is taken for one of the plain API."""
    state = tmp_path / "state.db"
    with start_or_join(state, batch_duration=0, flavour=Flavour("azure")) as handle:
        AzureSandbox(handle.url).upload([line()])
        with pytest.raises(SandboxStartError, match="runs with the flavour azure"):
            start_or_join(state, batch_duration=0)

    announced = state.with_name(f"{state.name}.server.json")
    deadline = time.monotonic() + 10
    while announced.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    with pytest.raises(SandboxStartError, match="the state of a sandbox of flavour azure"):
        start_or_join(state, batch_duration=0)
