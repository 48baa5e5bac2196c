"""``batchd sandbox``: the local vendor in the foreground."""

import contextlib
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from batchd.cli import exit_codes
from batchd.cli.call import Call
from batchd.cli.out import print_json
from batchd.config import parse_duration
from batchd.errors import UsageError
from batchd.sandbox.server import AlreadyServedError, server_file
from batchd.sandbox.server import serve as serve_until_stopped
from batchd.sandbox.settings import SandboxSettings

_PATIENCE = 30.0
_PAUSE = 0.05


def serve(call: Call, *, state: Path, batch_duration: str, **settings: Any) -> int:
    """Serves until SIGTERM or Ctrl-C; its address is told once it listens.

    Raises:
        UsageError: another process serves this state, the port is taken, or the faults cannot be read.
    """
    seconds = _seconds(batch_duration)
    with contextlib.ExitStack() as stack:
        if call.as_json:
            # The server's own line is for people; the document is told beside it.
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
            threading.Thread(target=_tell_address, args=(state.resolve(), sys.__stdout__), daemon=True).start()
        try:
            serve_until_stopped(SandboxSettings(state=state, batch_duration=seconds, **settings))
        except (AlreadyServedError, ValueError, OSError) as error:
            raise UsageError(
                f"the sandbox can't serve {state}: {error}", next_command="choose another --state or --port"
            ) from error
    return exit_codes.DONE


def _seconds(duration: str) -> float:
    try:
        return parse_duration(duration)
    except ValueError as error:
        raise UsageError(f"--batch-duration: {error}", next_command="write it like 5s or 2m") from error


def _tell_address(state: Path, stdout: Any) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError):
            announced = json.loads(server_file(state).read_text(encoding="utf-8"))
            if announced["pid"] == os.getpid():
                document = {"url": announced["url"], "state": announced["state"], "pid": os.getpid()}
                print_json(document, to=stdout)
                return
        time.sleep(_PAUSE)
