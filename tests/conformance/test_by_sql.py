"""What docs/how-to/by-sql.md lets a DBA do: each statement as it stands there, with the rights that it names."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql  # type: ignore[import-untyped]
import pytest

from batchd.core.model import Batch
from batchd.store.reading import ask, task_facts
from tests.conformance.stores import Desk, StoreUnderTest
from tests.conformance.stores_mariadb import MariadbUnderTest
from tests.conformance.stores_postgresql import PostgresqlUnderTest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "by-sql.md"
ROLE, PASSWORD = "batchd_operator", "of-a-test"
NEVER = (
    "UPDATE batchd_batch SET state = 'closed'",
    "UPDATE batchd_gate SET batch_id = NULL",
    "DELETE FROM batchd_gate",
    "UPDATE batchd_finding SET closed_at = opened_at",
    "UPDATE batchd_task SET lease_owner = NULL",
    "DELETE FROM batchd_event",
    "SELECT body FROM batchd_content",
)


def statements(first: str) -> list[str]:
    """The page's statements that begin so, about the task of this test."""
    blocks = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    found = [one.strip() for block in blocks for one in block.split(";") if one.strip().startswith(first)]
    return [one.replace("'resumes'", "'items'") for one in found]


class Operator:
    """A person who has nothing but the page's rights; on SQLite whoever may open the file may do everything."""

    def __init__(self, db: StoreUnderTest) -> None:
        self._db = db

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Runs one statement; returns its rows."""
        if isinstance(self._db, PostgresqlUnderTest):
            self._db.execute(f"SET ROLE {ROLE}")
            try:
                return self._db.execute(sql)
            finally:
                self._db.execute("RESET ROLE")
        if isinstance(self._db, MariadbUnderTest):
            with contextlib.closing(self._connected(self._db)) as connection, connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        return self._db.execute(sql)

    def _connected(self, db: MariadbUnderTest) -> Any:
        server = db._server
        return pymysql.connect(
            host=str(server.url.host), port=int(server.url.port or 3306), user=f"{ROLE}_login", password=PASSWORD,
            database=server.database, autocommit=True,
        )  # fmt: skip


@pytest.fixture
def operator(desk: Desk) -> Iterator[Operator]:
    """Made as the page says."""
    db = desk.db
    if db.name == "sqlite":
        yield Operator(db)
        return
    login = f"{ROLE}_login"
    maria = isinstance(db, MariadbUnderTest)
    gone = [f"DROP USER IF EXISTS {login}", f"DROP ROLE IF EXISTS {ROLE}"] if maria else []
    made = [*gone, f"CREATE ROLE {ROLE}", f"GRANT batchd_reader TO {ROLE}", *statements("GRANT")]
    if maria:
        made += [f"CREATE USER {login} IDENTIFIED BY '{PASSWORD}'", f"GRANT {ROLE} TO {login}"]
        made.append(f"SET DEFAULT ROLE {ROLE} FOR {login}")
    for statement in made:
        db.execute(statement)
    yield Operator(db)
    for statement in gone or [f"DROP OWNED BY {ROLE}", f"DROP ROLE {ROLE}"]:
        db.execute(statement)


pytestmark = pytest.mark.parametrize("db", ["sqlite", "postgresql", "mariadb"], indirect=True)


def test_whoever_may_read_sees_what_batchd_does(desk: Desk, batch: Batch, operator: Operator) -> None:
    """Tasks, findings, open batches and processes, with the rights of the page; each with what there is."""
    desk.store.transact(lambda ledger: ledger.findings.open("overdue", f"batch {batch.id}"))
    desk.store.transact(lambda ledger: ledger.processes.show("web1/a/1/1", "1.0", 60.0))

    seen = [operator.run(look) for look in statements("SELECT")]

    assert [1, 1, 1, 1] == [len(rows) for rows in seen]
    assert ["items", "web1/a/1/1"] == [seen[0][0][0], seen[3][0][0]]


def test_a_pause_by_sql_is_a_pause_everywhere_and_resume_by_sql_ends_it(desk: Desk, operator: Operator) -> None:
    """The store sees it, people are told why, and where no reason is given that it was SQL."""
    pause, go_on = (one for one in statements("UPDATE") if "paused" in one)
    task = desk.task_id

    operator.run(pause)
    assert desk.store.read(lambda ledger: ledger.tasks.is_paused(task))
    assert ["index rebuild"] == [one["pause_reason"] for one in ask(desk.database, task_facts)]
    operator.run("UPDATE batchd_task SET pause_reason = ''")
    assert ["by SQL"] == [one["pause_reason"] for one in ask(desk.database, task_facts)]
    operator.run(go_on)

    assert not desk.store.read(lambda ledger: ledger.tasks.is_paused(task))
    assert [(False, "")] == [(one["paused"], one["pause_reason"]) for one in ask(desk.database, task_facts)]


def test_limits_by_sql_win_until_they_are_null(desk: Desk, operator: Operator) -> None:
    """What the claim reads."""
    limits, none = (one for one in statements("UPDATE") if "max_open_batches" in one)

    def read() -> tuple[int | None, int | None]:
        record = desk.store.read(lambda ledger: ledger.tasks.find("items"))
        assert record is not None
        return record.batch_size, record.max_open_batches

    operator.run(limits)
    assert (500, 2) == read()
    operator.run(none)

    assert (None, None) == read()


def test_rows_freed_by_sql_are_those_that_a_retry_would_free(desk: Desk, batch: Batch, operator: Operator) -> None:
    """Due at once with fresh tries; a row in a batch, one of another outcome and one that is done stay as they are."""
    assert batch.id
    set_to = "UPDATE batchd_gate SET state = ?, outcome = ?, paid_tries = 3, unpaid_tries = 9 WHERE key_int = ?"
    desk.db.execute(set_to, "failed", "expired", 1)
    desk.db.execute(set_to, "failed", "invalid", 2)
    desk.db.execute(set_to, "open", "expired", 3)
    (free,) = (one for one in statements("UPDATE") if "batchd_gate" in one)

    operator.run(free)

    gates = desk.db.execute("SELECT key_int, state, paid_tries, unpaid_tries FROM batchd_gate ORDER BY key_int")
    assert [(1, "retry", 0, 0), (2, "failed", 3, 9), (3, "open", 3, 9)] == [tuple(gate) for gate in gates]
    due = desk.store.read(lambda ledger: ledger.gates.due_retries(desk.task_id, 10))
    assert [1] == [key.integer for key in due]


@pytest.mark.parametrize("statement", NEVER)
def test_the_operator_may_do_nothing_else(desk: Desk, batch: Batch, operator: Operator, statement: str) -> None:
    """What the page says never to do is refused for want of a right."""
    if desk.db.name == "sqlite":
        pytest.skip("whoever may open a file may do anything with it")
    assert batch.id

    with pytest.raises(Exception, match="denied"):
        operator.run(statement)
