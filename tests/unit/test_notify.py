"""What systemd is told, read from a socket as it reads it."""

import os
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from batchd.notify import Notifier


class Listener:
    """The service manager's end of the socket."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.settimeout(5)

    def heard(self) -> str:
        return self._socket.recv(4096).decode()

    def hears_nothing(self) -> bool:
        self._socket.settimeout(0)
        try:
            self._socket.recv(4096)
        except BlockingIOError:
            return True
        return False

    def close(self) -> None:
        self._socket.close()


def watched(path: Path) -> Notifier:
    """As systemd starts a service with WatchdogSec."""
    return Notifier({"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "120000000"})


def fill(channel: socket.socket) -> None:
    """Sends until nothing more goes in."""
    with suppress(BlockingIOError):
        while True:
            channel.send(b"x")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notify"


@pytest.fixture
def listen() -> Iterator[Callable[[str], Listener]]:
    """Opens a listener at an address; all of them are closed afterwards."""
    with ExitStack() as stack:

        def at(address: str) -> Listener:
            listening = Listener(address)
            stack.callback(listening.close)
            return listening

        yield at


@pytest.fixture
def listener(path: Path, listen: Callable[[str], Listener]) -> Listener:
    return listen(str(path))


def test_each_state_is_one_datagram(path: Path, listener: Listener) -> None:
    """READY, STATUS, WATCHDOG and STOPPING arrive one by one, as sd_notify(3) writes them."""
    notifier = watched(path)
    notifier.ready()
    notifier.status("3 in flight, 12 410 pending, $4.10 today")
    notifier.alive()
    notifier.stopping()

    told = [listener.heard() for _ in range(4)]

    assert told == ["READY=1", "STATUS=3 in flight, 12 410 pending, $4.10 today", "WATCHDOG=1", "STOPPING=1"]


def test_a_reload_says_when_it_began(path: Path, listener: Listener) -> None:
    """Systemd 253 takes a reload for done only if it knows which clock time it began at."""
    Notifier({"NOTIFY_SOCKET": str(path)}).reloading()

    state, _, clock = listener.heard().partition("\nMONOTONIC_USEC=")

    assert state == "RELOADING=1"
    assert clock.isdecimal()


def test_a_name_in_the_abstract_namespace_is_found(listen: Callable[[str], Listener]) -> None:
    """Such a name is written with an @ and begins with a zero byte."""
    name = f"batchd-test-{uuid.uuid4().hex}"
    listener = listen(f"\0{name}")

    Notifier({"NOTIFY_SOCKET": f"@{name}"}).ready()

    assert listener.heard() == "READY=1"


def test_an_at_sign_within_a_path_is_a_letter_of_it(tmp_path: Path, listen: Callable[[str], Listener]) -> None:
    """The folder of an instance, batchd@resumes, has one."""
    path = tmp_path / "batchd@resumes"
    listener = listen(str(path))

    Notifier({"NOTIFY_SOCKET": str(path)}).ready()

    assert listener.heard() == "READY=1"


def test_a_status_is_one_line_and_not_longer_than_a_screen(path: Path, listener: Listener) -> None:
    """A line break in it would be another message, such as READY=1."""
    Notifier({"NOTIFY_SOCKET": str(path)}).status("two\nlines\nREADY=1 " + "x" * 500)

    told = listener.heard()

    assert told.startswith("STATUS=two lines READY=1 xxx")
    assert len(told) == len("STATUS=") + 200


def test_a_listener_that_comes_back_is_told_again(
    path: Path, listener: Listener, listen: Callable[[str], Listener]
) -> None:
    """One that has vanished is no error, and silence does not last longer than it."""
    notifier = watched(path)
    listener.close()
    notifier.alive()
    path.unlink()
    notifier.alive()
    later = listen(str(path))
    notifier.alive()

    assert later.heard() == "WATCHDOG=1"
    assert later.hears_nothing()


def test_a_listener_that_does_not_read_holds_nobody_up(path: Path, listener: Listener) -> None:
    """Its queue is full: what does not fit is lost, and what is said once it reads again arrives."""
    notifier = watched(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.settimeout(0)
        other.connect(str(path))
        fill(other)

    notifier.alive()
    while not listener.hears_nothing():
        pass
    notifier.ready()

    assert listener.heard() == "READY=1"


def test_who_does_not_watch_is_not_told_of_progress(path: Path, listener: Listener) -> None:
    """Without WatchdogSec nothing is said of it."""
    Notifier({"NOTIFY_SOCKET": str(path)}).alive()

    assert listener.hears_nothing()


def test_without_a_socket_nothing_is_said() -> None:
    """Batchd on a terminal has nobody to tell."""
    Notifier({"NOTIFY_SOCKET": "/no/such/folder/notify"}).ready()
    Notifier({"NOTIFY_SOCKET": "/" + "x" * 200}).ready()
    terminal = Notifier({})
    terminal.ready()

    assert not terminal.is_heard


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "120000000"}, 120.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": str(os.getpid())}, 120.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": str(os.getpid() + 1)}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_the_one_of_this_process(environ: dict[str, str], seconds: float | None) -> None:
    """WATCHDOG_USEC counts where it is a time, and meant for this process."""
    assert Notifier(environ).watchdog_seconds == seconds
