"""The kind of answer a request asks for: plain text, any JSON object, or JSON to a schema."""

from dataclasses import dataclass
from typing import Any

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
TEXT, JSON_OBJECT, JSON_SCHEMA = "text", "json_object", "json_schema"


@dataclass(frozen=True)
class AnswerFormat:
    """One of ``text``, ``json_object`` and ``json_schema``; the last with its schema as it was given."""

    kind: str
    name: object = None
    schema: object = None
    strict: bool = False


def format_parameter(endpoint: str) -> str:
    """Return the parameter that carries the format, as error bodies name it."""
    return "response_format" if endpoint == CHAT else "text.format"


def answer_format(endpoint: str, body: dict[str, Any]) -> AnswerFormat | None:
    """Read the format of a request; None when the parameter has no shape that is known."""
    asked = _asked(endpoint, body)
    if asked is None:
        return AnswerFormat(TEXT)
    kind = asked.get("type") if isinstance(asked, dict) else None
    if kind in (TEXT, JSON_OBJECT):
        return AnswerFormat(str(kind))
    if kind != JSON_SCHEMA:
        return None
    details = asked.get("json_schema") if endpoint == CHAT else asked
    if not isinstance(details, dict):
        return None
    return AnswerFormat(JSON_SCHEMA, details.get("name"), details.get("schema"), strict=details.get("strict") is True)


def _asked(endpoint: str, body: dict[str, Any]) -> Any:
    if endpoint == CHAT:
        return body.get("response_format")
    text = body.get("text")
    return text.get("format") if isinstance(text, dict) else text
