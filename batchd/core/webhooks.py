"""Webhooks by the Standard Webhooks scheme: whether one is signed, is of now, and of which batch it tells."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import orjson

# How far a webhook's time may be from ours, either way, in seconds.
TOLERANCE = 300.0
ENDS = ("batch.completed", "batch.failed", "batch.expired", "batch.cancelled")
_PREFIX = "whsec_"
_VERSION = "v1,"
# The width of the ledger's column.
_LONGEST_ID = 200
# A vendor signs with one secret, or with two while it changes them.
_MOST_SIGNATURES = 8
# Seconds since 1970 have ten digits for some centuries.
_MOST_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Message:
    """A webhook as it came: nothing of it is believed before it is found signed.

    Attributes:
        id: names it; the same for each try to deliver it.
        timestamp: Unix seconds, as they were written.
        signatures: each as it was written, with its version.
        body: as it was sent, to the byte.
    """

    id: str
    timestamp: str
    signatures: tuple[str, ...]
    body: bytes


def message_from(headers: Mapping[str, str], body: bytes) -> Message | None:
    """The webhook that these headers make of a body; None where one of the three is missing, or is beyond measure.

    ``headers`` are looked up by their names in lower case.
    """
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    signatures = tuple(headers.get("webhook-signature", "").split())
    if not 0 < len(message_id) <= _LONGEST_ID or not 0 < len(signatures) <= _MOST_SIGNATURES:
        return None
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _MOST_DIGITS):
        return None
    return Message(message_id, timestamp, signatures, body)


def signing_key(secret: str) -> bytes:
    """The key that a secret stands for: base64 behind ``whsec_``, otherwise the text itself.

    Raises:
        ValueError: what is behind ``whsec_`` is no base64, or there is nothing.
    """
    if not secret.startswith(_PREFIX):
        key = secret.encode()
    else:
        written = secret.removeprefix(_PREFIX)
        try:
            key = base64.b64decode(written + "=" * (-len(written) % 4), validate=True)
        except binascii.Error:
            # Without its text, which may quote the secret.
            raise ValueError("what follows whsec_ is not base64") from None
    if not key:
        raise ValueError("the secret is empty")
    return key


def is_signed(message: Message, keys: Iterable[bytes]) -> bool:
    """Whether one of the signatures is by one of the keys. How long it takes tells nothing of a key."""
    text = b".".join((_bytes(message.id), _bytes(message.timestamp), message.body))
    rights = [base64.b64encode(hmac.digest(key, text, hashlib.sha256)) for key in keys]
    given = [_bytes(one.removeprefix(_VERSION)) for one in message.signatures if one.startswith(_VERSION)]
    # Each with each: to stop at the first that fits would tell which one it was.
    return sum(hmac.compare_digest(right, one) for right in rights for one in given) > 0


def is_of_now(message: Message, now: float) -> bool:
    """Whether it was sent within the tolerance of ``now``, in Unix seconds."""
    return abs(now - int(message.timestamp)) <= TOLERANCE


def ended_batch(body: bytes) -> str | None:
    """The vendor's id of the batch that an event says has ended; None where it says something else."""
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(event, dict) or event.get("type") not in ENDS:
        return None
    data = event.get("data")
    batch_id = data.get("id") if isinstance(data, dict) else None
    # No vendor's id is other than printable ASCII. MariaDB refuses to compare other text with one, and PostgreSQL takes
    # no NUL: what was announced with it would wait.
    if not isinstance(batch_id, str) or not 0 < len(batch_id) <= _LONGEST_ID:
        return None
    return batch_id if batch_id.isascii() and batch_id.isprintable() else None


def _bytes(text: str) -> bytes:
    # Headers come as Latin-1, whatever they were: back to the bytes that were on the wire.
    return text.encode("latin-1", "replace")
