"""The rules of strict structured output, checked where the vendor checks them: when a line runs."""

from collections.abc import Iterator
from typing import Any

import orjson

MOST_PROPERTIES = 5_000
MOST_LEVELS = 10
MOST_ENUM_VALUES = 1_000
MOST_NAME_CHARACTERS = 120_000
LONG_ENUM, LONG_ENUM_CHARACTERS = 250, 15_000
TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")
FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
REFUSED = (
    "allOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
    "propertyNames",
    "unevaluatedProperties",
    "unevaluatedItems",
    "minProperties",
    "maxProperties",
    "contains",
    "minContains",
    "maxContains",
    "uniqueItems",
    "prefixItems",
)


def strict_problem(schema: dict[str, Any]) -> str | None:
    """Return the first broken rule with its place in the schema, None when the schema may be used."""
    return next(_problems(schema), None)


def _problems(root: dict[str, Any]) -> Iterator[str]:
    if root.get("type") != "object" or "anyOf" in root:
        yield "in (root): the schema must be of type 'object' and without 'anyOf'."
        return
    for place, node, level in _walk(root, "(root)", 1):
        if level > MOST_LEVELS:
            yield f"in {place}: more than {MOST_LEVELS} levels of nesting."
            return
        for problem in _node_problems(node, root):
            yield f"in {place}: {problem}"
    yield from _size_problems(root)


def _walk(node: object, place: str, level: int) -> Iterator[tuple[str, object, int]]:
    yield place, node, level
    if not isinstance(node, dict) or level > MOST_LEVELS:
        return
    for keyword in ("properties", "$defs", "definitions"):
        inner = node.get(keyword)
        for name, child in inner.items() if isinstance(inner, dict) else ():
            deeper = level + 1 if keyword == "properties" else level
            yield from _walk(child, f"{place}.{keyword}.{name}", deeper)
    if "items" in node:
        yield from _walk(node["items"], f"{place}.items", level + 1)
    choices = node.get("anyOf")
    for number, child in enumerate(choices if isinstance(choices, list) else ()):
        yield from _walk(child, f"{place}.anyOf[{number}]", level)


def _node_problems(node: object, root: dict[str, Any]) -> Iterator[str]:
    if not isinstance(node, dict):
        yield "a schema must be an object."
        return
    yield from _keyword_problems(node)
    yield from _type_problems(node)
    yield from _value_problems(node)
    if "object" in _types(node) or "properties" in node:
        yield from _object_problems(node)
    if "array" in _types(node) and "items" not in node:
        yield "an array needs 'items'."
    if "$ref" in node and resolve(root, node["$ref"]) is None:
        yield "the '$ref' leads nowhere in this schema."


def _keyword_problems(node: dict[str, Any]) -> Iterator[str]:
    for keyword in REFUSED:
        if keyword in node:
            yield f"'{keyword}' is not permitted."
    for keyword in ("$defs", "definitions"):
        if not isinstance(node.get(keyword, {}), dict):
            yield f"'{keyword}' must be an object."
    if node.get("default") is not None:
        yield "'default' is not permitted."


def _type_problems(node: dict[str, Any]) -> Iterator[str]:
    if not any(keyword in node for keyword in ("type", "anyOf", "$ref", "enum", "const")):
        yield "a schema must have a 'type'."
    for name in _types(node):
        if name not in TYPES:
            yield f"'{name}' is not a type."
    if "anyOf" in node and not (isinstance(node["anyOf"], list) and node["anyOf"]):
        yield "'anyOf' must be an array of schemas."


def _value_problems(node: dict[str, Any]) -> Iterator[str]:
    values = node.get("enum")
    if "enum" in node and not (isinstance(values, list) and values):
        yield "'enum' must be an array of values."
    if isinstance(values, list) and len(values) > LONG_ENUM and _characters(values) > LONG_ENUM_CHARACTERS:
        yield f"an enum of more than {LONG_ENUM} values may have {LONG_ENUM_CHARACTERS} characters."
    if "format" in node and node["format"] not in FORMATS:
        yield f"'{node['format']}' is not a format that is supported."


def _characters(values: list[object]) -> int:
    return sum(len(value) for value in values if isinstance(value, str))


def _object_problems(node: dict[str, Any]) -> Iterator[str]:
    if node.get("additionalProperties") is not False:
        yield "'additionalProperties' is required to be false."
    properties = node.get("properties", {})
    if not isinstance(properties, dict):
        yield "'properties' must be an object."
        return
    required = node.get("required", [])
    if not isinstance(required, list):
        yield "'required' must be an array."
        return
    for name in properties:
        if name not in required:
            yield f"'required' must name every property; '{name}' is not in it."
    for name in required:
        if name not in list(properties):
            yield f"'required' names '{name}', which is no property."


def _size_problems(root: dict[str, Any]) -> Iterator[str]:
    properties = enum_values = characters = 0
    for _, node, _ in _walk(root, "(root)", 1):
        if not isinstance(node, dict):
            continue
        names = [*node.get("properties", ()), *node.get("$defs", ()), *node.get("definitions", ())]
        values = [*node.get("enum", ()), *([node["const"]] if "const" in node else ())]
        properties += len(node.get("properties", ()))
        enum_values += len(node.get("enum", ()))
        characters += sum(map(len, names)) + sum(len(orjson.dumps(value)) for value in values)
    if properties > MOST_PROPERTIES:
        yield f"in (root): {properties} properties, at most {MOST_PROPERTIES} are supported."
    if enum_values > MOST_ENUM_VALUES:
        yield f"in (root): {enum_values} enum values, at most {MOST_ENUM_VALUES} are supported."
    if characters > MOST_NAME_CHARACTERS:
        yield f"in (root): names and values of {characters} characters, at most {MOST_NAME_CHARACTERS}."


def resolve(root: dict[str, Any], reference: object) -> dict[str, Any] | None:
    """Follow a local reference (``#`` or ``#/$defs/name``); None when it leads to no schema."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    node: object = root
    for part in reference[1:].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        node = node.get(key) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else None


def _types(node: dict[str, Any]) -> list[object]:
    named = node.get("type", [])
    return named if isinstance(named, list) else [named]
