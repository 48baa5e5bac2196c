"""Input lines: the request of one row, byte for byte JSONL."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.core.bodies import RequestBuilder, custom_id, parse_custom_id
from batchd.core.fields import FieldSpec
from batchd.core.rendering import UnrenderableError
from batchd.core.schema import answer_from_fields
from batchd.errors import ConfigError
from tests.unit.examples import a_task

UID = "0123456789abcdef" * 2
LEVEL = answer_from_fields({"level": FieldSpec(type="string", column="Level")}, name="resume")
UNICODE = st.text(alphabet=st.characters(exclude_categories=["Cs"]))


def test_a_chat_request_asks_for_the_schema() -> None:
    """Messages, params and the strict schema, under the endpoint of the batch."""
    task = a_task(system="Be brief.", params={"max_completion_tokens": 64, "seed": 1}, answer=LEVEL)

    line = RequestBuilder(task).line("c-1", {"cv": "Anna"})

    assert json.loads(line) == {
        "custom_id": "c-1",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": "m",
            "max_completion_tokens": 64,
            "seed": 1,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "resume", "strict": True, "schema": LEVEL.json_schema},
            },
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Anna"}],
        },
    }


def test_a_responses_request_flattens_the_format() -> None:
    """Instructions and input take the place of messages, text.format that of response_format."""
    task = a_task(endpoint="/v1/responses", system="Be brief.", answer=LEVEL)

    line = RequestBuilder(task).line("c-1", {"cv": "Anna"})

    assert json.loads(line) == {
        "custom_id": "c-1",
        "method": "POST",
        "url": "/v1/responses",
        "body": {
            "model": "m",
            "text": {
                "format": {
                    "type": "json_schema",
                    "name": "resume",
                    "strict": True,
                    "schema": LEVEL.json_schema,
                }
            },
            "instructions": "Be brief.",
            "input": "Anna",
        },
    }


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": "Anna"}]}),
        ("/v1/responses", {"model": "m", "input": "Anna"}),
        ("/v1/embeddings", {"model": "m", "input": "Anna"}),
        ("/v1/moderations", {"model": "m", "input": "Anna"}),
    ],
)
def test_plain_text_asks_for_no_format(endpoint: str, body: dict[str, Any]) -> None:
    """Without fields and system text, nothing but the prompt is sent."""
    line = RequestBuilder(a_task(endpoint=endpoint)).line("c-1", {"cv": "Anna"})

    assert json.loads(line)["body"] == body


def test_an_embedding_is_asked_for_as_params_say() -> None:
    """Dimensions and encoding go through; the text is one input."""
    task = a_task(endpoint="/v1/embeddings", params={"dimensions": 256, "encoding_format": "base64"})

    line = RequestBuilder(task).line("c-1", {"cv": "Anna"})

    expected = {"model": "m", "dimensions": 256, "encoding_format": "base64", "input": "Anna"}
    assert {"custom_id": "c-1", "method": "POST", "url": "/v1/embeddings", "body": expected} == json.loads(line)


@pytest.mark.parametrize("endpoint", ["/v1/embeddings", "/v1/moderations"])
def test_an_empty_input_is_not_sent(endpoint: str) -> None:
    """The vendor would refuse the request; the row is set aside before it is sent."""
    with pytest.raises(UnrenderableError, match="the prompt is empty"):
        RequestBuilder(a_task(endpoint=endpoint)).line("c-1", {"cv": None})


@given(UNICODE, st.sampled_from(["/v1/chat/completions", "/v1/responses"]))
def test_any_text_is_one_line_and_comes_back_unchanged(text: str, endpoint: str) -> None:
    """Line breaks of every kind stay inside their line, which ends in one line feed."""
    line = RequestBuilder(a_task(endpoint=endpoint, answer=LEVEL)).line("c-1", {"cv": text})

    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    body = json.loads(line)["body"]
    assert text == (body.get("input") if "input" in body else body["messages"][0]["content"])


@pytest.mark.parametrize(
    "name", ["model", "messages", "input", "instructions", "response_format", "text", "stream", "n"]
)
def test_params_cannot_replace_what_batchd_writes(name: str) -> None:
    """The schema asked for must be the schema that the answer is read by."""
    with pytest.raises(ConfigError, match=f"task t: params can't set {name}"):
        RequestBuilder(a_task(params={name: True}))


def test_params_that_are_no_json_are_a_config_error() -> None:
    """Found when the task is loaded, not when its first row is due."""
    with pytest.raises(ConfigError, match="task t: params can't be written as JSON"):
        RequestBuilder(a_task(params={"seed": 2**70}))


def test_a_row_without_a_prompt_has_no_line() -> None:
    """What can't be rendered is for the caller to set aside."""
    with pytest.raises(UnrenderableError, match="column cv holds binary data"):
        RequestBuilder(a_task()).line("c-1", {"cv": b"\x00"})


@given(st.uuids(), st.integers(min_value=0, max_value=9_999_999_999))
def test_a_custom_id_reads_back(uid: Any, seq: int) -> None:
    """A result finds its request by its id alone."""
    made = custom_id(uid.hex, seq)

    assert parse_custom_id(made) == (uid.hex, seq)
    assert len(made) <= 64


@pytest.mark.parametrize(
    "text",
    [
        "",
        UID,
        f"{UID}-",
        f"{UID}-01",
        f"{UID}--1",
        f"{UID}-1\n",
        f" {UID}-1",
        f"{UID}-1-2",
        f"{UID}-\u0661",
        f"{UID}-12345678901",
        f"{UID.upper()}-1",
        f"{UID[1:]}-1",
        f"{UID}_1",
    ],
)
def test_an_id_that_is_not_ours_is_a_stranger(text: str) -> None:
    """Only the exact form is read, so that no two ids name one request."""
    assert parse_custom_id(text) is None
