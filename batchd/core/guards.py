"""What a row looked like when it was read, as a hash: so that a row that changed meanwhile is not overwritten."""

import datetime
import decimal
import hashlib
import struct
import uuid
from collections.abc import Iterable
from typing import Any

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


def _encoded(value: object) -> tuple[bytes, bytes]:  # noqa: PLR0911 - one line per type reads best
    match value:
        case None:
            return b"0", b""
        case str():
            return b"s", value.encode("utf-8", "surrogatepass")
        case bool():
            return b"i", str(int(value)).encode()
        case int():
            return b"i", str(value).encode()
        case float():
            return b"f", repr(value).encode()
        case bytes() | bytearray() | memoryview():
            return b"b", bytes(value)
        case decimal.Decimal():
            return b"d", format(value.normalize(), "f").encode()
        case datetime.datetime() | datetime.date() | datetime.time():
            return b"t", value.isoformat().encode()
        case uuid.UUID():
            return b"u", value.bytes
        case _:
            return b"o", repr(value).encode("utf-8", "surrogatepass")
