"""How the sandbox runs one line: bad bodies, faults, and the envelopes they leave."""

import json
from typing import Any

import pytest

from batchd.sandbox.answer_format import CHAT, RESPONSES
from batchd.sandbox.body_rules import body_problem
from batchd.sandbox.execution import LinePlace, LineResult, run_line
from batchd.sandbox.line_faults import KINDS, LineFaults, choose_kind

PLACE = LinePlace("batch_x", 1, 1_800_000_000.5)
SCHEMA = {
    "type": "object",
    "properties": {"note": {"type": "string"}},
    "required": ["note"],
    "additionalProperties": False,
}


def chat_body(**changes: Any) -> dict[str, Any]:
    asked = {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": SCHEMA}}
    turns = [{"role": "user", "content": "Some words about Jane Miller."}]
    return {"model": "m", "messages": turns, "response_format": asked, **changes}


def run(kind: str | None = None) -> LineResult:
    aims = [{"contains": "", "kind": kind}] if kind else []
    return run_line(CHAT, {"custom_id": "a", "body": chat_body()}, PLACE, LineFaults(kind_by_input=aims))


def choice(result: LineResult) -> dict[str, Any]:
    response: Any = result.output[0]["response"]
    chosen: dict[str, Any] = response["body"]["choices"][0]
    return chosen


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        (None, "1 output, 0 error, paid, completed"),
        ("truncated", "1 output, 0 error, paid, completed"),
        ("refused", "1 output, 0 error, paid, completed"),
        ("missing", "0 output, 0 error, paid, completed"),
        ("duplicate_same", "2 output, 0 error, paid, completed"),
        ("duplicate_different", "2 output, 0 error, paid, completed"),
        ("unknown_id", "2 output, 0 error, paid, completed"),
        ("status_0", "1 output, 0 error, free, completed"),
        ("rejected", "0 output, 1 error, free, failed"),
        ("errored_429", "0 output, 1 error, free, failed"),
        ("errored_500", "0 output, 1 error, free, failed"),
        ("expired", "0 output, 1 error, free, not run"),
    ],
)
def test_each_fault_leaves_its_lines_and_its_bill(kind: str | None, left: str) -> None:
    """Answered lines are paid and in the output file; the others are neither."""
    result = run(kind)
    bill = "paid" if result.payment else "free"
    end = "completed" if result.completed else "failed" if result.failed else "not run"

    assert f"{len(result.output)} output, {len(result.error)} error, {bill}, {end}" == left


def test_contents_go_wrong_in_their_own_ways() -> None:
    """Broken JSON, other keys, long strings, cut and withheld answers are each what their name says."""
    content = {
        kind: choice(run(kind))["message"]["content"] for kind in KINDS if run(kind).payment and kind != "missing"
    }
    with pytest.raises(json.JSONDecodeError):
        json.loads(content["invalid_json"])

    assert json.loads(content["wrong_schema"]) == {"unexpected": True}
    assert len(json.loads(content["too_long"])["note"]) == 5000
    assert "\u2028" in json.loads(content["u2028"])["note"]
    assert len(content["big_line"]) > 1_000_000
    assert (content["refused"], choice(run("refused"))["message"]["refusal"] is not None) == (None, True)
    assert choice(run("truncated"))["finish_reason"] == "length"
    assert choice(run("content_filter"))["finish_reason"] == "content_filter"


def test_two_lines_that_disagree_are_both_valid() -> None:
    """A conflict has two answers to one id, each within the schema."""
    first, second = (
        json.loads(line["response"]["body"]["choices"][0]["message"]["content"])  # type: ignore[index]
        for line in run("duplicate_different").output
    )

    assert set(first) == set(second) == {"note"}
    assert first != second


def test_a_withheld_response_is_incomplete() -> None:
    """In the Responses API a content filter is an incomplete reply, a refusal is a part of the message."""
    body = {"model": "m", "input": "some text"}

    def answer(kind: str) -> Any:
        aims = LineFaults(kind_by_input=[{"contains": "", "kind": kind}])
        return run_line(RESPONSES, {"custom_id": "a", "body": body}, PLACE, aims).output[0]["response"]

    assert answer("content_filter")["body"]["incomplete_details"] == {"reason": "content_filter"}
    assert answer("refused")["body"]["output"][1]["content"][0]["type"] == "refusal"


def test_a_rate_meets_about_its_share_and_always_the_same() -> None:
    """Which lines go wrong follows from the seed and the custom_id."""
    faults = LineFaults(rate=0.05, seed=1, kinds=["missing", "refused"])
    chosen = [choose_kind(faults, f"r-{n}", "") for n in range(2000)]

    assert 60 < sum(kind is not None for kind in chosen) < 140
    assert set(chosen) == {None, "missing", "refused"}
    assert chosen == [choose_kind(faults, f"r-{n}", "") for n in range(2000)]
    assert chosen != [choose_kind(LineFaults(0.05, 2, ["missing"]), f"r-{n}", "") for n in range(2000)]


@pytest.mark.parametrize(
    ("endpoint", "changes", "param", "code"),
    [
        (CHAT, {"messages": []}, "messages", "empty_array"),
        (CHAT, {"messages": "hi"}, "messages", "invalid_type"),
        (CHAT, {"messages": [{"role": "boss", "content": "x"}]}, "messages[0].role", "invalid_value"),
        (CHAT, {"max_completion_tokens": 0}, "max_completion_tokens", "integer_below_min_value"),
        (CHAT, {"max_tokens": "many"}, "max_tokens", "invalid_type"),
        (CHAT, {"temperature": 3}, "temperature", "decimal_above_max_value"),
        (CHAT, {"stream": True}, "stream", "unsupported_value"),
        (CHAT, {"response_format": {"type": "xml"}}, "response_format", "invalid_value"),
        (
            CHAT,
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a b", "schema": {}}}},
            "response_format.json_schema.name",
            "invalid_value",
        ),
        (RESPONSES, {}, "input", "missing_required_parameter"),
        (RESPONSES, {"input": "x", "max_output_tokens": 0}, "max_output_tokens", "integer_below_min_value"),
        (RESPONSES, {"input": "x", "text": {"format": {"type": "json_schema", "name": "n", "strict": True,
            "schema": {"type": "object"}}}}, "text.format", "invalid_json_schema"),
        ("/v1/completions", {"prompt": "x"}, "url", "unsupported_endpoint"),
    ],
)  # fmt: skip
def test_a_bad_body_is_a_400_with_its_parameter(endpoint: str, changes: dict[str, Any], param: str, code: str) -> None:
    """Each broken rule names the parameter and has its code."""
    problem = body_problem(endpoint, chat_body(**changes))

    assert problem is not None
    assert (problem.status, problem.param, problem.code) == (400, param, code)


def test_a_schema_that_nobody_can_use_is_a_400_too() -> None:
    """A schema that is not strict is not checked; if no answer can be made of it, only its line fails."""
    schema = {"type": "array", "items": {"type": "string"}, "minItems": "many"}
    body = chat_body(response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema}})
    result = run_line(CHAT, {"custom_id": "a", "body": body}, PLACE, LineFaults())

    assert result.failed
