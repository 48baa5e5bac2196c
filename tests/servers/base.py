"""What servers have in common: their programs, their user, their port, and that they answer before tests begin."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from tests.servers.given import Given

HOST = "127.0.0.1"
_PATIENCE = 60.0
_PORTS_TRIED = 3


class ServerFailedError(Exception):
    """A server that is installed doesn't start; the message ends in its own last words."""


def program(name: str, *folders: str) -> str | None:
    """The path of a program: on PATH, or in one of these folders, where Debian puts those that few people call."""
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join([*folders, "/usr/sbin", "/usr/local/sbin"]))


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class Owner:
    """The user that a server runs as: its own where root calls, since both refuse root; otherwise whoever calls."""

    def __init__(self, name: str) -> None:
        self.is_other = os.geteuid() == 0
        self.name = name if self.is_other else pwd.getpwuid(os.geteuid()).pw_name

    def owns(self, folder: Path) -> Path:
        """The folder, made for this user alone."""
        folder.mkdir(mode=0o700)
        if self.is_other:
            shutil.chown(folder, self.name, self.name)
        return folder

    def rights(self) -> dict[str, Any]:
        """Arguments of ``subprocess`` for a process of this user."""
        return {"user": self.name, "group": self.name, "extra_groups": []} if self.is_other else {}

    def run(self, *command: str) -> None:
        """Runs a command to its end. Raises ServerFailedError."""
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd="/", stdin=subprocess.DEVNULL, **self.rights()
        )
        if done.returncode:
            raise ServerFailedError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-2000:]}")


class Process:
    """A server's process, started again on another port where the first was taken meanwhile."""

    def __init__(self, owner: Owner, log: Path, command: Callable[[int], Sequence[str]], ending: int) -> None:
        self._owner, self._log, self._command, self._ending = owner, log, command, ending
        self.port = 0

    def started(self, answers: Callable[[int], bool]) -> Self:
        """Starts it and waits until it answers at its port. Raises ServerFailedError."""
        for _ in range(_PORTS_TRIED):
            self.port = free_port()
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    self._command(self.port),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    start_new_session=True,
                    **self._owner.rights(),
                )
            if self._answered(answers):
                return self
        raise ServerFailedError(f"{self._command(0)[0]} does not answer: {self._last_words()}")

    def check(self) -> None:
        """Raises ServerFailedError where it has ended by itself."""
        if (code := self._process.poll()) is not None:
            raise ServerFailedError(f"{self._command(0)[0]} ended with {code}: {self._last_words()}")

    def _last_words(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace").strip()[-2000:]

    def _answered(self, answers: Callable[[int], bool]) -> bool:
        give_up = time.monotonic() + _PATIENCE
        while time.monotonic() < give_up and self._process.poll() is None:
            if answers(self.port):
                return True
            time.sleep(0.05)
        self.stop()
        return False

    def stop(self) -> None:
        """Ends the process and waits for its end."""
        if self._process.poll() is None:
            self._process.send_signal(self._ending)
            self._process.wait(timeout=_PATIENCE)


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers: the URL of its administrator, and the process to stop."""

    url: str
    process: Process


class Server(Protocol):
    """A kind of server that can be started here."""

    @property
    def given(self) -> Given:
        """What names it, and the variable that another one is given by."""

    @property
    def package(self) -> str:
        """Debian's name for it."""

    def is_installed(self) -> bool:
        """Whether its programs are here."""

    def start(self, folder: Path) -> Running:
        """Starts one with its data under ``folder``. Raises ServerFailedError."""
