"""The embeddings endpoint: what a body must keep to, and a vector of length one for each input."""

import base64
import hashlib
import math
import random
import struct
from collections.abc import Iterator
from typing import Any

import orjson

from batchd.sandbox.prompts import count_tokens, prompt_tokens
from batchd.sandbox.vendor_errors import VendorError, invalid_type, invalid_value, missing_parameter

EMBEDDINGS = "/v1/embeddings"
PARAMETERS = ("model", "input", "dimensions", "encoding_format", "user")
ENCODINGS = ("float", "base64")
USUAL_DIMENSIONS = 1_536
DIMENSIONS = {"text-embedding-3-large": 3_072}
WITHOUT_CHOICE = ("text-embedding-ada-002",)  # models that always give all their dimensions
MOST_INPUTS, MOST_TOKENS, MOST_TOKENS_TOGETHER = 2_048, 8_192, 300_000
MOST_INPUTS_OF_A_BATCH = 50_000


def embedding_inputs(body: dict[str, Any]) -> list[Any]:
    """Return the inputs of a body: texts, or lists of token numbers."""
    given = body.get("input")
    if not isinstance(given, list):
        return [given]
    return [given] if given and all(map(_is_count, given)) else given


def embedding_problems(body: dict[str, Any]) -> Iterator[VendorError]:
    """Yield the rules that a body breaks."""
    if not body.get("model"):
        yield missing_parameter("model")
    yield from unknown_parameters(body, PARAMETERS)
    yield from _input_problems(body)
    yield from _dimension_problems(body)
    encoding = body.get("encoding_format")
    if encoding is not None and encoding not in ENCODINGS:
        yield invalid_value("encoding_format", encoding, ENCODINGS)
    if not isinstance(body.get("user"), str | None):
        yield invalid_type("user", "a string")


def embedding_reply(body: dict[str, Any], kind: str | None, _mark: str) -> dict[str, object]:
    """Return the body of a 200 line; ``kind`` is the fault that its vectors have, None for sound ones."""
    model = body["model"]
    dimensions = body.get("dimensions") or _dimensions(model)
    tokens = prompt_tokens(body)
    packed = [_packed(model, given, dimensions) for given in embedding_inputs(body)]
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _embedding(vector, body, kind)}
            for index, vector in enumerate(packed)
        ],
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def unknown_parameters(body: dict[str, Any], known: tuple[str, ...]) -> Iterator[VendorError]:
    """Yield a 400 for each parameter that an endpoint does not have."""
    for name in body:
        if name not in known:
            yield VendorError(400, f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")


def _input_problems(body: dict[str, Any]) -> Iterator[VendorError]:
    given = body.get("input")
    if given is None:
        yield missing_parameter("input")
    elif not isinstance(given, str | list):
        yield invalid_type("input", "a string or an array")
    elif given == []:
        yield VendorError(400, "'input' is an empty array.", param="input", code="empty_array")
    else:
        inputs = embedding_inputs(body)
        if len(inputs) > MOST_INPUTS:
            yield VendorError(400, f"'input' has {len(inputs)} items, at most {MOST_INPUTS}.", param="input")
        for one in inputs:
            yield from _text_problems(one)
        if prompt_tokens(body) > MOST_TOKENS_TOGETHER:
            yield VendorError(400, f"'input' has more than {MOST_TOKENS_TOGETHER} tokens together.", param="input")


def _text_problems(given: object) -> Iterator[VendorError]:
    if isinstance(given, str):
        tokens = count_tokens(given)
    elif isinstance(given, list) and all(map(_is_count, given)):
        tokens = len(given)
    else:
        yield invalid_type("input", "strings or arrays of token numbers")
        return
    if tokens == 0:
        yield VendorError(400, "'input' cannot be an empty string.", param="input")
    if tokens > MOST_TOKENS:
        yield VendorError(400, f"An input has {tokens} tokens; this model takes {MOST_TOKENS}.", param="input")


def _dimension_problems(body: dict[str, Any]) -> Iterator[VendorError]:
    asked, model = body.get("dimensions"), body.get("model")
    if asked is None:
        return
    if not _is_count(asked):
        yield invalid_type("dimensions", "an integer")
    elif model in WITHOUT_CHOICE:
        yield VendorError(400, "This model does not support specifying dimensions.", param="dimensions")
    elif not 1 <= asked <= _dimensions(model):
        message = f"Invalid 'dimensions': {asked} is not between 1 and {_dimensions(model)}."
        side = "below_min" if asked < 1 else "above_max"
        yield VendorError(400, message, param="dimensions", code=f"integer_{side}_value")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _dimensions(model: object) -> int:
    return DIMENSIONS.get(str(model), USUAL_DIMENSIONS)


def _packed(model: str, given: object, dimensions: int) -> bytes:
    """Return the vector of an input as 32-bit floats: always the same for the same model and input."""
    seed = hashlib.sha256(orjson.dumps([model, given])).digest()
    draw = random.Random(seed)  # noqa: S311, a vector, not a secret
    numbers = [draw.gauss(0, 1) for _ in range(dimensions)]
    length = math.hypot(*numbers)
    return struct.pack(f"<{dimensions}f", *(number / length for number in numbers))


def _embedding(packed: bytes, body: dict[str, Any], kind: str | None) -> object:
    if kind == "wrong_schema":
        packed = packed[:-4]
    if kind == "too_long":
        packed += packed[:4]
    if body.get("encoding_format") == "base64":
        encoded = base64.b64encode(packed).decode()
        return encoded[:-1] if kind == "invalid_json" else encoded
    numbers = list(struct.unpack(f"<{len(packed) // 4}f", packed))
    return [None, *numbers[1:]] if kind == "invalid_json" else numbers
