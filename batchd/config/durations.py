"""Durations as people write them: ``30s``, ``10m``, ``2h``, ``1d``; a bare number is seconds."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

_SECONDS = {"": 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
# Ten years: what is longer was not meant, and may be more than a clock can add.
_LONGEST = 10 * 366 * 86400
_WRITTEN = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|m|h|d|)")
_PATTERN = r"^\s*\d+(\.\d+)?\s*(ms|s|m|h|d)?\s*$"


def parse_duration(value: object) -> float:
    """Seconds, from ``"10m"``, ``"0.5h"``, ``"90"`` or a number.

    Raises:
        ValueError: the value is not a duration, is negative, or is longer than ten years.
    """
    if isinstance(value, str):
        return _from_text(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _within_limits(value, value)
    raise ValueError(_expectation(value))


def _from_text(text: str) -> float:
    written = _WRITTEN.fullmatch(text.strip())
    if written is None:
        raise ValueError(_expectation(text))
    return _within_limits(float(written["number"]) * _SECONDS[written["unit"]], text)


def _within_limits(seconds: float, value: object) -> float:
    if not 0 <= seconds <= _LONGEST:
        raise ValueError(_expectation(value))
    return float(seconds)


def _expectation(value: object) -> str:
    got = f'"{value}"' if isinstance(value, str) else str(value).lower()
    return f'expects a duration such as "30s", "10m", "2h" or "1d", or a number of seconds; got {got}'


_JSON_SCHEMA = WithJsonSchema({"anyOf": [{"type": "string", "pattern": _PATTERN}, {"type": "number", "minimum": 0}]})

Duration = Annotated[float, BeforeValidator(parse_duration), Field(gt=0), _JSON_SCHEMA]
"""Seconds, more than none."""

DurationOrZero = Annotated[float, BeforeValidator(parse_duration), _JSON_SCHEMA]
"""Seconds; none is allowed."""
