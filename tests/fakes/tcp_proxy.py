"""A TCP proxy between batchd and a database server, which makes the link as bad as a test wants it.

It knows no more of a protocol than what a COMMIT looks like, so it serves any database whose driver sends one in the
clear.
"""

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Self

HOST = "127.0.0.1"
_CHUNK = 65_536
_PATIENCE = 10.0
# A close that sends RST.
_ABRUPTLY = struct.pack("ii", 1, 0)

IsCommit = Callable[[bytes], bool]


def postgresql_commit(sent: bytes) -> bool:
    """A simple query, as psycopg ends its transactions."""
    return sent == b"Q\x00\x00\x00\x0bCOMMIT\x00"


def mysql_commit(sent: bytes) -> bool:
    """A COM_QUERY, as PyMySQL ends its transactions."""
    return sent == b"\x07\x00\x00\x00\x03COMMIT"


def tds_commit(sent: bytes) -> bool:
    """TM_COMMIT_XACT of a transaction manager's request, behind the headers of the packet and of its data."""
    if len(sent) < _TDS_HEADER + 4 or sent[0] != _TDS_TRANSACTION_MANAGER:
        return False
    (headers,) = struct.unpack_from("<I", sent, _TDS_HEADER)
    return sent[_TDS_HEADER + headers :][:2] == struct.pack("<H", _TDS_COMMIT)


_TDS_HEADER, _TDS_TRANSACTION_MANAGER, _TDS_COMMIT = 8, 0x0E, 7


class Cut(Enum):
    """What becomes of a COMMIT whose connection is reset."""

    ANSWER_LOST = auto()  # the server has committed; the client never hears of it
    NEVER_SENT = auto()  # the server never hears of it
    LATE = auto()  # the client is reset at once; the server hears of it a moment later


class TcpProxy:
    """Listens on a port of its own, and passes everything on to a server.

    Knobs, to be set at any time:
        latency: seconds that each way of a round trip takes.
        pace: bytes a second each way; None for as fast as it goes.
        late: seconds that a late COMMIT is late.
        silent: nothing is passed on, and nobody is told; what was sent meanwhile goes on its way afterwards.

    What happened, for tests to look at:
        round_trips: how often a client spoke after the server had.
        cuts: how many COMMITs were cut.
    """

    def __init__(self, server: tuple[str, int], is_commit: IsCommit = lambda _: False) -> None:
        self.latency = 0.0
        self.pace: int | None = None
        self.late = 0.3
        self.silent = False
        self.round_trips = 0
        self.cuts = 0
        self.server = server
        self.is_commit = is_commit
        self._next_cut: Cut | None = None
        self._links: list[_Link] = []
        self._guard = threading.Lock()
        self._listening = socket.create_server((HOST, 0))
        self.port: int = self._listening.getsockname()[1]
        self._open = True
        self._accept()

    def cut_next_commit(self, cut: Cut) -> None:
        """The next COMMIT on any connection comes to this."""
        self._next_cut = cut

    def due_cut(self, sent: bytes) -> Cut | None:
        """What becomes of these bytes, if they are the COMMIT that is to be cut."""
        if self._next_cut is None or not self.is_commit(sent):
            return None
        cut, self._next_cut = self._next_cut, None
        self.cuts += 1
        return cut

    def reset(self) -> None:
        """Every open connection is reset, on both sides; returns when it is done."""
        with self._guard:
            links, self._links = self._links, []
        for link in links:
            link.reset()

    def go_down(self) -> None:
        """Resets all connections, and refuses new ones."""
        self._open = False
        self._listening.shutdown(socket.SHUT_RDWR)
        self._accepting.join(_PATIENCE)
        self._listening.close()
        # Bound, and not listened at: nobody else takes the port meanwhile.
        self._listening = socket.socket()
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening.bind((HOST, self.port))
        self.reset()

    def come_back(self) -> None:
        """Takes connections again."""
        self._listening.listen()
        self._open = True
        self._accept()

    def close(self) -> None:
        """Ends everything."""
        if self._open:
            self.go_down()
        self._listening.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        self._accepting = threading.Thread(target=self._take_all, daemon=True)
        self._accepting.start()

    def _take_all(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self._take(client)

    def _take(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self.server, timeout=_PATIENCE)
        except OSError:
            # What whoever stands before a server that is away can do: it let the client in already.
            _reset(client)
            return
        link = _Link(self, client, server)
        with self._guard:
            self._links.append(link)
        link.start()


class _Link:
    """One connection: two threads, one for each way."""

    def __init__(self, proxy: TcpProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client, self._server = client, server
        self._spoke_last = "server"
        self._answer_is_lost = False
        self._closing = threading.Lock()
        # No thread sits in a ``recv``, or a close would wait for it: they look at this one too.
        self._end, self._ended = socket.socketpair()
        self._threads = [
            threading.Thread(target=self._run, args=[way], daemon=True) for way in (self._up, self._down)
        ]  # fmt: skip
        for one in (client, server):
            one.settimeout(_PATIENCE)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def reset(self) -> None:
        """Both sides are told that the other one is gone."""
        with contextlib.suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(_PATIENCE)

    def _run(self, way: Callable[[], None]) -> None:
        try:
            with contextlib.suppress(OSError):
                way()
        finally:
            with contextlib.suppress(OSError):
                self._end.shutdown(socket.SHUT_RDWR)
            with self._closing:
                # The last one closes: before, the other may still be in the middle of a call.
                self._threads.remove(threading.current_thread())
                if not self._threads:
                    for one in (self._client, self._server):
                        _reset(one)
                    self._end.close()
                    self._ended.close()

    def _up(self) -> None:
        """From the client to the server."""
        for sent in self._received(self._client):
            cut = self._proxy.due_cut(sent)
            if cut is Cut.NEVER_SENT:
                return
            if cut is Cut.LATE:
                _reset(self._client)
                time.sleep(self._proxy.late)
            if self._spoke_last == "server":
                self._spoke_last = "client"
                self._proxy.round_trips += 1
            self._answer_is_lost = cut is not None
            self._pass_on(sent, self._server)
            if cut is not None:
                # The server is reset when it has answered: before, it might not have read this yet.
                select.select([self._ended], [], [], _PATIENCE)
                return

    def _down(self) -> None:
        """From the server to the client."""
        for sent in self._received(self._server):
            if self._answer_is_lost:
                return
            self._spoke_last = "server"
            self._pass_on(sent, self._client)

    def _received(self, source: socket.socket) -> Iterator[bytes]:
        while True:
            readable, _, _ = select.select([source, self._ended], [], [])
            if self._ended in readable:
                return
            sent = source.recv(_CHUNK)
            while self._proxy.silent:
                if select.select([self._ended], [], [], 0.05)[0]:
                    return
            if not sent:
                return
            yield sent

    def _pass_on(self, sent: bytes, target: socket.socket) -> None:
        time.sleep(self._proxy.latency)
        pace = self._proxy.pace
        step = len(sent) if pace is None else max(pace // 20, 1)
        for at in range(0, len(sent), step):
            target.sendall(sent[at : at + step])
            if pace is not None:
                time.sleep(step / pace)


def _reset(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABRUPTLY)
    connection.close()
