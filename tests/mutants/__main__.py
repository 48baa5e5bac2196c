"""``scripts/mutants``: applies each sabotage to a copy of the repository, and shows that its tests turn red."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.mutants.sabotages import ROOT, Sabotage, sabotages

_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "demo", "dist")
_RED = 1
_PATIENCE = 900
_EVERYTHING = ("tests",)


def main() -> int:
    """Prints a line for each sabotage; 1 where one survives."""
    options = _options()
    chosen = [one for one in sabotages() if options.only in one.name]
    with tempfile.TemporaryDirectory(prefix="batchd-mutants-") as folder:
        copy = Path(folder) / "batchd"
        shutil.copytree(ROOT, copy, ignore=_LEFT_OUT)
        survivors = [one.name for one in chosen if not _is_noticed(one, copy, thorough=options.thorough)]
    _say(f"{len(chosen) - len(survivors)} of {len(chosen)} sabotages turned the suite red")
    for name in survivors:
        _say(f"SURVIVED: {name}")
    return int(bool(survivors) or not chosen)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/mutants", description=__doc__)
    parser.add_argument("--only", default="", help="only sabotages whose name contains this")
    parser.add_argument(
        "--thorough", action="store_true", help="where the tests named in the list stay green, run the whole suite"
    )
    return parser.parse_args()


def _is_noticed(sabotage: Sabotage, copy: Path, *, thorough: bool) -> bool:
    file = copy / sabotage.file
    whole = file.read_text(encoding="utf-8")
    begun = time.monotonic()
    file.write_text(sabotage.applied_to(whole), encoding="utf-8")
    try:
        red = _turns_red(copy, sabotage.tests) or (thorough and _turns_red(copy, _EVERYTHING))
    finally:
        file.write_text(whole, encoding="utf-8")
    verdict = "red" if red else "GREEN"
    _say(f"{verdict:5s}  promise {sabotage.promise:2d}  {time.monotonic() - begun:5.1f} s  {sabotage.name}")
    return red


def _turns_red(copy: Path, tests: tuple[str, ...]) -> bool:
    """True where a test fails. An error of pytest's own, such as a test that is not there, is no verdict."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    if done.returncode not in {0, _RED}:
        raise RuntimeError(f"pytest {' '.join(tests)} ended with {done.returncode}:\n{done.stdout[-2000:]}")
    return done.returncode == _RED


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
