"""Plain lines: what was asked for on stdout, what went wrong on stderr."""

import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

_COMMAND = re.compile(
    r"(?<![\w./-])batchd (submit|check|run|status|batches|show|failures|verify|runbook|retry|reapply|pause|resume"
    r"|cancel|healthcheck|notify-test|resolve|init|check-config|doctor|config-schema|sandbox|demo"
    r"|db upgrade|db adopt|db grants|db)"
    r"\b(?! --config)"
)
# What reads no config, or more words before its options.
_WITHOUT_CONFIG = frozenset({"init", "runbook", "config-schema", "sandbox", "demo", "db"})
_config: Path | None = None


def carry_config(path: Path | None) -> None:
    """From now on commands are named with this config, which the reader had to name too; None for none."""
    global _config  # noqa: PLW0603 - one process is one call of one command
    _config = path


def say(line: str = "") -> None:
    """Prints one line on stdout."""
    _write(sys.stdout, line)


def complain(line: str) -> None:
    """Prints one line on stderr, without the secrets that it should not have."""
    from batchd.redaction import redacted

    _write(sys.stderr, redacted(line))


def as_called(line: str, environ: Mapping[str, str] = os.environ) -> str:
    """The line with its commands as this reader can type them.

    ``./run_batch.sh status`` for ``batchd status``, and with ``--config FILE`` where that was given.
    """
    called_as = environ.get("BATCHD_CALLED_AS") or "batchd"
    return _COMMAND.sub(lambda found: f"{called_as} {found[1]}{_config_option(found[1])}", line)


def _config_option(command: str) -> str:
    return "" if _config is None or command in _WITHOUT_CONFIG else f" --config {shlex.quote(str(_config))}"


def _write(stream: TextIO, line: str) -> None:
    line = as_called(line)
    # A character that the terminal can't show is escaped; it must not end the command.
    encoding = stream.encoding or "utf-8"
    stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()
