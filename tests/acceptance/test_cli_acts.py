"""What people do at the command line: tried first, asked about on a terminal only, told with who and why."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.cli_world import CONFIG, PATIENCE, World, command_environment
from tests.acceptance.moving_ground import held_sandbox

QUESTION = "[y/N]"


class Terminal:
    """A person at a terminal, who runs one command."""

    def __init__(self, world: World, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "batchd", *arguments],
            cwd=world.folder,
            env=command_environment(TERM="dumb", COLUMNS="200"),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.said = ""

    def read_until(self, words: str) -> None:
        """Reads what the command says, up to these words."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.said:
            assert time.monotonic() < deadline, self.said
            assert self._read(), f"it ended without {words!r}: {self.said}"

    def type(self, keys: str) -> None:
        """Presses keys."""
        os.write(self._ours, keys.encode())

    def end(self) -> int:
        """Reads the rest; the exit code."""
        while self._read():
            pass
        os.close(self._ours)
        return self.process.wait(PATIENCE)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], PATIENCE)
        assert ready, self.said
        try:
            told = os.read(self._ours, 4096)
        except OSError:
            # Nobody holds the other side any more.
            return False
        self.said += told.decode()
        return bool(told)


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[World]:
    """Three sent batches at a vendor that takes some seconds over them."""
    world = World(tmp_path, CONFIG.replace('batch_duration = "0s"', 'batch_duration = "20s"'))
    world.write_config()
    world.make_table(25)
    world.make_ledger()
    with held_sandbox(tmp_path):
        assert world.run("submit").returncode == 0
        yield world


def trail(world: World) -> list[tuple[object, ...]]:
    """The acts of people: who, what, why."""
    return world.sql(
        "SELECT actor, action, reason FROM batchd_event"
        " WHERE action IN ('pause', 'resume', 'cancel', 'retry', 'reapply', 'resolve') ORDER BY id"
    )


@pytest.mark.parametrize("keys", ["n\n", "\n", "\x04"], ids=["no", "nothing", "the end of the input"])
def test_a_person_who_does_not_agree_is_taken_at_their_word(slow: World, keys: str) -> None:
    """Told what it would do, asked, and nothing is done: exit code 130."""
    terminal = Terminal(slow, "cancel", "1")
    terminal.read_until(QUESTION)
    assert "the vendor would be asked to cancel batch 1" in terminal.said.lower()
    terminal.type(keys)

    code = terminal.end()

    assert (code, trail(slow)) == (130, [])
    assert "nothing was done" in terminal.said


def test_an_interrupt_instead_of_an_answer_does_nothing(slow: World) -> None:
    """Ctrl-C is a no."""
    terminal = Terminal(slow, "cancel", "1")
    terminal.read_until(QUESTION)
    terminal.process.send_signal(signal.SIGINT)

    assert (terminal.end(), trail(slow)) == (130, [])


def test_a_person_who_agrees_waits_for_the_vendor_and_keeps_what_is_finished(slow: World) -> None:
    """The batch is closed when the command ends; the rows that did not run are held, and freed by their outcome."""
    terminal = Terminal(slow, "cancel", "1", "--reason", "wrong prompt")
    terminal.read_until(QUESTION)
    terminal.type("y\n")
    code = terminal.end()

    assert code == 0, terminal.said
    assert slow.sql("SELECT state FROM batchd_batch WHERE id = 1") == [("closed",)]
    ((held,),) = slow.sql("SELECT count(*) FROM batchd_gate WHERE state = 'held' AND outcome = 'cancelled'")
    ((written,),) = slow.sql("SELECT count(*) FROM people WHERE processed_at IS NOT NULL")
    assert held + written == 10
    ((actor, action, reason),) = trail(slow)
    assert str(actor).startswith("user ")
    assert (action, reason) == ("cancel", "the vendor is asked to cancel it: wrong prompt")
    freed = slow.run("retry", "--only", "cancelled")
    assert (freed.returncode, f"{held} rows of task people are due again" in freed.stdout) == (0, held > 1), freed


def test_an_interrupted_wait_leaves_the_cancel_and_says_what_goes_on(slow: World) -> None:
    """All batches of the task; Ctrl-C ends the waiting alone, and the next check brings home the rest."""
    terminal = Terminal(slow, "cancel", "--task", "people", "--yes", "--config", "config.toml")
    deadline = time.monotonic() + PATIENCE
    while len(slow.sql("SELECT 1 FROM batchd_event WHERE action = 'cancelling'")) < 3:
        assert time.monotonic() < deadline, terminal.said
        time.sleep(0.05)
    terminal.process.send_signal(signal.SIGINT)
    code = terminal.end()

    assert QUESTION not in terminal.said
    if code != 0:
        # A quick vendor may have ended them all by then.
        assert code == 130, terminal.said
        assert "batchd check --config config.toml batch_" in terminal.said
    assert slow.sql("SELECT count(*) FROM batchd_batch WHERE lease_owner IS NOT NULL") == [(0,)]
    ran = slow.run("run", "--until-idle")
    assert slow.sql("SELECT DISTINCT state FROM batchd_batch") == [("closed",)], ran.stderr


def test_without_a_terminal_nothing_is_asked_and_several_are_cancelled(slow: World) -> None:
    """A script is never waited for; one that cannot be cancelled keeps no other from it, and is told."""
    done = slow.run("cancel", "1", "77", "3", "--no-wait", "--json")

    document = json.loads(done.stdout)
    assert (done.returncode, document["exit_code"], document["number"]) == (2, 2, 2)
    assert [one["batch"] for one in document["batches"]] == [1, 3]
    assert ["there is no batch '77' in this ledger"] == [one["message"] for one in document["errors"]]
    assert [action for _, action, _ in trail(slow)] == ["cancel", "cancel"]


def test_a_dry_run_tells_and_changes_nothing(slow: World) -> None:
    """Batches, rows and what it says; for programs too."""
    before = slow.sql("SELECT * FROM batchd_batch"), slow.sql("SELECT * FROM batchd_event")

    said = slow.run("cancel", "--task", "people", "--dry-run")
    document = slow.run_json("cancel", "--task", "people", "--dry-run")
    paused = slow.run("pause", "people", "--dry-run")
    none = slow.run_json("retry", "--dry-run", "--only", "expired,missing")

    assert (before) == (slow.sql("SELECT * FROM batchd_batch"), slow.sql("SELECT * FROM batchd_event"))
    assert (said.returncode, paused.returncode) == (0, 0)
    assert said.stdout.count("The vendor would be asked to cancel batch") == 3
    assert said.stdout.endswith("Dry run: nothing was changed.\n")
    assert [one["batch"] for one in document["batches"]] == [1, 2, 3]
    assert (document["dry_run"], document["number"]) == (True, 3)
    assert (document["rows_in_all"], len(document["rows"])) == (25, 25)
    assert "3 open batches would still be polled and collected" in paused.stdout
    assert (none["number"], none["rows"], none["may_cost"]) == (0, [], False)
    assert slow.run("cancel", "77", "--dry-run").returncode == slow.run("cancel", "77").returncode == 2


def test_a_batch_that_was_not_sent_is_abandoned_at_once(world: World) -> None:
    """Nothing is waited for, and its rows stay where they are until they are wanted."""
    world.run("submit")
    world.sql("UPDATE batchd_batch SET state = 'built', vendor_batch_id = NULL, submitted_at = NULL WHERE id = 2")

    done = world.run("cancel", "2")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Batch 2 is abandoned: 10 cancelled.\n10 rows wait for: batchd retry --task people")


def test_a_paused_task_keeps_a_cancel_from_waiting_for_ever(world: World) -> None:
    """Its results are fetched, and written once it goes on: exit code 5, with the command."""
    world.run("submit")
    world.run("pause", "people", "--reason", "month end")

    done = world.run("cancel", "1")

    assert done.returncode == 5, done.stdout + done.stderr
    assert "batchd resume people" in done.stdout


def test_a_pause_by_sql_shows_and_is_ended_by_resume(world: World) -> None:
    """The same in status, in submit, and for programs."""
    world.run("submit")
    world.sql("UPDATE batchd_task SET paused = 1 WHERE name = 'people'")

    assert [one["pause_reason"] for one in world.run_json("status")["tasks"]] == ["by SQL"]
    assert "by SQL" in world.run("status").stdout
    assert "is paused (by SQL)" in world.run("submit").stdout
    assert world.run("resume", "people").stdout == "Task people goes on.\n"
    assert world.run("resume", "people").stdout == "Task people is not paused; nothing was done.\n"


def test_the_next_command_carries_the_config_that_was_given(world: World) -> None:
    """Run from elsewhere it works as it is printed; a config that was found by itself is not named."""
    elsewhere = world.folder / "elsewhere"
    elsewhere.mkdir()

    named = world.run("submit", "--config", "../config.toml", cwd=elsewhere)
    refused = world.run("show", "77", "--config", "../config.toml", cwd=elsewhere)
    found = world.run("show", "77")

    command = named.stdout.splitlines()[-1].removeprefix("Next: batchd ").split()
    assert command[:3] == ["check", "--config", "../config.toml"]
    assert world.run(*command, cwd=elsewhere).returncode == 0
    assert refused.stderr.splitlines()[-1] == "next: batchd batches --config ../config.toml"
    assert found.stderr.splitlines()[-1] == "next: batchd batches"
