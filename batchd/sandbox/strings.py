"""Strings that keep to a schema's format, pattern and lengths, taken from the text where that is possible."""

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from batchd.sandbox.patterns import matching_string
from batchd.sandbox.source_text import SourceText

SOME_DAY = datetime(2015, 1, 1, 9, tzinfo=UTC)
DAYS = 3_650
FILLER = "n/a "


def string_value(schema: dict[str, Any], source: SourceText, place: str, name: str) -> str:
    """Return a string for a schema; ``name`` is the property it is for."""
    if isinstance(schema.get("format"), str):
        made = _formatted(schema["format"], source, place)
        if made is not None:
            return made
    if isinstance(schema.get("pattern"), str):
        return _patterned(schema, source, place)
    return _fitted(_plausible(source, place, name), schema)


def _plausible(source: SourceText, place: str, name: str) -> str:
    lower = name.lower()
    if "name" in lower and source.name:
        return source.name
    if "mail" in lower and source.email:
        return source.email
    if "summary" in lower:
        return source.beginning(12)
    if "[" in place and source.terms:
        return source.terms[source.choose(place, len(source.terms))]
    return source.phrase(place)


def _fitted(text: str, schema: dict[str, Any]) -> str:
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if len(text) < least:
        text += (FILLER * least)[: least - len(text)]
    if isinstance(most, int) and len(text) > most:
        shorter = text[:most].rsplit(" ", 1)[0]
        text = shorter if len(shorter) >= max(least, 1) else text[:most]
    return text


def _patterned(schema: dict[str, Any], source: SourceText, place: str) -> str:
    pattern = schema["pattern"]
    candidates = [source.name, source.email, *(word for line in source.lines for word in line)]
    for candidate in candidates:
        if candidate and _fitted(candidate, schema) == candidate and _matches(pattern, candidate):
            return candidate
    made = matching_string(pattern, lambda spot, choices: source.choose(place + spot, choices))
    return made if made is not None else _fitted(source.phrase(place), schema)


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


def _formatted(kind: str, source: SourceText, place: str) -> str | None:
    moment = SOME_DAY + timedelta(days=source.choose(place, DAYS), minutes=source.choose(place + "m", 600))
    low = source.choose(place, 250) + 1
    word = re.sub(r"[^a-z]", "", source.name.lower()) or "someone"
    made = {
        "date-time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "date": moment.strftime("%Y-%m-%d"),
        "time": moment.strftime("%H:%M:%SZ"),
        "duration": f"P{low}D",
        "email": source.email or f"{word}@example.com",
        "hostname": f"host{low}.example.com",
        "ipv4": f"192.0.2.{low}",
        "ipv6": f"2001:db8::{low:x}",
        "uuid": str(uuid.UUID(int=source.choose(place, 2**63) << 64 | 0x8000_0000_0000_0000, version=4)),
    }
    return made.get(kind)
