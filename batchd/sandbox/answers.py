"""From an answer schema and the user's text to an answer: the same input always gets the same."""

from typing import Any

import orjson

from batchd.sandbox.answer_format import TEXT, AnswerFormat
from batchd.sandbox.numbers import number_value
from batchd.sandbox.source_text import SourceText
from batchd.sandbox.strict_rules import resolve
from batchd.sandbox.strings import string_value

SUMMARY_WORDS = 12
NULL_ONE_IN = 6
USUAL_ITEMS = 3
FOLLOWED = "~"  # in a place, marks a reference that was followed
DEEPEST, MOST_FOLLOWED = 4, 20  # recursion ends where it may, and at the latest where it must
ANY_OBJECT = {"type": "object", "properties": {"summary": {"type": "string"}}}
EMPTY_ANSWER = "There is nothing to summarise."


def answer_text(asked: AnswerFormat, source: SourceText) -> str:
    """Return the content of an answer: JSON to the schema, or the first words of the text."""
    if asked.kind == TEXT:
        return source.beginning(SUMMARY_WORDS) or EMPTY_ANSWER
    schema = asked.schema if isinstance(asked.schema, dict) else ANY_OBJECT
    return orjson.dumps(schema_value(schema, source)).decode()


def schema_value(schema: dict[str, Any], source: SourceText) -> object:
    """Return a value that a schema accepts."""
    return _Maker(schema, source).value(schema, "$", "")


class _Maker:
    def __init__(self, root: dict[str, Any], source: SourceText) -> None:
        self._root = root
        self._source = source

    def value(self, schema: dict[str, Any], place: str, name: str) -> object:
        if "$ref" in schema:
            if place.count(FOLLOWED) >= MOST_FOLLOWED:
                return None
            return self.value(resolve(self._root, schema["$ref"]) or {}, place + FOLLOWED, name)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._one_of(schema["enum"], place)
        if schema.get("anyOf"):
            return self._any_of(schema["anyOf"], place, name)
        return self._typed(self._pick_type(schema, place, name), schema, place, name)

    def _one_of(self, values: list[object], place: str) -> object:
        named = [value for value in values if isinstance(value, str) and self._source.mentions(value)]
        fitting = named or values
        return fitting[self._source.choose(place, len(fitting))]

    def _any_of(self, schemas: list[dict[str, Any]], place: str, name: str) -> object:
        others = [schema for schema in schemas if schema.get("type") != "null"]
        if not others or (len(others) < len(schemas) and self._says_null(place, name)):
            return None
        if place.count(FOLLOWED) >= DEEPEST:
            return None if len(others) < len(schemas) else self.value(others[-1], place, name)
        return self.value(others[self._source.choose(place, len(others))], place, name)

    def _pick_type(self, schema: dict[str, Any], place: str, name: str) -> str:
        named = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(named, str):
            return named
        others = [kind for kind in named if kind != "null"]
        if not others or ("null" in named and self._says_null(place, name)):
            return "null"
        return str(others[self._source.choose(place, len(others))])

    def _says_null(self, place: str, name: str) -> bool:
        if not self._source.lines:
            return True
        if "name" in name.lower() and self._source.name:
            return False
        return place.count(FOLLOWED) >= DEEPEST or self._source.choose(place + "?", NULL_ONE_IN) == 0

    def _typed(self, kind: str, schema: dict[str, Any], place: str, name: str) -> object:
        if kind == "object":
            properties = schema.get("properties") or {}
            return {key: self.value(inner, f"{place}.{key}", key) for key, inner in properties.items()}
        if kind == "array":
            return self._items(schema, place, name)
        if kind in ("integer", "number"):
            return number_value(schema, self._source, place, integer=kind == "integer")
        if kind == "boolean":
            return self._source.choose(place, 2) == 0
        return None if kind == "null" else string_value(schema, self._source, place, name)

    def _items(self, schema: dict[str, Any], place: str, name: str) -> list[object]:
        least, most = (
            schema.get("minItems", 0),
            schema.get("maxItems", USUAL_ITEMS + schema.get("minItems", 0)),
        )
        usual = 0 if not self._source.lines or place.count(FOLLOWED) >= DEEPEST else 1
        usual += self._source.choose(place, USUAL_ITEMS) if usual else 0
        count = min(max(least, usual), most)
        inner = schema.get("items")
        item_schema = inner if isinstance(inner, dict) else {"type": "string"}
        return [self.value(item_schema, f"{place}[{number}]", name) for number in range(count)]
