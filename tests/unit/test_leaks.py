"""The search for what is planted finds it wherever it comes out, and says which test let it out."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.cli_world import command_environment

_CONFTEST = """
from tests import leaks

def pytest_configure(config):
    leaks.install(config)
"""
# Each lets something out in its own way, but the last two: one says nothing of it, one is allowed to.
_TESTS = """
import logging, sqlite3, subprocess, sys
import structlog
from structlog.testing import capture_logs
from tests.planted import KEY, RESUME

SAY = [sys.executable, "-c", "from tests.planted import KEY; print(KEY)"]

def test_prints():
    print(KEY)

def test_complains():
    print(RESUME, file=sys.stderr)

def test_logs():
    structlog.get_logger().info("told", nested={"values": [RESUME]})

def test_logs_by_the_library():
    logging.getLogger("any").warning(KEY)

def test_reads_what_was_captured(capsys):
    print(KEY)
    capsys.readouterr()

def test_reads_what_was_logged():
    with capture_logs():
        structlog.get_logger().info("told", reason=RESUME)

def test_runs_a_process():
    subprocess.run(SAY, capture_output=True, check=True)

def test_reads_a_pipe():
    with subprocess.Popen(SAY, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()

def test_sends_output_to_a_file(tmp_path):
    with (tmp_path / "anything").open("w") as file:
        subprocess.run(SAY, stdout=file, check=True)

def test_writes_a_log(tmp_path):
    (tmp_path / "server.log").write_text(RESUME)

def test_shows_it_in_a_view(tmp_path):
    with sqlite3.connect(tmp_path / "any.db") as database:
        database.execute("CREATE TABLE batchd_content (body TEXT)")
        database.execute("INSERT INTO batchd_content VALUES (?)", (RESUME,))
        database.execute("CREATE VIEW batchd_v_failures AS SELECT body FROM batchd_content")
    database.close()

def test_is_silent():
    assert RESUME

def test_keeps_it_where_it_belongs(tmp_path):
    with sqlite3.connect(tmp_path / "any.db") as database:
        for table in ("batchd_content", "people"):
            database.execute(f"CREATE TABLE {table} (body TEXT)")
            database.execute(f"INSERT INTO {table} VALUES (?)", (RESUME,))
    database.close()
"""
_LATE = """
from tests.planted import KEY

def test_has_nothing_to_hide(tmp_path_factory):
    (tmp_path_factory.mktemp("shared") / "server.log").write_text(KEY)
"""


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder that this run doesn't search itself."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "conftest.py").write_text(_CONFTEST, encoding="utf-8")
        (path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        yield path


def run_of(folder: Path, tests: str, *options: str) -> tuple[int, str]:
    """Exit code and words of a run of pytest over these tests."""
    (folder / "test_planted.py").write_text(tests, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--show-capture=no", f"--basetemp={folder / 'temp'}", *options],
        cwd=folder,
        env=command_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "two"])
def test_each_way_out_is_found(elsewhere: Path, options: tuple[str, ...]) -> None:
    """A key or a résumé in any output fails the test that made it, and no other, also where tests run side by side."""
    code, said = run_of(elsewhere, _TESTS, *options)

    names = set(re.findall(r"def (test_\w+)", _TESTS)) - {"test_is_silent", "test_keeps_it_where_it_belongs"}
    assert (1, names) == (code, set(re.findall(r"ERROR test_planted\.py::(\w+)", said))), said


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "two"])
def test_what_outlives_its_test_fails_the_run(elsewhere: Path, options: tuple[str, ...]) -> None:
    """A server that tests share may say it after the last of them."""
    code, said = run_of(elsewhere, _LATE, *options)

    assert (1, 1) == (code, said.count("LEAK: the planted key in the file server.log")), said
