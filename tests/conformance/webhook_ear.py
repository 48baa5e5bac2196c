"""A receiver of webhooks that believes what the vendor's SDK believes, and answers as a test wants."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import openai
from openai import InvalidWebhookSignatureError

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
_SDK = openai.OpenAI(api_key="none")


@dataclass
class Came:
    """One try of a webhook, as it arrived."""

    body: bytes
    headers: dict[str, str]

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def event(self, secret: str = SECRET) -> Any:
        """The event as the SDK reads it. Raises InvalidWebhookSignatureError."""
        return _SDK.webhooks.unwrap(self.body, self.headers, secret=secret)

    def is_believed(self, secret: str = SECRET) -> bool:
        try:
            self.event(secret)
        except InvalidWebhookSignatureError:
            return False
        return True


@dataclass
class Ear:
    """``url`` to send to; ``came`` holds what arrived; ``statuses`` are the next answers, 200 behind them."""

    url: str = ""
    came: list[Came] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    delay: threading.Event | None = None
    _news: threading.Condition = field(default_factory=threading.Condition)

    def take(self, came: Came) -> int:
        with self._news:
            self.came.append(came)
            self._news.notify_all()
            status = self.statuses.pop(0) if self.statuses else 200
        if self.delay is not None:
            self.delay.wait(10)
        return status

    def wait(self, number: int, patience: float = 10.0) -> list[Came]:
        """What came, once it is so much."""
        with self._news:
            enough = self._news.wait_for(lambda: len(self.came) >= number, patience)
        assert enough, f"{len(self.came)} came, not {number}"
        return list(self.came)

    def told(self) -> list[tuple[str, str]]:
        """(type, batch) of each that came and is believed."""
        events = [one.event() for one in self.came if one.is_believed()]
        return [(event.type, event.data.id) for event in events]


@contextmanager
def ear(port: int = 0) -> Iterator[Ear]:
    """A receiver at work."""
    hears = Ear()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = hears.take(Came(body, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("location", hears.url)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    hears.url = f"http://127.0.0.1:{server.server_port}/hooks"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hears
    finally:
        if hears.delay is not None:
            hears.delay.set()
        server.shutdown()
        thread.join()
        server.server_close()


def wait_until(holds: Callable[[], bool], patience: float = 10.0) -> None:
    """Looks until something holds."""
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.02)
