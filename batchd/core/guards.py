"""What a row looked like when it was read, as a hash: so that a row that changed meanwhile is not overwritten."""

import datetime as dt
import decimal
import hashlib
import struct
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from batchd.core.decimals import decimal_text

GUARD_BYTES = 16


def guard_of(values: Iterable[Any]) -> str:
    """32 hex digits over a row's values, in the order given; types and NULL count, so 1, "1" and None differ."""
    digest = hashlib.blake2b(digest_size=GUARD_BYTES)
    for value in values:
        tag, data = _encoded(value)
        # Tag and length in front: no two rows can run together into the same bytes.
        digest.update(struct.pack(">cQ", tag, len(data)))
        digest.update(data)
    return digest.hexdigest()


def _encoded(value: object) -> tuple[bytes, bytes]:
    for kinds, tag, encode in _ENCODERS:
        if isinstance(value, kinds):
            return tag, encode(value)
    return b"o", repr(value).encode("utf-8", "surrogatepass")


def _instant(value: dt.datetime) -> str:
    # One moment is one guard, whatever time zone the session that read it was in.
    return (value if value.tzinfo is None else value.astimezone(dt.UTC)).isoformat()


# In this order: a bool is an int to Python, and a datetime a date. Databases that lack booleans have 0 and 1.
_ENCODERS: tuple[tuple[type | tuple[type, ...], bytes, Callable[[Any], bytes]], ...] = (
    (type(None), b"0", lambda _: b""),
    (str, b"s", lambda value: value.encode("utf-8", "surrogatepass")),
    (int, b"i", lambda value: str(int(value)).encode()),
    (float, b"f", lambda value: repr(value).encode()),
    ((bytes, bytearray, memoryview), b"b", bytes),
    (decimal.Decimal, b"d", lambda value: decimal_text(value).encode()),
    (dt.datetime, b"t", lambda value: _instant(value).encode()),
    ((dt.date, dt.time), b"t", lambda value: value.isoformat().encode()),
    (uuid.UUID, b"u", lambda value: value.bytes),
)
