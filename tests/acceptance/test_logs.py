"""The whole way with a key and a résumé that would be known again, at the most talkative: neither comes out."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batchd.sandbox_process import start_or_join
from tests.acceptance.cli_world import PATIENCE, World, command_environment
from tests.leaks import Leaks
from tests.planted import KEY

_LOG = '\n[log]\nlevel = "debug"\n'


def test_the_log_of_a_whole_run_names_everything_and_holds_nothing(tmp_path: Path) -> None:
    """Rows sent with a key, answered and written, then refused for a wrong one: each line is JSON of our events."""
    world = World(tmp_path)
    with start_or_join(tmp_path / "vendor.json", batch_duration=0.0, api_key=KEY) as sandbox:
        vendor = f'"openai"\nbase_url = "{sandbox.url}"\napi_key = {{ env = "VENDOR_KEY" }}'
        world.write_config(_LOG, kind=vendor)
        world.config.write_text(world.config.read_text().replace('batch_duration = "0s"\n', ""), encoding="utf-8")
        world.make_table(25)
        world.make_ledger()
        done = world.run("run", "--until-idle", "--json", VENDOR_KEY=KEY)
        world.sql("UPDATE people SET processed_at = NULL, full_name = NULL, level = NULL")
        refused = world.run("run", "--until-idle", "--json", VENDOR_KEY=f"{KEY}-wrong")

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    closed = [line for line in lines if line["event"] == "batch.closed"]
    leaks = Leaks()
    for said in (done.stdout, done.stderr, refused.stdout, refused.stderr):
        leaks.hear(said, "a run")
    assert (0, 4) == (done.returncode, refused.returncode), refused.stderr
    assert (3, 25) == (len(closed), sum(line["outcomes"]["applied"] for line in closed))
    assert {"claim.batch_built", "submit.created", "poll.ended", "collect.finished", "apply.chunk_written"} <= {
        line["event"] for line in lines
    }
    assert [] == leaks.finds()


def test_an_error_nobody_foresaw_says_no_row_and_no_key(tmp_path: Path) -> None:
    """Also where its traceback is asked for: places and code, no variables, no foreign words."""
    world = World(tmp_path)
    world.write_config()
    world.make_table(1)
    world.make_ledger()
    # A program of the same interpreter, put in its way, breaks a call with a row's text in hand.
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(_BROKEN, encoding="utf-8")
    path = f"{broken}:{Path(__file__).resolve().parents[2]}"

    told = world.run("submit", BATCHD_DEBUG="1", PYTHONPATH=path)

    assert 70 == told.returncode, told.stderr
    assert "ValueError (its words are left out: they may quote a row)" in told.stderr
    assert "internal error: ValueError at " in told.stderr
    assert "sk-" not in told.stderr


@contextmanager
def unwritable(kind: str) -> Iterator[int]:
    """A stream that takes nothing: its disk is full, or its reader has gone."""
    if kind == "disk":
        stream = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, stream = os.pipe()
        os.close(reader)
    try:
        yield stream
    finally:
        os.close(stream)


@pytest.mark.parametrize("kind", ["disk", "reader"])
@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_log_or_report_that_nobody_takes_does_not_end_a_daemon(tmp_path: Path, name: str, kind: str) -> None:
    """The rows matter more than what is said of them: they are done, and it goes on."""
    world = World(tmp_path)
    world.write_config()
    world.make_table(3)
    world.make_ledger()
    with unwritable(kind) as stream:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "batchd", "run"],
            cwd=world.folder,
            env=command_environment(),
            start_new_session=True,
            stdout=stream if name == "stdout" else subprocess.DEVNULL,
            stderr=stream if name == "stderr" else subprocess.DEVNULL,
        )
    try:
        deadline, left = time.monotonic() + PATIENCE, 3
        while left and daemon.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
            ((left,),) = world.sql("SELECT count(*) FROM people WHERE processed_at IS NULL")
        time.sleep(0.5)
        lives = daemon.poll() is None
    finally:
        daemon.kill()
        daemon.wait()

    assert (True, 0) == (lives, left), f"exit code {daemon.returncode}"


_BROKEN = """
import batchd.core.rendering as rendering
from tests.planted import KEY, RESUME

def broken(self, *rows):
    text = RESUME
    raise ValueError(f"cannot render {rows} {text} with {KEY}")

for name in ("render", "prompt", "__call__"):
    for one in vars(rendering).values():
        if isinstance(one, type) and one.__module__ == rendering.__name__ and name in vars(one):
            setattr(one, name, broken)
"""
