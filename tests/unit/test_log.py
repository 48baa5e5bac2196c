"""One event is one line: for a machine, for a person, for the journal."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.cli_world import command_environment

_PROGRAM = """
import logging, sys, threading, warnings
import structlog
from batchd import log
from batchd.redaction import keep_secret
from structlog.contextvars import bound_contextvars

keep_secret("correct horse")
log.configure("info", {form!r})
said = structlog.get_logger("batchd")
said.debug("batch.put_off")
with bound_contextvars(stage="apply", task="people", batch=7):
    said.warning("batch.held", reason="correct horse, twice", nested={{"keys": ["sk-abcdefgh"]}})
try:
    row = " ".join(("Ada", "Lovelace"))
    raise ValueError(row)
except ValueError:
    said.error("daemon.round_failed", exc_info=True)
logging.getLogger("some.driver").warning("refused: Ada Lovelace")
"""


def logged(form: str, **environment: str) -> list[str]:
    """Lines on stderr of a process that logs a warning and an error."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(form=form)],
        env=command_environment(**environment),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "" == done.stdout
    return done.stderr.splitlines()


def test_each_event_is_one_json_object_on_one_line() -> None:
    """Time, level, event and what it is about come first; secrets and a foreign error's words don't come at all."""
    warning, error = map(json.loads, logged("auto"))

    assert ["timestamp", "level", "event", "stage", "task", "batch", "reason", "nested"] == list(warning)
    assert ("batch.held", "warning", "***, twice", ["***"]) == (
        warning["event"],
        warning["level"],
        warning["reason"],
        warning["nested"]["keys"],
    )
    assert warning["timestamp"].endswith("Z")
    assert "ValueError at <string>:16" == error["error"]
    assert "Ada Lovelace" not in json.dumps(error)


def test_people_get_text() -> None:
    """The same without braces, and without a traceback's variables."""
    warning, *error = logged("console")

    assert ("batch.held" in warning, "task=people" in warning, "***, twice" in warning) == (True, True, True)
    assert "Ada Lovelace" not in "\n".join(error)


def test_the_journal_is_told_how_grave_a_line_is(tmp_path: Path) -> None:
    """Where stderr is the journal's own, a line begins with the level that the journal takes off again."""
    lines = _to_journal(tmp_path / "journal", is_journal=True)

    assert ["<4>{", "<3>{"] == [line[:4] for line in lines]
    assert ["batch.held", "daemon.round_failed"] == [json.loads(line[3:])["event"] for line in lines]


def test_what_is_put_in_between_gets_plain_json(tmp_path: Path) -> None:
    """The journal's variable is inherited; a pipe or file on the way to somewhere else is not the journal."""
    assert ["{", "{"] == [line[0] for line in _to_journal(tmp_path / "file", is_journal=False)]


@pytest.mark.parametrize("told", ["", "8:1", "no:numbers:here"])
def test_a_strange_journal_variable_is_no_journal(told: str) -> None:
    """Nothing about it can end a command."""
    assert ["{", "{"] == [line[0] for line in logged("json", JOURNAL_STREAM=told)]


def _to_journal(path: Path, *, is_journal: bool) -> list[str]:
    with path.open("w") as file:
        found = os.fstat(file.fileno())
        stream = f"{found.st_dev}:{found.st_ino + (0 if is_journal else 1)}"
        subprocess.run(
            [sys.executable, "-c", _PROGRAM.format(form="json")],
            env=command_environment(JOURNAL_STREAM=stream),
            stderr=file,
            check=True,
        )
    return path.read_text(encoding="utf-8").splitlines()
