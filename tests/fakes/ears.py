"""A web server that people are told by: it keeps what is POSTed to it, and answers as it is told to."""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Ears:
    """``heard`` are (path, headers, document) of each POST; ``status`` is the answer; ``wait`` may hold it back."""

    url: str = ""
    status: int = 204
    location: str = ""
    wait: threading.Event | None = None
    heard: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@contextlib.contextmanager
def listening() -> Iterator[Ears]:
    """A server on a free port of this machine."""
    ears = Ears()

    class Handler(BaseHTTPRequestHandler):
        """One request."""

        def do_GET(self) -> None:
            ears.asked.append(self.path)
            self._answer(200)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            ears.heard.append((self.path, dict(self.headers), json.loads(body)))
            if ears.wait is not None:
                ears.wait.wait(30)
            self._answer(ears.status)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            if ears.location:
                self.send_header("Location", ears.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    ears.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield ears
    finally:
        if ears.wait is not None:
            ears.wait.set()
        server.shutdown()
        server.server_close()
        thread.join()
