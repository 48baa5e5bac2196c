"""`batchd run` with webhooks: the sandbox tells it over real HTTP, and what is told wrongly costs time alone."""

import contextlib
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batchd.sandbox_process import Webhooks, start_or_join
from tests.acceptance.cli_world import CONFIG, PATIENCE, World

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
OTHER = "whsec_BBECAwQFBgcICQoLDA0ODxAREhMUFRYX"
ROWS = 25


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def listening(folder: Path, check_interval: str, port: int, duration: str = "1s") -> World:
    """A world whose sandbox tells the daemon, which looks by itself only so often."""
    vendor = (
        f'kind = "sandbox"\nwebhook_url = "http://127.0.0.1:{port}/webhooks"\n'
        'webhook_secret = [{ env = "OLD_SECRET" }, { env = "NEW_SECRET" }]'
    )
    text = CONFIG.replace('kind = "sandbox"', vendor) + f"\n[webhooks]\nport = {port}\n"
    world = World(folder, text)
    world.write_config(check_interval=f'"{check_interval}"', batch_duration=f'"{duration}"')
    world.make_table(ROWS)
    world.make_ledger()
    return world


@contextlib.contextmanager
def daemon(world: World) -> Iterator[list[str]]:
    """A daemon at work, ended as by systemd; what it logged is there afterwards."""
    logged: list[str] = []
    process = world.start("run", OLD_SECRET=OTHER, NEW_SECRET=SECRET)
    try:
        yield logged
    finally:
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE)
        logged.extend(log.splitlines())


def done(world: World) -> int:
    return int(world.sql("SELECT count(*) FROM people WHERE processed_at IS NOT NULL")[0][0])


def wait_until_done(world: World) -> None:
    deadline = time.monotonic() + PATIENCE
    while done(world) < ROWS:
        assert time.monotonic() < deadline, f"{done(world)} rows are done"
        time.sleep(0.05)


def count(logged: list[str], event: str) -> int:
    return sum(f'"event": "{event}"' in line for line in logged)


def test_a_port_that_is_taken_ends_it_with_the_line_of_the_config(tmp_path: Path) -> None:
    """A second daemon on the machine, most of all: nothing is sent, and a person is told where to mend it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        world = listening(tmp_path, "1h", port)
        done = world.run("run", OLD_SECRET=OTHER, NEW_SECRET=SECRET)

    assert 10 == done.returncode
    assert re.search(rf":\d+: webhooks.port: nothing can listen at 127.0.0.1 port {port}", done.stderr)
    assert "next: choose another port" in done.stderr


def test_rows_are_done_long_before_the_next_look(tmp_path: Path) -> None:
    """Looked at by itself once in an hour, a batch's end is seen when it is told."""
    world = listening(tmp_path, "1h", free_port())
    with daemon(world) as logged:
        wait_until_done(world)

    assert [("closed", 3)] == world.sql("SELECT state, count(*) FROM batchd_batch GROUP BY state")
    assert 1 == count(logged, "webhooks.listening")
    assert 1 <= count(logged, "webhooks.heard") <= 3
    assert not re.search("whsec_|plumber", "\n".join(logged))


@pytest.mark.parametrize(
    "rules",
    [
        [{"kind": "lost"}],
        [{"kind": "badly_signed"}],
        [{"kind": "old"}],
        [{"kind": "early"}],
        [{"kind": "repeated", "times": 1}, {"kind": "out_of_order", "times": 1}, {"kind": "late", "seconds": 1}],
    ],
    ids=lambda rules: rules[0]["kind"],
)
def test_what_goes_wrong_costs_time_alone(tmp_path: Path, rules: list[dict[str, Any]]) -> None:
    """Every row is done, written once and paid for once, with webhooks of each kind that is wrong."""
    port = free_port()
    world = listening(tmp_path, "0.5s", port)
    webhooks = Webhooks(f"http://127.0.0.1:{port}/webhooks", [SECRET])
    with start_or_join(tmp_path / "sandbox.db", batch_duration=1, faults={"webhooks": rules}, webhooks=webhooks):
        with daemon(world) as logged:
            wait_until_done(world)
        verified = world.run("verify", OLD_SECRET=OTHER, NEW_SECRET=SECRET)

    assert 0 == verified.returncode, verified.stdout
    assert [(ROWS,)] == world.sql("SELECT sum(applied) FROM batchd_batch")
    assert [(0,)] == world.sql("SELECT count(*) FROM batchd_finding")
    assert (rules[0]["kind"] in ("badly_signed", "old")) == (count(logged, "webhooks.refused") > 0)


def test_a_flood_of_strangers_does_not_fill_the_log(tmp_path: Path) -> None:
    """Forgeries, and what is no HTTP at all: a line at once and one a minute later; rows are done meanwhile."""
    port = free_port()
    world = listening(tmp_path, "0.5s", port)
    with daemon(world) as logged:
        wait_until_done(world)
        for sent in (b"\0\0 no http \r\n\r\n", b"POST /webhooks HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"):
            for _ in range(100):
                with socket.create_connection(("127.0.0.1", port), timeout=10) as stranger:
                    stranger.sendall(sent)
                    stranger.recv(100)

    assert 1 == count(logged, "webhooks.refused")
    assert [] == [line for line in logged if not line.startswith("{")]


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    """With the key to change; nothing is sent."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        world = listening(tmp_path, "1s", taken.getsockname()[1])
        ended = world.run("run", OLD_SECRET=OTHER, NEW_SECRET=SECRET)

    assert 10 == ended.returncode
    assert "webhooks.port" in ended.stderr
    assert [(0,)] == world.sql("SELECT count(*) FROM batchd_batch")


def test_check_config_looks_at_the_receiver(tmp_path: Path) -> None:
    """Its address and vendors; a secret that cannot be read; a port that is in use."""
    port = free_port()
    world = listening(tmp_path, "1s", port)
    fine = world.run("check-config", OLD_SECRET=OTHER, NEW_SECRET=SECRET)
    missing = world.run("check-config", OLD_SECRET=OTHER)
    with socket.create_server(("127.0.0.1", port)):
        taken = world.run("check-config", OLD_SECRET=OTHER, NEW_SECRET=SECRET)

    assert f"will listen at http://127.0.0.1:{port}/webhooks for local" in fine.stdout
    assert (0, 10, 0) == (fine.returncode, missing.returncode, taken.returncode)
    assert "NEW_SECRET is not set" in missing.stdout
    assert f"nothing more can listen at http://127.0.0.1:{port}/webhooks now: Address already in use" in taken.stdout
