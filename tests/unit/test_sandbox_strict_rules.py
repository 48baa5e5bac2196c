"""The sandbox's own check of strict schemas."""

from typing import Any

import pytest

from batchd.sandbox.strict_rules import strict_problem

STRING = {"type": "string"}


def root(**named: Any) -> dict[str, Any]:
    return {"type": "object", "properties": named, "required": list(named), "additionalProperties": False}


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = STRING
    for _ in range(levels - 1):
        schema = root(inner=schema)
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        root(),
        root(a={"type": ["string", "null"]}, b={"enum": ["x", 1]}, c={"anyOf": [STRING, {"type": "null"}]}),
        root(a={"type": "string", "pattern": "^x", "format": "date"}, b={"type": "number", "minimum": 0}),
        root(a={"type": "array", "items": root(b=STRING), "minItems": 1}),
        {**root(a={"$ref": "#/$defs/n"}), "$defs": {"n": root(again={"$ref": "#"})}},
        nested(10),
    ],
    ids=str,
)
def test_a_schema_within_the_rules_has_no_problem(schema: dict[str, Any]) -> None:
    """What the rules allow is allowed, recursion included."""
    assert strict_problem(schema) is None


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "array", "items": STRING}, "must be of type 'object'"),
        ({**root(), "anyOf": [root()]}, "without 'anyOf'"),
        ({"type": "object", "properties": {"a": STRING}, "required": ["a"]}, "additionalProperties"),
        ({**root(a=STRING), "required": []}, "'a' is not in it"),
        ({**root(a=STRING), "required": ["a", "b"]}, "'b', which is no property"),
        (root(a=root(b=STRING) | {"additionalProperties": STRING}), "(root).properties.a"),
        (root(a={"allOf": [STRING]}), "'allOf' is not permitted"),
        (root(a={"type": "string", "not": {}}), "'not' is not permitted"),
        (root(a={"type": "string", "if": {}}), "'if' is not permitted"),
        (root(a={"type": "string", "default": "x"}), "'default' is not permitted"),
        (root(a={"type": "string", "format": "uri"}), "'uri' is not a format"),
        (root(a={"type": "text"}), "'text' is not a type"),
        (root(a={}), "must have a 'type'"),
        (root(a={"type": "array"}), "needs 'items'"),
        (root(a={"$ref": "#/$defs/none"}), "leads nowhere"),
        (root(a={"type": "string", "enum": []}), "'enum' must be"),
        (nested(11), "10 levels"),
        (root(**{f"p{n}": STRING for n in range(5001)}), "5001 properties"),
        (root(a={"enum": list(range(1001))}), "1001 enum values"),
        (root(a={"type": "string", "enum": [f"{n:0>70}" for n in range(251)]}), "15000 characters"),
        (root(**{"n" * 120_001: STRING}), "characters, at most 120000"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_rule_is_named_with_its_place(schema: dict[str, Any], said: str) -> None:
    """The first broken rule is told."""
    assert said in (strict_problem(schema) or "")
