"""Several threads of one process share a store: each transaction is whole, and each is committed."""

import contextlib
import threading
from typing import Any

import pytest

from batchd.errors import DatabaseBusyError
from batchd.side_by_side import each
from tests.conformance.stores import Desk

THREADS = 10
KIND = "overdue"


def test_what_several_threads_write_at_once_is_all_there(desk: Desk) -> None:
    """As many as the config allows, each with a connection of its own: they wait for each other's locks, none fails."""
    subjects = [f"batch {number}" for number in range(1, 6 * THREADS + 1)]

    def write(subject: str) -> None:
        desk.store.transact(lambda ledger: ledger.findings.open(KIND, subject))
        assert desk.store.read(lambda ledger: ledger.findings.is_open(KIND, subject))

    each(subjects, write, THREADS)

    assert sorted(subjects) == sorted(desk.store.read(lambda ledger: ledger.findings.subjects(KIND)))


def test_a_step_of_one_thread_takes_nothing_from_another(desk: Desk) -> None:
    """Many threads write the same row of the ledger: every step is made, one after the other."""
    before = desk.held("one").epoch

    each(range(3 * THREADS), lambda _: desk.held("one"), THREADS)

    assert before + 3 * THREADS + 1 == desk.held("one").epoch


@pytest.mark.parametrize("is_freed", [True, False])
def test_a_thread_waits_until_another_has_given_its_connection_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, *, is_freed: bool
) -> None:
    """There are only so many for one process. Where none comes free for long, it is told so, and may try again."""
    pool = desk.store.engine.pool
    monkeypatch.setattr(pool, "_timeout", 0.1)
    with contextlib.ExitStack() as taken, contextlib.ExitStack() as one:
        one.enter_context(desk.store.engine.connect())
        with contextlib.suppress(Exception):
            while True:
                taken.enter_context(desk.store.engine.connect())
        if is_freed:
            threading.Timer(0.3, one.close).start()
            assert desk.store.read(lambda ledger: ledger.findings.subjects(KIND)) == []
        else:
            with pytest.raises(DatabaseBusyError, match="at work"):
                desk.store.read(lambda ledger: ledger.findings.subjects(KIND))


@pytest.mark.parametrize("db", ["mariadb"], indirect=True)
def test_a_link_that_is_lost_before_a_snapshot_is_taken_is_made_anew(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MariaDB's level of isolation is set by the driver itself: its error is one of a lost link like any other."""
    dialect = desk.store.engine.dialect
    set_level = dialect.set_isolation_level
    fails = [dialect.loaded_dbapi.OperationalError(2006, "gone away")]

    def failing_once(connection: Any, level: Any) -> None:
        if fails:
            raise fails.pop()
        set_level(connection, level)

    monkeypatch.setattr(dialect, "set_isolation_level", failing_once)

    assert desk.store.read(lambda ledger: ledger.findings.subjects(KIND)) == []
    assert not fails
