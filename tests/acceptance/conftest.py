"""What acceptance tests start from."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchd.sandbox_process import start_or_join
from tests.acceptance.cli_world import CONFIG, World
from tests.acceptance.moving_ground import Ground, build, held_sandbox, lay, put_back


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


@pytest.fixture(scope="session")
def ground_and_snapshot(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A ledger with a batch in every state, and a copy of its whole folder."""
    folder, snapshot = tmp_path_factory.mktemp("ground") / "here", tmp_path_factory.mktemp("snapshot") / "taken"
    folder.mkdir()
    build(folder)
    shutil.copytree(folder, snapshot)
    return folder, snapshot


@pytest.fixture
def unheld(ground_and_snapshot: tuple[Path, Path]) -> Ground:
    """A ledger with a batch in every state; its vendor runs while a command needs it."""
    folder, snapshot = ground_and_snapshot
    return put_back(snapshot, folder)


@pytest.fixture
def ground(unheld: Ground) -> Iterator[Ground]:
    """The same, and its vendor runs throughout."""
    with held_sandbox(unheld.folder):
        yield unheld


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Ground]:
    """An empty table, and a vendor that takes an hour over a batch."""
    ground = lay(tmp_path, batch_duration='"1h"')
    with held_sandbox(tmp_path):
        yield ground
