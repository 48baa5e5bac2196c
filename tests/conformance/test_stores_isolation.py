"""What a transaction sees of others' work, what it keeps others from, and what a session is told for that."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from batchd.core.keys import RowKey
from batchd.errors import DataRefusedError
from batchd.ports import Ledger
from batchd.store.opening import Database, open_database
from tests.conformance.ledger_steps import asked
from tests.conformance.stores import ITEM, ColumnSpec, Desk, StoreUnderTest

SERVERS = ["postgresql", "mariadb", "mssql-odbc18", "mssql-freetds"]


@contextlib.contextmanager
def opened_anew(db: StoreUnderTest, **settings: str) -> Iterator[Database]:
    """As batchd itself opens it, with nothing said to a session beforehand but these settings of the URL."""
    url = db.open().url.update_query_dict(settings)
    database = open_database(url.render_as_string(hide_password=False))
    try:
        yield database
    finally:
        database.engine.dispose()


def told(db: StoreUnderTest, question: str) -> Any:
    """What a session of batchd's says of itself."""
    with opened_anew(db) as database, database.engine.connect() as connection:
        return connection.exec_driver_sql(question).scalar()


@pytest.mark.parametrize("db", SERVERS, indirect=True)
def test_a_step_sees_what_others_have_committed_meanwhile(desk: Desk) -> None:
    """It compares rows with what was read before, so an old view of them would be worth nothing."""

    def look(ledger: Ledger) -> tuple[int, int]:
        rows = ledger.rows(desk.task_id, desk.definition)
        before = rows.count_claimable()
        desk.db.execute("UPDATE item SET done = 'yes' WHERE id = 1")
        return before, rows.count_claimable()

    assert (5, 4) == desk.store.transact(look)


def test_a_row_that_is_to_be_written_is_locked(desk: Desk) -> None:
    """From the look to the commit nobody else changes it."""
    other = desk.db.open_as_owner()

    def look(ledger: Ledger) -> None:
        assert [(1, "")] == list(ledger.rows(desk.task_id, desk.definition).lock(asked([RowKey(1)])))
        with pytest.raises(Exception, match=r"(?i)lock|canceling") as error, other.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE item SET body = 'by hand' WHERE id = 1")
        assert "Operational" in type(error.value).__name__ or "DBAPIError" in type(error.value).__name__

    desk.store.transact(look)


ENDS_OF_WAITING = {
    "sqlite": ("PRAGMA busy_timeout", 30_000),
    "postgresql": ("SHOW lock_timeout", "10s"),
    "mariadb": ("SELECT @@innodb_lock_wait_timeout", 10),
    "mssql": ("SELECT @@LOCK_TIMEOUT", 10_000),
}


def test_nobody_waits_for_a_lock_for_ever(db: StoreUnderTest) -> None:
    """A person who left a transaction open does not stop a daemon: it is told, and goes on with other work."""
    question, expected = ENDS_OF_WAITING[db.name]

    assert expected == told(db, question)


@pytest.mark.parametrize("db", ["sqlite", "postgresql"], indirect=True)
def test_a_commit_is_on_the_disk(db: StoreUnderTest) -> None:
    """Whatever the database is set to; a batch that was sent and forgotten would be paid for again."""
    if db.name == "postgresql":
        db.execute(f"ALTER DATABASE {db.open().url.database} SET synchronous_commit = off")
    question, expected = {"sqlite": ("PRAGMA synchronous", 2), "postgresql": ("SHOW synchronous_commit", "on")}[db.name]

    assert expected == told(db, question)


@pytest.mark.parametrize("db", ["mariadb"], indirect=True)
def test_a_lenient_server_cuts_no_answer(db: StoreUnderTest) -> None:
    """Without strict mode it would write the beginning of what is too long, and only warn."""
    db.create_table("item", *ITEM[:2], ColumnSpec("answer", "varchar"), ITEM[3], key=["id"])
    db.execute("INSERT INTO item (id) VALUES (1)")
    desk = Desk(db)
    too_long = [(RowKey(1), {"answer": "x" * 201})]

    with opened_anew(db, init_command="SET SESSION sql_mode = ''") as lenient, pytest.raises(DataRefusedError):
        lenient.store(actor="t", is_dead=lambda _: False).transact(
            lambda ledger: ledger.rows(desk.task_id, desk.definition).write(too_long)
        )

    assert [(None,)] == db.execute("SELECT answer FROM item")


def test_a_row_that_holds_the_answer_already_is_found(desk: Desk) -> None:
    """Written once more, as after a commit whose answer was lost, it counts though nothing changes."""
    desk.write(RowKey(1), answer="yes")

    desk.write(RowKey(1), answer="yes")

    assert [("yes",)] == desk.db.execute("SELECT answer FROM item WHERE id = 1")
