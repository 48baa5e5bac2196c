"""batchd doctor: every part has its line, what is wrong its reason and its next command, and nothing is changed."""

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.cli_world import World

REMOTE = """
[vendors.remote]
kind = "openai"
base_url = "http://127.0.0.1:{port}/v1"
api_key = {{ file = "key.txt" }}
timeout = "4s"
"""


def doctor(world: World, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """The doctor's remarks, where it ends with this code."""
    done = world.run("doctor", *arguments, "--json")
    document = json.loads(done.stdout)
    assert code == done.returncode == document["exit_code"], document
    assert (code == 0) == document["ok"]
    remarks: list[dict[str, Any]] = document["remarks"]
    return remarks


def levels(remarks: list[dict[str, Any]], subject: str) -> list[str]:
    return [one["level"] for one in remarks if one["subject"] == subject]


def wrong(remarks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in remarks if one["level"] != "ok"]


def snapshot(folder: Path) -> dict[str, tuple[int, str]]:
    """Every file with its mode and its content; what SQLite keeps beside a database comes and goes with it."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, _content(path))
        for path in sorted(folder.rglob("*"))
        if not path.name.endswith(("-wal", "-shm"))
    }


def _content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


@pytest.fixture
def well(world: World) -> World:
    """A config, a table and a ledger, with one batch done."""
    (world.folder / "people.db").chmod(0o600)
    done = world.run("run", "--until-idle", "--check-interval", "0.2")
    assert done.returncode == 0, done.stderr
    return world


def use_remote(world: World, port: int) -> None:
    (world.folder / "key.txt").write_text("sk-planted-secret\n", encoding="utf-8")
    (world.folder / "key.txt").chmod(0o600)
    world.write_config(REMOTE.format(port=port), vendor='"remote"')


@pytest.fixture
def refusing() -> Iterator[int]:
    """A vendor that refuses every key; yields its port."""

    class Refuse(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"error": {"message": "bad key sk-planted-secret", "type": "invalid_request_error"}}'
            self.send_response(401)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Refuse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_all_is_well(well: World) -> None:
    """Each part has its line; code 0; the last line says that nothing was changed."""
    remarks = doctor(well)
    shown = well.run("doctor")

    parts = ["config", "database", "ledger", "grants", "task people", "clock", "spool", "vendor local"]
    assert [*parts, "unknown submits", "findings", "service", "python"] == list(
        dict.fromkeys(one["subject"] for one in remarks)
    )
    assert [] == wrong(remarks)
    assert "All is well. Nothing was changed." == shown.stdout.splitlines()[-1]
    assert {"OK"} == {line.split()[0] for line in shown.stdout.splitlines()[:-2]}


def test_nothing_is_changed(well: World) -> None:
    """Not a byte and not a mode, of what is right or wrong; not a trace of the trial file."""
    well.config.chmod(0o666)
    (well.folder / "spool").chmod(0o755)
    before = snapshot(well.folder)

    doctor(well)

    assert before == snapshot(well.folder)


def test_files_that_are_open_to_others_are_warned_of(well: World) -> None:
    """Config, secret, database, spool folder and spool file: each with its chmod; warnings alone end with 0."""
    well.config.chmod(0o666)
    (well.folder / "people.db").chmod(0o644)
    (well.folder / "spool").chmod(0o755)
    next((well.folder / "spool").glob("*.input.jsonl")).chmod(0o644)

    found = wrong(doctor(well))

    assert {"warning"} == {one["level"] for one in found}
    assert [
        "chmod o-w config.toml",
        f"chmod 600 {well.folder / 'people.db'}",
        "chmod 700 spool",
        "chmod 600 spool/*",
    ] == [one["next_command"] for one in found]


def test_a_secret_file_that_everybody_may_read_is_warned_of(well: World, refusing: int) -> None:
    """And its content is not shown, nor what the vendor says of it."""
    use_remote(well, refusing)
    (well.folder / "key.txt").chmod(0o644)

    found = wrong(doctor(well, code=4))

    assert "chmod 600 key.txt" == found[0]["next_command"]
    assert "planted" not in json.dumps(found)


def test_a_refused_key_ends_with_4(well: World, refusing: int) -> None:
    """The parts after it are looked at all the same."""
    use_remote(well, refusing)

    remarks = doctor(well, code=4)

    assert (["problem"], ["ok"], ["ok", "ok"]) == (
        levels(remarks, "vendor remote"),
        levels(remarks, "findings"),
        levels(remarks, "python"),
    )


def test_a_vendor_that_cannot_be_reached_ends_with_12(well: World) -> None:
    """Whose address and what to look at is told."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    use_remote(well, port)

    (found,) = [one for one in wrong(doctor(well, code=12)) if one["level"] == "problem"]

    assert (f"127.0.0.1:{port}" in found["sentence"], 12) == (True, found["exit_code"])


def test_a_missing_database_ends_with_11_and_the_rest_is_looked_at(empty: World) -> None:
    """What can't be looked at without it is named."""
    remarks = doctor(empty, code=11)

    assert ["problem"] == levels(remarks, "database")
    assert ["warning"] == levels(remarks, "grants, ledger version, clock, findings and tasks")
    assert ["ok"] == levels(remarks, "spool")


def test_a_database_without_a_ledger_says_what_makes_one(empty: World) -> None:
    """The task is looked at all the same."""
    empty.make_table(1)

    remarks = doctor(empty, code=11)

    (missing,) = [one for one in remarks if one["subject"] == "ledger"]
    assert ("problem", True) == (missing["level"], missing["next_command"].startswith("batchd db upgrade"))
    assert ["ok"] == levels(remarks, "task people")


def test_a_config_with_mistakes_ends_with_10(world: World) -> None:
    """Each with its line; what needs no config is looked at."""
    world.write_config(batch_size="0")

    remarks = doctor(world, code=10)

    assert "config.toml:" in remarks[0]["sentence"]
    assert ["ok", "ok"] == levels(remarks, "python")


def test_a_task_that_does_not_fit_ends_with_10(world: World) -> None:
    """Its column has gone."""
    world.sql("ALTER TABLE people RENAME COLUMN level TO grade")

    remarks = doctor(world, code=10)

    assert "problem" in levels(remarks, "task people")


@pytest.mark.parametrize(
    ("kind", "subject", "level", "code"),
    [
        ("unknown-submit", "batch 1", "problem", 20),
        ("billing-stop", "task people", "problem", 3),
        ("vendor-auth", "vendor local", "problem", 4),
        ("late-batch", "batch 1", "warning", 0),
    ],
)
def test_open_findings_are_told_by_kind(well: World, kind: str, subject: str, level: str, code: int) -> None:
    """How many, the oldest and its next command; what stops something fails, what only reports is a warning."""
    for number in (1, 2):
        well.sql(
            "INSERT INTO batchd_finding (kind, subject, detail, next_command, opened_at) VALUES (?, ?, '', ?, ?)",
            kind,
            f"{subject}{number if number > 1 else ''}",
            f"batchd show {number}",
            f"2026-01-0{number} 12:00:00.000",
        )

    (found,) = wrong(doctor(well, code=code))

    assert (level, "batchd show 1") == (found["level"], found["next_command"])
    assert f"{kind}: 2 open, the oldest, {subject}, since 2026-01-01 12:00Z" in found["sentence"]


def test_a_disk_without_room_ends_with_3(well: World) -> None:
    """Measured against what is kept free."""
    well.write_config(check_interval='"1s"\nspool_reserve = 999999999999999')

    (found,) = wrong(doctor(well, code=3))

    assert found["sentence"].startswith("no room for another batch")


def test_an_unknown_task_is_wrong_usage(well: World) -> None:
    """As everywhere."""
    refused = well.run("doctor", "--task", "nobody")

    assert (2, True) == (refused.returncode, "tasks here: people" in refused.stderr)
