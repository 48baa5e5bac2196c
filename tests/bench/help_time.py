"""What it costs to be told of the commands."""

import sys

from tests.bench.process import measured, plain_environment

_OFTEN = 5


def help_cpu() -> float:
    """Seconds of processor time of ``batchd --help``, the least of a few."""
    command = [sys.executable, "-m", "batchd", "--help"]
    return min(measured(command, plain_environment()).cpu for _ in range(_OFTEN))
