"""Reads JSON that others wrote: any part may be missing, null or of another type. Nothing here raises."""

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

# A vendor's words go on only where they are words: anything else could quote the row.
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MODEL_NAME = re.compile(r"[A-Za-z0-9_.:/@+-]{1,200}")
_STATUS = re.compile(r"[0-9]{1,3}", re.ASCII)
_IMPLAUSIBLE_COUNT = 2**40


def parsed(raw: bytes) -> object:
    """The JSON value in ``raw``, or None."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        pass
    try:
        # More tolerant: a BOM, NaN, huge numbers, or half a character in one text do not lose the line.
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def mapping(value: object) -> Mapping[str, Any]:
    """An object as it is, or from its JSON text, which some vendors send; anything else is an empty one."""
    if isinstance(value, dict):
        return value
    known = parsed(value.encode(errors="replace")) if isinstance(value, str) else None
    return known if isinstance(known, dict) else {}


def mappings(value: object) -> list[Mapping[str, Any]]:
    """The objects in a list; anything else is an empty list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: object) -> str:
    """Text as it is; anything else is empty."""
    return value if isinstance(value, str) else ""


def word(value: object) -> str:
    """A machine-readable word such as an error code; anything else is empty."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else ""


def model_name(value: object) -> str:
    """The name of a model or a deployment; anything else is empty."""
    return value if isinstance(value, str) and _MODEL_NAME.fullmatch(value) else ""


def http_status(value: object) -> int | None:
    """An HTTP status, 0 included, also where it is written as text; None for anything else."""
    if isinstance(value, str) and _STATUS.fullmatch(value):
        return int(value)
    return value if type(value) is int and value in range(1000) else None


def count(value: object) -> int:
    """A plausible number of tokens; anything else is 0."""
    return value if type(value) is int and 0 < value < _IMPLAUSIBLE_COUNT else 0
