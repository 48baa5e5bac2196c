"""A small config that is right, and ways to make it wrong."""

from pathlib import Path

import pytest

from batchd.config import Config, ConfigProblemsError, load_config

HEAD = """\
[database]
url = "sqlite:///batchd.db"

[vendors.local]
kind = "sandbox"
"""

TASK = """
[tasks.resumes]
vendor = "local"
table = "candidate"
key = ["id"]
pending = "done IS NULL"
model = "m"
prompt = "{{ resume }}"
on_success = { done = { now = "utc" } }
[tasks.resumes.fields]
name = { type = "string", column = "Name" }
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def load(folder: Path, text: str) -> Config:
    return load_config(write(folder, text))


def problems(folder: Path, text: str) -> list[str]:
    """What is wrong with a config, as ``line: key: sentence``."""
    path = write(folder, text)
    with pytest.raises(ConfigProblemsError) as raised:
        load_config(path)
    return [line.removeprefix(f"{path}:") for line in raised.value.problems]


def with_task(*lines: str, without: str = "") -> str:
    """The small config with more lines in its task (they are at line 7 and on) and without one key."""
    task = "".join(f"{line}\n" for line in TASK.splitlines() if not (without and line.startswith(f"{without} =")))
    return HEAD + task.replace("[tasks.resumes]\n", "[tasks.resumes]\n" + "".join(f"{line}\n" for line in lines), 1)
