"""Bad input: each with an exit code, what and where it is, and the next step. Nothing is lost."""

import json
import re
import signal

import pytest

from tests.acceptance.cli_world import World
from tests.planted import KEY

_OTHER_TASK = """
[tasks.again]
vendor = "local"
table = "people"
key = ["id"]
model = "gpt-6-luna"
prompt = "{{ text }}"
text_column = "level"
"""

_REMOTE = """
[vendors.remote]
kind = "openai"
base_url = "{url}"
api_key = {{ env = "TEST_VENDOR_KEY" }}
"""


@pytest.mark.parametrize(
    ("replaced", "told"),
    [
        (
            {"table": '"peeple"'},
            "tasks.people.table: the database has no table 'peeple'; did you mean 'people'?",
        ),
        ({"key": '["idd"]'}, "tasks.people.key: table 'people' has no column 'idd'; did you mean 'id'?"),
        ({"key": '["note"]'}, "tasks.people.key: key ['note'] of table 'people' is not unique"),
        (
            {"pending": '"procesed IS IT"'},
            "tasks.people.pending: pending is not a condition this database understands",
        ),
        (
            {"prompt": '"{{ texts }}"'},
            "tasks.people.prompt: the prompt reads {{ texts }}, but the table has no column",
        ),
        (
            {"full_name": '{ type = "string", column = "fullname" }'},
            "tasks.people.fields.full_name.column: table 'people' has no column 'fullname'",
        ),
        (
            {"full_name": '{ type = "string", format = "phone", column = "full_name" }'},
            "tasks.people.fields: the vendor would refuse this schema: /properties/full_name",
        ),
        ({"batch_size": "0"}, "tasks.people.batch_size:"),
    ],
    ids=["table", "column", "key", "predicate", "prompt", "answer-column", "schema", "value"],
)
def test_a_config_that_does_not_fit_is_refused_with_its_line(world: World, replaced: dict[str, str], told: str) -> None:
    """`submit` ends with 10 and names file, line and key; no batch is built."""
    world.write_config(**replaced)
    if replaced.get("key") == '["note"]':
        world.sql("UPDATE people SET note = 'the same'")

    refused = world.run("submit")

    assert refused.returncode == 10
    assert "error: config.toml:" in refused.stderr
    assert told in refused.stderr
    assert "next: " in refused.stderr
    assert world.sql("SELECT count(*) FROM batchd_batch") == [(0,)]


def test_check_config_tells_all_problems_at_once(world: World) -> None:
    """Three mistakes in one task are three problems, each at its line."""
    world.write_config(key='["idd"]', prompt='"{{ texts }}"', pending='"IS IT"')

    checked = world.run("check-config", "--json")

    document = json.loads(checked.stdout)
    problems = [one["sentence"] for one in document["remarks"] if one["level"] == "problem"]
    assert checked.returncode == 10
    assert len(problems) == 3
    assert all(sentence.startswith("config.toml:") for sentence in problems)


def test_a_mark_that_its_column_cannot_take_is_refused(world: World) -> None:
    """At its line, and before a row is paid for."""
    world.sql("ALTER TABLE people ADD COLUMN flag INTEGER")
    world.write_config(on_success='{ flag = { now = "utc" } }')

    refused = world.run("submit")

    assert refused.returncode == 10
    assert "tasks.people.on_success.flag: column flag holds integer values and cannot take the time" in refused.stderr
    assert world.sql("SELECT count(*) FROM batchd_batch") == [(0,)]


def test_two_tasks_that_write_one_column_are_refused(world: World) -> None:
    """The second task is named with its line."""
    world.write_config(_OTHER_TASK)

    refused = world.run("submit")

    assert refused.returncode == 10
    assert "task people writes column level of table people too" in refused.stderr


def test_a_missing_database_is_named(empty: World) -> None:
    """`submit` ends with 11, shows the path, and says how to create it."""
    refused = empty.run("submit", "--json")

    document = json.loads(refused.stdout)
    assert refused.returncode == 11
    assert f"there is no SQLite database at {empty.folder / 'people.db'}" == document["error"]["message"]
    assert "batchd db upgrade" in document["error"]["next_command"]


def test_a_database_without_a_ledger_is_told_to_be_upgraded(empty: World) -> None:
    """`status` ends with 11 and names the command."""
    empty.make_table(1)

    refused = empty.run("status")

    assert refused.returncode == 11
    assert re.search(r"^error: the database sqlite:/.+\.db has no batchd ledger yet$", refused.stderr, re.MULTILINE)
    assert "next: batchd db upgrade" in refused.stderr


def test_a_missing_config_is_told_with_the_places_looked_at(empty: World) -> None:
    """Without a config the command ends with 10 and names ./config.toml."""
    empty.config.unlink()

    refused = empty.run("status")

    assert refused.returncode == 10
    assert str(empty.config) in refused.stderr
    assert "next: batchd init" in refused.stderr


@pytest.mark.parametrize("command", ["check", "cancel", "resolve"])
def test_a_batch_id_that_nobody_knows_is_wrong_usage(world: World, command: str) -> None:
    """The id is named, and the command that lists those that are known."""
    refused = world.run(command, "batch_nobody")

    assert refused.returncode == 2
    assert "'batch_nobody'" in refused.stderr
    assert "next: batchd " in refused.stderr


def test_a_vendor_that_is_not_there_is_told_and_nothing_is_claimed(world: World) -> None:
    """`submit` ends with 12: what the vendor has is read before anything new is sent there."""
    world.write_config(_REMOTE.format(url="http://127.0.0.1:9/v1"), vendor='"remote"')

    refused = world.run("submit", "--batch-size", "25", "--json", TEST_VENDOR_KEY=KEY)

    assert refused.returncode == 12
    assert "error: vendor remote could not be reached" in refused.stderr
    assert json.loads(refused.stdout)["batches"] == []
    assert world.sql("SELECT kind FROM batchd_finding WHERE closed_at IS NULL") == [("list-unread",)]
    assert world.sql("SELECT count(*) FROM batchd_gate") == [(0,)]


def test_a_key_that_the_vendor_refuses_is_told_and_nothing_is_sent(world: World) -> None:
    """`submit` ends with 4 and names the vendor; with the right key the rows go out."""
    with world.start("sandbox", "--state", "strict.db", "--api-key", "right", "--json") as vendor:
        assert vendor.stdout is not None
        url = json.loads(vendor.stdout.readline())["url"]
        world.write_config(_REMOTE.format(url=url), vendor='"remote"')

        refused = world.run("submit", "--batch-size", "25", TEST_VENDOR_KEY=KEY)
        sent = world.run("submit", "--batch-size", "25", "--json", TEST_VENDOR_KEY="right")
        vendor.send_signal(signal.SIGINT)
        vendor.communicate(timeout=30)

    assert refused.returncode == 4
    assert "error: vendor remote refused the key" in refused.stderr
    assert "wrong" not in refused.stderr + refused.stdout
    assert sent.returncode == 0, sent.stderr
    assert world.sql("SELECT state, requests FROM batchd_batch") == [("submitted", 25)]
    assert vendor.returncode == 0


def test_a_key_that_is_not_set_is_a_config_error(world: World) -> None:
    """The environment variable is named with its line."""
    world.write_config(_REMOTE.format(url="http://127.0.0.1:9/v1"), vendor='"remote"')

    refused = world.run("submit")

    assert refused.returncode == 10
    assert "the environment variable TEST_VENDOR_KEY is not set" in refused.stderr
    assert world.sql("SELECT count(*) FROM batchd_batch") == [(0,)]


def test_a_request_larger_than_a_file_may_be_fails_by_its_key(world: World) -> None:
    """The row is set aside with its reason, the others go out, and `submit` ends with 3."""
    world.sql("UPDATE people SET text = ? WHERE id = 7", "x" * 20_000)
    world.write_config(batch_duration='"0s"\nmax_bytes = 15_000', batch_size="25")

    submitted = world.run("submit", "--json")
    failures = world.run_json("failures")["failures"]

    assert submitted.returncode == 3
    assert sum(one["requests"] for one in json.loads(submitted.stdout)["batches"]) == 24
    assert [(one["key"], one["outcome"]) for one in failures] == [("7", "too_large")]


def test_rows_that_stay_pending_are_paid_for_once_and_become_a_finding(world: World) -> None:
    """Nothing written appears in `pending`: a warning first, then the finding, and never a second bill."""
    world.write_config(on_success='{ note = "done" }', batch_size="25")

    checked = world.run_json("check-config")
    first = world.run("run", "--until-idle")
    second = world.run("submit")
    status = world.run_json("status")

    warnings = [one["sentence"] for one in checked["remarks"] if one["level"] == "warning"]
    assert "the task writes no column that this condition names" in " ".join(warnings)
    assert first.returncode == 3, first.stderr
    assert second.returncode == 0
    assert [(one["kind"], one["subject"]) for one in status["findings"]] == [("pending-not-cleared", "task people")]
    assert world.sql("SELECT count(*), sum(applied) FROM batchd_batch") == [(1, 25)]


def test_a_task_whose_key_changed_while_batches_are_open_is_not_claimed_for(world: World) -> None:
    """The open batch is still applied; new rows wait, a finding says why, and `submit` ends with 3."""
    world.run_json("submit", "--batch-size", "5")
    world.sql("INSERT INTO people (text) VALUES ('one more')")
    world.write_config(key='["id", "text"]')

    refused = world.run("submit", "--json")
    number = str(world.sql("SELECT min(id) FROM batchd_batch")[0][0])
    checked = world.run("check", number)

    assert refused.returncode == 3
    assert "batchd status" in json.loads(refused.stdout)["notes"][0]["sentence"]
    assert world.sql("SELECT kind FROM batchd_finding WHERE closed_at IS NULL") == [("task-moved",)]
    assert checked.returncode == 0, checked.stderr


def test_a_renamed_task_keeps_its_rows(world: World) -> None:
    """With `formerly` the rows in work stay in work under the new name, and are not sent again."""
    world.run_json("submit", "--batch-size", "25")
    renamed = world.config.read_text(encoding="utf-8").replace("tasks.people", "tasks.candidates")
    world.config.write_text(renamed.replace("batch_size =", 'formerly = "people"\nbatch_size ='), encoding="utf-8")

    again = world.run_json("submit")

    assert again["batches"] == []
    assert "every pending row of table people is in work" in again["notes"][0]["sentence"]
    assert world.sql("SELECT name FROM batchd_task") == [("candidates",)]


def test_a_vendor_account_that_changed_while_batches_are_open_becomes_a_finding(world: World) -> None:
    """`check` ends with 5 and touches nothing; the finding names the account."""
    batch = world.run_json("submit", "--batch-size", "25")["batches"][0]
    world.write_config(batch_duration='"0s"', state='"elsewhere.db"')

    checked = world.run("check", batch["vendor_batch_id"])

    assert checked.returncode == 5
    assert world.sql("SELECT kind, subject FROM batchd_finding WHERE closed_at IS NULL") == [
        ("account-moved", "vendor local")
    ]
    assert world.sql("SELECT count(*) FROM people WHERE full_name IS NOT NULL") == [(0,)]


def test_a_bounded_run_ends_where_the_key_is_refused(world: World) -> None:
    """`run --until-idle` ends with 4: no waiting mends a key. Nothing is sent."""
    with world.start("sandbox", "--state", "strict.db", "--api-key", "right", "--json") as vendor:
        assert vendor.stdout is not None
        url = json.loads(vendor.stdout.readline())["url"]
        world.write_config(_REMOTE.format(url=url), vendor='"remote"')

        refused = world.run("run", "--until-idle", TEST_VENDOR_KEY=KEY)
        vendor.send_signal(signal.SIGINT)
        vendor.communicate(timeout=30)

    assert refused.returncode == 4
    assert "error: vendor remote refused the key" in refused.stderr
    assert world.sql("SELECT count(*) FROM batchd_batch WHERE state <> 'built'") == [(0,)]


def test_a_batch_that_was_never_sent_is_not_said_to_be_checked(world: World) -> None:
    """`check` sends nothing, so it names the command that does."""
    remote = _REMOTE.format(url="http://127.0.0.1:9/v1") + "listing = false\n"
    world.write_config(remote, vendor='"remote"')
    world.run("submit", "--batch-size", "25", TEST_VENDOR_KEY=KEY)

    checked = world.run("check", "1", TEST_VENDOR_KEY=KEY)

    assert checked.returncode == 5
    assert "Next: batchd submit --task people" in checked.stdout


def test_columns_that_nobody_can_write_are_refused_before_anything_is_paid(world: World) -> None:
    """A view and a computed column are named with their line."""
    world.sql("ALTER TABLE people ADD COLUMN shout TEXT AS (upper(text))")
    world.write_config(full_name='{ type = "string", column = "shout" }')

    computed = world.run("submit")
    world.sql("CREATE VIEW faces AS SELECT * FROM people")
    world.write_config(table='"faces"')
    view = world.run("submit")

    assert (computed.returncode, view.returncode) == (10, 10)
    assert "tasks.people.fields.full_name.column: the database lets nobody write shout" in computed.stderr
    assert "because it is a view" in view.stderr
    assert world.sql("SELECT count(*) FROM batchd_batch") == [(0,)]


@pytest.mark.parametrize("arguments", [["submit", "--bogus"], ["bogus"], ["show"], ["submit", "--batch-size", "0"], []])
def test_wrong_usage_is_one_document_too(empty: World, arguments: list[str]) -> None:
    """With `--json` a program finds its document on stdout, whatever it asked for."""
    refused = empty.run(*arguments, "--json")

    assert refused.returncode == 2
    assert json.loads(refused.stdout)["error"]["exit_code"] == 2
