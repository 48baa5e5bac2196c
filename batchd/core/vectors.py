"""Vectors, as embeddings give them: what makes one unfit to be written, and base64 read back into numbers."""

import base64
import binascii
import math
import struct
from typing import Any

_BYTES = 4  # of one number in base64: a little-endian 32-bit float
_LARGEST_INTEGER = 2**63 - 1


def decoded(embedding: object) -> Any:
    """The numbers that ``encoding_format = "base64"`` packs; anything else as it is."""
    if not isinstance(embedding, str):
        return embedding
    try:
        packed = base64.b64decode(embedding, validate=True)
        return list(struct.unpack(f"<{len(packed) // _BYTES}f", packed))
    except (binascii.Error, ValueError, struct.error):
        return embedding


def vector_flaw(value: object, dimensions: int | None) -> str:
    """What ``value`` is in place of a vector of so many numbers (None: any); "" where it is one."""
    if not isinstance(value, list):
        return "none"
    if not value:
        return "an empty one"
    if dimensions is not None and len(value) != dimensions:
        return f"one of {len(value)}"
    return "" if all(map(_is_number, value)) else "one that holds something else than finite numbers"


def _is_number(value: object) -> bool:
    if type(value) is float:
        return math.isfinite(value)
    return type(value) is int and abs(value) <= _LARGEST_INTEGER
