"""The sandbox's embeddings and moderations: as strict as the vendor, and always the same."""

import base64
import json
import math
import struct
from typing import Any

import pytest

from batchd.sandbox.body_rules import body_problem
from batchd.sandbox.execution import LinePlace, LineResult, run_line
from batchd.sandbox.line_faults import LineFaults
from batchd.sandbox.prompts import count_tokens
from batchd.sandbox.validation import FileRules, validate_lines

EMBEDDINGS, MODERATIONS = "/v1/embeddings", "/v1/moderations"
PLACE = LinePlace("batch_x", 1, 1_800_000_000.5)
SMALL, ADA = "text-embedding-3-small", "text-embedding-ada-002"


def run(endpoint: str, kind: str | None = None, **body: Any) -> LineResult:
    aims = [{"contains": "", "kind": kind}] if kind else []
    usual = {"model": SMALL if endpoint == EMBEDDINGS else "omni-moderation-latest"}
    return run_line(endpoint, {"custom_id": "a", "body": {**usual, **body}}, PLACE, LineFaults(kind_by_input=aims))


def reply(result: LineResult) -> Any:
    response: Any = result.output[0]["response"]
    return response["body"]


def vector(kind: str | None = None, **body: Any) -> Any:
    return reply(run(EMBEDDINGS, kind, **body))["data"][0]["embedding"]


@pytest.mark.parametrize(
    ("body", "dimensions"),
    [({}, 1536), ({"model": "text-embedding-3-large"}, 3072), ({"dimensions": 256}, 256), ({"model": ADA}, 1536)],
)
def test_a_vector_has_the_dimensions_asked_for_and_length_one(body: dict[str, Any], dimensions: int) -> None:
    """By the model, or by the parameter."""
    numbers = vector(input="a text", **body)

    assert dimensions == len(numbers)
    assert math.hypot(*numbers) == pytest.approx(1)


def test_a_vector_follows_from_its_text() -> None:
    """The same for the same text, another for another."""
    assert vector(input="a text") == vector(input="a text")
    assert vector(input="a text") != vector(input="a text.")


def test_base64_packs_the_same_vector() -> None:
    """Little-endian 32-bit floats."""
    raw = base64.b64decode(vector(input="a text", encoding_format="base64"), validate=True)

    assert vector(input="a text") == list(struct.unpack("<1536f", raw))


@pytest.mark.parametrize(
    ("given", "inputs", "tokens"),
    [("12345678", 1, 2), (["1234", "1234"], 2, 3), ([1, 2, 3], 1, 3), ([[1, 2], [3]], 2, 3)],
)
def test_each_input_has_a_vector_and_only_its_tokens_are_billed(given: Any, inputs: int, tokens: int) -> None:
    """Texts, several texts, and tokens as numbers; nothing is put out."""
    result = run(EMBEDDINGS, input=given)
    body = reply(result)

    assert list(range(inputs)) == [one["index"] for one in body["data"]]
    assert body["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    assert result.payment is not None
    assert (tokens, 0) == (result.payment.input_tokens, result.payment.output_tokens)


@pytest.mark.parametrize(
    ("endpoint", "body", "param", "code"),
    [
        (EMBEDDINGS, {"input": "x"}, "model", "missing_required_parameter"),
        (EMBEDDINGS, {"model": SMALL}, "input", "missing_required_parameter"),
        (EMBEDDINGS, {"model": SMALL, "input": ""}, "input", None),
        (EMBEDDINGS, {"model": SMALL, "input": []}, "input", "empty_array"),
        (EMBEDDINGS, {"model": SMALL, "input": ["x", ""]}, "input", None),
        (EMBEDDINGS, {"model": SMALL, "input": {"text": "x"}}, "input", "invalid_type"),
        (EMBEDDINGS, {"model": SMALL, "input": ["x", None]}, "input", "invalid_type"),
        (EMBEDDINGS, {"model": SMALL, "input": "1234" * 8_193}, "input", None),
        (EMBEDDINGS, {"model": SMALL, "input": ["x"] * 2_049}, "input", None),
        (EMBEDDINGS, {"model": SMALL, "input": ["1234" * 8_000] * 38}, "input", None),
        (EMBEDDINGS, {"model": SMALL, "input": "x", "dimensions": 0}, "dimensions", "integer_below_min_value"),
        (EMBEDDINGS, {"model": SMALL, "input": "x", "dimensions": 1537}, "dimensions", "integer_above_max_value"),
        (EMBEDDINGS, {"model": SMALL, "input": "x", "dimensions": "9"}, "dimensions", "invalid_type"),
        (EMBEDDINGS, {"model": ADA, "input": "x", "dimensions": 9}, "dimensions", None),
        (EMBEDDINGS, {"model": SMALL, "input": "x", "encoding_format": "hex"}, "encoding_format", "invalid_value"),
        (EMBEDDINGS, {"model": SMALL, "input": "x", "user": 7}, "user", "invalid_type"),
        (EMBEDDINGS, {"model": SMALL, "input": "x", "temperature": 0}, "temperature", "unknown_parameter"),
        (MODERATIONS, {}, "input", "missing_required_parameter"),
        (MODERATIONS, {"input": ""}, "input", None),
        (MODERATIONS, {"input": []}, "input", "empty_array"),
        (MODERATIONS, {"input": 7}, "input", "invalid_type"),
        (MODERATIONS, {"input": [{"type": "audio"}]}, "input", "invalid_value"),
        (MODERATIONS, {"input": "x", "model": 7}, "model", "invalid_type"),
        (MODERATIONS, {"input": "x", "dimensions": 7}, "dimensions", "unknown_parameter"),
    ],
)
def test_a_bad_body_is_a_400_with_its_parameter(
    endpoint: str, body: dict[str, Any], param: str, code: str | None
) -> None:
    """Each broken rule names the parameter; a code stands only where the vendor's is known."""
    problem = body_problem(endpoint, body)

    assert problem is not None
    assert (400, param, code) == (problem.status, problem.param, problem.code)


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        (EMBEDDINGS, {"model": SMALL, "input": "1234" * 8_192, "user": "u", "dimensions": 1536}),
        (EMBEDDINGS, {"model": SMALL, "input": ["x"] * 2_048}),
        (MODERATIONS, {"input": [{"type": "text", "text": "x"}]}),
        (MODERATIONS, {"input": "x", "model": "omni-moderation-latest"}),
    ],
)
def test_a_body_at_its_limits_is_taken(endpoint: str, body: dict[str, Any]) -> None:
    """The limits themselves are allowed."""
    assert body_problem(endpoint, body) is None


def test_a_moderation_flags_what_the_text_names() -> None:
    """Every category has a flag, a score and its kind of input; a text that names none passes."""
    (flagged,) = reply(run(MODERATIONS, input="Graphic VIOLENCE, and self-harm."))["results"]
    (passed,) = reply(run(MODERATIONS, input="A plumber."))["results"]

    assert (True, False) == (flagged["flagged"], passed["flagged"])
    assert {"violence", "self-harm"} == {name for name, flag in flagged["categories"].items() if flag}
    assert set(flagged["categories"]) == set(flagged["category_scores"]) == set(flagged["category_applied_input_types"])
    assert flagged["category_scores"]["violence"] > 0.5 > passed["category_scores"]["violence"]


def test_a_moderation_costs_no_tokens() -> None:
    """It is counted as answered, with nothing to bill for."""
    payment = run(MODERATIONS, input="A plumber.").payment

    assert payment is not None
    assert (0, 0) == (payment.input_tokens, payment.output_tokens)


def test_several_texts_are_judged_one_by_one_and_parts_together() -> None:
    """A list of texts has a result each; parts of one input have one."""
    several = reply(run(MODERATIONS, input=["hate", "love"]))["results"]
    together = reply(run(MODERATIONS, input=[{"type": "text", "text": "hate"}, {"type": "image_url"}]))["results"]

    assert [True, False] == [one["flagged"] for one in several]
    assert [True] == [one["flagged"] for one in together]


def test_faults_spoil_vectors_and_verdicts() -> None:
    """What is broken JSON elsewhere is a null here; another schema is another length, or no verdict."""
    sound = vector(input="x", dimensions=4)

    assert [3, 5] == [len(vector(kind, input="x", dimensions=4)) for kind in ("wrong_schema", "too_long")]
    assert [None, *sound[1:]] == vector("invalid_json", input="x", dimensions=4)
    assert 0 != len(vector("invalid_json", input="x", dimensions=4, encoding_format="base64")) % 4
    assert "flagged" not in reply(run(MODERATIONS, "wrong_schema", input="x"))["results"][0]


@pytest.mark.parametrize("endpoint", [EMBEDDINGS, MODERATIONS])
def test_two_lines_that_disagree_have_two_answers(endpoint: str) -> None:
    """A conflict, for these endpoints too."""
    first, second = (line["response"]["body"] for line in run(endpoint, "duplicate_different", input="x").output)  # type: ignore[index]

    assert first != second


@pytest.mark.parametrize(("inputs", "errors"), [(2_000, 0), (2_001, 1)])
def test_a_batch_takes_fifty_thousand_inputs_in_all_its_lines(inputs: int, errors: int) -> None:
    """Not lines, but inputs are counted; tokens are those of all of them."""
    body = {"model": SMALL, "input": ["x"] * inputs}
    lines = [
        json.dumps({"custom_id": str(number), "method": "POST", "url": EMBEDDINGS, "body": body}).encode()
        for number in range(25)
    ]
    report = validate_lines(lines, FileRules(EMBEDDINGS, max_lines=50_000))

    assert (25, errors) == (report.total, len(report.errors))
    assert report.prompt_tokens == 25 * count_tokens(" ".join(["x"] * inputs))
