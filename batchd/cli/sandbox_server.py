"""``batchd sandbox``: the local vendor in the foreground."""

import threading
import time
from pathlib import Path
from typing import Any

from batchd.cli import exit_codes
from batchd.cli.call import Call
from batchd.cli.out import print_json, say
from batchd.config import parse_duration
from batchd.errors import UsageError
from batchd.sandbox.server import AlreadyServedError, serve as serve_sandbox, server_file
from batchd.sandbox.settings import SandboxSettings

_PATIENCE = 30.0
_PAUSE = 0.05


def serve(call: Call, *, state: Path, batch_duration: str, **settings: Any) -> int:
    """Serves until SIGTERM or Ctrl-C; says its address once it listens."""
    try:
        seconds = parse_duration(batch_duration)
    except ValueError as error:
        raise UsageError(f"--batch-duration: {error}", next_command="write it like 5s or 2m") from error
    address = server_file(state.resolve())
    address.unlink(missing_ok=True)
    threading.Thread(target=_announce, args=(call, address), daemon=True).start()
    try:
        serve_sandbox(SandboxSettings(state=state, batch_duration=seconds, **settings))
    except (AlreadyServedError, ValueError, OSError) as error:
        raise UsageError(f"the sandbox can't serve {state}: {error}") from error
    return exit_codes.DONE
