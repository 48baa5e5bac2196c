"""The login that batchd runs as: it works on every database of these suites, and can do nothing else."""

import pytest
import sqlalchemy as sa

from batchd.core.model import Batch
from batchd.store import tables
from tests.conformance.stores import ITEM, ColumnSpec, Desk, StoreUnderTest
from tests.conformance.stores_mssql import MssqlUnderTest

# What a task over ``item`` does not need, and the ledger's own rules forbid.
FORBIDDEN = {
    "write what is read": "UPDATE item SET body = 'x'",
    "write the key": "UPDATE item SET id = 9 WHERE id = 1",
    "read another column": "SELECT private FROM item",
    "add a row": "INSERT INTO item (id) VALUES (9)",
    "remove rows": "DELETE FROM item",
    "drop the table": "DROP TABLE item",
    "change the table": "ALTER TABLE item ADD another INTEGER",
    "read another table": "SELECT id FROM other",
    "make a table": "CREATE TABLE mine (id INTEGER)",
    "rewrite what happened": "UPDATE «event» SET reason = 'x'",
    "forget what happened": "DELETE FROM «event»",
    "forget a batch": "DELETE FROM «batch»",
    "move the ledger": "UPDATE «installation» SET bound_to = 'x'",
    "drop the ledger": "DROP TABLE «gate»",
}
OWNERS = {"drop the table", "change the table", "drop the ledger"}


@pytest.fixture
def desk(db: StoreUnderTest) -> Desk:
    """The task ``items`` over a table with a column that is nobody's business, and another table beside."""
    if db.name == "sqlite":
        pytest.skip("whoever may open a file may do anything with it")
    db.create_table("item", *ITEM, ColumnSpec("private"), key=["id"])
    db.create_table("other", ColumnSpec("id", "integer"))
    for number in range(1, 6):
        db.execute("INSERT INTO item (id, body) VALUES (?, ?)", number, f"text {number}")
    return Desk(db)


@pytest.mark.parametrize("act", FORBIDDEN)
def test_the_runtime_login_can_do_nothing_else(desk: Desk, batch: Batch, act: str) -> None:
    """Refused for want of a right, and for no other reason: whoever owns the tables may do it."""
    sql = in_ledger(desk, FORBIDDEN[act])
    before = desk.db.execute("SELECT id, body, private FROM item ORDER BY id"), desk.events()

    with pytest.raises(sa.exc.DBAPIError) as error, desk.database.engine.begin() as connection:
        connection.exec_driver_sql(sql)

    if _is_told_why(desk.db, act):
        refusal = desk.database.dialect.refusal(error.value)
        assert refusal is not None
        assert "right" in refusal.reason, f"{refusal.reason} ({desk.database.dialect.code(error.value)})"
    assert before == (desk.db.execute("SELECT id, body, private FROM item ORDER BY id"), desk.events())
    assert batch.id


def _is_told_why(db: StoreUnderTest, act: str) -> bool:
    stands_in = isinstance(db, MssqlUnderTest) and db.differs("why a table may not be changed")
    return not (act in OWNERS and stands_in)


def in_ledger(desk: Desk, sql: str) -> str:
    """The statement with the ledger's tables where they are."""
    schema = desk.database.engine.get_execution_options()["schema_translate_map"][tables.LEDGER]
    return sql.replace("«", f"{schema}.batchd_" if schema else "batchd_").replace("»", "")
