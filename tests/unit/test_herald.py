"""What systemd is told of the service."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchd.daemon import Herald
from batchd.errors import ConfigError
from batchd.notify import Notifier


class Listener:
    """systemd's end of the socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(0.0)
        self.environ = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "120000000"}

    def heard(self) -> list[str]:
        """What came since the last look."""
        words: list[str] = []
        while True:
            try:
                words.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return words

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    heard = Listener(tmp_path / "notify")
    yield heard
    heard.close()


def test_a_service_tells_how_it_goes(listener: Listener) -> None:
    """Ready, a line, alive, the end."""
    herald = Herald(Notifier(listener.environ), lambda: "3 in flight")
    herald.ready()
    herald.tell()
    herald.beat(None)
    herald.stopping()

    assert ["READY=1", "STATUS=3 in flight", "WATCHDOG=1", "STOPPING=1"] == listener.heard()


def test_a_service_that_gets_nowhere_is_not_said_to_be_alive(listener: Listener) -> None:
    """The watchdog starts it anew; the reason is in its last line, until it goes on."""
    herald = Herald(Notifier(listener.environ), lambda: "3 in flight")
    for _ in range(3):
        herald.beat("no progress: apply people")
    herald.tell()
    ill = listener.heard()
    herald.beat(None)
    herald.tell()

    assert ["STATUS=no progress: apply people"] == ill
    assert ["WATCHDOG=1", "STATUS=3 in flight"] == listener.heard()


def test_a_refused_config_is_said_until_another_is_taken(listener: Listener) -> None:
    """And the service is ready all along, with the config that it has."""
    herald = Herald(Notifier(listener.environ), lambda: "3 in flight")
    herald.reloading()
    herald.refused(ConfigError("no such key", where="config.toml:3"))
    herald.tell()
    refused = listener.heard()
    herald.ready()
    herald.tell()

    assert refused[0].startswith("RELOADING=1\n")
    assert ["READY=1", "STATUS=config refused: config.toml:3: no such key; 3 in flight"] == refused[1:]
    assert ["READY=1", "STATUS=3 in flight"] == listener.heard()


def test_nobody_is_told_where_nobody_listens() -> None:
    """The line is not even made, for it asks the ledger."""
    asked: list[str] = []

    def line() -> str:
        asked.append("the ledger")
        return ""

    herald = Herald(Notifier({}), line)
    herald.ready()
    herald.tell()
    herald.beat(None)

    assert [] == asked
