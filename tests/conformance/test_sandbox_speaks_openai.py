"""The sandbox against the real SDK over HTTP: what a client of OpenAI's Batch API may rely on."""

import json

import httpx2
import jsonschema_rs
import openai
import pytest
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from tests.conformance.sandbox_calls import CHAT, RESPONSES, SCHEMA, Sandbox, chat_line, responses_line

BATCH_KEYS = {
    "id", "object", "endpoint", "model", "errors", "input_file_id", "completion_window", "status",
    "output_file_id", "error_file_id", "created_at", "in_progress_at", "expires_at", "finalizing_at",
    "completed_at", "failed_at", "expired_at", "cancelling_at", "cancelled_at", "request_counts", "usage",
    "metadata",
}  # fmt: skip


def test_a_chat_batch_answers_every_line_to_its_schema(sandbox: Sandbox) -> None:
    """Output lines parse as the SDK's ChatCompletion, and their contents keep to the schema."""
    batch = sandbox.run([chat_line(f"r-{n}", f"Jane Miller {n}\nSenior engineer") for n in range(3)])

    lines = sandbox.lines(batch.output_file_id)
    answers = [ChatCompletion.model_validate(line["response"]["body"]) for line in lines]

    assert {"r-0", "r-1", "r-2"} == {line["custom_id"] for line in lines}
    assert [answer.choices[0].finish_reason for answer in answers] == ["stop"] * 3
    assert all(
        jsonschema_rs.is_valid(SCHEMA, json.loads(answer.choices[0].message.content or "")) for answer in answers
    )
    assert batch.usage is not None
    assert sum(answer.usage.total_tokens for answer in answers if answer.usage) == batch.usage.total_tokens


def test_a_responses_batch_puts_the_message_behind_a_reasoning_item(sandbox: Sandbox) -> None:
    """Response bodies parse as the SDK's type, with a reasoning item before the message."""
    batch = sandbox.run([responses_line("r-0")], RESPONSES)

    answer = Response.model_validate(sandbox.lines(batch.output_file_id)[0]["response"]["body"])

    assert [item.type for item in answer.output] == ["reasoning", "message"]
    assert answer.status == "completed"
    assert jsonschema_rs.is_valid(SCHEMA, json.loads(answer.output_text))


def test_a_new_batch_is_validating_and_has_every_key(sandbox: Sandbox) -> None:
    """A create call gets 200 with all keys, counts of zero, no model, and the window's end a day ahead."""
    raw = sandbox.client.batches.with_raw_response.create(
        input_file_id=sandbox.upload([chat_line("r-0")]),
        endpoint=CHAT,
        completion_window="24h",
        metadata={"run": "7"},
    )
    shown = json.loads(raw.content)

    assert raw.status_code == 200
    assert set(shown) == BATCH_KEYS
    assert shown["status"] == "validating"
    assert shown["request_counts"] == {"total": 0, "completed": 0, "failed": 0}
    assert shown["model"] is None
    assert shown["expires_at"] == shown["created_at"] + 86_400
    assert shown["metadata"] == {"run": "7"}


def test_replies_carry_the_documented_headers(sandbox: Sandbox) -> None:
    """Request id, rate limits and processing time are on every reply; contents are octet streams."""
    batch = sandbox.run([chat_line("r-0")])
    listed = sandbox.client.batches.with_raw_response.list()
    content = sandbox.client.files.with_raw_response.content(batch.output_file_id or "")

    assert listed.headers["x-request-id"].startswith("req_")
    assert int(listed.headers["openai-processing-ms"]) >= 0
    assert "x-ratelimit-remaining-tokens" in listed.headers
    assert listed.headers["content-type"] == "application/json"
    assert content.headers["content-type"] == "application/octet-stream"


def test_wrong_key_is_401(sandbox: Sandbox) -> None:
    """Another key is refused with code invalid_api_key."""
    with pytest.raises(openai.AuthenticationError) as caught:
        sandbox.client.with_options(api_key="other").batches.list()

    assert caught.value.code == "invalid_api_key"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.txt", b'{"a": 1}\n'),
        ("in.jsonl", b""),
        ("in.jsonl", b"no json\n{}\n"),
        ("in.jsonl", b"\xef\xbb\xbf{}\n"),
    ],
    ids=["other name", "empty", "bad first line", "byte order mark"],
)
def test_a_file_that_is_no_jsonl_is_refused_at_upload(sandbox: Sandbox, name: str, content: bytes) -> None:
    """Names without .jsonl, empty files and a bad first line are a 400 that names the format."""
    with pytest.raises(openai.BadRequestError, match="Invalid file format for Batch API") as caught:
        sandbox.client.files.create(file=(name, content), purpose="batch")

    assert caught.value.type == "invalid_request_error"
    assert caught.value.code is None


@pytest.mark.parametrize("style", ["expires_after[{}]", "expires_after.{}"])
def test_an_upload_takes_both_spellings_and_any_order(sandbox: Sandbox, style: str) -> None:
    """The file may be the first part, and the expiry may be written with brackets or with dots."""
    fields: list[tuple[str, tuple[str | None, bytes | str]]] = [
        ("file", ("in.jsonl", b"{}\n")),
        (style.format("seconds"), (None, "3600")),
        ("purpose", (None, "batch")),
        (style.format("anchor"), (None, "created_at")),
    ]
    key = {"authorization": "Bearer sandbox-key"}
    shown = httpx2.post(f"{sandbox.url}/files", files=fields, headers=key).json()

    assert shown["expires_at"] == shown["created_at"] + 3600
    assert shown["bytes"] == 3
    assert shown["status"] == "processed"


def test_files_are_listed_shown_deleted_and_expire(sandbox: Sandbox) -> None:
    """Lists filter by purpose and page; deleted and expired files are a 404 with param id."""
    first, second = sandbox.upload([chat_line("a")]), sandbox.upload([chat_line("b")])
    listed = [file.id for file in sandbox.client.files.list(purpose="batch", limit=1)]
    deleted = sandbox.client.files.delete(first)
    with pytest.raises(openai.NotFoundError) as caught:
        sandbox.client.files.content(first)
    sandbox.advance(31 * 86_400)

    assert listed == [second, first]
    assert deleted.deleted
    assert caught.value.param == "id"
    assert list(sandbox.client.files.list()) == []


def test_every_bad_line_is_reported_with_its_number(sandbox: Sandbox) -> None:
    """Validation reports several findings at once, by code, parameter and line."""
    other_model = chat_line("e", model="gpt-6-sol")
    no_messages = chat_line("f", messages=None)
    batch = sandbox.run(
        [
            chat_line("a"),
            b"{broken",
            chat_line("a"),
            {**chat_line("d"), "url": RESPONSES},
            other_model,
            no_messages,
            chat_line("g", stream=True),
            {"method": "POST", "url": CHAT, "body": {"model": "gpt-6-luna", "messages": []}},
        ]
    )
    errors = batch.errors.data if batch.errors else None

    assert batch.status == "failed"
    assert batch.failed_at is not None
    assert batch.output_file_id is None
    assert [(error.code, error.param, error.line) for error in errors or []] == [
        ("invalid_json_line", None, 2),
        ("duplicate_custom_id", "custom_id", 3),
        ("invalid_url", "url", 4),
        ("mismatched_model", "body.model", 5),
        ("invalid_request", "body.messages", 6),
        ("streaming_unsupported", "body.stream", 7),
        ("missing_required_parameter", "custom_id", 8),
    ]


def test_an_unknown_file_makes_a_failed_batch(sandbox: Sandbox) -> None:
    """A file that does not exist is no HTTP error: the batch fails with invalid_request on file_id."""
    created = sandbox.client.batches.create(input_file_id="file-x", endpoint=CHAT, completion_window="24h")
    batch = sandbox.wait(created.id)
    error = batch.errors.data[0] if batch.errors and batch.errors.data else None

    assert created.status == "validating"
    assert error is not None
    assert (error.code, error.param, error.line) == ("invalid_request", "file_id", None)


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"endpoint": None}, "missing_required_parameter", "endpoint"),
        ({"endpoint": "/v1/nothing"}, "invalid_value", "endpoint"),
        ({"completion_window": "1h"}, "invalid_value", "completion_window"),
        ({"metadata": {"part": 3}}, "invalid_type", "metadata.part"),
    ],
)
def test_a_bad_create_call_is_400(sandbox: Sandbox, change: dict[str, object], code: str, param: str) -> None:
    """Each wrong parameter of a create call has its code and its name."""
    call = {"input_file_id": "file-x", "endpoint": CHAT, "completion_window": "24h", **change}
    with pytest.raises(openai.BadRequestError) as caught:
        sandbox.client.post("/batches", body=call, cast_to=object)

    assert (caught.value.code, caught.value.param) == (code, param)


def test_a_bad_schema_fails_each_line_not_the_batch(sandbox: Sandbox) -> None:
    """A schema against the strict rules is found when lines run: 400s in the error file, no output file."""
    line = chat_line("a")
    line["body"]["response_format"]["json_schema"] = {
        "name": "r", "strict": True, "schema": {"type": "object", "properties": {"x": {"type": "string"}}}
    }  # fmt: skip
    batch = sandbox.run([line])
    failed = sandbox.lines(batch.error_file_id)[0]

    assert (batch.status, batch.output_file_id) == ("completed", None)
    assert failed["response"]["status_code"] == 400
    assert failed["response"]["body"]["error"]["code"] == "invalid_json_schema"
    assert failed["error"] is None


def test_a_cut_answer_says_so(sandbox: Sandbox) -> None:
    """A token limit below the answer's length ends it with length, or incomplete."""
    chat = sandbox.run([chat_line("a", max_completion_tokens=3)])
    response = sandbox.run([responses_line("a", max_output_tokens=3)], RESPONSES)

    answered = sandbox.lines(chat.output_file_id)[0]["response"]["body"]
    incomplete = sandbox.lines(response.output_file_id)[0]["response"]["body"]

    assert answered["choices"][0]["finish_reason"] == "length"
    assert answered["usage"]["completion_tokens"] == 3
    assert incomplete["status"] == "incomplete"
    assert incomplete["incomplete_details"] == {"reason": "max_output_tokens"}


def test_lists_are_newest_first_and_page(sandbox: Sandbox) -> None:
    """Iterating walks all pages; a limit beyond 100 is refused."""
    made = [sandbox.create([chat_line("a")]).id for _ in range(5)]
    page = sandbox.client.batches.list(limit=2)
    with pytest.raises(openai.BadRequestError):
        sandbox.client.batches.list(limit=101)

    assert [batch.id for batch in page.data] == made[:-3:-1]
    assert page.has_more
    assert [batch.id for batch in page] == made[::-1]


def test_unknown_batches_are_404(sandbox: Sandbox) -> None:
    """Retrieving and cancelling a batch that never was is a 404 without a code."""
    for call in (sandbox.client.batches.retrieve, sandbox.client.batches.cancel):
        with pytest.raises(openai.NotFoundError, match="No batch found with id") as caught:
            call("batch_x")

        assert caught.value.code is None


def test_endpoints_that_are_not_served_fail_line_by_line(sandbox: Sandbox) -> None:
    """A documented endpoint is accepted; its lines say that the sandbox does not serve it."""
    line = {
        "custom_id": "a", "method": "POST", "url": "/v1/completions", "body": {"model": "m", "prompt": "x"}
    }  # fmt: skip
    batch = sandbox.run([line], "/v1/completions")

    assert batch.status == "completed"
    assert sandbox.lines(batch.error_file_id)[0]["response"]["status_code"] == 400
