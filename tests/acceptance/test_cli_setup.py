"""Setting up: init, check-config, db, config-schema."""

import contextlib
import json
import shutil
import sqlite3

from tests.acceptance.cli_world import CONFIG, World

_PEOPLE = """
CREATE TABLE people (
    code TEXT PRIMARY KEY, created_at TEXT DEFAULT CURRENT_TIMESTAMP, text TEXT, "Full Name" VARCHAR(40),
    years REAL, processed INTEGER NOT NULL DEFAULT 0
)
"""


def test_init_writes_a_config_that_checks_and_runs(empty: World) -> None:
    """Key, text, marker and fields are found; check-config passes; every row is filled."""
    empty.config.unlink()
    empty.make_table(0, _PEOPLE)
    empty.sql("INSERT INTO people (code, text) VALUES ('a/1', 'A plumber, twelve years'), ('b 2', 'A cook')")

    written = empty.run_json("init", "--url", "sqlite:///people.db", "--table", "people")
    checked = empty.run_json("check-config")
    upgraded = empty.run("db", "upgrade")
    ran = empty.run("run", "--until-idle", "--check-interval", "0.2")

    assert str(empty.config) == written["config"]
    assert checked["prompts"] == {"people": "<text>A plumber, twelve years</text>"}
    assert upgraded.returncode == 0
    assert ran.returncode == 0, ran.stderr
    assert empty.sql("SELECT code, processed FROM people ORDER BY code") == [("a/1", 1), ("b 2", 1)]


def test_init_never_overwrites(empty: World) -> None:
    """A config that is there stays as it is."""
    empty.make_table(1)

    refused = empty.run("init", "--url", "sqlite:///people.db", "--table", "people")

    assert refused.returncode == 2
    assert f"error: {empty.config} is there already" in refused.stderr
    assert CONFIG in empty.config.read_text(encoding="utf-8")


def test_init_says_what_is_missing(empty: World) -> None:
    """A table without a primary key is told, with its columns."""
    empty.make_table(0, "CREATE TABLE people (text TEXT, answer TEXT)")

    refused = empty.run("init", "--url", "sqlite:///people.db", "--table", "people", "--out", "new.toml")

    assert refused.returncode == 10
    assert "table 'people' has no primary key" in refused.stderr
    assert "--key COLUMN, of: text, answer" in refused.stderr
    assert not (empty.folder / "new.toml").exists()


def test_upgrade_needs_the_database_only_and_can_run_again(empty: World) -> None:
    """A config of one table is enough; the second run has nothing to do."""
    empty.config.write_text('[database]\nurl = "sqlite:///people.db"\n', encoding="utf-8")

    first = empty.run_json("db", "upgrade")
    second = empty.run_json("db", "upgrade")

    assert "001_ledger.sql" in first["ran"]
    assert second["ran"] == []
    assert [(first["ledger_version"],)] == empty.sql("SELECT ledger_version FROM batchd_installation")


def test_the_ddl_can_be_read_without_touching_anything(empty: World) -> None:
    """`db upgrade --sql` prints the DDL; no database file appears."""
    printed = empty.run("db", "upgrade", "--sql")

    assert printed.returncode == 0
    assert "CREATE TABLE IF NOT EXISTS batchd_batch" in printed.stdout
    assert not (empty.folder / "people.db").exists()


def test_a_dba_makes_the_ledger_with_nothing_but_the_printed_sql(empty: World) -> None:
    """What `db upgrade --sql` prints, run in one go, is a ledger that batchd works with; `db upgrade` adds nothing."""
    empty.make_table(3)
    printed = empty.run("db", "upgrade", "--sql").stdout
    parts = empty.run_json("db", "upgrade", "--sql")["scripts"]
    with contextlib.closing(sqlite3.connect(empty.folder / "people.db")) as database:
        database.executescript(printed)

    checked = empty.run("check-config")
    sent = empty.run("submit", "--batch-size", "2")
    ran = empty.run("run", "--until-idle")
    upgraded = empty.run_json("db", "upgrade")

    assert [0, 0, 0] == [one.returncode for one in (checked, sent, ran)], checked.stdout + sent.stderr + ran.stderr
    assert [(3,)] == empty.sql("SELECT count(*) FROM people WHERE processed_at IS NOT NULL")
    assert [("wal",)] == empty.sql("PRAGMA journal_mode")
    assert ([], upgraded["ledger_version"]) == (upgraded["ran"], int(parts[-2]["name"][:3]))
    assert "installation.sql" == parts[-1]["name"]
    assert all(f"-- {one['name']}\n{one['sql']}" in printed for one in parts)


def test_a_copied_database_is_refused_until_a_person_says_what_it_is(world: World) -> None:
    """The copy gets an id of its own with `db adopt --copied`."""
    shutil.copy(world.folder / "people.db", world.folder / "copy.db")
    before = world.sql("SELECT installation_id FROM batchd_installation")
    (world.folder / "people.db").rename(world.folder / "original.db")
    (world.folder / "copy.db").rename(world.folder / "people.db")
    world.sql("UPDATE batchd_installation SET bound_to = 'sqlite:/elsewhere.db'")

    refused = world.run("status")
    adopted = world.run_json("db", "adopt", "--copied")
    accepted = world.run("status")

    assert refused.returncode == 11
    assert "batchd db adopt" in refused.stderr
    assert adopted["new_installation"]
    assert accepted.returncode == 0
    assert before != world.sql("SELECT installation_id FROM batchd_installation")


def test_the_config_schema_is_one_json_document(empty: World) -> None:
    """An editor can read it, and it knows the tasks."""
    printed = empty.run("config-schema")

    assert printed.returncode == 0
    assert "tasks" in json.loads(printed.stdout)["properties"]


def test_init_refuses_a_key_that_no_task_could_have(empty: World) -> None:
    """It never writes a config that check-config would refuse."""
    empty.make_table(1, ddl="CREATE TABLE people (at REAL PRIMARY KEY, text TEXT, summary TEXT)")

    refused = empty.run("init", "--url", "sqlite:///people.db", "--table", "people", "--out", "new.toml")

    assert refused.returncode == 10
    assert "column 'at' of table 'people' is REAL" in refused.stderr
    assert not (empty.folder / "new.toml").exists()
