"""What acceptance tests start from."""

from pathlib import Path

import pytest

from tests.acceptance.cli_world import World


@pytest.fixture
def empty(tmp_path: Path) -> World:
    """A folder with a config, and nothing else."""
    world = World(tmp_path)
    world.write_config()
    return world


@pytest.fixture
def world(empty: World) -> World:
    """A folder with a config, a ledger, and a table of 25 rows."""
    empty.make_table(25)
    empty.make_ledger()
    return empty
