"""The vendor's rules for strict JSON schemas, checked before anything is sent.

A schema that breaks them passes the validation of a batch; then every line of it fails. So the rules are
read narrowly here: what is not known to be taken is named as a problem.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs

MAX_PROPERTIES = 5_000
MAX_LEVELS = 10
MAX_NAME_CHARACTERS = 120_000
MAX_ENUM_VALUES = 1_000
LONG_ENUM = 250
MAX_LONG_ENUM_CHARACTERS = 15_000

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
_COMMON = frozenset({"type", "title", "description", "enum", "const", "anyOf", "$ref", "$defs"})
_NUMBER = frozenset({"multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
_BY_TYPE: dict[str, frozenset[str]] = {
    "string": frozenset({"pattern", "format"}),
    "number": _NUMBER,
    "integer": _NUMBER,
    "boolean": frozenset(),
    "null": frozenset(),
    "array": frozenset({"items", "minItems", "maxItems"}),
    "object": frozenset({"properties", "required", "additionalProperties"}),
}
_ALL_KEYWORDS = _COMMON.union(*_BY_TYPE.values())
_INSTEAD = {
    "minLength": "say it in the description, or use a pattern",
    "maxLength": "say it in the description, or use a pattern",
    "default": "say it in the description",
    "allOf": "write the parts out as one object",
    "oneOf": "use anyOf",
    "definitions": "call it $defs",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule.

    Attributes:
        path: JSON pointer into the schema, ``/`` for the root; ``name`` for the schema's name.
        rule: short name of the rule.
        message: what is wrong there and what to do.
    """

    path: str
    rule: str
    message: str


def lint(schema: object, name: str = "answer") -> list[Problem]:
    """Every rule of strict mode that ``schema`` breaks, in the order of the schema; empty when it is fine."""
    walk = _Walk(schema)
    walk.check_root()
    problems = [*_name_problems(name), *walk.problems]
    return problems or list(_dialect_problems(schema))


def _name_problems(name: str) -> Iterator[Problem]:
    if not _NAME.fullmatch(name):
        yield Problem("name", "name", "a schema's name is 1 to 64 characters of A-Z a-z 0-9 _ -")


def _dialect_problems(schema: Any) -> Iterator[Problem]:
    """What is no JSON Schema at all, such as a minimum that is text or a pattern that does not compile."""
    try:
        jsonschema_rs.Draft202012Validator(schema, offline=True)
    except jsonschema_rs.ValidationError as error:
        pointer = _pointer([str(step) for step in error.instance_path])
        yield Problem(pointer, "json-schema", "this is not valid JSON Schema (draft 2020-12)")
    except (ValueError, jsonschema_rs.ReferencingError):
        yield Problem("/", "json-schema", "this is not valid JSON Schema (draft 2020-12)")


@dataclass
class _Walk:
    """One pass over a schema, counting what is limited in all and noting what is wrong."""

    root: object
    problems: list[Problem] = field(default_factory=list)
    properties: int = 0
    enum_values: int = 0
    characters: int = 0

    def check_root(self) -> None:
        if not isinstance(self.root, dict):
            self._note([], "root-object", "a schema is a JSON object")
            return
        if "anyOf" in self.root:
            self._note(["anyOf"], "root-object", "the root is one object; put anyOf into a property")
        elif self.root.get("type") != "object":
            self._note(["type"], "root-object", 'the root must say type = "object"')
        self._schema(self.root, [], 1)
        self._totals()

    def _note(self, path: list[str], rule: str, message: str) -> None:
        self.problems.append(Problem(_pointer(path), rule, message))

    def _totals(self) -> None:
        limits = (
            ("properties", self.properties, MAX_PROPERTIES),
            ("enum values", self.enum_values, MAX_ENUM_VALUES),
            ("characters of names, enums and constants", self.characters, MAX_NAME_CHARACTERS),
        )
        for what, count, limit in limits:
            if count > limit:
                self._note([], "size", f"{count:,} {what} in all; {limit:,} are allowed")

    def _schema(self, schema: object, path: list[str], level: int) -> None:
        if not isinstance(schema, dict):
            self._note(path, "schema", "an object that says a type must stand here")
            return
        if "$ref" in schema:
            self._reference(schema, path)
        types = self._types(schema, path)
        self._keywords(schema, path, types)
        self._values(schema, path)
        self._choices(schema, path, level)
        if level > MAX_LEVELS and {"object", "array"} & set(types):
            self._note(path, "levels", f"nested deeper than {MAX_LEVELS} levels")
            return
        if "object" in types:
            self._object(schema, path, level)
        if "array" in types:
            self._array(schema, path, level)

    def _reference(self, schema: Mapping[str, Any], path: list[str]) -> None:
        if set(schema) - {"$ref", "$defs"}:
            self._note(path, "ref", "$ref must stand alone; put the rest into what it points to")
        if not _resolves(self.root, schema["$ref"]):
            self._note([*path, "$ref"], "ref", "points to nothing in this schema")

    def _types(self, schema: Mapping[str, Any], path: list[str]) -> list[str]:
        if "type" not in schema:
            if not {"anyOf", "$ref"} & set(schema) and path:
                self._note(path, "type", "a type is missing")
            return []
        given = schema["type"]
        listed = given if isinstance(given, list) else [given]
        known = [name for name in listed if isinstance(name, str) and name in _BY_TYPE]
        if not listed or len(known) < len(listed):
            self._note([*path, "type"], "type", f"a type is one of {', '.join(_BY_TYPE)}")
        return known

    def _keywords(self, schema: Mapping[str, Any], path: list[str], types: list[str]) -> None:
        fitting = _COMMON.union(*(_BY_TYPE[name] for name in types))
        for keyword in schema:
            if keyword not in _ALL_KEYWORDS:
                hint = _INSTEAD.get(keyword, "take it away")
                self._note([*path, keyword], "keyword", f"not taken in strict mode; {hint}")
            elif types and keyword not in fitting:
                self._note([*path, keyword], "keyword", f"does not go with type {' or '.join(types)}")
        if "format" in schema and schema["format"] not in _FORMATS:
            self._note([*path, "format"], "format", f"only these formats are taken: {', '.join(_FORMATS)}")

    def _values(self, schema: Mapping[str, Any], path: list[str]) -> None:
        if isinstance(schema.get("const"), str):
            self.characters += len(schema["const"])
        if "enum" not in schema:
            return
        values = schema["enum"]
        if not isinstance(values, list) or not values:
            self._note([*path, "enum"], "enum", "an enum is a list of at least one value")
            return
        characters = sum(len(value) for value in values if isinstance(value, str))
        self.enum_values += len(values)
        self.characters += characters
        if len(values) > LONG_ENUM and characters > MAX_LONG_ENUM_CHARACTERS:
            message = f"over {LONG_ENUM} values may have {MAX_LONG_ENUM_CHARACTERS:,} characters together"
            self._note([*path, "enum"], "enum", message)

    def _choices(self, schema: Mapping[str, Any], path: list[str], level: int) -> None:
        if "anyOf" in schema:
            choices = schema["anyOf"]
            if not isinstance(choices, list) or not choices:
                self._note([*path, "anyOf"], "any-of", "anyOf is a list of at least one schema")
            else:
                for index, choice in enumerate(choices):
                    self._schema(choice, [*path, "anyOf", str(index)], level)
        if "$defs" in schema:
            # A definition is nested where it is used, which may be anywhere: its own levels are counted.
            self._named(schema["$defs"], [*path, "$defs"], 1)

    def _object(self, schema: Mapping[str, Any], path: list[str], level: int) -> None:
        if schema.get("additionalProperties") is not False:
            message = "every object must say additionalProperties = false"
            self._note([*path, "additionalProperties"], "additional-properties", message)
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        self._named(properties, [*path, "properties"], level + 1)
        if not isinstance(properties, dict) or not isinstance(required, list):
            return
        self.properties += len(properties)
        for name in (name for name in properties if name not in required):
            message = f"{name} is not listed; one that may be absent is listed and may be null"
            self._note([*path, "required"], "required", message)
        for name in (name for name in required if name not in properties):
            self._note([*path, "required"], "required", f"{name} is listed but is not a property")

    def _array(self, schema: Mapping[str, Any], path: list[str], level: int) -> None:
        if "items" not in schema:
            self._note(path, "items", "an array must say what its items are")
        else:
            self._schema(schema["items"], [*path, "items"], level + 1)

    def _named(self, schemas: object, path: list[str], level: int) -> None:
        if not isinstance(schemas, dict):
            self._note(path, "schema", "an object of named schemas must stand here")
            return
        for name, schema in schemas.items():
            self.characters += len(name)
            self._schema(schema, [*path, name], level)


def _resolves(root: object, reference: object) -> bool:
    if not isinstance(reference, str) or not reference.startswith("#"):
        return False
    found = root
    for step in reference[1:].split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or name not in found:
            return False
        found = found[name]
    return reference == "#" or reference.startswith("#/")


def _pointer(path: list[str]) -> str:
    return "/" + "/".join(step.replace("~", "~0").replace("/", "~1") for step in path)
