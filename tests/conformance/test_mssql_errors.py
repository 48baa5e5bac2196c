"""What real ODBC drivers make of SQL Server's errors, and what batchd makes of that; a fake server sends them."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from batchd.store.dialects import mssql_errors
from batchd.store.dialects.base import Fault
from batchd.store.dialects.mssql import MssqlDialect
from batchd.store.dialects.mssql_numbers import MEANINGS, XML_NUMBERS
from tests.conformance.odbc_drivers import MICROSOFT, OdbcDriver, each_driver
from tests.conformance.raising import raised
from tests.fakes.tds_server import Answer, FakeTdsServer, HangUp, Silence, Told, Value, told
from tests.fakes.tds_tokens import Remark, ServerError

# What a row may hold that a server quotes: made to look like the end of an error.
SECRET = "Ada] (1205) (SQLExecDirectW); [01000] [Microsoft][SQL Server]x (3960)"
# Numbers at which Azure closes the connection.
CLOSING = {10928, 40501}
# Facts that design and documents rest on, apart from the table that batchd reads.
EXPECTED = (
    dict.fromkeys((1205, 1222, 3952, 3957, 3958, 3960, 3966, 41332), Fault.AGAIN)
    | dict.fromkeys((40197, 40501, 40613, 49918, 49919, 49920, 10928, 10929, 4060, 4221, 615, 926), Fault.LATER)
    | dict.fromkeys((2627, 2601), Fault.DUPLICATE)
    | dict.fromkeys((547, 515, 2628, 8152, 245, 241, 242, 8114, 8115, 220, 232, 8169, 6905, 9420), Fault.DATA)
    | dict.fromkeys((3930, 3998, 42204, 50000, 70123), Fault.DATA)
    | dict.fromkeys((207, 208, 229, 230, 651, 10794, 41359, 41368, 18456, 18452, 4064, 8623, 4711), Fault.FATAL)
)


def sent(number: int) -> str:
    """The statement that is answered with an error."""
    return f"UPDATE number_{number}_ SET a = 1"


def errors_of(driver: OdbcDriver, numbers: list[int]) -> dict[int, Exception]:
    """What the driver raises for each number, as the answer to a statement."""
    words = {one: told(one, f"It quotes '{SECRET}'.", 20 if one in CLOSING else 16) for one in numbers}
    with FakeTdsServer(answers={f"number_{one}_": answer for one, answer in words.items()}).serving() as server:
        found = {}
        for one in numbers:
            with contextlib.closing(driver.connect(server.port)) as connection:
                connection.autocommit = True
                found[one] = raised(connection.execute, sent(one))
        return found


def told_to_people(error: Exception) -> str:
    """All that leaves the classification."""
    refusal = mssql_errors.refusal(error)
    return mssql_errors.code(error) + (f"{refusal.reason} {refusal.next_command}" if refusal else "")


@each_driver
def test_the_numbers_of_the_facts_keep_their_faults(driver: OdbcDriver) -> None:
    """Run again, wait, blame the row, ask a person: by the native number, whatever a quoted value looks like."""
    errors = errors_of(driver, list(EXPECTED))

    assert {number: mssql_errors.fault(error) for number, error in errors.items()} == EXPECTED


@each_driver
def test_every_number_of_the_table_is_told_by_its_name(driver: OdbcDriver) -> None:
    """An operator reads the server's number and our words for it."""
    numbers = [*MEANINGS, min(XML_NUMBERS), max(XML_NUMBERS)]
    errors = errors_of(driver, numbers)
    names = {number: f"{number} {(MEANINGS | XML_NUMBERS)[number].name}" for number in numbers}

    assert {number: mssql_errors.code(error) for number, error in errors.items()} == names


@each_driver
def test_nothing_of_the_servers_words_is_passed_on(driver: OdbcDriver) -> None:
    """A server's message quotes a row's values; neither code nor sentence holds a word of it."""
    errors = errors_of(driver, [*MEANINGS, 4711, 50000])
    heard = [error for error in errors.values() if "Ada]" in str(error)]
    passed_on = {number: told_to_people(error) for number, error in errors.items()}

    assert len(errors) == len(heard), "the fake server's words did not arrive, so nothing is shown by this test"
    assert [] == [number for number, words in passed_on.items() if "Ada" in words or "quotes" in words]


@each_driver
def test_the_first_error_of_several_counts(driver: OdbcDriver) -> None:
    """SQL Server adds 3621, "the statement has been terminated", or what a trigger's rollback did to the batch."""
    answers: dict[str, Answer] = {
        "taken": Told((ServerError(2627), Remark(3621, "The statement has been terminated."))),
        "trigger": Told((ServerError(50000), ServerError(3609, "The transaction ended in the trigger."))),
        "printed": Told((Remark(0, f"PRINT {SECRET}"), ServerError(547))),
    }
    with FakeTdsServer(answers=answers).serving() as server:
        connection = driver.connect(server.port)
        codes = [mssql_errors.code(raised(connection.execute, f"UPDATE {word}")) for word in answers]
        connection.close()

    assert ["2627 unique key taken", "50000 refused by a trigger", "547 check constraint or foreign key"] == codes


@each_driver
def test_an_error_of_a_prepared_statement_is_the_same(driver: OdbcDriver) -> None:
    """Parameters make the drivers call sp_prepexec or sp_executesql; its answer is another one."""
    with FakeTdsServer(answers={"good": Value("ü 漢"), "bad": told(1205)}).serving() as server:
        connection = driver.connect(server.port)
        value = connection.execute("SELECT good WHERE 1 = ?", 1).fetchone()[0]
        error = raised(connection.execute, "UPDATE bad SET a = ?", "é")
        connection.close()

    assert "ü 漢" == value
    assert ("1205 deadlock", Fault.AGAIN) == (mssql_errors.code(error), mssql_errors.fault(error))


@each_driver
def test_tables_that_take_no_row_locks_are_told_with_the_way_out(driver: OdbcDriver) -> None:
    """What batchd asks of a table, and what of it the DBA, or the config, can change."""
    errors = errors_of(driver, [651, 10794, 41359, 41368])
    told = {number: mssql_errors.refusal(error) for number, error in errors.items()}
    ways = {number: one.next_command if one else "" for number, one in told.items()}

    assert "ALLOW_ROW_LOCKS = ON" in ways[651]
    assert [] == [number for number in (10794, 41359, 41368) if "[tasks.NAME.write]" not in ways[number]]
    assert [] == [number for number in (10794, 41359, 41368) if "ELEVATE_TO_SNAPSHOT = ON" not in ways[number]]


ACTS: dict[str, Callable[[Any], Any]] = {
    "statement": lambda connection: connection.execute("SELECT 1"),
    "parameters": lambda connection: connection.execute("SELECT ?", 1),
    "commit": lambda connection: connection.commit(),
    "rollback": lambda connection: connection.rollback(),
}


@each_driver
@pytest.mark.parametrize("act", ACTS)
def test_a_connection_cut_while_idle_is_lost(driver: OdbcDriver, act: str) -> None:
    """Whatever is done next, the transaction runs again, on another connection."""
    with FakeTdsServer().serving() as server:
        connection = driver.connect(server.port)
        connection.execute("UPDATE something SET a = 1")
        server.hang_up()
        error = raised(ACTS[act], connection)

    assert Fault.AGAIN is mssql_errors.fault(error), error.args


@each_driver
def test_a_connection_cut_in_an_answer_is_lost(driver: OdbcDriver) -> None:
    """The same in the middle of a row."""
    with FakeTdsServer(answers={"SELECT": HangUp()}).serving() as server:
        connection = driver.connect(server.port)
        error = raised(lambda: connection.execute("SELECT 1").fetchall())

    assert Fault.AGAIN is mssql_errors.fault(error), error.args


@each_driver
def test_a_statement_without_an_answer_runs_again(driver: OdbcDriver) -> None:
    """The driver's own time-out."""
    with FakeTdsServer(answers={"SELECT": Silence()}).serving() as server:
        connection = driver.connect(server.port, 1)
        error = raised(connection.execute, "SELECT 1")
        connection.close()

    assert ("HYT00 time-out", Fault.AGAIN) == (mssql_errors.code(error), mssql_errors.fault(error))


@each_driver
@pytest.mark.parametrize("value", ["\ud800", 2**70, 10**40], ids=["half a character", "2**70", "10**40"])
def test_a_value_that_the_driver_refuses_is_the_rows_own(driver: OdbcDriver, value: object) -> None:
    """The server never sees it; another row may be fine."""
    with FakeTdsServer(answers={"bad": Value(1)}).serving() as server:
        connection = driver.connect(server.port)
        error = raised(connection.execute, "UPDATE bad SET a = ?", value)
        connection.close()

    assert Fault.DATA is mssql_errors.fault(error), error.args
    assert mssql_errors.refusal(error) is None


@pytest.fixture
def engine(driver: OdbcDriver) -> Iterator[tuple[sa.Engine, FakeTdsServer]]:
    """The engine that batchd makes for SQL Server, connected to the fake one."""
    answers: dict[str, Answer] = {
        "ProductVersion": Value("16.0.1000.6"),
        "schema_name": Value("dbo"),
        "sys.system_views": Value("dm_exec_sessions"),
        "transaction_isolation_level": Value("READ COMMITTED"),
        "snapshot_isolation_state": Value(1),
        "SELECT": Value(1),
        "busy": told(40501, severity=20),
    }
    with FakeTdsServer(answers=answers).serving() as server:
        url = sa.URL.create(
            "mssql+pyodbc", "somebody", "something", "127.0.0.1", server.port, "app",
            {"driver": str(driver.file), "Encrypt": "no"} if driver is MICROSOFT else {"driver": str(driver.file)},
        )  # fmt: skip
        engine = MssqlDialect().create_engine(url)
        yield engine, server
        engine.dispose()


@each_driver
@pytest.mark.parametrize("ending", ["statement", "commit", "busy"])
def test_a_transaction_after_a_lost_connection_gets_another_one(
    engine: tuple[sa.Engine, FakeTdsServer], ending: str
) -> None:
    """The pool throws the connection away, whatever the driver calls its end, and the next transaction works."""
    made, server = engine

    def transaction() -> None:
        with made.begin() as connection:
            connection.exec_driver_sql("UPDATE something SET a = 1")
            if ending == "busy":
                connection.exec_driver_sql("UPDATE busy SET a = 1")
            server.hang_up()
            if ending == "statement":
                connection.exec_driver_sql("UPDATE something SET a = 2")

    error = raised(transaction)
    with made.begin() as connection:
        found = connection.exec_driver_sql("SELECT 1").scalar()

    expected = Fault.LATER if ending == "busy" else Fault.AGAIN
    assert expected is mssql_errors.fault(error), error
    assert isinstance(error, DBAPIError)
    assert error.connection_invalidated
    assert 1 == found
