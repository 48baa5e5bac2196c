"""What differs between databases: one file each, one line each in this catalogue."""

import importlib

from sqlalchemy import URL

from batchd.errors import ConfigError
from batchd.store.dialects.base import LedgerDialect
from batchd.store.dialects.sqlite import SqliteDialect

_DIALECTS: dict[str, type[LedgerDialect]] = {"sqlite": SqliteDialect}


_COMING = {"mssql": "SQL Server", "postgresql": "PostgreSQL", "mysql": "MySQL", "mariadb": "MariaDB"}


def dialect_for(url: URL) -> LedgerDialect:
    """The dialect that serves a database URL. Raises ConfigError for a database batchd does not know."""
    name = url.get_backend_name()
    if name in _DIALECTS:
        return _DIALECTS[name]()
    if name == "mssql":
        _check_odbc()
    called = _COMING.get(name, repr(name))
    raise ConfigError(
        f"database.url: this version of batchd has no support for {called} yet; it works with: {', '.join(_DIALECTS)}",
        next_command="use sqlite:///FILE.db",
    )


def _check_odbc() -> None:
    """SQL Server is reached by pyodbc, whose wheel leaves the system's unixODBC to the system."""
    try:
        importlib.import_module("pyodbc")
    except ImportError as error:
        raise ConfigError(
            "database.url: SQL Server needs unixODBC, and this machine has no libodbc.so.2",
            next_command="install it (Debian, Ubuntu: apt-get install unixodbc; Fedora, RHEL: dnf install unixODBC)",
        ) from error
