"""The instant vendor: a Batch API server that ends every batch at once, each line with the same plausible answer.

It validates nothing and keeps everything in memory, so that what it costs is as little as can be; and it says what that
was. Run as ``python -m tests.bench.vendor``; its first line on stdout is its base URL. It ends with its stdin.
"""

import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.bench.shapes import AT_LENGTH

_CONTENT = {
    "full_name": "Candidate %b",
    "years_experience": 12.5,
    "skills": ["welding", "pipe fitting", "estimating", "crew scheduling"],
    "level": "senior",
    "summary": "Has led maintenance crews in two plants since 2011 and estimates and schedules their work.",
}
_ANSWER = {
    "id": "batch_req_%b",
    "custom_id": "%b",
    "response": {
        "status_code": 200,
        "request_id": "req_%b",
        "body": {
            "id": "chatcmpl-%b",
            "object": "chat.completion",
            "created": 1_790_000_000,
            "model": "gpt-6-luna",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": json.dumps(_CONTENT), "refusal": None},
                    "finish_reason": "stop",
                }
            ],
            "usage": {
                "prompt_tokens": 310,
                "completion_tokens": 64,
                "total_tokens": 374,
                "prompt_tokens_details": {"cached_tokens": 128},
                "completion_tokens_details": {"reasoning_tokens": 0},
            },
        },
    },
    "error": None,
}
# The row's number four times, its custom_id once.
_LINE = json.dumps(_ANSWER, separators=(",", ":")).encode() + b"\n"
_SUMMARY = str(_CONTENT["summary"]).encode()
_LONG_LINE = _LINE.replace(_SUMMARY, b" ".join([_SUMMARY] * 50))
_ID, _ASKED, _AT_LENGTH = b'"custom_id"', b"Candidate ", AT_LENGTH.encode()


def answered(requests: bytes) -> tuple[bytes, int]:
    """The output file of an input file, and how many lines it has; every answer names the row that was asked about."""
    lines = [line % (number, name, number, number, number) for line, name, number in _asked(requests)]
    return b"".join(lines), len(lines)


def _asked(requests: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Of each line the answer that is wanted, its custom_id, and the row's number."""
    for line in requests.split(b"\n"):
        if line:
            start = line.index(b'"', line.index(_ID) + len(_ID)) + 1
            end = line.index(b'"', start)
            number = line.index(_ASKED, end) + len(_ASKED)
            wanted = _LONG_LINE if _AT_LENGTH in line else _LINE
            yield wanted, line[start:end], line[number : line.index(b"\\", number)]


@dataclass
class Account:
    """What the vendor holds, and what that has cost it since it was last emptied.

    Attributes:
        files: bytes by id.
        batches: batch objects by id, oldest first.
        answering: seconds spent on taking files apart and making answers.
        bytes_up: bytes of batch files that came in.
        bytes_down: bytes of result files that went out.
        cpu_before: processor seconds before all of this.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    answering: float = 0.0
    bytes_up: int = 0
    bytes_down: int = 0
    cpu_before: float = field(default_factory=time.process_time)
    made: int = 0

    def keep(self, content: bytes, purpose: str) -> dict[str, Any]:
        """Takes a file in."""
        self.made += 1
        file_id = f"file-{purpose}-{self.made}"
        self.files[file_id] = content
        return self.file(file_id)

    def file(self, file_id: str) -> dict[str, Any]:
        """A file object."""
        return {
            "id": file_id,
            "object": "file",
            "bytes": len(self.files[file_id]),
            "created_at": int(time.time()),
            "filename": f"{file_id}.jsonl",
            "purpose": "batch_output" if file_id.startswith("file-output") else "batch",
            "status": "processed",
        }

    def create(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Makes a batch and ends it."""
        now = int(time.time())
        output, lines = answered(self.files[wanted["input_file_id"]])
        self.files[wanted["input_file_id"]] = b""
        self.made += 1
        batch = {
            "id": f"batch_{self.made}",
            "object": "batch",
            "endpoint": wanted["endpoint"],
            "errors": None,
            "input_file_id": wanted["input_file_id"],
            "completion_window": wanted["completion_window"],
            "status": "completed",
            "output_file_id": self.keep(output, "output")["id"],
            "error_file_id": None,
            "created_at": now,
            "in_progress_at": now,
            "expires_at": now + 86_400,
            "finalizing_at": now,
            "completed_at": now,
            "failed_at": None,
            "expired_at": None,
            "cancelling_at": None,
            "cancelled_at": None,
            "request_counts": {"total": lines, "completed": lines, "failed": 0},
            "metadata": wanted.get("metadata"),
        }
        self.batches[batch["id"]] = batch
        return batch

    def page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        """A page of the list, newest first."""
        newest = list(reversed(self.batches.values()))
        names = [batch["id"] for batch in newest]
        start = names.index(query["after"][0]) + 1 if "after" in query else 0
        shown = newest[start : start + int(query.get("limit", ["20"])[0])]
        return {
            "object": "list",
            "data": shown,
            "first_id": shown[0]["id"] if shown else None,
            "last_id": shown[-1]["id"] if shown else None,
            "has_more": start + len(shown) < len(newest),
        }

    def told(self) -> dict[str, Any]:
        """What it has cost so far."""
        return {
            "cpu": time.process_time() - self.cpu_before,
            "answering": self.answering,
            "bytes_up": self.bytes_up,
            "bytes_down": self.bytes_down,
            "batches": len(self.batches),
        }


def uploaded(body: bytes, content_type: str) -> bytes:
    """The file in a multipart form."""
    boundary = content_type.partition("boundary=")[2].strip('"').encode()
    start = body.index(b"\r\n\r\n", body.index(b'name="file"')) + 4
    return body[start : body.index(b"\r\n--" + boundary, start)]


class _Handler(BaseHTTPRequestHandler):
    """The routes that batchd and the SDK call, and ``/_bench`` for the bench itself."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    account = Account()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the method it replaces
        """Says nothing."""

    def do_GET(self) -> None:
        """Files, their content, batches, their list."""
        path, account = urlsplit(self.path), self.account
        match path.path.strip("/").split("/"):
            case ["_bench"]:
                self._reply(account.told())
            case ["v1", "files", name, "content"] if name in account.files:
                account.bytes_down += len(account.files[name])
                self._send(account.files[name], "application/octet-stream")
            case ["v1", "files", name] if name in account.files:
                self._reply(account.file(name))
            case ["v1", "batches", name] if name in account.batches:
                self._reply(account.batches[name])
            case ["v1", "batches"]:
                self._reply(account.page(parse_qs(path.query)))
            case _:
                self._not_found()

    def do_POST(self) -> None:
        """Uploads, creations; a cancel comes too late."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        begun, account = time.perf_counter(), self.account
        match self.path.strip("/").split("/"):
            case ["v1", "files"]:
                content = uploaded(body, self.headers["Content-Type"])
                account.bytes_up += len(content)
                reply = account.keep(content, "input")
            case ["v1", "batches"]:
                reply = account.create(json.loads(body))
            case _:
                self._not_found()
                return
        account.answering += time.perf_counter() - begun
        self._reply(reply)

    def do_DELETE(self) -> None:
        """A file; or, for the bench, everything."""
        match self.path.strip("/").split("/"):
            case ["_bench"]:
                type(self).account = Account()
                self._reply({})
            case ["v1", "files", name] if name in self.account.files:
                del self.account.files[name]
                self._reply({"id": name, "object": "file", "deleted": True})
            case _:
                self._not_found()

    def _reply(self, value: dict[str, Any], status: int = 200) -> None:
        self._send(json.dumps(value).encode(), "application/json", status)

    def _not_found(self) -> None:
        error = {"message": "no such thing here", "type": "invalid_request_error", "param": None, "code": None}
        self._reply({"error": error}, 404)

    def _send(self, body: bytes, content_type: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serves until stdin ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}/v1\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
