"""``batchd demo`` as a reader meets it: real processes, the sandbox over HTTP, a folder to play with."""

import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from batchd.config import load_config
from batchd.sandbox_process import start_or_join

ROOT = Path(__file__).resolve().parents[2]
BATCHD = [sys.executable, "-m", "batchd"]
RUNS_FOR = 60


def batchd(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BATCHD, *words],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        timeout=RUNS_FOR,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def ask(database: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def change(database: Path, statement: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(statement)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder in which the demo has run once, and what it said."""
    folder = tmp_path_factory.mktemp("reader")
    ended = batchd("demo", "--json", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    return folder, json.loads(ended.stdout)


@pytest.fixture
def demo(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """A folder with a demo of the test's own, to change: a copy of the files that one run has left."""
    shutil.copytree(made[0] / "demo", tmp_path / "demo")
    return tmp_path / "demo"


def test_every_row_is_filled_and_none_is_left_pending(made: tuple[Path, dict[str, Any]]) -> None:
    """The demo fills every row, in batches of ten."""
    folder, said = made
    database = folder / "demo" / "candidates.db"

    assert (said["rows"], said["done"]) == (24, 24)
    assert ask(
        database,
        "SELECT count(*) FROM aicandidate WHERE LastProcessed IS NOT NULL AND json_valid(Skills)",
    ) == [(24,)]
    assert ask(database, "SELECT status, count(*) FROM aicandidateBatchStatus GROUP BY 1") == [("done", 24)]
    assert ask(database, "SELECT applied, state FROM batchd_v_batches ORDER BY batch") == [
        (10, "closed"),
        (10, "closed"),
        (4, "closed"),
    ]
    assert said["tasks"][0]["cost_usd"] > 0


def test_each_input_is_paid_for_once(made: tuple[Path, dict[str, Any]]) -> None:
    """The vendor's own account names every request once: nothing is paid twice."""
    state = made[0] / "demo" / "sandbox.db"
    with start_or_join(state, batch_duration=0) as sandbox:
        url = f"{sandbox.url.removesuffix('/v1')}/_sandbox/account"
        with urllib.request.urlopen(url, timeout=10) as reply:  # noqa: S310 - on this machine
            account = json.load(reply)

    assert account["requests_paid"] == 24
    assert len(account["by_custom_id"]) == 24
    # The empty and the blank résumé are two rows with two inputs.
    assert account["inputs_paid"] == 24
    assert account["batches"] == 3


def test_the_commands_it_names_work_from_where_the_reader_stands(made: tuple[Path, dict[str, Any]]) -> None:
    """The three commands to try next end well as they are written."""
    folder, said = made

    assert len(said["next_commands"]) == 3
    for command in said["next_commands"]:
        program, *words = shlex.split(command)
        ended = batchd(*words, cwd=folder)
        assert program == "batchd"
        assert ended.returncode == 0, f"{command}: {ended.stderr}"


def test_it_tells_of_rows_before_and_after_and_of_the_cost(tmp_path: Path) -> None:
    """What is printed fits 80 columns and shows rows, batches, tokens and cost."""
    ended = batchd("demo", cwd=tmp_path)
    again = batchd("demo", cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    for words in (
        "Before: 24 rows",
        "After: 24 rows of 24 done",
        "Alice Moreau",
        "batch 3: closed",
        "Tokens:",
    ):
        assert words in ended.stdout
    assert max(len(line) for line in ended.stdout.splitlines() if "--config" not in line) <= 80
    # Untouched, it is made anew without a question.
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE aicandidate SET Resume = 'mine' WHERE userid = 101", "candidates.db"),
        ("UPDATE aicandidate SET LastProcessed = NULL WHERE userid = 101", "candidates.db"),
        ("CREATE TABLE mine (id INTEGER)", "candidates.db"),
    ],
)
def test_a_changed_database_is_not_overwritten(demo: Path, statement: str, named: str) -> None:
    """Rows, answers and tables of the reader's are kept until the reader says --reset."""
    change(demo / "candidates.db", statement)
    before = ask(demo / "candidates.db", "SELECT * FROM aicandidate")

    refused = batchd("demo", cwd=demo.parent)

    assert refused.returncode == 2
    assert named in refused.stderr
    assert "--reset" in refused.stderr
    assert before == ask(demo / "candidates.db", "SELECT * FROM aicandidate")


def test_an_edited_config_is_kept_until_reset(demo: Path) -> None:
    """--reset makes the demo anew, and leaves files alone that are not the demo's."""
    original = (demo / "config.toml").read_text(encoding="utf-8")
    (demo / "config.toml").write_text(original + "# mine\n", encoding="utf-8")
    (demo / "candidates.db.backup").write_text("mine", encoding="utf-8")

    refused = batchd("demo", cwd=demo.parent)
    edited = (demo / "config.toml").read_text(encoding="utf-8")
    reset = batchd("demo", "--reset", cwd=demo.parent)

    assert (refused.returncode, "config.toml was edited" in refused.stderr) == (2, True)
    assert edited.endswith("# mine\n")
    assert reset.returncode == 0, reset.stderr
    assert original == (demo / "config.toml").read_text(encoding="utf-8")
    assert (demo / "candidates.db.backup").read_text(encoding="utf-8") == "mine"


def test_files_that_no_demo_made_are_never_overwritten(tmp_path: Path) -> None:
    """A folder named demo with a config of the reader's stays as it is, also with --reset."""
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "config.toml").write_text("mine", encoding="utf-8")

    refused = batchd("demo", "--reset", cwd=tmp_path)

    assert refused.returncode == 2
    assert "config.toml" in refused.stderr
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["config.toml"]


def test_the_repository_s_config_is_the_demo_s() -> None:
    """config.toml at the top works on the demo's database, with the demo's task."""
    ours = load_config(ROOT / "config.toml")
    demo = load_config(ROOT / "batchd" / "cli" / "demo_config.toml")

    assert demo.tasks == ours.tasks
    assert demo.daemon.check_interval == ours.daemon.check_interval
    assert f"sqlite:///{ROOT / 'demo' / 'candidates.db'}" == ours.database_url()
    assert ours.daemon.spool == ROOT / "demo" / "spool"
