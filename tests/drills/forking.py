"""The real command in a process of its own, forked from one that has loaded everything already.

A drill starts thousands of processes; nine tenths of a start would be the import of SDK and SQLAlchemy.
"""

import gc
import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import openai  # noqa: F401 - loaded before the fork, for all children
import sqlalchemy  # noqa: F401 - the same

import batchd.cli.cancelling
import batchd.cli.looking
import batchd.cli.operating
import batchd.cli.running
import batchd.cli.sending  # noqa: F401 - commands import late; here they are loaded before the fork
from batchd import failpoints
from batchd.cli.main import main

PATIENCE = 120.0
# What is loaded now is never collected, so that a child does not copy its pages by looking at it.
gc.freeze()
_PAUSE = 0.002


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: by a signal, or with an exit code."""

    code: int | None
    signal: int | None

    @property
    def was_killed(self) -> bool:
        """True where SIGKILL ended it."""
        return self.signal == signal.SIGKILL


class Process:
    """One running ``batchd``; what it says is appended to ``log``."""

    def __init__(self, arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: Path) -> None:
        self.arguments = tuple(arguments)
        # What is buffered here would be written by both.
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _become(arguments, folder, environment, log)

    def ended(self) -> Ended | None:
        """How it ended, None while it runs."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return None
        if os.WIFSIGNALED(status):
            return Ended(None, os.WTERMSIG(status))
        return Ended(os.waitstatus_to_exitcode(status), None)

    def wait(self, seconds: float = PATIENCE) -> Ended:
        """Waits for its end. Raises TimeoutError, the process killed, where it does not come."""
        deadline = time.monotonic() + seconds
        while (ended := self.ended()) is None:
            if time.monotonic() > deadline:
                self.send(signal.SIGCONT)
                self.send(signal.SIGKILL)
                os.waitpid(self.pid, 0)
                raise TimeoutError(f"batchd {' '.join(self.arguments)} did not end within {seconds:.0f} s")
            time.sleep(_PAUSE)
        return ended

    def send(self, number: int) -> None:
        """Sends a signal to it."""
        os.kill(self.pid, number)


def _become(arguments: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path) -> None:
    """In the child: the command as a user would have started it; never returns."""
    code = 70
    try:
        os.setsid()
        # Where tests take warnings for errors, the command does not.
        warnings.simplefilter("ignore")
        os.chdir(folder)
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(target, sys.stdout.fileno())
        os.dup2(target, sys.stderr.fileno())
        os.environ.update(environment)
        failpoints.arm(os.environ)
        sys.argv = ["batchd", *arguments]
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - the child must not go on as the drill
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
