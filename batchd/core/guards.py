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
    parts: list[bytes] = []
    for value in values:
        tag, encode = _ENCODERS_BY_TYPE.get(type(value)) or _encoder_of(value)
        data = encode(value)
        # Tag and length in front: no two rows can run together into the same bytes.
        parts += (_head(tag, len(data)), data)
    return hashlib.blake2b(b"".join(parts), digest_size=GUARD_BYTES).hexdigest()


def _encoder_of(value: object) -> "tuple[bytes, _Encode]":
    for kinds, tag, encode in _ENCODERS:
        if isinstance(value, kinds):
            return tag, encode
    return b"o", lambda other: repr(other).encode("utf-8", "surrogatepass")


def _instant(value: dt.datetime) -> str:
    # One moment is one guard, whatever time zone the session that read it was in.
    return (value if value.tzinfo is None else value.astimezone(dt.UTC)).isoformat()


_Encode = Callable[[Any], bytes]
_head = struct.Struct(">cQ").pack

# In this order: a bool is an int to Python, and a datetime a date. Databases that lack booleans have 0 and 1.
_ENCODERS: tuple[tuple[type | tuple[type, ...], bytes, _Encode], ...] = (
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
# What nearly every value is, found without asking the list in its order.
_ENCODERS_BY_TYPE: dict[type, tuple[bytes, _Encode]] = {
    type(value): _encoder_of(value) for value in (None, "", 0, 0.0, False, b"")
}
