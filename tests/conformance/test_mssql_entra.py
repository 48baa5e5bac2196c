"""Logins to SQL Server by tokens of Entra ID: Microsoft's own driver against a server that shows what it was sent."""

import logging
import socket
from pathlib import Path
from typing import Any

import pytest

from batchd.entra import NoTokenError
from batchd.errors import ConfigError, DatabaseBusyError, DatabaseError
from batchd.store.opening import Database, open_database
from tests.conformance.odbc_drivers import FREETDS, HAS_ODBC, MICROSOFT, NO_ODBC, with_microsofts
from tests.fakes.tds_server import Answer, FakeTdsServer, Value, told

# What SQLAlchemy and batchd ask of a new connection.
ASKED: dict[str, Answer] = {
    "ProductVersion": Value("16.0.1000.6"),
    "schema_name": Value("dbo"),
    "SELECT": Value(0),
}


def opened(server: FakeTdsServer, token: Any, *, more: str = "", password: str | None = None) -> Database:
    """The database of the fake server, by tokens."""
    url = f"mssql+pyodbc://127.0.0.1:{server.port}/app?driver={MICROSOFT.file}&Encrypt=no{more}"
    return open_database(url, password=password, token=token)


@with_microsofts
def test_each_connection_logs_in_by_the_token_of_its_time() -> None:
    """A token lives for an hour, a daemon for months: a new connection asks for a new one; nobody is named."""
    tokens = iter(["first-token", "second-token", "third-token"])
    with FakeTdsServer(answers=ASKED).serving() as server:
        database = opened(server, lambda: next(tokens))
        with database.engine.connect(), database.engine.connect():
            pass
        database.engine.dispose()

    assert ["first-token", "second-token"] == server.tokens


@with_microsofts
def test_a_token_that_the_server_refuses_is_told_without_it(caplog: pytest.LogCaptureFixture) -> None:
    """The identity has no user in the database: say so, and never show the token."""
    caplog.set_level(logging.DEBUG)
    refusing = FakeTdsServer(login=told(18456, "Login failed for user '<token-identified principal>'.", 14))
    with refusing.serving() as server, pytest.raises(DatabaseError, match="the server refused the login") as caught:
        opened(server, lambda: "hunter2-token")

    shown = "".join([str(caught.value), caught.value.next_command, repr(caught.value.__cause__), caplog.text])
    assert "FROM EXTERNAL PROVIDER" in caught.value.next_command
    assert "hunter2" not in shown


@with_microsofts
@pytest.mark.parametrize(
    ("is_away", "kind", "sentence"),
    [(True, DatabaseBusyError, "cannot be reached"), (False, DatabaseError, "gave no token")],
)
def test_without_a_token_the_database_is_not_asked(is_away: bool, kind: type[DatabaseError], sentence: str) -> None:  # noqa: FBT001
    """Exit code 11 with Entra ID's own number; where it was away, a later pass may do."""

    def none_today() -> str:
        raise NoTokenError("AADSTS700016", is_away=is_away)

    with FakeTdsServer().serving() as server:
        with pytest.raises(kind, match=rf"{sentence}.*\(AADSTS700016\)") as caught:
            opened(server, none_today)

        assert [] == server._open
    assert 11 == caught.value.exit_code


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mssql+pyodbc://app@host/db", "a user"),
        ("mssql+pyodbc://host/db?Authentication=ActiveDirectoryMsi", "Authentication"),
        ("mssql+pyodbc://host/db?Trusted_Connection=yes", "Trusted_Connection"),
        ("postgresql+psycopg://host/db", "for SQL Server and Azure SQL only"),
        ("sqlite:///batchd.db", "for SQL Server and Azure SQL only"),
    ],
)
def test_two_ways_to_log_in_are_refused(url: str, reason: str) -> None:
    """Nobody could tell which of them counts."""
    with pytest.raises(ConfigError, match=reason) as caught:
        open_database(url, token=lambda: "token")

    assert caught.value.next_command


def test_a_password_beside_tokens_is_refused() -> None:
    """It would be sent to nobody, and is probably not meant."""
    with pytest.raises(ConfigError, match="a password"):
        open_database("mssql+pyodbc://host/db", password="hunter2", token=lambda: "token")


@pytest.mark.skipif(not HAS_ODBC or FREETDS.file is None, reason=FREETDS.why_not or NO_ODBC)
def test_freetds_is_refused_with_the_driver_that_can() -> None:
    """It would leave the token out, and be refused by the server for no visible reason."""
    with pytest.raises(ConfigError, match="FreeTDS takes no tokens") as caught:
        open_database(f"mssql+pyodbc://host/db?driver={FREETDS.file}", token=lambda: "token")

    assert "ODBC Driver 18" in caught.value.next_command


@with_microsofts
def test_kerberos_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs nothing of batchd: the driver tries it, and is not let in here."""
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path}/none")
    with FakeTdsServer().serving() as server, pytest.raises(DatabaseError, match="Kerberos ticket"):
        open_database(
            f"mssql+pyodbc://127.0.0.1:{server.port}/app?driver={MICROSOFT.file}&Encrypt=no&Trusted_Connection=yes"
        )


@with_microsofts
def test_the_drivers_own_entra_id_is_passed_on() -> None:
    """The driver takes the settings together, and goes to the server, where nobody is here."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    more = "&Encrypt=no&Authentication=ActiveDirectoryMsi&UID=object-id"

    with pytest.raises(DatabaseError, match="no server answers"):
        open_database(f"mssql+pyodbc://127.0.0.1:{port}/app?driver={MICROSOFT.file}{more}")
