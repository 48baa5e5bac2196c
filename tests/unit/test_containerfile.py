"""The container file, held to the project: what it copies is there, and what it starts exists."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import typer.main

from batchd.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "packaging" / "container" / "Containerfile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def lines() -> list[tuple[str, str]]:
    """Instructions with what stands behind them; a line that ends in a backslash goes on in the next."""
    whole = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE))
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in whole.splitlines() if line]


def value(instruction: str) -> str:
    """What the last such instruction says."""
    return [rest for found, rest in lines() if found == instruction][-1]


def copied() -> set[str]:
    """What is taken from the repository."""
    found = [rest.split()[:-1] for name, rest in lines() if name == "COPY" and not rest.startswith("--from")]
    return {path for paths in found for path in paths}


def test_what_is_copied_is_there_and_sent_to_the_builder() -> None:
    """A file that was moved, or that the ignore file keeps back, would be noticed at the next build only."""
    ignore = (ROOT / "packaging" / "container" / "Containerfile.dockerignore").read_text(encoding="utf-8")
    sent = {line[1:] for line in ignore.splitlines() if line.startswith("!")}

    assert {path for path in copied() if not (ROOT / path).exists()} == set()
    assert copied() == sent


def test_what_the_wheel_is_made_of_is_copied() -> None:
    """All that pyproject.toml names for it."""
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["only-include"], *(path.partition("/")[0] for path in wheel["shared-data"])}
    needed |= {PROJECT["project"]["readme"], *PROJECT["project"]["license-files"], "pyproject.toml"}

    assert needed - copied() == set()


def test_it_starts_the_command_that_is_installed() -> None:
    """As a list of words, so that no shell stands between it and SIGTERM; and its command is one."""
    (program,) = json.loads(value("ENTRYPOINT"))
    (command,) = json.loads(value("CMD"))

    assert program in PROJECT["project"]["scripts"]
    assert command in typer.main.get_command(app).commands  # type: ignore[attr-defined]


def test_its_python_is_new_enough() -> None:
    """No older than requires-python."""
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")

    version = value("ARG").removeprefix("PYTHON=")

    assert tuple(map(int, version.split("."))) >= tuple(map(int, oldest.split(".")))


def test_it_is_not_root() -> None:
    """The last user is a number that is not 0."""
    assert all(int(number) > 0 for number in value("USER").split(":"))


@pytest.mark.parametrize("word", ["password", "token", "api_key", "secret"])
def test_no_secret_is_asked_for(word: str) -> None:
    """What is built in by ARG or ENV is read by everybody who has the image."""
    given = [rest for name, rest in lines() if name in {"ARG", "ENV"}]

    assert [rest for rest in given if word in rest.lower()] == []
