"""A wire to a database server: as long as one likes, and with an ear on it. Its length costs time, and no bandwidth.

Each chunk leaves when its time has come, however many are on their way: what waits is the one who waits for an answer.
"""

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable
from typing import Protocol, Self

_HOST = "127.0.0.1"
_CHUNK = 1 << 18
_PATIENCE = 10.0
_Chunk = tuple[float, bytes]


class Ear(Protocol):
    """Hears what one client says to its server."""

    def heard(self, sent: bytes) -> int:
        """How many statements begin with these bytes."""


class Deaf:
    """Knows no protocol."""

    def heard(self, sent: bytes) -> int:
        """None that it knows of."""
        del sent
        return 0


class Wire:
    """Listens on a port of its own, and passes everything on.

    Attributes:
        port: where it listens.
        statements: that clients have sent.
        round_trips: how often a client spoke after the server had.
    """

    def __init__(self, server: tuple[str, int], *, round_trip: float = 0.0, ear: Callable[[], Ear] = Deaf) -> None:
        self.statements = 0
        self.round_trips = 0
        self._server, self._one_way, self._ear = server, round_trip / 2, ear
        self._listening = socket.create_server((_HOST, 0))
        self.port: int = self._listening.getsockname()[1]
        self._guard = threading.Lock()
        self._links: list[_Link] = []
        self._accepting = threading.Thread(target=self._take_all, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Takes nobody any more, and waits until whoever is connected has gone."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._accepting.join(_PATIENCE)
        self._listening.close()
        for link in self._links:
            link.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def note(self, statements: int, round_trips: int) -> None:
        """Adds to what was counted."""
        with self._guard:
            self.statements += statements
            self.round_trips += round_trips

    def _take_all(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            link = _Link(self, client, server, self._one_way, self._ear())
            self._links.append(link)
            link.start()


class _Link:
    """One connection: for each way one thread that takes, and one that passes on when the time has come."""

    def __init__(self, wire: Wire, client: socket.socket, server: socket.socket, one_way: float, ear: Ear) -> None:
        self._wire, self._client, self._server, self._one_way, self._ear = wire, client, server, one_way, ear
        self._server_spoke = True
        self._running: list[threading.Thread] = []
        self._ending = threading.Thread(target=self._end, daemon=True)
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        for source, target, note in (
            (self._client, self._server, self._note_client),
            (self._server, self._client, self._note_server),
        ):
            on_the_way: queue.SimpleQueue[_Chunk] = queue.SimpleQueue()
            taking = threading.Thread(target=self._take, args=(source, on_the_way, note), daemon=True)
            passing = threading.Thread(target=_pass_on, args=(on_the_way, target), daemon=True)
            self._running += [taking, passing]
        for thread in self._running:
            thread.start()
        self._ending.start()

    def join(self) -> None:
        self._ending.join(_PATIENCE)

    def _end(self) -> None:
        for thread in self._running:
            thread.join()
        self._client.close()
        self._server.close()

    def _take(
        self, source: socket.socket, on_the_way: "queue.SimpleQueue[_Chunk]", note: Callable[[bytes], None]
    ) -> None:
        sent = b"-"
        while sent:
            try:
                sent = source.recv(_CHUNK)
            except OSError:
                sent = b""
            note(sent)
            on_the_way.put((time.monotonic() + self._one_way, sent))

    def _note_client(self, sent: bytes) -> None:
        if sent:
            self._wire.note(self._ear.heard(sent), int(self._server_spoke))
            self._server_spoke = False

    def _note_server(self, sent: bytes) -> None:
        self._server_spoke = self._server_spoke or bool(sent)


def _pass_on(on_the_way: "queue.SimpleQueue[_Chunk]", target: socket.socket) -> None:
    sent = b"-"
    while sent:
        due, sent = on_the_way.get()
        if (wait := due - time.monotonic()) > 0:
            time.sleep(wait)
        with contextlib.suppress(OSError):
            if sent:
                target.sendall(sent)
            else:
                target.shutdown(socket.SHUT_WR)
