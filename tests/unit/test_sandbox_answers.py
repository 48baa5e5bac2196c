"""The sandbox's answers: valid to their schema, made from the text, always the same."""

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchd.sandbox.answer_format import AnswerFormat
from batchd.sandbox.answers import answer_text, schema_value
from batchd.sandbox.source_text import SourceText

TEXT = "<resume>Jane Miller\nSenior engineer, 12 years of Python, C++ and SQL.\njane@example.org</resume>"
RECURSIVE = {
    "type": "object",
    "properties": {"tree": {"$ref": "#/$defs/node"}},
    "required": ["tree"],
    "additionalProperties": False,
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "label": {"type": "string"},
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["label", "next", "children"],
            "additionalProperties": False,
        }
    },
}


def source(text: str = TEXT, identity: str = "x") -> SourceText:
    return SourceText(text, identity)


def properties(**named: Any) -> dict[str, Any]:
    return {"type": "object", "properties": named, "required": list(named), "additionalProperties": False}


@pytest.mark.parametrize(
    "schema",
    [
        {"const": 7},
        {"enum": ["red", "green"]},
        {"type": "integer", "minimum": 3, "maximum": 3},
        {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
        {"type": "number", "exclusiveMinimum": 0, "maximum": 0.3},
        {"type": "number", "multipleOf": 0.25, "minimum": 0.3, "maximum": 0.6},
        {"type": "integer", "multipleOf": 7, "minimum": 100},
        {"type": "integer", "maximum": -5},
        {"type": "string", "minLength": 200},
        {"type": "string", "maxLength": 3},
        {"type": "string", "pattern": "^[A-Z]{2}-\\d{4}$"},
        {"type": "string", "pattern": "^(GET|PUT) /[a-z]+(/\\d+)?$"},
        {"type": "string", "format": "date"},
        {"type": "string", "format": "date-time"},
        {"type": "string", "format": "email"},
        {"type": "string", "format": "uuid"},
        {"type": "string", "format": "ipv4"},
        {"type": "string", "format": "ipv6"},
        {"type": "array", "items": {"type": "string"}, "minItems": 6},
        {"type": "array", "items": {"type": "boolean"}, "maxItems": 1},
        {"type": ["string", "null"]},
        {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        RECURSIVE,
    ],
    ids=str,
)
@pytest.mark.parametrize("text", [TEXT, "", "年収 500 万円 Привет"])
def test_an_answer_keeps_to_its_schema(schema: dict[str, Any], text: str) -> None:
    """Whatever the text, and whatever the choices, the value is valid."""
    validator = jsonschema_rs.validator_for(schema, validate_formats=True)
    values = [schema_value(schema, source(text, str(identity))) for identity in range(20)]

    assert [] == [value for value in values if not validator.is_valid(value)]


@given(
    low=st.integers(-1000, 1000),
    span=st.integers(0, 50),
    step=st.sampled_from([None, 1, 0.1, 0.5]),
    text=st.text(max_size=80),
)
@settings(max_examples=60)
def test_numbers_stay_in_their_bounds(low: int, span: int, step: float | None, text: str) -> None:
    """Bounds and multiples hold for any text, with or without numbers in it."""
    schema: dict[str, Any] = {"type": "number", "minimum": low, "maximum": low + span}
    if step is not None:
        schema["multipleOf"] = step
    value = schema_value(schema, source(text))

    assert jsonschema_rs.is_valid(schema, value)


def test_the_same_input_gets_the_same_answer() -> None:
    """Nothing varies between runs; another input may be answered in another way."""
    schema = properties(a={"type": "string"}, b={"type": "integer"}, c={"type": ["string", "null"]})
    asked = AnswerFormat("json_schema", "x", schema)
    answers = {answer_text(asked, source(identity=str(n % 10))) for n in range(100)}

    assert 1 < len(answers) <= 10


def test_answers_look_like_the_text() -> None:
    """Names, numbers, addresses and choices are found in the text where it has them."""
    value = schema_value(
        properties(
            full_name={"type": "string"},
            email={"type": "string", "format": "email"},
            years={"type": "integer", "minimum": 1, "maximum": 80},
            level={"type": "string", "enum": ["junior", "mid", "senior"]},
            skills={"type": "array", "items": {"type": "string"}, "minItems": 1},
        ),
        source(),
    )

    assert isinstance(value, dict)
    assert value["full_name"] == "Jane Miller"
    assert value["email"] == "jane@example.org"
    assert value["years"] == 12
    assert value["level"] == "senior"
    assert all(skill in TEXT for skill in value["skills"])


def test_a_nullable_value_is_null_now_and_then() -> None:
    """Some inputs get null, most do not; an empty text always does."""
    schema = {"type": ["string", "null"]}
    nulls = sum(schema_value(schema, source(identity=str(n))) is None for n in range(200))

    assert 5 < nulls < 100
    assert schema_value(schema, source(text="")) is None


def test_plain_text_is_the_beginning() -> None:
    """Without a schema the answer is the first words, without markup."""
    long = "<p>" + " ".join(f"word{n}" for n in range(30)) + "</p>"

    assert answer_text(AnswerFormat("text"), source(long)) == " ".join(f"word{n}" for n in range(12))


def test_any_json_object_is_an_object() -> None:
    """The format json_object gets an object."""
    assert isinstance(json.loads(answer_text(AnswerFormat("json_object"), source())), dict)
