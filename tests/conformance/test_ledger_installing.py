"""Installing a ledger on each database: in another schema than its usual one, and once more after a kill."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from batchd.errors import ConfigError
from batchd.store.dialects import dialect_for
from batchd.store.migrate import scripts, upgrade
from batchd.store.opening import Database, open_database
from batchd.store.scripts import in_schema
from tests.conformance.stores import Desk, StoreUnderTest

SERVERS = ["postgresql", "mariadb"]
ELSEWHERE = "batchd_test_elsewhere"


@pytest.fixture
def moved(db: StoreUnderTest) -> Iterator[Database]:
    """Installed beside the usual one; with MariaDB, where a schema is a database, in one that its owner has made."""
    kind, all_of_it = ("DATABASE", "") if db.name == "mariadb" else ("SCHEMA", " CASCADE")
    db.execute(f"CREATE {kind} {ELSEWHERE}")
    url = db.open_as_owner().url.render_as_string(hide_password=False)
    database = open_database(url, ledger_schema=ELSEWHERE)
    try:
        yield database
    finally:
        database.engine.dispose()
        db.execute(f"DROP {kind} {ELSEWHERE}{all_of_it}")


@pytest.mark.parametrize("db", SERVERS, indirect=True)
def test_a_ledger_in_another_schema_is_all_there(db: StoreUnderTest, moved: Database) -> None:
    """Tables and views; the one in the usual place is left alone, and a second upgrade has nothing to do."""
    ran = upgrade(moved.engine, moved.dialect, moved.url)
    again = upgrade(moved.engine, moved.dialect, moved.url)
    store = moved.store(actor="tester", is_dead=lambda _: False)
    added = store.transact(lambda ledger: ledger.tasks.add("elsewhere", "f"))

    usual, there = (_names(db, schema) for schema in (_usual(db), ELSEWHERE))
    assert [one.name for one in scripts(moved.dialect)] == ran
    assert [] == again
    assert usual == there
    assert added == store.read(lambda ledger: ledger.tasks.find("elsewhere"))
    assert [(0,)] == db.execute("SELECT count(*) FROM batchd_task")


@pytest.mark.parametrize("db", ["sqlite", *SERVERS], indirect=True)
def test_an_upgrade_that_stopped_half_way_is_finished(db: StoreUnderTest, desk: Desk) -> None:
    """On some databases each CREATE commits by itself: what is there stays as it is, what is missing comes."""
    owner = db.open_as_owner()
    db.execute("UPDATE batchd_installation SET ledger_version = 0")
    db.execute("DROP TABLE batchd_watch")

    ran = upgrade(owner.engine, owner.dialect, owner.url)

    assert [one.name for one in scripts(owner.dialect)] == ran
    assert [("items",)] == db.execute("SELECT name FROM batchd_task")
    assert [] == db.execute("SELECT * FROM batchd_watch")
    assert desk.claimable()


@pytest.mark.parametrize("name", ["my-ledger", "Batchd", "a b", "a;DROP TABLE x", 'a"b', "1a", ""])
@pytest.mark.parametrize("url", ["postgresql://h/d", "mssql+pyodbc://h/d"])
def test_a_name_that_would_need_quotes_is_refused(url: str, name: str) -> None:
    """It is put into the scripts as it stands; nothing is run."""
    dialect = dialect_for(sa.make_url(url))

    with pytest.raises(ConfigError, match="must be a plain one"):
        dialect.statements(scripts(dialect)[0].text, name)


def test_only_the_schemas_own_name_is_replaced() -> None:
    """The tables' names begin with it, and comments speak of it."""
    script = "CREATE TABLE batchd.batchd_task (id INT); -- batchd.batchd_task is batchd's\nSELECT N'batchd';\n"

    assert (
        "CREATE TABLE other.batchd_task (id INT); -- batchd.batchd_task is batchd's\nSELECT N'other';\n"
    ) == in_schema(script, "other")


def _usual(db: StoreUnderTest) -> str | None:
    return db.open().url.database if db.name == "mariadb" else "batchd"


def _names(db: StoreUnderTest, schema: str | None) -> list[str]:
    """Tables and views of batchd's in a schema."""
    found = db.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = ?", schema)
    return sorted(name for (name,) in found if name.startswith("batchd_"))


def test_a_name_that_needs_quotes_has_them_where_it_is_a_database() -> None:
    """It stands alone there, before the scripts, and not in them."""
    dialect = dialect_for(sa.make_url("mysql://h/d"))

    assert ["USE `my ``ledger`", "SELECT 1;"] == dialect.statements("SELECT 1;", "my `ledger")
