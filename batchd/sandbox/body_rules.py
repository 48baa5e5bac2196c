"""What the vendor checks when it runs a line; a broken rule makes that line a 400, the batch goes on."""

import re
from collections.abc import Iterator
from typing import Any

from batchd.sandbox.answer_format import CHAT, JSON_SCHEMA, RESPONSES, answer_format, format_parameter
from batchd.sandbox.embeddings import EMBEDDINGS, embedding_problems
from batchd.sandbox.moderations import MODERATIONS, moderation_problems
from batchd.sandbox.strict_rules import strict_problem
from batchd.sandbox.vendor_errors import VendorError, invalid_type, missing_parameter

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
SCHEMA_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
TOKEN_LIMITS = {CHAT: ("max_completion_tokens", "max_tokens"), RESPONSES: ("max_output_tokens",)}
RANGES = {"temperature": (0, 2), "top_p": (0, 1), "presence_penalty": (-2, 2), "frequency_penalty": (-2, 2)}


def body_problem(endpoint: str, body: dict[str, Any]) -> VendorError | None:
    """Return the first rule that a line's body breaks, None when it may run."""
    if endpoint == EMBEDDINGS:
        return next(embedding_problems(body), None)
    if endpoint == MODERATIONS:
        return next(moderation_problems(body), None)
    if endpoint not in TOKEN_LIMITS:
        return VendorError(400, f"The sandbox does not serve '{endpoint}'.", param="url", code="unsupported_endpoint")
    return next(_problems(endpoint, body), None)


def token_limit(endpoint: str, body: dict[str, Any]) -> int | None:
    """Return the most tokens that the answer may have."""
    limits = [body[name] for name in TOKEN_LIMITS[endpoint] if body.get(name) is not None]
    return min(limits, default=None)


def _problems(endpoint: str, body: dict[str, Any]) -> Iterator[VendorError]:
    if not body.get("model"):
        yield missing_parameter("model")
    if body.get("stream") is True:
        yield VendorError(400, "Streaming is not supported in a batch.", param="stream", code="unsupported_value")
    yield from _message_problems(body) if endpoint == CHAT else _input_problems(body)
    for name in TOKEN_LIMITS[endpoint]:
        yield from _count_problems(name, body.get(name))
    for name, (low, high) in RANGES.items():
        yield from _range_problems(name, body.get(name), low, high)
    yield from _format_problems(endpoint, body)


def _message_problems(body: dict[str, Any]) -> Iterator[VendorError]:
    messages = body.get("messages")
    if messages is None:
        yield missing_parameter("messages")
    elif not isinstance(messages, list):
        yield invalid_type("messages", "an array of objects")
    elif not messages:
        yield VendorError(400, "'messages' is an empty array.", param="messages", code="empty_array")
    else:
        yield from _turn_problems("messages", messages)


def _input_problems(body: dict[str, Any]) -> Iterator[VendorError]:
    given = body.get("input")
    if given is None:
        yield missing_parameter("input")
    elif isinstance(given, list):
        yield from _turn_problems("input", given)
    elif not isinstance(given, str):
        yield invalid_type("input", "a string or an array of objects")
    if not isinstance(body.get("instructions"), str | None):
        yield invalid_type("instructions", "a string")


def _turn_problems(name: str, turns: list[object]) -> Iterator[VendorError]:
    for place, turn in enumerate(turns):
        if not isinstance(turn, dict):
            yield invalid_type(f"{name}[{place}]", "an object")
        elif "type" in turn and turn["type"] != "message" and "role" not in turn:
            continue
        elif turn.get("role") not in ROLES:
            message = f"Invalid value for '{name}[{place}].role'."
            yield VendorError(400, message, param=f"{name}[{place}].role", code="invalid_value")
        elif not isinstance(turn.get("content"), str | list | None):
            yield invalid_type(f"{name}[{place}].content", "a string or an array of objects")


def _count_problems(name: str, value: object) -> Iterator[VendorError]:
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        yield invalid_type(name, "an integer")
    elif value < 1:
        message = f"Invalid '{name}': below the minimum of 1."
        yield VendorError(400, message, param=name, code="integer_below_min_value")


def _range_problems(name: str, value: object, low: int, high: int) -> Iterator[VendorError]:
    if value is None:
        return
    if not isinstance(value, int | float) or isinstance(value, bool):
        yield invalid_type(name, "a number")
    elif not low <= value <= high:
        side = "below_min" if value < low else "above_max"
        message = f"Invalid '{name}': it must lie between {low} and {high}."
        yield VendorError(400, message, param=name, code=f"decimal_{side}_value")


def _format_problems(endpoint: str, body: dict[str, Any]) -> Iterator[VendorError]:
    parameter = format_parameter(endpoint)
    asked = answer_format(endpoint, body)
    if asked is None:
        yield VendorError(400, f"Invalid '{parameter}'.", param=parameter, code="invalid_value")
    elif asked.kind == JSON_SCHEMA:
        within = f"{parameter}.json_schema" if endpoint == CHAT else parameter
        yield from _schema_problems(parameter, within, asked.name, asked.schema, strict=asked.strict)


def _schema_problems(
    parameter: str, within: str, name: object, schema: object, *, strict: bool
) -> Iterator[VendorError]:
    if name is None:
        yield missing_parameter(f"{within}.name")
    elif not isinstance(name, str) or not SCHEMA_NAME.fullmatch(name):
        yield VendorError(
            400,
            f"Invalid '{within}.name': 1 to 64 letters, digits, '_' and '-'.",
            param=f"{within}.name",
            code="invalid_value",
        )
    if schema is None:
        yield missing_parameter(f"{within}.schema")
    elif not isinstance(schema, dict):
        yield invalid_type(f"{within}.schema", "an object")
    elif strict and (problem := strict_problem(schema)):
        message = f"Invalid schema for response_format '{name}': {problem}"
        yield VendorError(400, message, param=parameter, code="invalid_json_schema")
