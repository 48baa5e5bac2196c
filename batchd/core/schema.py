"""From a task's fields, or a schema of its own, to the answer asked for and the columns it is written to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jmespath
import orjson
from jmespath.exceptions import JMESPathError
from pydantic import BaseModel, ConfigDict, Field

from batchd.core.fields import FieldSpec
from batchd.core.tasks import AnswerSpec, ColumnKind, WriteBack
from batchd.errors import ConfigError

WHOLE_ANSWER = "@"

# The properties of a moderation's result; those that hold a value for each category are objects.
_OF_EACH_CATEGORY = ("categories", "category_scores", "category_applied_input_types")
_MODERATION = {"flagged": {"type": "boolean"}, **{name: {"type": "object"} for name in _OF_EACH_CATEGORY}}
_VECTOR_KINDS: frozenset[ColumnKind] = frozenset({"text", "json", "vector", "any"})
# A number in a vector's text with its sign and comma, rounded to what a 32-bit float holds.
_LEAST_PER_NUMBER = 12

# What a field's limit is called in JSON Schema. Limits of an array's values go to its items.
_VALUE_LIMITS = {
    "pattern": "pattern",
    "format": "format",
    "minimum": "minimum",
    "maximum": "maximum",
    "multiple_of": "multipleOf",
}
_ARRAY_LIMITS = {"min_items": "minItems", "max_items": "maxItems"}


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """What the database says of a column.

    Attributes:
        kind: what it holds.
        max_length: what it takes, in characters or in units of ``encoding``; None where it has no limit.
        nullable: it takes NULL.
        encoding: see :class:`~batchd.core.tasks.WriteBack`.
        dimensions: how many numbers a vector column takes; None where it takes any number, or is none.
        zoned: it holds moments, and shows them in the time zone of who asks.
        unreadable: its type, where that is one that no driver reads; no task can use such a column.
    """

    kind: ColumnKind
    max_length: int | None = None
    nullable: bool = True
    encoding: str = ""
    zoned: bool = False
    dimensions: int | None = None
    unreadable: str = ""


class ColumnTarget(BaseModel):
    """Where one value of a schema file's answer goes, when more than the column's name has to be said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str = Field(description="Column to write.")
    store: Literal["value", "json"] = Field(default="value", description="Write the value, or its JSON text.")
    too_long: Literal["invalid", "truncate"] = Field(
        default="invalid", description="What to do with text longer than its column."
    )


class VectorTarget(BaseModel):
    """Where an embedding goes, when more than the column's name has to be said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str = Field(description="Column to write.")
    dimensions: int | None = Field(
        default=None,
        ge=1,
        strict=True,
        description="Numbers that a vector must have; else as params.dimensions or the column say.",
    )


def answer_from_fields(fields: Mapping[str, FieldSpec], name: str = "answer") -> AnswerSpec:
    """The strict JSON schema of ``fields``, in their order, and a write-back for each that has a column.

    Raises:
        ConfigError: two fields write one column, or JSON text is to be cut.
    """
    json_schema = {
        "type": "object",
        "properties": {field: _property(spec) for field, spec in fields.items()},
        "required": list(fields),
        "additionalProperties": False,
    }
    writes = [
        _write_back(_quoted(field), ColumnTarget(column=spec.column, store=spec.store, too_long=spec.too_long))
        for field, spec in fields.items()
        if spec.column is not None
    ]
    return AnswerSpec(name=name, json_schema=json_schema, columns=_each_column_once(writes))


def answer_from_schema(
    schema: Mapping[str, Any], columns: Mapping[str, str | ColumnTarget], name: str = "answer"
) -> AnswerSpec:
    """An answer with a JSON schema written by hand; ``columns`` maps JMESPath expressions to columns.

    A ``$schema`` at the root is left out: it speaks to editors, and the vendor may refuse it.

    Raises:
        ConfigError: an expression is not JMESPath or starts at a property that the schema does not have,
            two of them write one column, or JSON text is to be cut.
    """
    json_schema = {keyword: value for keyword, value in schema.items() if keyword != "$schema"}
    stated = json_schema.get("properties")
    properties = stated if isinstance(stated, dict) else {}
    writes = [_write_back(_checked_path(path, properties), _target(to)) for path, to in columns.items()]
    return AnswerSpec(name=name, json_schema=json_schema, columns=_each_column_once(writes))


def plain_text_answer(column: str, *, too_long: Literal["invalid", "truncate"] = "invalid") -> AnswerSpec:
    """An answer of plain text, written whole into one column."""
    return AnswerSpec(columns=(WriteBack(column=column, path=WHOLE_ANSWER, too_long=too_long),))


def vector_answer(column: str, dimensions: int | None = None) -> AnswerSpec:
    """An embedding, written whole into one column as a JSON array."""
    write = WriteBack(column=column, path=WHOLE_ANSWER, store="vector", dimensions=dimensions)
    return AnswerSpec(columns=(write,))


def moderation_answer(columns: Mapping[str, str | ColumnTarget]) -> AnswerSpec:
    """The result of a moderation; ``columns`` maps JMESPath expressions into it to columns.

    Raises:
        ConfigError: an expression is not JMESPath or starts at nothing that a moderation has, it gives an object
            that is not stored as JSON, two of them write one column, or JSON text is to be cut.
    """
    writes = [_of_moderation(_checked_path(path, _MODERATION, "a moderation"), to) for path, to in columns.items()]
    return AnswerSpec(name="moderation", columns=_each_column_once(writes))


def _of_moderation(path: str, to: str | ColumnTarget) -> WriteBack:
    target = _target(to)
    if path in {WHOLE_ANSWER, *_OF_EACH_CATEGORY} and target.store != "json":
        raise ConfigError(
            f"`{path}` in columns is an object, no single value",
            next_command=f'say {{ column = "{target.column}", store = "json" }}, or name one value, such as flagged',
        )
    return _write_back(path, target)


def with_columns(answer: AnswerSpec, columns: Mapping[str, ColumnInfo]) -> AnswerSpec:
    """``answer`` with the kind, length and nullability of each column as the database has them.

    Raises:
        ConfigError: a column of the answer is not in ``columns``, or holds what JSON can't say.
    """
    writes = tuple(_resolved(write, columns) for write in answer.columns)
    return answer.model_copy(update={"columns": writes})


def _property(spec: FieldSpec) -> dict[str, Any]:
    described = {"description": spec.description} if spec.description else {}
    typed = {"type": [spec.type, "null"] if spec.nullable else spec.type}
    if spec.type != "array":
        return {**typed, **described, **_value_limits(spec, nullable=spec.nullable)}
    items = {"type": spec.items, **_value_limits(spec, nullable=False)}
    return {**typed, **described, "items": items, **_limits(spec, _ARRAY_LIMITS)}


def _value_limits(spec: FieldSpec, *, nullable: bool) -> dict[str, Any]:
    limits = _limits(spec, _VALUE_LIMITS)
    if spec.enum is not None:
        # A null that the type allows is still refused unless the enum names it.
        limits["enum"] = [*spec.enum, None] if nullable else list(spec.enum)
    return limits


def _limits(spec: FieldSpec, names: Mapping[str, str]) -> dict[str, Any]:
    given = ((keyword, getattr(spec, name)) for name, keyword in names.items())
    return {keyword: value for keyword, value in given if value is not None}


def _quoted(field: str) -> str:
    # A quoted JMESPath identifier is a JSON string: any field name, blanks and dots included.
    return orjson.dumps(field).decode()


def _checked_path(path: str, properties: Mapping[str, Any], owner: str = "the schema") -> str:
    try:
        expression = jmespath.compile(path)
    except JMESPathError as error:
        raise ConfigError(
            f"`{path}` in columns is not a JMESPath expression",
            next_command='name a property of the schema, or quote it: \'"first name"\' = "FirstName"',
        ) from error
    start = _first_name(expression.parsed)
    if start is not None and start not in properties:
        # Such a path would find nothing in any answer, and write NULL for all that is paid.
        raise ConfigError(
            f"`{path}` in columns starts at {start}, which is not a property of {owner}",
            next_command=f"the properties are: {', '.join(properties)}",
        )
    return path


def _first_name(node: Mapping[str, Any]) -> str | None:
    """The property of the whole answer that an expression starts at; None where it does not start at one."""
    while node["type"] not in {"field", "expref"} and node.get("children"):
        node = node["children"][0]
    return str(node["value"]) if node["type"] == "field" else None


def _target(to: str | ColumnTarget) -> ColumnTarget:
    return ColumnTarget(column=to) if isinstance(to, str) else to


def _write_back(path: str, target: ColumnTarget) -> WriteBack:
    if target.store == "json" and target.too_long == "truncate":
        raise ConfigError(
            f"column {target.column}: JSON text that is cut is no JSON any more",
            next_command='take `too_long = "truncate"` away, or make the column longer',
        )
    return WriteBack(column=target.column, path=path, store=target.store, too_long=target.too_long)


def _each_column_once(writes: Iterable[WriteBack]) -> tuple[WriteBack, ...]:
    by_column: dict[str, WriteBack] = {}
    for write in writes:
        if write.column in by_column:
            raise ConfigError(
                f"column {write.column} is written twice, from {by_column[write.column].path} and from {write.path}",
                next_command="let one part of the answer write it",
            )
        by_column[write.column] = write
    return tuple(by_column.values())


def _resolved(write: WriteBack, columns: Mapping[str, ColumnInfo]) -> WriteBack:
    info = columns.get(write.column)
    if info is None:
        raise ConfigError(f"the table has no column {write.column}, where {write.path} is to be written")
    if info.kind == "binary":
        raise ConfigError(f"column {write.column} holds binary data; an answer is text, numbers and booleans")
    told = {
        "kind": info.kind,
        "max_length": info.max_length,
        "nullable": info.nullable,
        "encoding": info.encoding,
        "zoned": info.zoned,
        "dimensions": _dimensions(write, info),
    }
    return write.model_copy(update=told)


def _dimensions(write: WriteBack, info: ColumnInfo) -> int | None:
    """How many numbers a vector for this column must have. Raises ConfigError where no such vector fits it."""
    asked = write.dimensions or info.dimensions
    if write.store != "vector":
        return asked
    if info.kind not in _VECTOR_KINDS:
        raise ConfigError(
            f"column {write.column} holds no text, JSON or vectors; a vector is written as a JSON array",
            next_command="name a column of text, JSON or vectors",
        )
    if info.dimensions not in {None, asked}:
        raise ConfigError(
            f"column {write.column} takes vectors of {info.dimensions} numbers; the task asks for {asked}",
            next_command=f"ask for them: params = {{ dimensions = {info.dimensions} }}, or change the column",
        )
    if asked and info.max_length is not None and info.max_length < asked * _LEAST_PER_NUMBER:
        raise ConfigError(
            f"column {write.column} takes {info.max_length} characters; a vector of {asked} numbers has more",
            next_command="make the column text without a limit",
        )
    return asked
