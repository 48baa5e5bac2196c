"""verify, as a user calls it: what is proven, what is broken, what could not be looked at, and the exit code."""

import json
import sqlite3
from contextlib import closing

from tests.acceptance.cli_world import CONFIG, World
from tests.planted import KEY


def finished(world: World) -> None:
    """Every row is applied."""
    assert world.run("run", "--until-idle").returncode == 0


def test_a_sound_ledger_is_proven_in_words_and_as_a_document(world: World) -> None:
    """Exit code 0, and how much was looked at; the database is as it was."""
    finished(world)
    with closing(sqlite3.connect(world.folder / "people.db")) as connection:
        before = list(connection.iterdump())

    told = world.run("verify")
    document = world.run_json("verify")

    assert told.returncode == 0, told.stdout + told.stderr
    assert "Promises 1 to 6 hold" in told.stdout
    assert "3 batches, 25 requests, 3 result files, 25 result lines, 3 batches at vendors" in told.stdout
    assert document == {
        "ok": True,
        "violations": [],
        "totals": {},
        "notes": [],
        "more_notes": 0,
        "looked_at": {
            "batches": 3,
            "requests": 25,
            "gates": 0,
            "input_files": 0,
            "result_files": 3,
            "result_lines": 25,
            "vendor_batches": 3,
        },
        "exit_code": 0,
    }
    with closing(sqlite3.connect(world.folder / "people.db")) as connection:
        assert before == list(connection.iterdump())


def test_a_broken_promise_is_listed_with_exit_code_1(world: World) -> None:
    """Number, subject, sentence and next command, in words and as a document."""
    finished(world)
    world.sql("DELETE FROM batchd_content WHERE kind = 'before' AND batch_id = 2 AND seq = 1")

    told = world.run("verify")
    document = world.run("verify", "--json", "--task", "people")

    assert told.returncode == 1
    assert "1 violation of promises." in told.stdout
    assert "task people row 11" in told.stdout
    assert document.returncode == 1
    facts = json.loads(document.stdout)
    assert (facts["ok"], facts["totals"], facts["exit_code"]) == (False, {"no-before-image": 1}, 1)
    assert facts["violations"] == [
        {
            "promise": 4,
            "check": "no-before-image",
            "subject": "task people row 11",
            "sentence": "it was written by batch 2, and what stood there before is not kept",
            "next_command": "batchd show 2",
        }
    ]


def with_vendor(world: World, *lines: str) -> None:
    """The same config with another vendor of the same name."""
    head, _, tail = CONFIG.partition('[vendors.local]\nkind = "sandbox"\nbatch_duration = "0s"\n')
    world.config.write_text("\n".join([head, "[vendors.local]", *lines, tail]), encoding="utf-8")


def test_a_sandbox_that_is_not_there_is_said_and_not_made(world: World) -> None:
    """Ledger and spool are proven without it."""
    finished(world)
    with_vendor(world, 'kind = "sandbox"', 'state = "nowhere.db"')

    told = world.run("verify")

    assert told.returncode == 0, told.stdout + told.stderr
    assert "Note: vendor local: not looked at" in told.stdout
    assert not (world.folder / "nowhere.db").exists()


def test_a_vendor_that_is_down_is_said_and_no_violation(world: World) -> None:
    """Nobody listens where the config says that the vendor is."""
    with_vendor(world, 'kind = "openai"', 'api_key = { env = "KEY" }', 'base_url = "http://127.0.0.1:9/v1"')

    told = world.run("verify", "--json", KEY=KEY)

    facts = json.loads(told.stdout)
    assert told.returncode == 0, told.stdout + told.stderr
    assert [note["subject"] for note in facts["notes"]] == ["vendor local"]
    assert "not looked at: it could not be asked" in facts["notes"][0]["sentence"]


def test_a_vendor_without_its_key_is_left_out(world: World) -> None:
    """The rest is looked at all the same."""
    finished(world)
    with_vendor(world, 'kind = "openai"', 'api_key = { env = "NO_KEY" }')

    told = world.run("verify")

    assert told.returncode == 0, told.stdout + told.stderr
    assert "vendor local is not asked" in told.stderr
    assert "Note: vendor local: not looked at" in told.stdout


def test_it_works_beside_a_daemon(world: World) -> None:
    """While rows are claimed, sent and written, nothing that moves is taken for broken."""
    daemon = world.start("run", "--until-idle", "--batch-size", "2")
    codes: list[int] = []
    while daemon.poll() is None and len(codes) < 20:
        done = world.run("verify")
        assert done.returncode == 0, done.stdout + done.stderr
        codes.append(done.returncode)
    daemon.communicate(timeout=60)

    assert daemon.returncode == 0
    assert codes
