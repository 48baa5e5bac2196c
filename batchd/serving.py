"""Serves a small web application beside the work, in a thread of its own. Slow to import: only by who serves."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import uvicorn

from batchd.errors import ConfigError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

# How long a request in hand may take once the end has come, in seconds.
_LAST_REQUEST = 2
_BACKLOG = 64


@contextlib.contextmanager
def serving(app: "ASGIApp", host: str, port: int, *, configured_as: str) -> Iterator[int]:
    """Serves ``app`` until the end of the block; yields the port, which the system chose where ``port`` is 0.

    Args:
        app: the application.
        host: address of the interface to listen at.
        port: number of the port.
        configured_as: name of the config's key, for the error.

    Raises:
        ConfigError: the address can't be had.
    """
    listener = _listener(host, port, configured_as)
    server = uvicorn.Server(
        uvicorn.Config(
            # Its own words are one a connection: whoever can connect could fill the log.
            app,
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=_LAST_REQUEST,
            ws="none",
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="batchd-web", daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def _listener(host: str, port: int, configured_as: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(
            f"{configured_as}: nothing can listen at {host} port {port}: {reason}",
            next_command="choose another port there, or end what listens at this one",
        ) from error
