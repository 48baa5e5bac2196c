"""A row's key as the ledger keeps it (docs/decisions/0001-row-keys.md).

A single integer key stays an integer. Any other key becomes canonical text, each part with its length in
front so that no two composites look alike, plus a SHA-256 digest of what the source database takes for equal.
"""

import datetime as dt
import decimal
import hashlib
import uuid
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from batchd.core.decimals import decimal_text
from batchd.core.tasks import KeyColumn, KeyEquality, KeyKind

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


class RowKey(NamedTuple):
    """One row's key.

    Attributes:
        integer: the key itself where it is a single integer, otherwise 0.
        text: canonical text of every other key, otherwise "".
        digest: 64 hex digits over the equality form of ``text``, "" for integers.

    ``(integer, digest)`` is unique per task; the database enforces it on the gates.
    """

    integer: int = 0
    text: str = ""
    digest: str = ""

    @property
    def identity(self) -> tuple[int, str]:
        """What makes two keys the same row."""
        return self.integer, self.digest


class UnusableKeyError(Exception):
    """A key value batchd cannot rely on: NULL, or of another type than its column says."""


class KeyCodec:
    """Turns the key columns' values into a :class:`RowKey` and back."""

    def __init__(self, columns: Sequence[KeyColumn]) -> None:
        self._columns = tuple(columns)
        self._single_integer = len(columns) == 1 and columns[0].kind == "integer"

    def encode(self, values: Sequence[Any]) -> RowKey:
        """Encodes the values of the key columns, in key order. Raises UnusableKeyError."""
        if self._single_integer:
            return RowKey(integer=_whole_number(values[0]))
        texts = [_ENCODERS[column.kind](value) for column, value in zip(self._columns, values, strict=True)]
        folded = [_folded(text, column.equality) for column, text in zip(self._columns, texts, strict=True)]
        digest = hashlib.sha256(_join(folded).encode("utf-8", "surrogatepass")).hexdigest()
        return RowKey(text=_join(texts), digest=digest)

    def decode(self, key: RowKey) -> tuple[Any, ...]:
        """The values to compare the key columns with, in key order."""
        if self._single_integer:
            return (key.integer,)
        return tuple(
            _DECODERS[column.kind](text) for column, text in zip(self._columns, split_parts(key.text), strict=True)
        )


def key_label(key: RowKey) -> str:
    """The key for people; row keys are shown in logs and status tables."""
    return ", ".join(split_parts(key.text)) if key.text else str(key.integer)


def split_parts(text: str) -> list[str]:
    """Splits canonical text such as ``2:EU1:7`` into its parts."""
    parts, at = [], 0
    while at < len(text):
        colon = text.index(":", at)
        end = colon + 1 + int(text[at:colon])
        parts.append(text[colon + 1 : end])
        at = end
    return parts


def _join(parts: Sequence[str]) -> str:
    return "".join(f"{len(part)}:{part}" for part in parts)


def _whole_number(value: object) -> int:
    # SQLite lets text live in an integer column; a bool is an int to Python but not a key.
    if not isinstance(value, int) or isinstance(value, bool) or not _SMALLEST <= value <= _LARGEST:
        raise UnusableKeyError
    return value


def _integer_text(value: object) -> str:
    # As a part it is text, so one beyond the ledger's own integers will do.
    if not isinstance(value, int) or isinstance(value, bool):
        raise UnusableKeyError
    return str(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise UnusableKeyError
    try:
        value.encode()
    except UnicodeEncodeError as error:
        # Bytes that are no text, read as half characters: no database takes them back as they were.
        raise UnusableKeyError from error
    return value


def _guid_text(value: object) -> str:
    try:
        return str(value if isinstance(value, uuid.UUID) else uuid.UUID(str(value)))
    except ValueError as error:
        raise UnusableKeyError from error


def _binary_text(value: object) -> str:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise UnusableKeyError
    return bytes(value).hex()


def _decimal_text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | decimal.Decimal):
        raise UnusableKeyError
    number = decimal.Decimal(value)
    if not number.is_finite():
        raise UnusableKeyError
    return decimal_text(number)


def _date_text(value: object) -> str:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value.isoformat()
    return _text(value)


_ENCODERS: dict[KeyKind, Callable[[object], str]] = {
    "integer": _integer_text,
    "text": _text,
    "guid": _guid_text,
    "binary": _binary_text,
    "decimal": _decimal_text,
    "date": _date_text,
}

_DECODERS: dict[KeyKind, Callable[[str], Any]] = {
    "integer": int,
    "text": str,
    "guid": str,
    "binary": bytes.fromhex,
    "decimal": decimal.Decimal,
    "date": str,
}


def _without_case(text: str) -> str:
    # The 26 ASCII letters only: of others collations differ, and a fold that is coarser than the collation would take
    # two rows for one, so that one of them is never sent.
    return "".join(chr(ord(letter) + 32) if "A" <= letter <= "Z" else letter for letter in text)


def _without_end(text: str) -> str:
    return text.rstrip(" ")


_FOLD: dict[str, Callable[[str], str]] = {"exact": str, "nocase": _without_case, "rtrim": _without_end}


def _folded(text: str, equality: KeyEquality) -> str:
    for name in equality.split("+"):
        text = _FOLD[name](text)
    return text
