"""Error tables of the databases: what a number means, whatever the words around it say."""

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import pymysql  # type: ignore[import-untyped]
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy.exc import DataError, OperationalError

from batchd.store.dialects import mssql_errors, mssql_numbers, mysql_errors, postgresql_errors
from batchd.store.dialects.base import Fault
from batchd.store.dialects.native_errors import Meaning

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "database-errors.md"
DOES = {
    Fault.AGAIN: "again",
    Fault.LATER: "later",
    Fault.DUPLICATE: "looks again",
    Fault.DATA: "the row's own",
    Fault.FATAL: "a person",
}
MICROSOFT = "[Microsoft][ODBC Driver 18 for SQL Server]"
FREETDS = "[FreeTDS]"
# Values that look like the end of an error, and other things that a résumé may hold.
ENDINGS = st.sampled_from(
    [" (1205) (SQLExecDirectW)", " (547)", "; [01000] [Microsoft]", "[SQL Server]", " (SQLExecute)", "(-1)", "\n", "]"]
)
WORDS = st.lists(st.text(max_size=8) | ENDINGS, max_size=8).map("".join)


def does(meaning: Meaning) -> str:
    """The last cell of the page's line."""
    told = {Fault.LATER: "; tells a person if it lasts", Fault.FATAL: ""}.get(meaning.fault, "")
    return DOES[meaning.fault] + (told if meaning.refusal else "")


class OdbcError(Exception):
    """As pyodbc's errors are: SQLSTATE and text."""


def of_sql_server(number: int, words: str = "No.", *, driver: str = MICROSOFT, state: str = "42000") -> OdbcError:
    """What pyodbc makes of a server's error."""
    return OdbcError(state, f"[{state}] {driver}[SQL Server]{words} ({number}) (SQLExecDirectW)")


@given(st.sampled_from(sorted(mssql_numbers.MEANINGS)), WORDS, st.sampled_from([MICROSOFT, FREETDS]))
@example(2627, "The duplicate key value is (x). (1205) (SQLExecDirectW); [01000] [Microsoft][SQL Server]y (3960)", "")
def test_no_words_mislead_about_sql_servers_number(number: int, words: str, driver: str) -> None:
    """A row's values stand in the message and may look like another error's end."""
    error = of_sql_server(number, words, driver=driver or MICROSOFT)

    assert f"{number} {mssql_numbers.MEANINGS[number].name}" == mssql_errors.code(error)
    assert mssql_numbers.MEANINGS[number].fault is mssql_errors.fault(error)


def test_a_value_that_looks_like_an_error_of_sql_server_is_none() -> None:
    """Errors of pyodbc's own may quote one; a number counts only at the very end."""
    error = OdbcError(f"[42000] {MICROSOFT}[SQL Server]x (1205) (SQLExecDirectW) is no parameter", "HY105")

    assert ("HY105", Fault.FATAL) == (mssql_errors.code(error), mssql_errors.fault(error))


def test_no_trigger_refuses_a_login() -> None:
    """A number from 50000 on is a trigger's, about a row, only where the login is through."""
    words = f"[42000] {MICROSOFT}[SQL Server]words (70123)"
    door, within = (OdbcError("42000", f"{words} ({call})") for call in ("SQLDriverConnect", "SQLExecDirectW"))

    assert ("70123", Fault.FATAL) == (mssql_errors.code(door), mssql_errors.fault(door))
    assert ("70123 refused by a trigger", Fault.DATA) == (mssql_errors.code(within), mssql_errors.fault(within))


@given(st.sampled_from(sorted(mssql_numbers.MEANINGS)), st.sampled_from(["08S01", "IMC06"]))
def test_numbers_that_the_driver_made_are_not_the_servers(number: int, state: str) -> None:
    """10054 is the operating system's; another of its numbers could be 1205."""
    error = OdbcError(state, f"[{state}] {MICROSOFT}TCP Provider: Error code 0x68 ({number}) (SQLExecDirectW)")

    assert f"{state} connection lost" == mssql_errors.code(error)
    assert Fault.AGAIN is mssql_errors.fault(error)


@given(st.sampled_from(sorted(postgresql_errors.MEANINGS)), WORDS)
def test_no_words_mislead_about_postgresqls_state(state: str, words: str) -> None:
    """The SQLSTATE alone counts where there is one, also with sentences that are known of refused connections."""
    error = psycopg.errors.lookup(state)(f"{words} password authentication failed")

    assert f"{state} {postgresql_errors.MEANINGS[state].name}" == postgresql_errors.code(error)
    assert postgresql_errors.MEANINGS[state].fault is postgresql_errors.fault(error)


@given(st.sampled_from(sorted(mysql_errors.MEANINGS)), WORDS)
def test_no_words_mislead_about_mariadbs_number(number: int, words: str) -> None:
    """The number alone counts."""
    error = pymysql.err.OperationalError(number, words)

    assert f"{number} {mysql_errors.MEANINGS[number].name}" == mysql_errors.code(error)
    assert mysql_errors.MEANINGS[number].fault is mysql_errors.fault(error)


@pytest.mark.parametrize(
    "errors", [mssql_errors, postgresql_errors, mysql_errors], ids=["mssql", "postgresql", "mysql"]
)
def test_an_error_around_the_drivers_own_counts_for_nothing(errors: object) -> None:
    """SQLAlchemy's class is left aside; a value that a driver could not send is the row's own."""
    wrapped = DataError("UPDATE a", {}, UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"))

    assert Fault.DATA is errors.fault(wrapped)  # type: ignore[attr-defined]
    assert "value the driver cannot send" == errors.code(wrapped)  # type: ignore[attr-defined]


def test_sqlalchemys_error_tells_the_same_as_the_drivers() -> None:
    """What is looked at is what the driver raised."""
    deadlocks = (of_sql_server(1205), psycopg.errors.DeadlockDetected("x"), pymysql.err.OperationalError(1213, "x"))
    modules = (mssql_errors, postgresql_errors, mysql_errors)
    codes = [module.code(OperationalError("UPDATE a", {}, one)) for module, one in zip(modules, deadlocks, strict=True)]

    assert ["1205 deadlock", "40P01 deadlock", "1213 deadlock"] == codes


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (of_sql_server(4711), "4711"),
        (OdbcError("42000", "[42000] [Microsoft]no number"), "42000"),
        (OdbcError(), "OdbcError"),
        (OdbcError("The cursor's connection has been closed.", "HY000"), "HY000"),
    ],
)
def test_an_error_of_sql_server_that_nobody_knows_is_for_a_person(error: Exception, code: str) -> None:
    """Nothing is done about what is in no table, and only its number is shown."""
    assert (Fault.FATAL, code, None) == (
        mssql_errors.fault(error),
        mssql_errors.code(error),
        mssql_errors.refusal(error),
    )


def test_an_error_of_the_others_that_nobody_knows_is_for_a_person() -> None:
    """The same for PostgreSQL and MariaDB."""
    unknown = psycopg.errors.lookup("0A000")("x")
    told = [
        (postgresql_errors.fault(unknown), postgresql_errors.code(unknown)),
        (postgresql_errors.fault(psycopg.ProgrammingError("x")), postgresql_errors.code(psycopg.ProgrammingError("x"))),
        (mysql_errors.fault(pymysql.err.OperationalError(9999, "x")), mysql_errors.code(pymysql.Error(9999, "x"))),
        (mysql_errors.fault(pymysql.err.ProgrammingError("x")), mysql_errors.code(pymysql.err.ProgrammingError("x"))),
    ]

    assert [
        (Fault.FATAL, "0A000"),
        (Fault.FATAL, "ProgrammingError"),
        (Fault.FATAL, "9999"),
        (Fault.FATAL, "ProgrammingError"),
    ] == told


def test_a_value_too_long_for_its_parameter_is_the_rows_own() -> None:
    """The driver's layer compares lengths itself when it sends many rows, and has the SQLSTATE last."""
    error = OdbcError("String data, right truncation: length 24 buffer 20", "HY000")

    assert Fault.DATA is mssql_errors.fault(error)
    assert "HY000 value refused by the driver" == mssql_errors.code(error)


def test_what_azures_library_raises_is_about_entra_id() -> None:
    """A token is asked for before any driver is."""

    class ClientAuthenticationError(Exception):
        __module__ = "azure.core.exceptions"

    refusal = mssql_errors.refusal(ClientAuthenticationError("AADSTS7000215: Invalid client secret provided."))

    assert refusal is not None
    assert "Entra ID" in refusal.reason


def test_a_refusal_in_another_language_is_tried_later() -> None:
    """PostgreSQL says why only in words, and those are the server's."""
    error = psycopg.OperationalError("connection failed: FATAL:  Passwort-Authentifizierung fehlgeschlagen")
    lost = psycopg.OperationalError("consuming input failed: server closed the connection unexpectedly")
    error._pgconn = object()  # type: ignore[assignment]
    refusal = postgresql_errors.refusal(error)

    assert (Fault.LATER, "connection not made") == (postgresql_errors.fault(error), postgresql_errors.code(error))
    assert refusal is not None
    assert (Fault.AGAIN, "connection lost") == (postgresql_errors.fault(lost), postgresql_errors.code(lost))


def test_mariadbs_certificate_and_login_methods_are_explained() -> None:
    """PyMySQL tells neither by a number of its own."""
    untrusted = pymysql.err.OperationalError(2003, "Can't connect to MySQL server on 'h' (...)")
    untrusted.original_exception = ssl.SSLCertVerificationError("certificate verify failed")
    library = RuntimeError("'cryptography' package is required for sha256_password or caching_sha2_password")
    told = [mysql_errors.refusal(untrusted), mysql_errors.refusal(library)]

    assert [Fault.FATAL, Fault.FATAL] == [mysql_errors.fault(untrusted), mysql_errors.fault(library)]
    assert [True, True] == [one is not None for one in told]


def as_told(*tables: Mapping[Any, Meaning]) -> dict[str, Meaning]:
    """Tables by numbers as the page writes them."""
    return {str(number): meaning for table in tables for number, meaning in table.items()}


def as_classes(classes: Mapping[str, Meaning]) -> dict[str, Meaning]:
    """States that only begin so."""
    return {f"{start}…": meaning for start, meaning in classes.items()}


TABLES = {
    "SQL Server": as_told(mssql_numbers.MEANINGS, mssql_numbers.DRIVER_NUMBERS),
    "SQL Server's states": as_told(mssql_numbers.STATES, as_classes(mssql_numbers.STATE_CLASSES)),
    "PostgreSQL": as_told(postgresql_errors.MEANINGS, as_classes(postgresql_errors.CLASSES)),
    "MariaDB": as_told(mysql_errors.MEANINGS),
}


@pytest.mark.parametrize("database", TABLES)
def test_what_a_person_must_end_has_a_sentence(database: str) -> None:
    """And what is the row's own, or passes in a moment, has none: nobody is sent looking."""
    meanings = TABLES[database]
    silent = [number for number, one in meanings.items() if one.fault is Fault.FATAL and one.refusal is None]
    noisy = [number for number, one in meanings.items() if one.fault not in {Fault.FATAL, Fault.LATER} and one.refusal]

    assert ([], []) == (silent, noisy)


FACTS: dict[str, dict[Fault, list[Any]]] = {
    "PostgreSQL": {
        Fault.AGAIN: ["40001", "40P01", "55P03", "57P01", "08000", "08003", "08006"],
        Fault.LATER: ["53300", "53100", "25006", "57P03"],
        Fault.DUPLICATE: ["23505"],
        Fault.DATA: ["22001", "22003", "23502", "23503", "23514", "23P01"],
        Fault.FATAL: ["42501", "42703", "42P01", "28P01", "28000", "3D000"],
    },
    "MariaDB": {
        Fault.AGAIN: [1205, 1213, 2006, 2013, 1020, 1317, 1927],
        Fault.LATER: [1040, 1203, 1290, 1836, 2002, 2003, 1053, 1114],
        Fault.DUPLICATE: [1062, 1586],
        Fault.DATA: [1406, 1264, 1265, 1292, 1366, 1048, 1364, 1452, 1451, 3819, 4025, 1690, 3140],
        Fault.FATAL: [1142, 1143, 1044, 1045, 1049, 1054, 1146, 1698, 1227, 1665],
    },
}


@pytest.mark.parametrize("database", FACTS)
def test_the_numbers_of_the_facts_keep_their_faults(database: str) -> None:
    """Run again, wait, look again, blame the row, ask a person."""
    expected = {number: fault for fault, numbers in FACTS[database].items() for number in numbers}

    assert expected == {number: TABLES[database][str(number)].fault for number in expected}


def test_the_page_has_a_line_for_every_number_and_no_other() -> None:
    """docs/reference/database-errors.md says of each number what the code does."""
    lines = [line.strip("| ").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if "| `" in line]
    told = [(number, name, act) for numbers, name, act in lines for number in re.findall(r"`([^`]+)`", numbers)]
    held = [(number, one.name, does(one)) for table in TABLES.values() for number, one in table.items()]

    assert sorted(held) == sorted(told)
