"""Plain lines: what was asked for on stdout, what went wrong on stderr."""

import sys
from typing import TextIO


def say(line: str = "") -> None:
    """Prints one line on stdout."""
    _write(sys.stdout, line)


def complain(line: str) -> None:
    """Prints one line on stderr."""
    _write(sys.stderr, line)


def _write(stream: TextIO, line: str) -> None:
    # A character that the terminal can't show is escaped; it must not end the command.
    encoding = stream.encoding or "utf-8"
    stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()
