"""A caller who closes a stream, as some schedulers do, gets the same work done."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.cli_world import PATIENCE, World, command_environment


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Three rows that wait."""
    world = World(tmp_path)
    world.write_config()
    world.make_table(3)
    world.make_ledger()
    return world


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_changes_nothing(world: World, closed: str) -> None:
    """Rows are done and the database is whole: it is not taken for the stream whose number was free."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -m batchd run --until-idle {closed}', sys.executable],
        cwd=world.folder,
        env=command_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    assert [(3,)] == world.sql("SELECT count(*) FROM people WHERE processed_at IS NOT NULL")
    assert [("ok",)] == world.sql("PRAGMA integrity_check")
