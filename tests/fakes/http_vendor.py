"""A real HTTP server in front of the fake vendor; single replies can be replaced by scripted ones.

It exists for the adapter's tests. The sandbox is the strict server; this one says whatever a test wants.
"""

import email
import email.policy
import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from batchd.core.model import VendorBatch
from batchd.core.states import VendorPhase, phase_of
from batchd.errors import VendorNotFoundError
from tests.fakes.vendor import FakeVendor


@dataclass(frozen=True, slots=True)
class Scripted:
    """A reply to give in place of the right one.

    Attributes:
        status: HTTP status.
        body: sent as it is.
        headers: further headers.
        cut: bytes of the body to leave out although Content-Length counts them; the connection drops.
        drop: close the connection without any reply.
        delay: wait before the reply until the test is over or this many seconds have passed.
        act: do what was asked before replying so.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    drop: bool = False
    delay: float = 0.0
    act: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


def error_body(code: str | None = None, kind: str = "invalid_request_error") -> bytes:
    """The standard error body, with a message that must not get into ours."""
    error = {"message": "SECRET ROW TEXT", "type": kind, "param": None, "code": code}
    return json.dumps({"error": error}).encode()


class HttpVendor:
    """The server: ``url`` to speak to, ``next`` for scripted replies, ``seen`` for what arrived."""

    def __init__(self, fake: FakeVendor, url: str, over: threading.Event) -> None:
        self.fake, self.url, self.over = fake, url, over
        self.page_size = 100
        self.seen: list[Seen] = []
        self.next: deque[Scripted] = deque()

    def script(self, *replies: Scripted) -> None:
        """The next requests get these replies, whatever they ask."""
        self.next.extend(replies)

    def posts(self, path: str) -> list[Seen]:
        """The POSTs of a path that arrived."""
        return [seen for seen in self.seen if seen.method == "POST" and seen.path.endswith(path)]

    def answer(self, seen: Seen) -> tuple[int, bytes]:
        """The right reply."""
        path = urlsplit(seen.path).path.removeprefix("/openai").removeprefix("/v1")
        resource, *parts = path.removeprefix("/").split("/")
        try:
            result = self._files(seen, parts) if resource == "files" else self._batches(seen, parts)
        except VendorNotFoundError:
            return 404, error_body()
        return result if isinstance(result, tuple) else (200, _encoded(result))

    def _files(self, seen: Seen, parts: list[str]) -> Any:
        match seen.method, parts:
            case "POST", []:
                return self._upload(seen)
            case "GET", [file_id]:
                return self._describe_file(file_id)
            case "DELETE", [file_id]:
                return self._delete(file_id)
            case _:
                sink = BytesIO()
                self.fake.download(parts[0], sink)
                return sink.getvalue()

    def _batches(self, seen: Seen, parts: list[str]) -> Any:
        match seen.method, parts:
            case "POST", []:
                asked = json.loads(seen.body)
                return self.fake.create_batch(asked["input_file_id"], asked["endpoint"], asked["metadata"])
            case "GET", []:
                return self._page({key: value[0] for key, value in parse_qs(urlsplit(seen.path).query).items()})
            case "GET", [batch_id]:
                return self.fake.retrieve_batch(batch_id)
            case _:
                return self._cancel(parts[0])

    def _upload(self, seen: Seen) -> dict[str, str]:
        head = f"Content-Type: {seen.headers['content-type']}\r\n\r\n".encode()
        message = email.message_from_bytes(head + seen.body, policy=email.policy.HTTP)
        part = next(part for part in message.walk() if part.get_filename())
        with TemporaryDirectory() as folder:
            path = Path(folder) / "part"
            path.write_bytes(cast("bytes", part.get_payload(decode=True)))
            return {"id": self.fake.upload(path, part.get_filename() or ""), "object": "file"}

    def _describe_file(self, file_id: str) -> Any:
        size = self.fake.file_bytes(file_id)
        return (404, error_body()) if size is None else {"id": file_id, "object": "file", "bytes": size}

    def _delete(self, file_id: str) -> Any:
        known = file_id in self.fake.files
        self.fake.delete_file(file_id)
        return {"id": file_id, "object": "file", "deleted": True} if known else (404, error_body())

    def _cancel(self, batch_id: str) -> Any:
        before = next((batch for batch in self.fake.batches() if batch.id == batch_id), None)
        if before and phase_of(before.status) is VendorPhase.ENDED:
            return 409, error_body()
        return self.fake.cancel_batch(batch_id)

    def _page(self, query: dict[str, str]) -> dict[str, Any]:
        batches = self.fake.list_batches(0).batches
        start = next((n + 1 for n, batch in enumerate(batches) if batch.id == query.get("after")), 0)
        end = start + min(self.page_size, int(query["limit"]))
        return {
            "object": "list",
            "data": [_batch_object(batch) for batch in batches[start:end]],
            "has_more": end < len(batches),
        }


@contextmanager
def http_vendor(fake: FakeVendor) -> Iterator[HttpVendor]:
    """Runs the server on a free port of this machine until the block ends."""
    server = _Server(("127.0.0.1", 0), _Handler)
    over = threading.Event()
    server.vendor = HttpVendor(fake, f"http://127.0.0.1:{server.server_port}/v1", over)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.vendor
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    vendor: HttpVendor

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _handle(self) -> None:
        vendor = self.server.vendor
        announced = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(announced)
        if len(body) < announced:
            # The client went away in the middle of its request: no server acts on half of one.
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, self.path, headers, body)
        vendor.seen.append(seen)
        scripted = vendor.next.popleft() if vendor.next else None
        if scripted is None:
            self._send(*vendor.answer(seen), {})
            return
        if scripted.act:
            vendor.answer(seen)
        vendor.over.wait(scripted.delay)
        self._send_scripted(scripted)

    def _send_scripted(self, reply: Scripted) -> None:
        if reply.drop:
            self.close_connection = True
            return
        self._send(reply.status, reply.body, reply.headers, cut=reply.cut)

    def _send(self, status: int, body: bytes, headers: dict[str, str], cut: int = 0) -> None:
        self.send_response(status)
        self.send_header("x-request-id", "req_1")
        if headers.get("Connection") != "close":
            self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) - cut])
        self.close_connection = self.close_connection or bool(cut) or headers.get("Connection") == "close"

    do_GET = do_POST = do_DELETE = _handle  # noqa: N815 - the names http.server looks for

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Keeps the tests' output quiet."""


def _encoded(result: Any) -> bytes:
    if isinstance(result, bytes):
        return result
    return json.dumps(_batch_object(result) if isinstance(result, VendorBatch) else result).encode()


def _batch_object(batch: VendorBatch) -> dict[str, Any]:
    known = asdict(batch)
    faults = known.pop("faults")
    counts = {name: known.pop(name) for name in ("total", "completed", "failed")}
    errors = {"object": "list", "data": list(faults)} if faults else None
    return {"object": "batch", **known, "request_counts": counts, "errors": errors}
