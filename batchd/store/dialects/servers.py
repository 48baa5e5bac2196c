"""What databases have in common: a place in the network, drivers that refuse values by themselves."""

import contextlib
import socket
import time
from typing import Any

from sqlalchemy import URL, Engine, ExceptionContext, event
from sqlalchemy.exc import DataError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

# What a driver raises before the database sees the value: numbers beyond 64 bits, halves of characters.
DRIVER_REFUSALS = (OverflowError, UnicodeEncodeError)
# Names under which every machine calls itself.
_HERE = frozenset({"", "localhost", "127.0.0.1", "::1", ".", "(local)"})

# Seconds that a connection may take, and that a statement waits for somebody else's lock.
CONNECT_SECONDS = 15
LOCK_SECONDS = 10
# After so long without work a connection may have been ended by the server, or by whatever stands between.
_IDLE_SECONDS = 5.0
_SEEN = "batchd_seen"
# A line may fall dead without a word. Seconds of silence before it is asked after, and between the asking; how often
# nobody answers then; and milliseconds that what was sent may go unread.
KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
UNREAD_MILLISECONDS = 60_000


def place_of(kind: str, url: URL, port: int) -> str:
    """Server and database that a URL leads to. A server on this machine is named by the machine.

    The URL's own words, and not the server's: those change when a cluster's other half takes over.
    """
    host = url.host or str(url.query.get("host", ""))
    named = socket.gethostname() if host.lower() in _HERE or host.startswith("/") else host.lower()
    return f"{kind}://{named}:{url.port or url.query.get('port', port)}/{url.database or ''}"


def watch_line(line: socket.socket) -> None:
    """Has the machine notice a line that fell dead, where the driver leaves that to its settings: two hours."""
    if line.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = {
        "TCP_KEEPIDLE": KEEPALIVE["keepalives_idle"],
        "TCP_KEEPINTVL": KEEPALIVE["keepalives_interval"],
        "TCP_KEEPCNT": KEEPALIVE["keepalives_count"],
        "TCP_USER_TIMEOUT": UNREAD_MILLISECONDS,
    }
    for name, value in options.items():
        if hasattr(socket, name):
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def ping_after_idleness(engine: Engine) -> None:
    """Has a connection that lay idle proved before it is used; one that was in use just now needs no round trip.

    One that breaks between two transactions in a row is met by repeating the second.
    """

    def seen(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info[_SEEN] = time.monotonic()

    def proved(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
        if time.monotonic() - record.info.get(_SEEN, time.monotonic()) > _IDLE_SECONDS:
            try:
                alive = engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as error:
                raise DisconnectionError from error
            if not alive:
                raise DisconnectionError

    event.listen(engine, "checkin", seen)
    event.listen(engine, "checkout", proved)


def close_what_cannot_be_reset(engine: Engine) -> None:
    """Closes a connection whose isolation level can't be put back as it goes to the pool, which makes another one.

    SQLAlchemy would let the driver's own error out, where the work is done and its answer known, and the pool would
    never have the connection's place again. The pool must ask each connection whether it lives before it is used.
    """
    dialect, reset = engine.dialect, engine.dialect.reset_isolation_level

    def reset_or_close(connection: Any) -> None:
        try:
            reset(connection)
        except dialect.loaded_dbapi.Error:
            with contextlib.suppress(dialect.loaded_dbapi.Error):
                connection.close()

    dialect.reset_isolation_level = reset_or_close  # type: ignore[assignment,method-assign]


def listen_for_refusals(engine: Engine) -> None:
    """Makes database errors of what the driver itself refuses, so that a row's values are told from a failure."""
    event.listen(engine, "handle_error", _refused_by_driver)


def _refused_by_driver(context: ExceptionContext) -> Exception | None:
    # These are no database errors to the driver, so SQLAlchemy would let them pass as they are.
    error = context.original_exception
    if isinstance(error, DRIVER_REFUSALS):
        parameters: Any = context.parameters
        return DataError(context.statement, parameters, error, hide_parameters=True)
    return None
