"""A DBA makes the ledger with what ``batchd db upgrade --sql`` prints and nothing else; batchd then works with it."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from batchd.core.tasks import AnswerSpec, TaskDefinition, WriteBack
from batchd.store.by_hand import texts_for
from batchd.store.dialects import dialect_for
from batchd.store.migrate import ledger_version, upgrade
from batchd.store.opening import Database
from tests.acceptance.cli_world import World
from tests.conformance.installer import give_runtime_its_rights, is_an_id, printed_for, remove_ledger
from tests.conformance.stores import ITEM, StoreUnderTest, a_definition, moment

on_each = pytest.mark.parametrize("db", ["sqlite", "postgresql", "mariadb"], indirect=True)
CONFIG = """\
[database]
url = { env = "BATCHD_DB_URL" }

[vendors.local]
kind = "sandbox"
batch_duration = "0s"

[daemon]
check_interval = "0.2s"

[tasks.items]
vendor = "local"
table = "item"
key = ["id"]
pending = "done IS NULL"
model = "gpt-6-luna"
prompt = "{{ body }}"
text_column = "answer"
on_success = { done = "yes" }
"""
URLS = [
    "sqlite:////srv/app.db",
    "postgresql://u:hunter2@h/app",
    "mysql://u:hunter2@h/app",
    "mssql+pyodbc://u:hunter2@h/app",
]


def run_all(db: StoreUnderTest, statements: list[str]) -> None:
    """As a person who may do anything there."""
    for statement in statements:
        db.execute(statement)


def install(db: StoreUnderTest) -> Database:
    """The ledger of `db upgrade` goes, another comes about by hand."""
    remove_ledger(db)
    owner = db.open_as_owner()
    run_all(db, printed_for(owner))
    return owner


def last_two(database: Database) -> list[str]:
    """The INSERT and the UPDATE at the end."""
    return printed_for(database)[-2:] if database.dialect.name != "postgresql" else printed_for(database)[-1:]


def the_row(db: StoreUnderTest) -> tuple[Any, ...]:
    """The one row of the installation."""
    (row,) = db.execute("SELECT id, installation_id, bound_to, ledger_version, created_at FROM batchd_installation")
    return tuple(row)


@on_each
def test_the_row_is_the_one_that_an_upgrade_writes(db: StoreUnderTest) -> None:
    """Place, version, and a time by the database's clock in the column's own form; an upgrade has nothing to add."""
    written = the_row(db)
    before = db.clock() - dt.timedelta(milliseconds=1)
    owner = install(db)
    by_hand = the_row(db)
    after = db.clock() + dt.timedelta(milliseconds=1)

    assert (written[0], written[2], written[3]) == (by_hand[0], by_hand[2], by_hand[3])
    assert owner.dialect.binding(owner.url) == by_hand[2]
    assert is_an_id(by_hand[1]), by_hand[1]
    assert (type(written[4]), len(str(written[4]))) == (type(by_hand[4]), len(str(by_hand[4])))
    assert before <= moment(by_hand[4]) <= after
    assert [] == upgrade(owner.engine, owner.dialect, owner.url)
    assert by_hand == the_row(db)


@on_each
def test_the_same_text_makes_another_installation_elsewhere(db: StoreUnderTest) -> None:
    """The database makes the id up, and not who prints the text."""
    owner = install(db)
    first, text = the_row(db), printed_for(owner)
    remove_ledger(db)
    run_all(db, text)

    assert text == printed_for(owner)
    assert first[1] != the_row(db)[1]


@on_each
def test_an_installation_that_is_there_stays(db: StoreUnderTest) -> None:
    """An older ledger gets the version; id, place and age are its own."""
    owner = db.open_as_owner()
    before = the_row(db)
    db.execute("UPDATE batchd_installation SET ledger_version = 2, bound_to = 'elsewhere'")

    run_all(db, last_two(owner))

    assert (*before[:2], "elsewhere", ledger_version(owner.dialect), before[4]) == the_row(db)


@on_each
def test_a_newer_ledger_is_not_brought_down(db: StoreUnderTest) -> None:
    """By no part of the row."""
    owner = db.open_as_owner()
    db.execute("UPDATE batchd_installation SET ledger_version = 99")
    before = the_row(db)

    run_all(db, last_two(owner))

    assert before == the_row(db)


@pytest.mark.parametrize("db", ["postgresql", "mariadb"], indirect=True)
def test_all_of_it_may_be_run_again(db: StoreUnderTest) -> None:
    """Over a ledger that is in use: what is in it stays. SQLite's scripts say then that columns are there already."""
    owner = install(db)
    store = owner.store(actor="tester", is_dead=lambda _: False)
    store.transact(lambda ledger: ledger.tasks.add("items", "f"))
    before = the_row(db)

    run_all(db, printed_for(owner))

    assert before == the_row(db)
    assert [("items",)] == db.execute("SELECT name FROM batchd_task")


@on_each
def test_batchd_works_with_a_ledger_that_was_made_by_hand(db: StoreUnderTest, tmp_path: Path) -> None:
    """As its runtime login: it checks, sends, and fills every row."""
    owner = install(db)
    give_runtime_its_rights(db, owner)
    db.create_table("item", *ITEM, key=["id"])
    for number in range(1, 6):
        db.execute("INSERT INTO item (id, body) VALUES (?, ?)", number, f"text {number}")
    db.grant(_filling_both())
    folder = tmp_path / "batchd"
    folder.mkdir()
    world, url = World(folder, CONFIG), db.open().url.render_as_string(hide_password=False)
    world.write_config()

    ran = [
        world.run(*arguments, BATCHD_DB_URL=url)
        for arguments in (["check-config"], ["submit", "--batch-size", "2"], ["run", "--until-idle"])
    ]

    assert [0, 0, 0] == [one.returncode for one in ran], [one.stdout + one.stderr for one in ran]
    assert [("yes", 5)] == db.execute("SELECT done, count(*) FROM item WHERE answer IS NOT NULL GROUP BY done")


def _filling_both() -> TaskDefinition:
    """The config's task, as far as rights are asked for."""
    answer = AnswerSpec(columns=tuple(WriteBack(column=name, path="@") for name in ("answer", "done")))
    return a_definition(answer=answer)


@pytest.mark.parametrize("url", URLS)
def test_no_database_is_asked(url: str) -> None:
    """None is there: the place is told from the URL alone, as the program tells it."""
    dialect, parsed = dialect_for(sa.make_url(url)), sa.make_url(url)

    names = [text.name for text in texts_for(url, None)]
    row = texts_for(url, None)[-1].sql

    assert "installation.sql" == names[-1]
    assert sorted(names[:-1]) == names[:-1]
    assert dialect.literal(dialect.binding(parsed)) in row
    assert ":bound_to" not in row
    assert ":ledger_version" not in row
    assert "hunter2" not in row


@pytest.mark.parametrize("url", ["postgresql://batchd/batchd", "mssql+pyodbc://batchd/batchd"])
def test_another_schema_leaves_the_place_as_it_is(url: str) -> None:
    """The tables are elsewhere; host and database keep their names, though they have the schema's."""
    texts = texts_for(url, "ledger_of_app")

    assert "ledger_of_app.batchd_installation" in texts[-1].sql
    assert "://batchd:" in texts[-1].sql
    assert all("batchd.batchd_" not in line.partition("--")[0] for text in texts for line in text.sql.splitlines())


def test_another_database_of_mysqls_is_used_by_each_script() -> None:
    """A DBA may run some of them only."""
    texts = texts_for("mysql://h/app", "my ledger")

    assert all(text.sql.startswith("USE `my ledger`;\n") for text in texts)
    assert "'mysql://h:3306/app'" in texts[-1].sql


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:////srv/o'neill.db", "'sqlite:/srv/o''neill.db'"),
        ("postgresql://h/o'neill", "'postgresql://h:5432/o''neill'"),
        ("mysql://h/o'ne\\ill", "'mysql://h:3306/o''ne\\\\ill'"),
        ("mssql+pyodbc://h/o'neill", "N'mssql://h:1433/o''neill'"),
    ],
)
def test_a_place_with_quotes_is_one_text(url: str, expected: str) -> None:
    """In each database's own words."""
    assert f" {expected}, " in texts_for(url, None)[-1].sql


def test_sql_servers_words_are_these() -> None:
    """No server was there to run them."""
    code = [line for line in texts_for("mssql+pyodbc://h/app", None)[-1].sql.splitlines() if not line.startswith("--")]
    version = ledger_version(dialect_for(sa.make_url("mssql+pyodbc://h/app")))
    values = f"N'mssql://h:1433/app', {version}"

    assert [
        "INSERT INTO batchd.batchd_installation (id, installation_id, bound_to, ledger_version, created_at)",
        f"SELECT 1, LOWER(REPLACE(CONVERT(NCHAR(36), NEWID()), N'-', N'')), {values}, SYSUTCDATETIME()",
        "WHERE NOT EXISTS (SELECT 1 FROM batchd.batchd_installation);",
        "GO",
        f"UPDATE batchd.batchd_installation SET ledger_version = {version} WHERE ledger_version < {version};",
        "GO",
    ] == [line for line in code if line]
