"""Result lines: what each shape of a vendor's line means for its request."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.core.fields import FieldSpec
from batchd.core.outcomes import Outcome
from batchd.core.result_lines import LineReader, ResultLine, read_line
from batchd.core.schema import answer_from_fields
from batchd.core.verdicts import Usage, Verdict
from tests.unit.examples import a_task, chat, response, said

ANSWER = '{"level": "senior"}'
LEVEL = answer_from_fields({"level": FieldSpec(type="string", enum=("junior", "senior"), column="Level")})
CHAT = LineReader(a_task(answer=LEVEL))
RESPONSES = LineReader(a_task(answer=LEVEL, endpoint="/v1/responses"))


def envelope(response: Any = None, error: Any = None) -> bytes:
    return orjson.dumps({"custom_id": "c-1", "response": response, "error": error})


def verdict(reader: LineReader, raw: bytes) -> Verdict:
    line = read_line(raw)
    assert line is not None
    return reader.verdict(line)


def of_body(reader: LineReader, body: Any, status: Any = 200, error: Any = None) -> Verdict:
    return verdict(reader, envelope({"status_code": status, "request_id": "r", "body": body}, error))


def test_a_chat_answer_is_fit_to_be_written() -> None:
    """Values, tokens, finish reason and model are read from the body."""
    usage = {
        "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 64}, "completion_tokens_details": {"reasoning_tokens": 8},
    }  # fmt: skip

    found = of_body(CHAT, {**chat(ANSWER), "usage": usage})

    expected_usage = Usage(input=100, cached=64, output=20, reasoning=8)
    assert found == Verdict(Outcome.APPLIED, {"Level": "senior"}, expected_usage, "stop", model="gpt-6-luna")


def test_a_responses_answer_is_fit_to_be_written() -> None:
    """Reasoning comes first, and the text may come in several parts."""
    usage = {
        "input_tokens": 100, "output_tokens": 20, "input_tokens_details": {"cached_tokens": 64},
        "output_tokens_details": {"reasoning_tokens": 8},
    }  # fmt: skip

    found = of_body(RESPONSES, response(said('{"level":'), said('"senior"}'), usage=usage, model="m-1"))

    expected_usage = Usage(input=100, cached=64, output=20, reasoning=8)
    assert found == Verdict(Outcome.APPLIED, {"Level": "senior"}, expected_usage, "completed", model="m-1")


@pytest.mark.parametrize(
    "body",
    [
        chat(ANSWER, finish=None),
        chat(ANSWER, finish="eos"),
        chat(ANSWER, refusal=""),
        chat([{"type": "text", "text": ANSWER}]),
        {**chat(ANSWER), "error": None, "usage": None, "prompt_filter_results": []},
        json.dumps(chat(ANSWER)),
    ],
)
def test_small_differences_between_vendors_lose_no_answer(body: Any) -> None:
    """An answer that fits the schema is an answer, however it is wrapped."""
    found = of_body(CHAT, body)

    assert (found.outcome, found.values) == (Outcome.APPLIED, {"Level": "senior"})


@pytest.mark.parametrize("status", [200, "200", 201])
def test_success_is_any_status_that_says_so(status: Any) -> None:
    """A status may be text."""
    assert of_body(CHAT, chat(ANSWER), status).outcome is Outcome.APPLIED


@pytest.mark.parametrize(
    ("status", "code", "outcome", "found_code"),
    [
        (400, "integer_below_min_value", Outcome.REJECTED, "integer_below_min_value"),
        (400, None, Outcome.REJECTED, "http_400"),
        (404, 404, Outcome.REJECTED, "http_404"),
        (400, "the value 'Anna' is wrong", Outcome.REJECTED, "http_400"),
        ("422", "x", Outcome.REJECTED, "x"),
        (400, "content_filter", Outcome.REFUSED, "content_filter"),
        (400, "rate_limit_exceeded", Outcome.ERRORED, "rate_limit_exceeded"),
        (400, "billing_hard_limit_reached", Outcome.ERRORED, "billing_hard_limit_reached"),
        (429, "insufficient_quota", Outcome.ERRORED, "insufficient_quota"),
        (408, None, Outcome.ERRORED, "http_408"),
        (409, None, Outcome.ERRORED, "http_409"),
        (429, None, Outcome.ERRORED, "http_429"),
        (500, "server_error", Outcome.ERRORED, "server_error"),
        (503, None, Outcome.ERRORED, "http_503"),
        (302, None, Outcome.ERRORED, "http_302"),
        (0, None, Outcome.ERRORED, "http_0"),
        (None, None, Outcome.ERRORED, "no_status"),
        ("soon", None, Outcome.ERRORED, "no_status"),
        (True, None, Outcome.ERRORED, "no_status"),
    ],
)
def test_an_http_error_is_for_good_or_passes(status: Any, code: Any, outcome: Outcome, found_code: str) -> None:
    """4xx is the request's fault, save those that pass; a code that is no word is not repeated."""
    found = of_body(CHAT, {"error": {"code": code, "message": "secret"}}, status)

    assert (found.outcome, found.code) == (outcome, found_code)
    assert "secret" not in found.sentence
    assert "Anna" not in found.sentence


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        ({"code": "batch_expired", "message": "m"}, Outcome.EXPIRED, "batch_expired"),
        ({"code": "batch_cancelled", "message": "m"}, Outcome.CANCELLED, "batch_cancelled"),
        ({"code": "never_heard_of", "message": "m"}, Outcome.ERRORED, "never_heard_of"),
        ({}, Outcome.INVALID, "no_response"),
        ("boom", Outcome.ERRORED, "no_status"),
        (None, Outcome.INVALID, "no_response"),
    ],
)
def test_a_line_without_a_response_never_ran(error: Any, outcome: Outcome, code: str) -> None:
    """Its own error says why; without one it may be tried again."""
    found = verdict(CHAT, envelope(None, error))

    assert (found.outcome, found.code) == (outcome, code)


@pytest.mark.parametrize("given", [{"request_id": "r", "body": chat(ANSWER)}, chat(ANSWER)])
def test_an_answer_without_a_status_is_read(given: Any) -> None:
    """It was paid for: sending its row again would pay twice."""
    found = verdict(CHAT, envelope(given))

    assert (found.outcome, found.values) == (Outcome.APPLIED, {"Level": "senior"})


def test_an_answer_beside_an_error_is_still_an_answer() -> None:
    """What was paid for is read, whatever else the line says."""
    assert of_body(CHAT, chat(ANSWER), error={"code": "odd"}).outcome is Outcome.APPLIED


def test_an_error_beside_an_empty_success_is_an_error() -> None:
    """Some servers leave the body out and set the error."""
    assert of_body(CHAT, None, error={"code": "odd"}).outcome is Outcome.ERRORED


@pytest.mark.parametrize("body", [None, "no JSON", 7])
def test_a_success_without_a_body_is_an_empty_answer(body: Any) -> None:
    """It may have been billed, so it counts as paid."""
    found = of_body(CHAT, body)

    assert (found.outcome, found.code) == (Outcome.INVALID, "empty")


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, Usage()),
        ([], Usage()),
        ({"prompt_tokens": "many", "completion_tokens": -5}, Usage()),
        ({"prompt_tokens": None, "input_tokens": 7, "output_tokens": True}, Usage(input=7)),
        ({"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 9}}, Usage(input=7, cached=7)),
        ({"prompt_tokens": 2**70, "completion_tokens": 3.5}, Usage()),
    ],
)
def test_odd_usage_counts_as_nothing(usage: Any, expected: Usage) -> None:
    """Junk tokens must not become a price."""
    line = ResultLine("c-1", 200, {**chat(ANSWER), "usage": usage})

    assert CHAT.verdict(line).usage == expected


def test_a_paid_answer_that_is_useless_keeps_its_tokens() -> None:
    """What it cost is counted all the same."""
    found = of_body(CHAT, {**chat("nope"), "usage": {"prompt_tokens": 7, "completion_tokens": 2}})

    assert (found.outcome, found.usage) == (Outcome.INVALID, Usage(input=7, output=2))


def test_the_vendors_words_are_kept_only_where_they_are_words() -> None:
    """A finish reason or a model name that could be row content is dropped."""
    found = of_body(CHAT, {**chat(ANSWER, finish="stop: Anna Berg"), "model": "Anna Berg"})

    assert (found.finish_reason, found.model) == ("", "")


def test_plain_text_is_the_answer() -> None:
    """Without a schema any text is taken."""
    found = of_body(LineReader(a_task()), chat("Ten years of SQL."))

    assert found.values == {"Summary": "Ten years of SQL."}


@pytest.mark.parametrize("raw", [b"", b"\n", b" \r\n", b"\t"])
def test_blank_lines_are_no_lines(raw: bytes) -> None:
    """A blank last line is not a lost result."""
    assert read_line(raw) is None


@pytest.mark.parametrize(
    "raw",
    [b"nonsense", b'{"custom_id": "c-1"', b"[]", b"null", b"{}", b'{"custom_id": null}', b'{"custom_id": 7}',
     b'{"custom_id": ""}', b'{"custom_id": "c-\xff"}', b"[" * 100_000],
)  # fmt: skip
def test_a_line_that_names_no_request_is_a_stranger(raw: bytes) -> None:
    """It is kept by the caller; it stops nothing."""
    line = read_line(raw)

    assert line is not None
    assert line.custom_id is None


@pytest.mark.parametrize("oddity", [b"NaN", b"1e999", b"1" * 30, b'"\\ud83d"'])
def test_an_odd_value_elsewhere_does_not_lose_the_line(oddity: bytes) -> None:
    """Servers write what strict parsers refuse; the answer beside it was paid for."""
    raw = envelope({"status_code": 200, "body": chat(ANSWER)})

    found = read_line(b'{"odd":' + oddity + b"," + raw[1:])

    assert found is not None
    assert found.custom_id == "c-1"
    assert CHAT.verdict(found).values == {"Level": "senior"}


def test_half_a_character_in_an_answer_is_invalid_not_lost() -> None:
    """The line is still its request's, so the row is tried again under its own limits."""
    raw = json.dumps({"custom_id": "c-1", "response": {"status_code": 200, "body": chat("\ud83d")}}).encode()

    found = verdict(CHAT, raw)

    assert (found.outcome, found.code) == (Outcome.INVALID, "not_unicode")


def test_a_line_may_start_with_a_bom_and_lack_an_id() -> None:
    """Key order, missing keys and a byte order mark make no difference."""
    raw = "\ufeff".encode() + orjson.dumps({"response": {"body": chat(ANSWER), "status_code": 200}, "custom_id": "c"})

    line = read_line(raw)

    assert line is not None
    assert line.custom_id == "c"
    assert CHAT.verdict(line).outcome is Outcome.APPLIED


KEYS = st.sampled_from(
    ["custom_id", "response", "error", "status_code", "body", "choices", "message", "content", "refusal",
     "finish_reason", "code", "usage", "prompt_tokens", "prompt_tokens_details", "cached_tokens", "model",
     "status", "output", "type", "text", "incomplete_details", "reason"]
)  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["message", "output_text", "stop", "length", "failed", "incomplete", ANSWER, 200, 400])
)  # fmt: skip
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)


@given(JUNK, JUNK, JUNK)
def test_any_json_is_judged_without_an_error(whole: Any, body: Any, error: Any) -> None:
    """Whatever a vendor sends, every line gets exactly one outcome."""
    odd = {"custom_id": "c", "response": {"status_code": 200, "body": body}, "error": error}

    lines = [read_line(json.dumps(document).encode()) for document in (whole, odd)]
    outcomes = [reader.verdict(line).outcome for reader in (CHAT, RESPONSES) for line in lines if line]

    assert len(outcomes) == 4


@given(st.binary())
def test_any_bytes_are_read_without_an_error(raw: bytes) -> None:
    """A damaged file is read to its end."""
    line = read_line(raw)

    assert line is None or line.custom_id is None or isinstance(line.custom_id, str)
