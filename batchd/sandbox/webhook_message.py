"""One webhook as it goes over the wire: body and headers, signed by the Standard Webhooks scheme."""

import base64
import hashlib
import hmac
import http.client
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

USER_AGENT = "OpenAI/1.0 (+https://platform.openai.com/docs/webhooks)"
PREFIX = "whsec_"


@dataclass(frozen=True)
class Event:
    """What is told: that a batch came to an end, and which."""

    id: str
    type: str
    created_at: int
    batch_id: str

    def body(self) -> bytes:
        """Return the JSON that is sent, to the byte."""
        told = {
            "id": self.id,
            "object": "event",
            "created_at": self.created_at,
            "type": self.type,
            "data": {"id": self.batch_id},
        }
        return json.dumps(told, separators=(",", ":")).encode()


def key_of(secret: str) -> bytes:
    """Return the key in a secret; raises ValueError where it is none."""
    key = base64.b64decode(secret[len(PREFIX) :]) if secret.startswith(PREFIX) else secret.encode()
    if not key:
        raise ValueError("the secret of webhooks is empty")
    return key


def headers(event_id: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Return the headers of a webhook, with one signature for each secret."""
    text = f"{event_id}.{timestamp}.".encode() + body
    signatures = [hmac.new(key_of(secret), text, hashlib.sha256).digest() for secret in secrets]
    return {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(one).decode()}" for one in signatures),
    }


def post(url: str, body: bytes, given: Mapping[str, str], patience: float) -> int | None:
    """Send it and return the status; None where nobody answered in time. Redirects are not followed."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=patience)
    try:
        connection.request("POST", parts.path or "/", body, dict(given))
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
