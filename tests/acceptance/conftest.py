"""What acceptance tests start from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from batchd.sandbox_process import start_or_join
from tests.acceptance.cli_world import CONFIG, World


@pytest.fixture(scope="session")
def sandbox_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state file of a sandbox that runs throughout, so that commands join it instead of starting one."""
    state = tmp_path_factory.mktemp("sandbox") / "sandbox.db"
    with start_or_join(state, batch_duration=0):
        yield state


@pytest.fixture
def empty(tmp_path: Path) -> World:
    """A folder with a config, and nothing else; its sandbox is its own."""
    world = World(tmp_path)
    world.write_config()
    return world


@pytest.fixture
def world(tmp_path: Path, sandbox_state: Path) -> World:
    """A folder with a config, a ledger, and a table of 25 rows."""
    world = World(tmp_path, CONFIG.replace('kind = "sandbox"', f'kind = "sandbox"\nstate = "{sandbox_state}"'))
    world.write_config()
    world.make_table(25)
    world.make_ledger()
    return world
