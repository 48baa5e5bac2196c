"""What the doctor asks of a database, on every one: its settings, its clock, and rights that nobody needs."""

import contextlib
import datetime as dt
from collections.abc import Iterator

import pytest

from batchd.store.excess_rights import excess_on_ledger, excess_on_task
from batchd.store.grants import TaskTable
from batchd.store.opening import Database
from batchd.store.reading import ask
from batchd.store.server_settings import clock_of, server_of, settings_of
from tests.conformance.stores import ITEM, ColumnSpec, Desk, StoreUnderTest
from tests.conformance.stores_mssql import MssqlUnderTest

NEEDED = TaskTable("item", None, ("id", "body", "answer", "done"), ("answer",))


@pytest.fixture
def desk(db: StoreUnderTest) -> Desk:
    """The task ``items``, and a login that may do what it needs."""
    db.create_table("item", *ITEM, ColumnSpec("private"), key=["id"])
    return Desk(db)


@pytest.fixture
def served(desk: Desk) -> Desk:
    """The same on a server that knows rights."""
    if desk.db.name == "sqlite":
        pytest.skip("whoever may open a file may do anything with it")
    if isinstance(desk.db, MssqlUnderTest):
        pytest.skip("what stands in for SQL Server says nothing of these rights")
    return desk


def on_task(database: Database, table: TaskTable = NEEDED) -> list[str]:
    """Where and what, of the task's table."""
    found = ask(database, lambda connection: excess_on_task(connection, database.dialect, [table]))
    return [f"{one.where} {one.what}".strip() for one in found]


def on_ledger(database: Database) -> list[str]:
    found = ask(database, lambda connection: excess_on_ledger(connection, database.dialect))
    return [f"{one.where} {one.what}".strip() for one in found]


@contextlib.contextmanager
def granted(desk: Desk, right: str) -> Iterator[None]:
    """A right more for the role; roles outlive a test."""
    desk.db.execute(f"GRANT {right} TO batchd_runtime")
    try:
        yield
    finally:
        desk.db.execute(f"REVOKE {right} FROM batchd_runtime")


def test_the_server_is_named_with_its_version(desk: Desk) -> None:
    """And is one that batchd works with."""
    server = ask(desk.database, lambda connection: server_of(connection, desk.database.dialect))

    assert server.is_supported, server
    assert server.version


def test_the_clock_is_the_databases_own(desk: Desk) -> None:
    """In UTC, and here by the same clock as ours."""
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    there = ask(desk.database, lambda connection: clock_of(connection, desk.database.dialect))

    assert before < there < dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)


def test_settings_that_promises_hang_on_are_told(desk: Desk) -> None:
    """Each with its value; one that is wrong with what hangs on it and what sets it right."""
    found = ask(desk.database, lambda connection: settings_of(connection, desk.database.dialect))

    assert found
    assert [] == [one.name for one in found if not one.is_right and not (one.trouble and one.remedy)]
    assert not any(one.is_right and one.value.lower() in {"off", "0", "forced"} for one in found)


def test_postgresql_without_durable_commits_is_told(desk: Desk) -> None:
    """As a DBA can set it for one login."""
    if desk.database.dialect.name != "postgresql":
        pytest.skip("PostgreSQL's")
    with desk.database.engine.connect() as connection:
        connection.exec_driver_sql("SET synchronous_commit = off")
        (found,) = [one for one in settings_of(connection, desk.database.dialect) if one.name == "synchronous_commit"]

    assert (False, "off") == (found.is_right, found.value)
    assert "SET synchronous_commit = on" in found.remedy


def test_the_login_that_the_scripts_make_has_no_right_too_many(served: Desk) -> None:
    """Neither on the task's table nor on the ledger, and where answers are added to a table none there."""
    assert ([], []) == (on_task(served.database), on_ledger(served.database))


@pytest.mark.parametrize(
    ("right", "expected"),
    [
        ("DELETE ON item", "table item may DELETE"),
        ("INSERT ON item", "table item may INSERT"),
        ("UPDATE (body) ON item", "table item may UPDATE body"),
        ("UPDATE ON item", "table item may UPDATE id, body, done, private"),
    ],
)
def test_a_right_that_the_task_does_not_use_is_told(served: Desk, right: str, expected: str) -> None:
    """Also one that came by a role."""
    with granted(served, right):
        found = on_task(served.database)

    assert [expected] == found


def test_a_right_to_rewrite_the_record_is_told(served: Desk) -> None:
    """What happened is written once."""
    schema = "batchd." if served.database.dialect.name == "postgresql" else ""
    with granted(served, f"UPDATE, DELETE ON {schema}batchd_event"):
        found = on_ledger(served.database)

    assert ["table batchd_event may UPDATE, DELETE"] == found


def test_answers_that_are_added_need_no_update(served: Desk) -> None:
    """A task that adds rows uses INSERT; UPDATE is too much there."""
    added = TaskTable("item", None, (), ("answer",), "INSERT")

    assert ["table item may UPDATE answer"] == on_task(served.database, added)


def test_an_owner_or_administrator_is_told_once(served: Desk) -> None:
    """That it may do anything says it all: no list of single rights."""
    owner = served.db.open_as_owner()
    try:
        found = on_task(owner), on_ledger(owner)
    finally:
        owner.engine.dispose()

    assert (1, 1) == (len(found[0]), len(found[1])), found
    assert any(word in found[0][0] for word in ("superuser", "anything"))
