"""Fault points: armed by the environment they strike at the passing asked for; every commit and effect has its two."""

import ast
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from batchd import failpoints
from batchd.failpoints import ARMED, LOGGED, POINTS, STEPS

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "batchd"
FILES = [*PACKAGE.glob("*.py"), *(PACKAGE / "stages").glob("*.py"), *(PACKAGE / "operations").glob("*.py")]
PASSES_TWICE = (
    "from batchd.failpoints import step\nfor _ in 1, 2:\n    with step('submit.create'):\n        print('created')"
)


def passing(**environment: str) -> subprocess.CompletedProcess[str]:
    """A process that takes the step twice."""
    return subprocess.run(
        [sys.executable, "-uc", PASSES_TWICE],
        env={"PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_unarmed_nothing_happens() -> None:
    """A user's process passes its points as if they were not there."""
    done = passing()

    assert (0, "created\ncreated\n", "") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("armed", "created"),
    [
        ("submit.before_create", 0),
        ("submit.after_create", 1),
        ("submit.before_create:2", 1),
        ("submit.after_create:2", 2),
    ],
)
def test_a_process_is_killed_at_the_passing_asked_for(armed: str, created: int) -> None:
    """SIGKILL, which nothing can catch, before or after the step."""
    done = passing(**{ARMED: armed})

    assert (-signal.SIGKILL, created) == (done.returncode, done.stdout.count("created"))


def test_another_signal_may_be_asked_for() -> None:
    """``:1:TERM``, for drills of an orderly end."""
    assert -signal.SIGTERM == passing(**{ARMED: "submit.before_create:1:TERM"}).returncode


def test_passings_are_logged(tmp_path: Path) -> None:
    """A drill learns from it which points there are to strike at."""
    log = tmp_path / "points"

    passing(**{LOGGED: str(log)})

    assert ["submit.before_create", "submit.after_create"] * 2 == log.read_text(encoding="ascii").split()


def test_a_point_that_does_not_exist_is_refused() -> None:
    """A drill that armed a misspelt point would prove nothing."""
    done = passing(**{ARMED: "submit.after_creat"})

    assert 0 != done.returncode
    assert "submit.after_creat" in done.stderr


def test_a_step_that_fails_has_no_point_after_it(tmp_path: Path) -> None:
    """What did not happen was not passed."""
    log = tmp_path / "points"
    failpoints.arm({LOGGED: str(log)})
    try:
        with pytest.raises(OSError, match="gone"), failpoints.step("submit.upload"):
            raise OSError("gone")
    finally:
        failpoints.arm({})

    assert ["submit.before_upload"] == log.read_text(encoding="ascii").split()


def test_the_points_are_two_for_each_step() -> None:
    """``submit.create`` has ``submit.before_create`` and ``submit.after_create``."""
    assert len(POINTS) == 2 * len(STEPS) == len(set(POINTS))
    assert {"submit.before_create", "submit.after_create"} <= set(POINTS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_commit_is_a_named_step(file: Path) -> None:
    """A commit without a name could not be killed at, so nobody would know what a crash there does."""
    calls = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    commits = [one for one in calls if isinstance(one.func, ast.Attribute) and one.func.attr == "transact"]

    nameless = [one.lineno for one in commits if "step" not in {keyword.arg for keyword in one.keywords}]

    assert [] == nameless, f"transact without step= in {file.name}, lines {nameless}"


def test_every_step_is_taken_somewhere() -> None:
    """The list holds no step that the code has lost, and the code none that is not listed."""
    named = {
        name
        for path in (ROOT / "batchd").rglob("*.py")
        if path.name != "failpoints.py"
        for name in re.findall(r'step(?:=|\()\s*"([a-z_.]+)"|(?:before|after)\("([a-z_.]+)"\)', path.read_text("utf-8"))
        for name in name
        if name
    }

    assert set(STEPS) == named
