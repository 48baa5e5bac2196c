"""From the model's answer to the values of the row's columns, or to the reason why not."""

import datetime as dt
import math
import re
import uuid
from collections.abc import Callable
from typing import Any

import jmespath
import jsonschema_rs
import orjson
from jmespath.exceptions import JMESPathError

from batchd.core.schema import WHOLE_ANSWER
from batchd.core.tasks import AnswerSpec, ColumnKind, WriteBack
from batchd.core.vectors import vector_flaw
from batchd.errors import ConfigError

_SMALLEST_INTEGER = -(2**63)
_LARGEST_INTEGER = 2**63 - 1
_LARGEST_EXACT_FLOAT = 2**53
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# What every database reads. Of ISO's other forms, such as weeks, times without seconds and offsets without a colon, not
# every one does.
_SECONDS = r":[0-9]{2}(?:\.[0-9]{1,7})?"
_OFFSET = r"(?:Z|[+-][0-9]{2}:[0-9]{2})?"
_PLAIN_CLOCK = re.compile(rf"[0-9]{{2}}:[0-9]{{2}}(?:{_SECONDS})?{_OFFSET}")
_PLAIN_TIME = re.compile(rf"{_DATE.pattern}(?:[T ][0-9]{{2}}:[0-9]{{2}}{_SECONDS}{_OFFSET})?")
# An escaped NUL in JSON text: an odd number of backslashes before u0000.
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

_Read = Callable[[Any], Any]


class InvalidAnswerError(Exception):
    """An answer that can't be written. ``sentence`` names the schema's path or the column, never a value."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class AnswerReader:
    """Reads the answers of one task. Formats of the schema are asked of the model, but not insisted on.

    Raises:
        ConfigError: the schema can't be used, or a path is not JMESPath.
    """

    def __init__(self, answer: AnswerSpec) -> None:
        self._validator = None if answer.json_schema is None else _validator(answer.name, answer.json_schema)
        self._columns = [(write, _reader(write.path), _fitter(write)) for write in answer.columns]

    def read(self, said: Any) -> dict[str, Any]:
        """Column name → value to write, in the types that the columns take; None is NULL.

        Args:
            said: a model's text, or the JSON value that another endpoint answers with.

        Raises:
            InvalidAnswerError: the text is not JSON or not the schema's, or a value does not fit its column.
        """
        answer = self._parsed(said) if isinstance(said, str) else said
        return {write.column: fitted(_found(read, answer, write)) for write, read, fitted in self._columns}

    def _parsed(self, text: str) -> Any:
        try:
            encoded = text.encode()
        except UnicodeEncodeError:
            raise InvalidAnswerError("not_unicode", "the answer holds half a character") from None
        if self._validator is None:
            return text
        try:
            answer = orjson.loads(encoded)
        except orjson.JSONDecodeError:
            raise InvalidAnswerError("not_json", "the answer is not JSON") from None
        try:
            self._validator.validate(answer)
        except jsonschema_rs.ValidationError as error:
            # The path within the schema is our own text; one within the answer could be the model's.
            path = "/".join(str(step) for step in error.schema_path)
            raise InvalidAnswerError("schema", f"the answer breaks the schema at /{path}") from None
        return answer


def _validator(name: str, schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    try:
        return jsonschema_rs.Draft202012Validator(schema, validate_formats=False, offline=True)
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise ConfigError(
            f"the answer schema {name} can't be used to check answers",
            next_command="run `batchd check-config`; it names the place",
        ) from error


def _reader(path: str) -> _Read:
    if path == WHOLE_ANSWER:
        return lambda answer: answer
    try:
        expression = jmespath.compile(path)
    except JMESPathError as error:
        raise ConfigError(f"`{path}` is not a JMESPath expression") from error
    if expression.parsed["type"] == "field":
        # Nearly every path is one name; asking the dict is ten times as fast as asking JMESPath.
        name = expression.parsed["value"]
        return lambda answer: answer.get(name) if isinstance(answer, dict) else None
    return expression.search


def _found(read: _Read, answer: Any, write: WriteBack) -> Any:
    try:
        return read(answer)
    except (JMESPathError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError):
        sentence = f"the path {write.path} for column {write.column} does not work on this answer"
        raise InvalidAnswerError("path", sentence) from None


def _fitter(write: WriteBack) -> _Read:
    """What makes the column's value of what the answer gives. How is the same for every row, and decided once."""
    convert = _conversion(write)

    def fitted(value: Any) -> Any:
        if value is None and write.store != "vector":
            if not write.nullable:
                raise InvalidAnswerError("null", f"column {write.column} takes no NULL; the answer gives none")
            return None
        found = convert(value, write)
        return _short_enough(found, write) if isinstance(found, str) else found

    return fitted


def _conversion(write: WriteBack) -> Callable[[Any, WriteBack], Any]:
    if "vector" in {write.store, write.kind}:
        return _vector
    return _json_text if "json" in {write.store, write.kind} else _CONVERSIONS[write.kind]


def _short_enough(text: str, write: WriteBack) -> str:
    if "\x00" in text:
        raise _nul(write)
    length = _length(text, write)
    if write.max_length is None or length <= write.max_length:
        return text
    if write.too_long == "truncate" and write.store == "value":
        return _cut(text, write.max_length, write)
    unit = "bytes" if write.encoding and not write.encoding.startswith("utf-16") else "characters"
    sentence = f"column {write.column} takes {write.max_length} {unit}; the answer gives {length}"
    raise InvalidAnswerError("too_long", sentence)


def _length(text: str, write: WriteBack) -> int:
    """What the column counts: characters, halves of UTF-16, or bytes."""
    if not write.encoding:
        return len(text)
    try:
        encoded = text.encode(write.encoding)
    except UnicodeEncodeError:
        # The database would write question marks instead, without a word.
        sentence = f"column {write.column} is in {write.encoding}, which lacks a character of the answer"
        raise InvalidAnswerError("not_in_encoding", sentence) from None
    return len(encoded) // (2 if write.encoding.startswith("utf-16") else 1)


def _cut(text: str, length: int, write: WriteBack) -> str:
    """The longest beginning that fits, with no character cut in two."""
    if not write.encoding:
        return text[:length]
    width = 2 if write.encoding.startswith("utf-16") else 1
    return text.encode(write.encoding)[: length * width].decode(write.encoding, "ignore")


def _vector(value: Any, write: WriteBack) -> str:
    """As a JSON array, which columns of text, JSON and vectors all take; each number reads back as it was."""
    given = vector_flaw(value, write.dimensions)
    if given:
        wanted = "a vector" if write.dimensions is None else f"a vector of {write.dimensions} numbers"
        raise InvalidAnswerError("vector", f"column {write.column} takes {wanted}; the answer gives {given}")
    return _json_text(value, write)


def _json_text(value: Any, write: WriteBack) -> str:
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        # A number beyond 64 bits, or a structure nested deeper than 254 levels.
        sentence = f"the value for column {write.column} can't be written as JSON text"
        raise InvalidAnswerError("not_writable", sentence) from None
    if "\\u0000" in text and _ESCAPED_NUL.search(text):
        raise _nul(write)
    return text


def _as_it_is(value: Any, write: WriteBack) -> Any:
    if isinstance(value, list | dict):
        raise _wrong_type(value, write, 'one value (or store = "json")')
    _check_range(value, write)
    return value


def _text(value: Any, write: WriteBack) -> str:
    scalar = _as_it_is(value, write)
    return scalar if isinstance(scalar, str) else orjson.dumps(scalar).decode()


def _integer(value: Any, write: WriteBack) -> int:
    # A boolean is an integer in Python, and is written as 0 or 1.
    if not isinstance(value, int) and not (isinstance(value, float) and value.is_integer()):
        raise _wrong_type(value, write, "whole numbers")
    # An integer beyond 64 bits is parsed as the nearest float, which is another number.
    if isinstance(value, float) and abs(value) > _LARGEST_EXACT_FLOAT:
        raise _out_of_range(write)
    _check_range(value, write)
    return int(value)


def _number(value: Any, write: WriteBack) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(value, write, "numbers")
    _check_range(value, write)
    return value


def _check_range(value: object, write: WriteBack) -> None:
    if isinstance(value, int) and not _SMALLEST_INTEGER <= value <= _LARGEST_INTEGER:
        raise _out_of_range(write)
    if isinstance(value, float) and not math.isfinite(value):
        raise _out_of_range(write)


def _boolean(value: Any, write: WriteBack) -> bool:
    if not isinstance(value, int) or value not in (0, 1):
        raise _wrong_type(value, write, "true and false")
    return bool(value)


def _date(value: Any, write: WriteBack) -> str:
    try:
        if _DATE.fullmatch(value):
            return dt.date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        pass
    raise _wrong_type(value, write, "dates (YYYY-MM-DD)")


def _time(value: Any, write: WriteBack) -> str:
    try:
        moment = dt.datetime.fromisoformat(value)
        if moment.tzinfo is not None and not write.zoned:
            # A column without time zones would drop the offset, or refuse the whole text.
            return moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat()
    except (TypeError, ValueError, OverflowError):
        raise _wrong_type(value, write, "dates with or without a time, in ISO form") from None
    return value if _PLAIN_TIME.fullmatch(value) else moment.isoformat()


def _clock(value: Any, write: WriteBack) -> str:
    try:
        clock = dt.time.fromisoformat(value)
    except (TypeError, ValueError):
        raise _wrong_type(value, write, "times of day in ISO form") from None
    if clock.tzinfo is not None and not write.zoned:
        return clock.replace(tzinfo=None).isoformat()
    return value if _PLAIN_CLOCK.fullmatch(value) else clock.isoformat()


def _guid(value: Any, write: WriteBack) -> str:
    try:
        return str(uuid.UUID(value))
    except (AttributeError, TypeError, ValueError):
        raise _wrong_type(value, write, "GUIDs") from None


def _binary(value: Any, write: WriteBack) -> Any:
    raise _wrong_type(value, write, "binary data")


_CONVERSIONS: dict[ColumnKind, Callable[[Any, WriteBack], Any]] = {
    "any": _as_it_is,
    "text": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "time": _time,
    "clock": _clock,
    "guid": _guid,
    "binary": _binary,
}

_JSON_NAMES: dict[type, str] = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "text",
    list: "an array",
    dict: "an object",
}


def _wrong_type(value: Any, write: WriteBack, wanted: str) -> InvalidAnswerError:
    given = _JSON_NAMES.get(type(value), "something else")
    sentence = f"column {write.column} takes {wanted}; the answer gives {given}"
    return InvalidAnswerError("wrong_type", sentence)


def _out_of_range(write: WriteBack) -> InvalidAnswerError:
    return InvalidAnswerError("out_of_range", f"the number for column {write.column} is beyond 64 bits")


def _nul(write: WriteBack) -> InvalidAnswerError:
    return InvalidAnswerError("nul", f"the text for column {write.column} holds a NUL")
