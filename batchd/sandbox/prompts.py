"""What a line asks: its text, its tokens, and the identity of its input."""

import hashlib
from typing import Any

import orjson

BYTES_PER_TOKEN = 4
INPUT_KEYS = ("messages", "instructions", "input", "prompt")


def count_tokens(text: str) -> int:
    """Estimate tokens: four bytes of UTF-8 make one, rounded up."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def prompt_tokens(body: dict[str, Any]) -> int:
    """Estimate the input tokens of a request: all its texts, and the answer schema it carries."""
    schema = {key: body[key] for key in ("response_format", "text", "tools") if body.get(key)}
    schema_tokens = count_tokens(orjson.dumps(schema).decode()) if schema else 0
    return count_tokens(" ".join(_texts(_input(body)))) + _token_numbers(body.get("input")) + schema_tokens


def input_hash(body: dict[str, Any]) -> str:
    """Return the sha256 of the canonical JSON of the input, whatever the custom_id, model or parameters."""
    return hashlib.sha256(orjson.dumps(_input(body), option=orjson.OPT_SORT_KEYS)).hexdigest()


def user_text(body: dict[str, Any]) -> str:
    """Return the texts of the user's messages, or all texts when nothing is marked as the user's."""
    turns = body.get("messages", body.get("input"))
    if isinstance(turns, str):
        return turns
    if not isinstance(turns, list):
        return ""
    by_user = [turn for turn in turns if isinstance(turn, dict) and turn.get("role") == "user"]
    return "\n".join(_texts(by_user or turns))


def _input(body: dict[str, Any]) -> dict[str, Any]:
    return {key: body[key] for key in INPUT_KEYS if key in body}


def _token_numbers(value: object) -> int:
    """Count the tokens of an input that comes as numbers, not as text."""
    if isinstance(value, list):
        return sum(map(_token_numbers, value))
    return int(isinstance(value, int))


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, dict):
        return [text for key, item in value.items() if key not in ("role", "type") for text in _texts(item)]
    return []
