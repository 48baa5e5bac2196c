"""What only a database in a file can be: copied, linked to, and looked at by another equality than its column's."""

import contextlib
import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchd.errors import DatabaseError
from batchd.store.opening import open_database
from tests.conformance.stores import ColumnSpec, Desk, StoreUnderTest, key_of
from tests.conformance.stores_sqlite import SqliteUnderTest


@pytest.fixture
def db(tmp_path: Path) -> Iterator[StoreUnderTest]:
    """SQLite alone."""
    with contextlib.closing(SqliteUnderTest(tmp_path)) as under_test:
        under_test.prepare()
        yield under_test


@pytest.fixture
def path(db: StoreUnderTest) -> Path:
    """The database's file."""
    assert isinstance(db, SqliteUnderTest)
    return db.path


def test_a_time_that_a_person_wrote_to_the_second_is_read(db: StoreUnderTest, desk: Desk) -> None:
    """SQLite keeps times as text, and its own CURRENT_TIMESTAMP has no fraction."""
    db.execute("UPDATE batchd_task SET last_sweep_at = '2026-03-04 05:06:07'")

    found = desk.store.read(lambda ledger: ledger.tasks.all())

    assert [dt.datetime(2026, 3, 4, 5, 6, 7, tzinfo=dt.UTC)] == [one.last_sweep_at for one in found]


def test_a_copied_file_refuses_to_work(db: StoreUnderTest, desk: Desk, path: Path, tmp_path: Path) -> None:
    """Both copies would believe that the open batches are theirs."""
    desk.store.engine.dispose()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(path, tmp_path / "copy.db")
    copy = open_database(f"sqlite:///{tmp_path / 'copy.db'}")

    with pytest.raises(DatabaseError, match=r"belongs to sqlite:.*store\.db, but is now at sqlite:.*copy\.db") as error:
        copy.store(actor="t", is_dead=lambda _: False)

    assert "batchd db adopt" in error.value.next_command
    copy.engine.dispose()


def test_the_same_file_by_another_path_is_the_same_place(desk: Desk, path: Path, tmp_path: Path) -> None:
    """A link does not make a copy."""
    (tmp_path / "link.db").symlink_to(path)

    store = open_database(f"sqlite:///{tmp_path / 'link.db'}").store(actor="t", is_dead=lambda _: False)

    assert desk.store.read(lambda ledger: ledger.installation_id()) == store.read(
        lambda ledger: ledger.installation_id()
    )
    store.engine.dispose()


def test_an_indexs_own_collation_is_not_the_columns(db: StoreUnderTest) -> None:
    """Rows are found by comparing the column, so its own equality counts."""
    db.create_table("item", ColumnSpec("a", "varchar", "nocase"), ColumnSpec('b"', "varchar"))
    db.execute("CREATE UNIQUE INDEX one ON item (a COLLATE BINARY)")
    db.execute('CREATE UNIQUE INDEX two ON item ("b""" COLLATE NOCASE)')

    assert [one.equality for one in key_of(db.open(), ["a", 'b"'])] == ["nocase", "exact"]
