"""Short ways to talk to a running sandbox: by the real SDK, and by plain HTTP for its controls."""

import json
import time
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import openai
from openai.types import Batch

Line = dict[str, Any]

CHAT: Literal["/v1/chat/completions"] = "/v1/chat/completions"
RESPONSES: Literal["/v1/responses"] = "/v1/responses"
RESUME = "Jane Miller\nSenior engineer with 12 years of Python and SQL in Berlin."
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "full_name": {"type": "string"},
        "level": {"type": "string", "enum": ["junior", "mid", "senior"]},
        "years": {"type": "number", "minimum": 0, "maximum": 80},
    },
    "required": ["full_name", "level", "years"],
    "additionalProperties": False,
}
LAST = ("completed", "failed", "expired", "cancelled")


def chat_line(custom_id: str, text: str = RESUME, **body: Any) -> Line:
    """One chat line that asks for an answer to SCHEMA."""
    asked = {"type": "json_schema", "json_schema": {"name": "resume", "strict": True, "schema": SCHEMA}}
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": CHAT,
        "body": {
            "model": "gpt-6-luna",
            "messages": [{"role": "user", "content": text}],
            "response_format": asked,
            **body,
        },
    }


def responses_line(custom_id: str, text: str = RESUME, **body: Any) -> Line:
    """One Responses line that asks for an answer to SCHEMA."""
    asked = {"format": {"type": "json_schema", "name": "resume", "strict": True, "schema": SCHEMA}}
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": RESPONSES,
        "body": {"model": "gpt-6-luna", "instructions": "Extract.", "input": text, "text": asked, **body},
    }


class Sandbox:
    """A running sandbox, seen by a client."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = openai.OpenAI(base_url=url, api_key="sandbox-key", max_retries=0, timeout=10)

    def control(self, method: str, name: str, body: Mapping[str, object] | None = None) -> Any:
        """Call a route under /_sandbox and return its JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310, the sandbox's own address
            f"{self.url.removesuffix('/v1')}/_sandbox/{name}", data=data, method=method
        )
        with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310, as above
            return json.load(reply)

    def upload(self, lines: Sequence[Line | bytes], name: str = "in.jsonl") -> str:
        """Upload lines (objects, or bytes as they are) and return the file's id."""
        raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        content = b"".join(line + b"\n" for line in raw)
        return self.client.files.create(file=(name, content), purpose="batch").id

    def create(self, lines: Sequence[Line | bytes], endpoint: Any = CHAT, **more: Any) -> Batch:
        """Upload lines and create a batch of them."""
        return self.client.batches.create(
            input_file_id=self.upload(lines), endpoint=endpoint, completion_window="24h", **more
        )

    def run(self, lines: Sequence[Line | bytes], endpoint: str = CHAT) -> Batch:
        """Create a batch and wait for its end."""
        return self.wait(self.create(lines, endpoint).id)

    def wait(self, batch_id: str, limit: float = 10.0) -> Batch:
        """Poll a batch until it has ended."""
        deadline = time.monotonic() + limit
        batch = self.client.batches.retrieve(batch_id)
        while time.monotonic() < deadline and batch.status not in LAST:
            time.sleep(0.02)
            batch = self.client.batches.retrieve(batch_id)
        if batch.status in LAST:
            return batch
        raise AssertionError(f"{batch_id} is still {batch.status}")

    def lines(self, file_id: str | None) -> list[Line]:
        """Return the lines of a result file, split on newline bytes only."""
        if file_id is None:
            return []
        content = self.client.files.content(file_id).read()
        return [json.loads(line) for line in content.split(b"\n") if line]

    def advance(self, seconds: float) -> None:
        """Move the sandbox's clock."""
        self.control("POST", "clock", {"advance": seconds})
