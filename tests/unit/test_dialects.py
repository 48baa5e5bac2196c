"""Which databases batchd works with, by which drivers, and what it says where one is missing."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from sqlalchemy.connectors.pyodbc import PyODBCConnector

from batchd.errors import ConfigError
from batchd.store.dialects import dialect_for
from batchd.store.dialects.odbc import odbc_url

SQL_SERVER = "mssql+pyodbc://user@host/db"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:///x.db", "sqlite"),
        ("postgresql://h/d", "postgresql"),
        ("postgresql+psycopg://h/d", "postgresql"),
        ("mysql+pymysql://h/d", "mysql"),
        ("mariadb://h/d", "mysql"),
        ("mssql+pyodbc://h/d", "mssql"),
    ],
)
def test_a_database_has_a_dialect(url: str, name: str) -> None:
    """With its driver named or not."""
    assert name == dialect_for(sa.make_url(url)).name


def test_a_database_without_a_dialect_is_named() -> None:
    """The error says what there is, not only what there isn't."""
    with pytest.raises(ConfigError, match="'oracle'; it works with: sqlite, mssql, postgresql"):
        dialect_for(sa.make_url("oracle://h"))


def test_another_driver_is_refused_with_the_right_one() -> None:
    """What batchd promises was tried with one driver for each database."""
    with pytest.raises(ConfigError, match="by psycopg, not by 'psycopg2'") as error:
        dialect_for(sa.make_url("postgresql+psycopg2://h/d"))

    assert error.value.next_command == "begin the URL with postgresql+psycopg://"


def test_a_driver_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The drivers of the servers are extras of the package."""
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(ConfigError, match="needs the Python package psycopg") as error:
        dialect_for(sa.make_url("postgresql://h/d"))

    assert error.value.next_command == "pip install 'batchd[postgres]'"


def test_sql_server_without_unixodbc_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is installed, and cannot be imported without the system's library."""
    monkeypatch.setitem(sys.modules, "pyodbc", None)

    with pytest.raises(ConfigError, match=r"libodbc\.so\.2") as error:
        odbc_url(sa.make_url(SQL_SERVER))

    assert "apt-get install unixodbc" in error.value.next_command


def test_a_wrong_odbc_driver_lists_the_installed_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name must be spelled as it is registered."""
    installed(monkeypatch, "ODBC Driver 17 for SQL Server", "FreeTDS")

    with pytest.raises(ConfigError, match="installed: 'ODBC Driver 17 for SQL Server', 'FreeTDS'") as error:
        odbc_url(sa.make_url(SQL_SERVER + "?driver=ODBC+Driver+18+for+SQL+Server"))

    assert "?driver=" in error.value.next_command


def test_a_missing_file_of_a_driver_is_no_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A driver may be named by its file."""
    installed(monkeypatch)

    with pytest.raises(ConfigError, match="installed: none"):
        odbc_url(sa.make_url(SQL_SERVER).update_query_dict({"driver": str(tmp_path / "lib.so")}))


def test_the_newest_driver_serves_where_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Microsoft's before FreeTDS."""
    installed(monkeypatch, "FreeTDS", "ODBC Driver 17 for SQL Server", "ODBC Driver 18 for SQL Server")

    assert odbc_url(sa.make_url(SQL_SERVER)).query["driver"] == "ODBC Driver 18 for SQL Server"


def test_freetds_is_told_port_and_version_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads no port behind the host."""
    installed(monkeypatch, "FreeTDS")

    url = odbc_url(sa.make_url("mssql+pyodbc://user@host:1455/db"))

    assert (url.port, url.query["port"], url.query["tds_version"]) == (None, "1455", "7.4")


@pytest.mark.parametrize("setting", ["Authentication", "authentication", "AUTHENTICATION"])
def test_a_way_to_log_in_is_the_only_one(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    """Without a user, Windows' own login is asked for only where nothing else is; the driver refuses both at once."""
    installed(monkeypatch, "ODBC Driver 18 for SQL Server")
    url = odbc_url(sa.make_url(f"mssql+pyodbc://host/db?{setting}=ActiveDirectoryMsi"))

    ((told,), _) = PyODBCConnector().create_connect_args(url)

    assert "Authentication=ActiveDirectoryMsi" in told
    assert "Trusted_Connection" not in told


def test_without_a_user_windows_own_login_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else is said of how to log in."""
    installed(monkeypatch, "ODBC Driver 18 for SQL Server")

    ((told,), _) = PyODBCConnector().create_connect_args(odbc_url(sa.make_url("mssql+pyodbc://host/db")))

    assert "Trusted_Connection=Yes" in told


def installed(monkeypatch: pytest.MonkeyPatch, *drivers: str) -> None:
    monkeypatch.setitem(sys.modules, "pyodbc", SimpleNamespace(drivers=lambda: list(drivers), pooling=True))
