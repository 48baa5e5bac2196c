"""A transaction that the driver has lost without a word, and goes on in a new one: half of the work is no work."""

from typing import Any

import pytest

from batchd.core.model import Lease
from batchd.errors import DatabaseBusyError
from batchd.store import patience
from tests.conformance.stores import Desk

DATABASES = ["sqlite", "postgresql", "mariadb"]


def lose(ledger: Any, database: str) -> None:
    """Behind SQLAlchemy's back; what follows is in a transaction of its own."""
    cursor = ledger.connection.connection.driver_connection.cursor()
    cursor.execute("ROLLBACK")
    if database == "sqlite":
        # The others begin the next one by themselves.
        cursor.execute("BEGIN IMMEDIATE")
    cursor.close()


def leased(desk: Desk) -> Lease:
    """The task's lease, and the clock is past the moment at which it was taken."""
    lease, taken = desk.held(), desk.db.clock()
    while desk.db.clock() <= taken:
        pass
    return lease


@pytest.mark.parametrize("db", DATABASES, indirect=True)
def test_a_transaction_that_was_lost_in_the_middle_is_run_again_as_a_whole(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the half behind the loss is kept: rows whose outcome were lost would be paid for again."""
    monkeypatch.setattr(desk.store.dialect, "loses_transactions", True)
    lease, tries = leased(desk), list[int]()

    def work(ledger: Any) -> None:
        tries.append(1)
        ledger.findings.open("stranger", f"try {len(tries)}")
        if len(tries) == 1:
            lose(ledger, desk.db.name)
        ledger.findings.open("overdue", f"try {len(tries)}")

    desk.store.transact(work, lease=lease)

    found = desk.db.execute("SELECT kind, subject FROM batchd_finding ORDER BY id")
    assert [("stranger", "try 2"), ("overdue", "try 2")] == found
    assert 2 == len(tries)


@pytest.mark.parametrize("db", DATABASES, indirect=True)
def test_a_transaction_that_is_lost_each_time_is_given_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told as a busy database, and nothing is kept."""
    monkeypatch.setattr(patience, "_soon", lambda _: 0.002)
    monkeypatch.setattr(desk.store.dialect, "loses_transactions", True)
    lease = leased(desk)

    def work(ledger: Any) -> None:
        lose(ledger, desk.db.name)
        ledger.findings.open("overdue", "x")

    with pytest.raises(DatabaseBusyError, match="transaction lost"):
        desk.store.transact(work, lease=lease)

    assert [] == desk.db.execute("SELECT kind FROM batchd_finding")
