"""Plain lines: what was asked for on stdout, what went wrong on stderr."""

import os
import re
import sys
from collections.abc import Mapping
from typing import TextIO

_COMMAND = re.compile(
    r"(?<![\w./-])batchd (submit|check|run|status|batches|show|failures|verify|retry|reapply|pause|resume|cancel"
    r"|resolve|init|check-config|config-schema|sandbox|demo|db)\b"
)


def say(line: str = "") -> None:
    """Prints one line on stdout."""
    _write(sys.stdout, line)


def complain(line: str) -> None:
    """Prints one line on stderr."""
    _write(sys.stderr, line)


def as_called(line: str, environ: Mapping[str, str] = os.environ) -> str:
    """The line with its commands as this reader can type them: ``./run_batch.sh status`` for ``batchd status``."""
    called_as = environ.get("BATCHD_CALLED_AS")
    return _COMMAND.sub(lambda found: f"{called_as} {found[1]}", line) if called_as else line


def _write(stream: TextIO | None, line: str) -> None:
    if stream is None:
        # Started with this stream closed: there is nobody to tell.
        return
    line = as_called(line)
    # A character that the terminal can't show is escaped; it must not end the command.
    encoding = stream.encoding or "utf-8"
    stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()
