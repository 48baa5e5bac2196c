"""Tells systemd how the service is, as sd_notify(3) says: datagrams to the socket that ``NOTIFY_SOCKET`` names."""

import contextlib
import os
import socket
import time
from collections.abc import Mapping

_LONGEST_STATUS = 200
# A listener that is slow to read must not keep rows from their answers; what it misses is said again.
_PATIENCE = 0.5


class Notifier:
    """Says nothing where nobody listens, and never raises. May be used by several threads.

    Args:
        environ: has ``NOTIFY_SOCKET`` where systemd started this process, and ``WATCHDOG_USEC`` where it is watched.

    Attributes:
        watchdog_seconds: the longest time between two calls of ``alive``; None where nobody watches.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            # So a name in the abstract namespace is written.
            self._address = "\0" + self._address[1:]
        told = environ.get("WATCHDOG_USEC", "")
        is_ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_seconds = int(told) / 1_000_000 if told.isdecimal() and int(told) and is_ours else None

    @property
    def is_heard(self) -> bool:
        """True where somebody listens."""
        return bool(self._address)

    def ready(self) -> None:
        """The service is up, or has read its config again."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The config is being read again."""
        # With the time, a service of Type=notify-reload (systemd 253) is told of it too.
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The units in hand are being finished."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self._send(f"STATUS={' '.join(text.split())[:_LONGEST_STATUS]}")

    def alive(self) -> None:
        """There is progress: without this for ``watchdog_seconds``, systemd starts the service anew."""
        if self.watchdog_seconds is not None:
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # Who does not listen now may do so later: systemd itself can be started anew under a service.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.settimeout(_PATIENCE)
            channel.connect(self._address)
            channel.sendall(message.encode(errors="replace"))
