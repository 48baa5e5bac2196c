"""A server that speaks just enough TDS for real ODBC drivers to log in, ask, and be told any error.

Drivers differ in what they make of an error, and only they can say; SQL Server itself is not needed for that.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.fakes import tds_tokens as tds
from tests.fakes.tds_tokens import Remark, ServerError


@dataclass(frozen=True, slots=True)
class Value:
    """One row of one column."""

    value: int | str = 1


@dataclass(frozen=True, slots=True)
class Told:
    """Messages in their order; an error of class 20 and more closes the connection."""

    messages: tuple[ServerError | Remark, ...]


@dataclass(frozen=True, slots=True)
class HangUp:
    """The connection is cut after a few bytes of an answer."""


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer, until the client gives up."""


Answer = Value | Told | HangUp | Silence


def told(number: int, message: str = "The server's own words.", severity: int = 16) -> Told:
    """One error and no more."""
    return Told((ServerError(number, message, severity),))


@dataclass
class FakeTdsServer:
    """Answers every statement with ``answers[word]`` for a word in it, and else with nothing done.

    Attributes:
        login: what a login is answered; None lets everybody in.
        tls: with it the server insists on encryption; no client gets beyond the handshake.
        tokens: of Entra ID, by which clients have logged in.
        heard: all statements and calls, in their order, as they came.
    """

    login: Told | HangUp | None = None
    answers: dict[str, Answer] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    port: int = 0
    tokens: list[str] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)
    _open: list[socket.socket] = field(default_factory=list)

    @contextlib.contextmanager
    def serving(self) -> Iterator["FakeTdsServer"]:
        """Listens on a free port of this machine until the end of the block."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.port = listening.getsockname()[1]
            accepting = threading.Thread(target=self._accept, args=(listening,), daemon=True)
            accepting.start()
            try:
                yield self
            finally:
                listening.shutdown(socket.SHUT_RDWR)
                self.hang_up()
                accepting.join()

    def hang_up(self) -> None:
        """Cuts all connections."""
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listening.accept()
                self._open.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        # A client that leaves in the middle is what some tests are about.
        with client, contextlib.suppress(OSError, EOFError, ssl.SSLError):
            while self._answered(client, *_received(client)):
                pass

    def _answered(self, client: socket.socket, kind: int, payload: bytes) -> bool:
        """Answers one message; False ends the connection."""
        if kind == tds.PRELOGIN:
            client.sendall(tds.packets(tds.RESPONSE, tds.prelogin(tds.ENCRYPTION if self.tls else tds.NO_ENCRYPTION)))
            return self.tls is None or _shake_hands(client, self.tls)
        if kind == tds.LOGIN7:
            self.tokens += tds.tokens_of_entra(payload)
            return self._let_in(client)
        if kind == tds.ATTENTION:
            return _sent(client, tds.done(attention=True))
        if kind == tds.TRANSACTION:
            return _sent(client, tds.began())
        return self._said(client, kind, payload)

    def _let_in(self, client: socket.socket) -> bool:
        if self.login is None:
            return _sent(client, tds.logged_in())
        if isinstance(self.login, Told):
            _sent(client, b"".join(map(tds.message, self.login.messages)) + tds.done(error=True))
        return False

    def _said(self, client: socket.socket, kind: int, payload: bytes) -> bool:
        self.heard.append(payload)
        found = [answer for word, answer in self.answers.items() if word.encode("utf-16-le") in payload]
        if not found:
            return _sent(client, _end(kind, payload, error=False, rows=0))
        match found[0]:
            case Value(value):
                return _sent(client, tds.one_value(value) + _end(kind, payload, error=False, rows=1))
            case Told(messages):
                is_error = any(isinstance(one, ServerError) for one in messages)
                end = _end(kind, payload, error=is_error, rows=0)
                _sent(client, b"".join(map(tds.message, messages)) + end)
                return all(isinstance(one, Remark) or one.severity < 20 for one in messages)
            case HangUp():
                client.sendall(tds.packets(tds.RESPONSE, tds.one_value(1))[:12])
                return False
            case Silence():
                return True


def _end(kind: int, payload: bytes, *, error: bool, rows: int) -> bytes:
    return tds.call_done(payload, error=error, rows=rows) if kind == tds.RPC else tds.done(error=error, rows=rows)


def _sent(client: socket.socket, payload: bytes) -> bool:
    client.sendall(tds.packets(tds.RESPONSE, payload))
    return True


def _received(client: socket.socket) -> tuple[int, bytes]:
    """One whole message. Raises EOFError once the client has left."""
    payload, is_last, kind = b"", False, 0
    while not is_last:
        kind, is_last, length = tds.packet_head(_exactly(client, tds.HEADER_BYTES))
        payload += _exactly(client, length)
    return kind, payload


def _exactly(client: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        part = client.recv(count - len(got))
        if not part:
            raise EOFError
        got += part
    return got


def _shake_hands(client: socket.socket, context: ssl.SSLContext) -> bool:
    """TLS 1.2's handshake, which TDS 7 wraps in PRELOGIN packets; nothing comes after it here."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secured = context.wrap_bio(incoming, outgoing, server_side=True)
    while True:
        incoming.write(_received(client)[1])
        try:
            secured.do_handshake()
        except ssl.SSLWantReadError:
            client.sendall(tds.packets(tds.PRELOGIN, outgoing.read()))
        else:
            return False
