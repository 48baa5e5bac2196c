"""submit, check and run, as a user calls them."""

import json
import signal
from pathlib import Path

from tests.acceptance.cli_world import World


def test_a_first_user_gets_from_nothing_to_filled_rows(empty: World) -> None:
    """`db upgrade`, `submit`, `run --until-idle`, `status`: every row is filled, and paid for once."""
    empty.make_table(25)

    upgraded = empty.run("db", "upgrade")
    submitted = empty.run_json("submit")
    ran = empty.run("run", "--until-idle", "--json")
    status = empty.run_json("status", "--count")

    assert upgraded.returncode == 0
    assert [batch["requests"] for batch in submitted["batches"]] == [10, 10, 5]
    assert ran.returncode == 0
    last = json.loads(ran.stdout.splitlines()[-1])
    assert last["event"] == "end"
    assert last["exit_code"] == 0
    assert empty.sql("SELECT count(*) FROM people WHERE full_name IS NOT NULL AND processed_at IS NOT NULL") == [(25,)]
    task = status["tasks"][0]
    assert task["outcomes"] == {"applied": 25}
    assert task["backlog_now"] == 0
    assert task["input_tokens"] == empty.sql("SELECT sum(input_tokens) FROM batchd_batch")[0][0]


def test_a_batch_is_checked_by_the_vendors_id_from_another_folder(world: World, tmp_path: Path) -> None:
    """`--submit`, then `--check-batch ID` in another process and folder, with BATCHD_CONFIG."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    submitted = world.run("--submit", "--batch-size", "25", "--json")
    vendor_id = json.loads(submitted.stdout)["batches"][0]["vendor_batch_id"]

    checked = world.run("--check-batch", vendor_id, cwd=elsewhere, BATCHD_CONFIG=str(world.config))

    assert submitted.returncode == 0
    assert checked.returncode == 0
    assert "is closed: 25 applied" in checked.stdout
    assert world.sql("SELECT count(*) FROM people WHERE full_name IS NOT NULL") == [(25,)]


def test_a_batch_that_has_not_ended_is_told_with_exit_code_5(world: World) -> None:
    """`check` of a batch in work says where it stands and ends with 5."""
    world.write_config(batch_duration='"1h"')
    submitted = world.run_json("submit")
    number = submitted["batches"][0]["batch"]

    checked = world.run("check", str(number), "--json")

    assert checked.returncode == 5
    assert json.loads(checked.stdout)["batch"]["state"] == "submitted"


def test_a_table_without_rows_is_a_sentence_and_no_error(empty: World) -> None:
    """`submit` on an empty table names the table and ends with 0."""
    empty.make_table(0)
    empty.make_ledger()

    submitted = empty.run("submit")

    assert submitted.returncode == 0
    assert submitted.stdout == "Nothing is due in people: table people has no rows.\n"


def test_a_signal_ends_the_daemon_with_exit_code_0(world: World) -> None:
    """SIGTERM lets `run` finish the unit in hand; nothing stays leased."""
    with world.start("run", "--json") as daemon:
        assert daemon.stdout is not None
        first = json.loads(daemon.stdout.readline())

        daemon.send_signal(signal.SIGTERM)
        _, errors = daemon.communicate(timeout=30)

    assert first["event"] == "pass"
    assert daemon.returncode == 0, errors
    assert world.sql("SELECT count(*) FROM batchd_batch WHERE lease_owner IS NOT NULL") == [(0,)]


def test_an_interrupted_submit_finishes_the_batch_in_hand(world: World) -> None:
    """Ctrl-C ends `submit` with 130; the next one sends what is left, and no row twice."""
    world.write_config(batch_size="1\nmax_open_batches = 100")
    with world.start("submit") as command:
        assert command.stderr is not None
        while "submit.created" not in command.stderr.readline():
            pass

        command.send_signal(signal.SIGINT)
        command.communicate(timeout=30)
    sent = world.sql("SELECT count(*) FROM batchd_batch WHERE vendor_batch_id IS NOT NULL")[0][0]
    again = world.run("submit")

    assert command.returncode == 130
    assert 1 <= sent < 25
    assert again.returncode == 0, again.stderr
    assert world.sql("SELECT count(*), count(DISTINCT vendor_batch_id) FROM batchd_batch") == [(25, 25)]


def test_a_submit_that_may_open_no_more_batches_says_so(world: World) -> None:
    """Rows are due all the same: nobody is told that nothing is."""
    world.write_config(batch_size="10\nmax_open_batches = 1", batch_duration='"1h"')
    world.run_json("submit")

    again = world.run("submit")

    assert again.returncode == 0, again.stderr
    assert (
        "Nothing was claimed for people: 1 batch open, which is all that max_open_batches allows; 15 rows more are due."
        " Next: batchd run\n"
    ) == again.stdout


def test_num_batches_builds_no_more_than_asked_for(world: World) -> None:
    """`--continuous --num-batches 1` builds one batch, finishes it, and ends."""
    ran = world.run("--continuous", "--num-batches", "1", "--batch-size", "4", "--check-interval", "0.1")

    assert ran.returncode == 0, ran.stderr
    assert world.sql("SELECT count(*), sum(applied) FROM batchd_batch WHERE state = 'closed'") == [(1, 4)]


def test_two_forms_at_once_are_wrong_usage(world: World) -> None:
    """`--submit --continuous` does neither."""
    refused = world.run("--submit", "--continuous")

    assert refused.returncode == 2
    assert "--submit and --continuous can't be asked for together" in refused.stderr
    assert world.sql("SELECT count(*) FROM batchd_batch") == [(0,)]


def test_a_person_can_pause_a_task_and_let_it_go_on(world: World) -> None:
    """A paused task is not claimed for, and says so; resumed, it is."""
    world.run_json("submit", "--batch-size", "5")
    paused = world.run("pause", "people", "--reason", "night shift")
    world.sql("INSERT INTO people (text) VALUES ('one more')")

    while_paused = world.run("submit")
    world.run_json("resume", "people")
    resumed = world.run_json("submit")

    assert paused.returncode == 0
    assert "Task people is paused (night shift)" in while_paused.stdout
    assert resumed["batches"][-1]["requests"] == 1


def test_failed_rows_are_listed_and_tried_again_when_a_person_says_so(world: World) -> None:
    """`failures` names key, reason and next step; `retry --key` makes one row due again."""
    world.write_config(prompt='"{{ note }}"\nnull = "error"')
    submitted = world.run("submit", "--json")
    failures = world.run_json("failures")["failures"]

    world.sql("UPDATE people SET note = 'a text' WHERE id = 7")
    retried = world.run_json("retry", "--key", "7")
    again = world.run_json("submit")

    assert submitted.returncode == 3
    assert len(failures) == 25
    assert tuple(failures[0][name] for name in ("key", "state", "outcome")) == ("1", "failed", "unrenderable")
    assert "batchd retry" in failures[0]["next_step"]
    assert retried["number"] == 1
    assert [batch["requests"] for batch in again["batches"]] == [1]
