"""Azure OpenAI as a user has it: from the config to written rows, by the sandbox in its place."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from batchd.sandbox_process import Flavour, start_or_join
from tests.acceptance.cli_world import CONFIG, REPOSITORY, World

SANDBOX = 'kind = "sandbox"\nbatch_duration = "0s"'


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A resource with one deployment, that takes a moment over each uploaded file."""
    flavour = Flavour("azure", {"batch-luna": "gpt-6-luna"}, file_processing=0.3)
    with start_or_join(tmp_path_factory.mktemp("azure") / "azure.db", batch_duration=0, flavour=flavour) as handle:
        yield handle.url


def world_of(folder: Path, vendor: str) -> World:
    """A folder with this vendor, a ledger, and a table of 12 rows for its deployment."""
    world = World(folder, CONFIG.replace(SANDBOX, vendor).replace('"gpt-6-luna"', '"batch-luna"'))
    world.write_config()
    world.make_table(12)
    world.make_ledger()
    return world


def filled(world: World) -> int:
    """How many rows are written."""
    return int(world.sql("SELECT count(*) FROM people WHERE full_name IS NOT NULL AND processed_at IS NOT NULL")[0][0])


def test_rows_are_filled_by_a_resource(tmp_path: Path, endpoint: str) -> None:
    """By kind = "azure": checked, run to the end, and clean."""
    vendor = f'kind = "azure"\nendpoint = "{endpoint}"\napi_key = {{ env = "AZURE_KEY" }}\napi_version = "2024-10-21"'
    world = world_of(tmp_path, vendor)

    checked = world.run("check-config", AZURE_KEY="sandbox-key")
    ran = world.run("run", "--until-idle", AZURE_KEY="sandbox-key")
    verified = world.run("verify", AZURE_KEY="sandbox-key")

    assert (0, 0) == (checked.returncode, ran.returncode), checked.stderr + ran.stderr
    assert 12 == filled(world)
    assert 0 == verified.returncode, verified.stdout


def test_rows_are_filled_by_the_sandbox_in_azures_place(tmp_path: Path) -> None:
    """By flavour = "azure": nothing else to start, and nothing to pay."""
    flavour = 'flavour = "azure"\ndeployments = { batch-luna = "gpt-6-luna" }\nfile_processing = "200ms"'
    world = world_of(tmp_path, f"{SANDBOX}\n{flavour}")

    ran = world.run("run", "--until-idle")

    assert 0 == ran.returncode, ran.stderr
    assert 12 == filled(world)
    assert [("closed",)] == world.sql("SELECT DISTINCT state FROM batchd_batch")


def test_a_model_in_place_of_a_deployment_stops_for_a_person(tmp_path: Path) -> None:
    """The batch is refused whole, nothing is paid, and the finding says so."""
    world = world_of(tmp_path, f'{SANDBOX}\nflavour = "azure"\ndeployments = {{ other = "gpt-6-luna" }}')

    ran = world.run("run", "--until-idle")

    assert 20 == ran.returncode, ran.stderr
    assert 0 == filled(world)
    assert ("batch-refused", "model_not_found") in world.sql("SELECT kind, detail FROM batchd_finding")


def test_entra_without_its_package_is_a_problem_of_the_config(tmp_path: Path, endpoint: str) -> None:
    """check-config names the line and what to install."""
    # A package of that name without an identity in it, found before the real one.
    (tmp_path / "stub" / "azure").mkdir(parents=True)
    (tmp_path / "stub" / "azure" / "__init__.py").touch()
    world = world_of(tmp_path, f'kind = "azure"\nendpoint = "{endpoint}"\nentra = "default"')

    checked = world.run("check-config", PYTHONPATH=f"{tmp_path / 'stub'}:{REPOSITORY}")

    assert 10 == checked.returncode
    assert "config.toml:7: vendors.local.entra: entra needs the package azure-identity" in checked.stdout
    assert 'pip install "batchd[azure]"' in checked.stdout
