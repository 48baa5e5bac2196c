"""Which databases batchd works with, and what it says of the others."""

import sys
from types import ModuleType

import pytest
import sqlalchemy as sa

from batchd.errors import ConfigError
from batchd.store.dialects import dialect_for

SQL_SERVER = "mssql+pyodbc://user@host/db?driver=ODBC+Driver+18+for+SQL+Server"


def test_sqlite_has_a_dialect() -> None:
    """The embedded default."""
    assert "sqlite" == dialect_for(sa.make_url("sqlite:///x.db")).name


@pytest.mark.parametrize(
    ("url", "name"),
    [("postgresql+psycopg://h/d", "PostgreSQL"), ("mysql+pymysql://h/d", "MySQL"), ("oracle://h", "oracle")],
)
def test_a_database_without_a_dialect_is_named(url: str, name: str) -> None:
    """The error says what there is, not only what there isn't."""
    with pytest.raises(ConfigError, match=f"no support for '?{name}'? yet; it works with: sqlite"):
        dialect_for(sa.make_url(url))


def test_sql_server_without_unixodbc_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver is installed, and cannot be imported without the system's library."""
    monkeypatch.setitem(sys.modules, "pyodbc", None)

    with pytest.raises(ConfigError, match=r"libodbc\.so\.2") as error:
        dialect_for(sa.make_url(SQL_SERVER))

    assert "apt-get install unixodbc" in error.value.next_command


def test_sql_server_with_unixodbc_is_not_promised_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing half done: this version does not work with it."""
    monkeypatch.setitem(sys.modules, "pyodbc", ModuleType("pyodbc"))

    with pytest.raises(ConfigError, match="no support for SQL Server yet"):
        dialect_for(sa.make_url(SQL_SERVER))
