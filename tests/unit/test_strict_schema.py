"""The linter of strict schemas: each of the vendor's rules, and the place where it is broken."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.core.strict_schema import lint


def obj(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def nested(levels: int) -> dict[str, Any]:
    schema = obj(leaf={"type": "string"})
    for _ in range(levels - 1):
        schema = obj(inner=schema)
    return schema


TREE = {
    **obj(tree={"$ref": "#/$defs/node"}),
    "$defs": {"node": obj(name={"type": "string"}, child={"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]})},
}


@pytest.mark.parametrize(
    "schema",
    [
        obj(),
        obj(a={"type": "string", "pattern": "^x", "format": "date", "title": "T", "description": "D"}),
        obj(a={"type": ["number", "null"], "minimum": 0, "exclusiveMaximum": 9, "multipleOf": 0.1}),
        obj(a={"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3}),
        obj(a={"type": "string", "enum": ["x", "y"]}, b={"type": "boolean", "const": True}),
        obj(**{"a/b": obj(**{"type": {"type": "string"}, "not": {"type": "string"}})}),
        TREE,
        obj(again={"anyOf": [{"$ref": "#"}, {"type": "null"}]}),
        nested(10),
        obj(a={"type": "string", "enum": [f"{n:061}" for n in range(250)]}),
        obj(a={"type": "integer", "enum": list(range(1000))}),
    ],
)
def test_a_good_schema_has_no_problems(schema: dict[str, Any]) -> None:
    """Nothing that the vendor takes is refused, recursion and properties named like keywords included."""
    problems = lint(schema)

    assert problems == []


@pytest.mark.parametrize(
    ("schema", "path", "rule"),
    [
        ([], "/", "root-object"),
        ({"type": "array", "items": {"type": "string"}}, "/type", "root-object"),
        ({"anyOf": [obj(), obj()]}, "/anyOf", "root-object"),
        ({**obj(), "type": ["object", "null"]}, "/type", "root-object"),
        ({**obj(a={"type": "string"}), "required": []}, "/required", "required"),
        ({**obj(), "required": ["ghost"]}, "/required", "required"),
        (
            {"type": "object", "properties": {}, "required": []},
            "/additionalProperties",
            "additional-properties",
        ),
        (
            obj(a={**obj(), "additionalProperties": {"type": "string"}}),
            "/properties/a/additionalProperties",
            "additional-properties",
        ),
        (obj(a={"type": "string", "minLength": 1}), "/properties/a/minLength", "keyword"),
        (obj(a={"type": "string", "maxLength": 9}), "/properties/a/maxLength", "keyword"),
        (obj(a={"type": "string", "default": "x"}), "/properties/a/default", "keyword"),
        (obj(a={"type": "object", "allOf": []} | obj()), "/properties/a/allOf", "keyword"),
        (obj(a={"type": "string", "not": {}}), "/properties/a/not", "keyword"),
        ({**obj(), "if": {}}, "/if", "keyword"),
        ({**obj(), "dependentRequired": {}}, "/dependentRequired", "keyword"),
        (obj(a={"type": "boolean", "pattern": "x"}), "/properties/a/pattern", "keyword"),
        (obj(a={"type": "string", "format": "uri"}), "/properties/a/format", "format"),
        (obj(a={"type": "string", "format": []}), "/properties/a/format", "format"),
        (obj(a={"description": "no type"}), "/properties/a", "type"),
        (obj(a={"enum": ["x"]}), "/properties/a", "type"),
        (obj(a={"type": "strnig"}), "/properties/a/type", "type"),
        (obj(a={"type": []}), "/properties/a/type", "type"),
        (obj(a={"type": "array"}), "/properties/a", "items"),
        (obj(a={"type": "array", "items": [{"type": "string"}]}), "/properties/a/items", "schema"),
        (obj(a=True), "/properties/a", "schema"),
        ({**obj(), "$defs": {"x": {}}}, "/$defs/x", "type"),
        ({**obj(), "$defs": []}, "/$defs", "schema"),
        (obj(a={"type": "string", "enum": []}), "/properties/a/enum", "enum"),
        (obj(a={"anyOf": []}), "/properties/a/anyOf", "any-of"),
        (obj(a={"anyOf": [{"type": "string"}, {}]}), "/properties/a/anyOf/1", "type"),
        (obj(a={"$ref": "#/$defs/ghost"}), "/properties/a/$ref", "ref"),
        (obj(a={"$ref": "https://example.org/x.json"}), "/properties/a/$ref", "ref"),
        (
            {**TREE, "properties": {"tree": {"$ref": "#/$defs/node", "description": "x"}}},
            "/properties/tree",
            "ref",
        ),
        (obj(**{"a/b~c": {"description": "no type"}}), "/properties/a~1b~0c", "type"),
        (obj(a={"type": "string", "pattern": "("}), "/properties/a/pattern", "json-schema"),
        (obj(a={"type": "number", "minimum": "3"}), "/properties/a/minimum", "json-schema"),
        (nested(11), "/" + "/".join(["properties/inner"] * 10), "levels"),
        (obj(a={"type": "string", "enum": [f"{n:060}" for n in range(251)]}), "/properties/a/enum", "enum"),
        (obj(a={"type": "integer", "enum": list(range(1001))}), "/", "size"),
        (obj(**{f"p{n}": {"type": "null"} for n in range(5001)}), "/", "size"),
        (obj(**{"n" * 60_001: {"type": "string", "const": "c" * 60_000}}), "/", "size"),
    ],
)
def test_a_broken_rule_is_named_with_its_place(schema: object, path: str, rule: str) -> None:
    """One fault, one problem: the rule it breaks and a pointer to where."""
    problems = lint(schema)

    assert [(problem.path, problem.rule) for problem in problems] == [(path, rule)]
    assert all(problem.message for problem in problems)


def test_every_problem_is_told_at_once() -> None:
    """Whoever mends a schema sees all there is to mend."""
    schema = {"type": "object", "properties": {"a": {"minLength": 3}}, "title": "x"}

    problems = lint(schema)

    assert {problem.rule for problem in problems} == {"type", "keyword", "required", "additional-properties"}


@pytest.mark.parametrize("name", ["", "two words", "x" * 65, "naïve", "a\n"])
def test_a_wrong_name_is_a_problem(name: str) -> None:
    """The vendor takes 1 to 64 of A-Z a-z 0-9 _ - as a schema's name."""
    problems = lint(obj(), name)

    assert [(problem.path, problem.rule) for problem in problems] == [("name", "name")]


KEYWORDS = st.sampled_from(
    [
        "type",
        "properties",
        "required",
        "items",
        "enum",
        "const",
        "anyOf",
        "$ref",
        "$defs",
        "format",
        "pattern",
        "additionalProperties",
        "minimum",
        "minItems",
        "allOf",
        "x",
    ]
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["object", "array", "string", "#"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS, inner, max_size=5),
    max_leaves=20,
)


@given(JUNK)
def test_any_json_is_judged_without_an_error(schema: object) -> None:
    """A schema file may hold anything; the linter tells problems and does not fail."""
    problems = lint(schema)

    assert all(problem.path.startswith("/") for problem in problems)
