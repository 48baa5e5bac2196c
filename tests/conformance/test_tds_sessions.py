"""What batchd's sessions with SQL Server are told, by real ODBC drivers; the fake server only listens."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from batchd.core.tasks import KeyColumn
from batchd.store.dialects.mssql import MssqlDialect
from batchd.store.dialects.row_write import RowWrite
from tests.conformance.odbc_drivers import MICROSOFT, OdbcDriver, each_driver
from tests.conformance.raising import raised
from tests.fakes.tds_server import Answer, FakeTdsServer, Value, told

# What filtered indexes ask of a session; how long it waits for locks; and that no error ends a transaction by itself.
SETTINGS = (
    "SET ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL, QUOTED_IDENTIFIER ON",
    "SET NUMERIC_ROUNDABORT, NOCOUNT OFF",
    "SET XACT_ABORT OFF",
    "SET LOCK_TIMEOUT 10000",
)
WRITE = "UPDATE something SET a = 1"
BY_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL SNAPSHOT"


@dataclass
class Session:
    """batchd's engine, connected to a server that does nothing."""

    dialect: MssqlDialect
    engine: sa.Engine
    server: FakeTdsServer

    def heard(self, *words: str) -> list[str]:
        """Which of these words the server was told, statement by statement."""
        return [word for said in self.server.heard for word in words if word.encode("utf-16-le") in said]


@contextlib.contextmanager
def connected(driver: OdbcDriver, **answers: Answer) -> Iterator[Session]:
    """The engine that batchd makes for SQL Server."""
    usual: dict[str, Answer] = {"ProductVersion": Value("16.0.1000.6"), "schema_name": Value("dbo")}
    with FakeTdsServer(answers=usual | answers | {"SELECT": Value(1)}).serving() as server:
        encrypted = {"Encrypt": "no"} if driver is MICROSOFT else {}
        url = sa.URL.create(
            "mssql+pyodbc", "somebody", "something", "127.0.0.1", server.port, "app",
            {"driver": str(driver.file), **encrypted},
        )  # fmt: skip
        dialect = MssqlDialect()
        engine = dialect.create_engine(url)
        try:
            yield Session(dialect, engine, server)
        finally:
            engine.dispose()


@each_driver
def test_a_session_is_set_up_before_anything_else(driver: OdbcDriver) -> None:
    """With XACT_ABORT on, a failing question of the driver's own would end the transaction behind our back."""
    with connected(driver) as session, session.engine.begin() as connection:
        connection.exec_driver_sql(WRITE)

    assert [*SETTINGS, WRITE] == session.heard(*SETTINGS, WRITE)


@each_driver
@pytest.mark.parametrize(("allowed", "times"), [(1, 1), (0, 0)])
def test_a_reader_has_a_snapshot_where_the_database_allows_it(driver: OdbcDriver, allowed: int, times: int) -> None:
    """Without it a long look would wait for writers, or see several states."""
    with connected(driver, snapshot_isolation_state=Value(allowed)) as session:
        with session.dialect.reading(session.engine.connect()) as connection, connection.begin():
            connection.exec_driver_sql("SELECT 1")
        found = session.heard(BY_SNAPSHOT)

    assert times == len(found)


@each_driver
def test_whether_there_are_snapshots_is_asked_by_the_databases_name(driver: OdbcDriver) -> None:
    """On Azure SQL DB_ID() can be the id of another database in sys.databases."""
    with connected(driver, **{"= DB_ID()": Value(0), "snapshot_isolation_state": Value(1)}) as session:
        with session.dialect.reading(session.engine.connect()) as connection, connection.begin():
            connection.exec_driver_sql("SELECT 1")
        found = session.heard(BY_SNAPSHOT)

    assert [BY_SNAPSHOT] == found


@each_driver
def test_a_session_counts_again_after_a_write_that_failed(driver: OdbcDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one to use it would find no row that it changed, and take its lease for lost."""
    monkeypatch.setattr("batchd.store.dialects.mssql_values.columns_of", lambda *_: {})
    key = KeyColumn(name="id", kind="integer", sql_type="INTEGER")
    write = RowWrite(sa.table("item", sa.column("id"), sa.column("a")), [key], ["a"], [(1, "x")], {})
    with connected(driver, **{"UPDATE t": told(547)}) as session:

        def refused() -> None:
            with session.engine.begin() as connection:
                session.dialect.update_rows(connection, write)

        error = raised(refused)
        with session.engine.begin() as connection:
            connection.exec_driver_sql(WRITE)

    assert "547" in str(error)
    assert ["NOCOUNT ON", "NOCOUNT OFF", "NOCOUNT OFF", WRITE] == session.heard("NOCOUNT ON", "NOCOUNT OFF", WRITE)[-4:]
