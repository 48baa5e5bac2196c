"""``scripts/mutants``: applies each sabotage to a copy of the repository, and shows that its tests turn red."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

from tests.mutants.sabotages import ROOT, Sabotage, sabotages

_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "demo", "dist")
_RED = 1
_PATIENCE = 900
_EVERYTHING = ("tests",)
# GREEN is a survivor; "not run" one whose tests want a database that is not here; "ANYWAY" is red without it too.
Verdict = Literal["red", "GREEN", "not run", "ANYWAY"]
_CULPRIT = re.compile(r"^(?:FAILED|ERROR) (.+?::.+?)(?: - .*)?$", re.MULTILINE)


def main() -> int:
    """Prints a line for each sabotage; 1 where one survives, or where its test is red without it."""
    options = _options()
    chosen = [one for one in sabotages() if options.only in one.name]
    with tempfile.TemporaryDirectory(prefix="batchd-mutants-") as folder:
        copy = Path(folder) / "batchd"
        shutil.copytree(ROOT, copy, ignore=_LEFT_OUT)
        verdicts = {one.name: _judged(one, copy, thorough=options.thorough) for one in chosen}
    _say(f"{list(verdicts.values()).count('red')} of {len(chosen)} sabotages turned the suite red")
    for verdict, title in (("not run", "NOT RUN"), ("GREEN", "SURVIVED"), ("ANYWAY", "RED WITHOUT IT TOO")):
        for name in (name for name, found in verdicts.items() if found == verdict):
            _say(f"{title}: {name}")
    return int(not {"GREEN", "ANYWAY"}.isdisjoint(verdicts.values()) or not chosen)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/mutants", description=__doc__)
    parser.add_argument("--only", default="", help="only sabotages whose name contains this")
    parser.add_argument(
        "--thorough", action="store_true", help="where the tests named in the list stay green, run the whole suite"
    )
    return parser.parse_args()


def _judged(sabotage: Sabotage, copy: Path, *, thorough: bool) -> Verdict:
    file = copy / sabotage.file
    whole = file.read_text(encoding="utf-8")
    begun = time.monotonic()
    file.write_text(sabotage.applied_to(whole), encoding="utf-8")
    try:
        verdict, culprit = _verdict(copy, sabotage.tests)
        if thorough and verdict == "GREEN":
            verdict, culprit = _verdict(copy, _EVERYTHING)
    finally:
        file.write_text(whole, encoding="utf-8")
    # A test that is broken itself shows nothing.
    if culprit and _verdict(copy, (culprit,)) != ("GREEN", ""):
        verdict = "ANYWAY"
    _say(f"{verdict:7s}  promise {sabotage.promise:2d}  {time.monotonic() - begun:5.1f} s  {sabotage.name}")
    return verdict


def _verdict(copy: Path, tests: tuple[str, ...]) -> tuple[Verdict, str]:
    """Red where a test fails, and which one. An error of pytest's own, such as a missing test, is no verdict."""
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
    if done.returncode == _RED:
        culprit = _CULPRIT.search(done.stdout)
        if culprit is None:
            raise RuntimeError(f"pytest {' '.join(tests)} does not say what failed:\n{done.stdout[-2000:]}")
        return "red", culprit[1]
    return "GREEN" if re.search(r"\b\d+ passed", done.stdout) else "not run", ""


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
