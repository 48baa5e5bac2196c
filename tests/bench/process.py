"""Running one command in a process of its own, and what it took."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.results import Run

ROOT = Path(__file__).resolve().parents[2]
_LAUNCHER = Path(__file__).with_name("launcher.py")
_PATIENCE = 3_600.0
_LAST_WORDS = 2_000


class RunFailedError(Exception):
    """A command that was to be measured did not do what it should; the message ends in its own last words."""


def measured(command: Sequence[str], environment: Mapping[str, str], *, codes: Sequence[int] = (0,)) -> Run:
    """Runs a command to its end. Raises RunFailedError where it ends with none of these exit codes."""
    with tempfile.TemporaryDirectory() as folder:
        told, log = Path(folder) / "took.json", Path(folder) / "output"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_LAUNCHER), str(told), *command],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            try:
                process.wait(timeout=_PATIENCE)
            finally:
                if process.returncode is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        took = json.loads(told.read_text(encoding="ascii")) if told.exists() else {"code": process.returncode}
        if took["code"] not in codes:
            words = log.read_text(encoding="utf-8", errors="replace").strip()[-_LAST_WORDS:]
            raise RunFailedError(f"{' '.join(command[:5])} … ended with {took['code']}: {words}")
        return Run(wall=took["wall"], cpu=took["cpu"], peak=took["peak"])


def plain_environment(**more: str) -> dict[str, str]:
    """This process's environment without settings of batchd and the SDK, and with the checkout's own code."""
    # Without compiled files on disk every process would compile the SDK anew.
    hidden = ("BATCHD_", "OPENAI_", "AZURE_", "PYTHONDONTWRITEBYTECODE", "PYTHONPROFILE")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    return inherited | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"} | more
