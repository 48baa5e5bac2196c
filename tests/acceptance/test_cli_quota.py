"""The vendor's limit on enqueued tokens, with the real command against the sandbox, which keeps it as a vendor does."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batchd.sandbox_process import SandboxHandle, start_or_join
from tests.acceptance.cli_world import CONFIG, World

ROWS, LIMIT = 40, 3000


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[SandboxHandle]:
    """It outlives the commands, so that its account can be asked for in the end."""
    with start_or_join(tmp_path / "vendor.db", batch_duration=0) as sandbox:
        yield sandbox


@pytest.fixture
def world(tmp_path: Path, vendor: SandboxHandle) -> World:
    """Rows of some 80 tokens each, at a vendor that lets 3,000 tokens wait."""
    del vendor
    section = f'kind = "sandbox"\nstate = "vendor.db"\ntoken_limit = {LIMIT}\n# limits'
    world = World(tmp_path, CONFIG.replace('kind = "sandbox"', section))
    world.make_table(ROWS)
    world.make_ledger()
    return world


def write_config(world: World, limits: str = "", batch_size: int = 100) -> None:
    world.write_config(batch_size=f"{batch_size}\nmax_open_batches = 4", batch_duration='"500ms"')
    world.config.write_text(world.config.read_text(encoding="utf-8").replace("# limits", limits), encoding="utf-8")


def account(vendor: SandboxHandle) -> dict[str, Any]:
    """What the vendor knows itself."""
    url = f"{vendor.url.removesuffix('/v1')}/_sandbox/account"
    with urllib.request.urlopen(url, timeout=10) as reply:  # noqa: S310 - on this machine
        found: dict[str, Any] = json.load(reply)
        return found


def refusals(world: World) -> int:
    """How often the vendor refused a batch."""
    ((number,),) = world.sql("SELECT count(*) FROM batchd_content WHERE kind = 'vendor_errors'")
    return int(number)


def assert_all_is_done(world: World, vendor: SandboxHandle) -> None:
    assert [(ROWS, ROWS)] == world.sql("SELECT count(*), count(processed_at) FROM people")
    assert [] == world.sql("SELECT kind, subject FROM batchd_finding")
    assert (ROWS, []) == (account(vendor)["requests_paid"], account(vendor)["paid_more_than_once"])


def test_a_limit_that_the_config_knows_is_never_passed(world: World, vendor: SandboxHandle) -> None:
    """The vendor has nothing to refuse; what waits says so, and all rows are done."""
    write_config(world, f'enqueued_tokens = {{ "gpt-6-luna" = {LIMIT} }}', batch_size=5)
    submitted = world.run("submit")
    ran = world.run("run", "--until-idle")

    assert "wait for the vendor's quota" in submitted.stdout, submitted.stdout
    assert (0, 0) == (submitted.returncode, ran.returncode), ran.stderr
    assert 0 == refusals(world)
    assert_all_is_done(world, vendor)


def test_a_limit_that_nobody_told_is_learnt(world: World, vendor: SandboxHandle) -> None:
    """From the first refusal on, what the vendor named is kept; no row is lost, and none is paid twice."""
    write_config(world)
    ran = world.run("run", "--until-idle")

    assert 0 == ran.returncode, ran.stderr
    assert [(LIMIT, 1)] == world.sql("SELECT learnt_tokens, told FROM batchd_quota")
    assert 1 <= refusals(world) <= 3
    assert_all_is_done(world, vendor)


def test_two_processes_keep_one_limit(world: World, vendor: SandboxHandle) -> None:
    """Each sees what the other has sent, to the token."""
    write_config(world, f'enqueued_tokens = {{ "gpt-6-luna" = {LIMIT} }}', batch_size=4)
    racers = [world.start("run", "--until-idle") for _ in range(2)]
    said = [racer.communicate(timeout=120)[1] for racer in racers]

    assert [0, 0] == [racer.returncode for racer in racers], said
    assert 0 == refusals(world)
    assert_all_is_done(world, vendor)
