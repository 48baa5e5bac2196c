"""Runs the sandbox: one server per state file, announced in ``<state>.server.json`` while it listens."""

import asyncio
import fcntl
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import orjson
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from batchd.sandbox.app import build_app
from batchd.sandbox.faults import replace_faults
from batchd.sandbox.flavour import AZURE
from batchd.sandbox.service import Service, open_service
from batchd.sandbox.settings import SandboxSettings

LOCK_PATIENCE = 5.0
LOCK_PAUSE = 0.05
GRACE = 2
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class AlreadyServedError(Exception):
    """Another process serves this state file."""


class ConnectionProtocol(H11Protocol):
    """Hands its transport on to the request's state, so that a fault can drop the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Put the transport where requests find it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class StoppableServer(uvicorn.Server):
    """Stops on a signal without raising it again, so that the sandbox can clear up behind itself."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle SIGTERM and SIGINT while the server runs in the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        earlier = {number: signal.signal(number, self.handle_exit) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)


def serve(settings: SandboxSettings) -> None:
    """Serve until SIGTERM, SIGINT, or (with ``until_unused``) until nobody holds that lock any more.

    Raises AlreadyServedError when another process serves the same state, ValueError for faults that cannot
    be read.
    """
    settings.state = settings.state.resolve()
    settings.state.parent.mkdir(parents=True, exist_ok=True)
    with _sole_server(settings.state):
        service = open_service(settings)
        try:
            _load_faults(service)
            service.webhooks.begin()
            with _upstream(service):
                _listen(service)
        finally:
            service.webhooks.close()
            service.settler.close()
            service.state.close()


def server_file(state: Path) -> Path:
    """Return where a listening server says its address."""
    return state.with_name(state.name + ".server.json")


@contextmanager
def _sole_server(state: Path) -> Iterator[None]:
    with state.with_name(state.name + ".lock").open("a") as lock:
        deadline = time.monotonic() + LOCK_PATIENCE
        while not _try_lock(lock):
            if time.monotonic() > deadline:
                raise AlreadyServedError(f"another process serves {state}; see {server_file(state)}")
            time.sleep(LOCK_PAUSE)
        yield


def _try_lock(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _upstream(service: Service) -> Iterator[None]:
    settings = service.settings
    if settings.upstream is None:
        yield
        return
    from batchd.sandbox.upstream import UpstreamWorker  # noqa: PLC0415, its HTTP client is slow to import

    worker = UpstreamWorker(service.state, service.clock, settings.upstream, settings.upstream_key_env)
    worker.start()
    try:
        yield
    finally:
        worker.close()


def _load_faults(service: Service) -> None:
    if service.settings.faults is None:
        return
    given = orjson.loads(service.settings.faults.read_bytes())
    with service.state.transaction() as connection:
        replace_faults(connection, given)


def _listen(service: Service) -> None:
    settings = service.settings
    listener = socket.create_server((settings.host, settings.port), backlog=256)
    # A resource of Azure is named without the path of an API: it has two.
    url = f"http://{settings.host}:{listener.getsockname()[1]}{'' if settings.flavour == AZURE else '/v1'}"
    config = uvicorn.Config(
        build_app(service),
        http=ConnectionProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE,
    )
    server = StoppableServer(config)
    # Left backwards: by the time a newcomer gets the lock, nothing is announced any more.
    with _until_unused(server, settings.until_unused), listener, _announced(settings.state, url):
        server.run(sockets=[listener])


@contextmanager
def _announced(state: Path, url: str) -> Iterator[None]:
    target = server_file(state)
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    draft.write_text(json.dumps({"pid": os.getpid(), "url": url, "state": str(state)}))
    draft.replace(target)
    print(f"sandbox: listening on {url}", flush=True)  # noqa: T201, the one line that starters wait for
    try:
        yield
    finally:
        target.unlink(missing_ok=True)


@contextmanager
def _until_unused(server: uvicorn.Server, lock: Path | None) -> Iterator[None]:
    """End the server as soon as this process gets the lock that every user shares, if there is one.

    The kernel drops a user's lock however that user ends, so no server is left behind. The lock is kept until the
    server listens no more: whoever comes meanwhile waits for it, and then starts a server of their own.
    """
    if lock is None:
        yield
        return
    with lock.open("a") as users:

        def wait() -> None:
            fcntl.flock(users, fcntl.LOCK_EX)
            server.should_exit = True

        threading.Thread(target=wait, daemon=True, name="until-unused").start()
        yield
