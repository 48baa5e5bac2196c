"""What differs between databases: one file each, one line each in this catalogue."""

import importlib

from sqlalchemy import URL

from batchd.errors import ConfigError
from batchd.store.dialects.base import LedgerDialect

# By SQLAlchemy's name: what it is called, and where its dialect is; a driver is imported only where it is used.
_DIALECTS: dict[str, tuple[str, str]] = {
    "sqlite": ("batchd.store.dialects.sqlite", "SqliteDialect"),
    "mssql": ("batchd.store.dialects.mssql", "MssqlDialect"),
    "postgresql": ("batchd.store.dialects.postgresql", "PostgresqlDialect"),
    "mysql": ("batchd.store.dialects.mysql", "MysqlDialect"),
    "mariadb": ("batchd.store.dialects.mysql", "MysqlDialect"),
}
# The one driver that batchd works with; what a URL may say; and where it comes from.
_DRIVERS: dict[str, tuple[str, str, str]] = {
    "sqlite": ("pysqlite", "sqlite3", ""),
    "mssql": ("pyodbc", "pyodbc", ""),
    "postgresql": ("psycopg", "psycopg", "pip install 'batchd[postgres]'"),
    "mysql": ("pymysql", "pymysql", "pip install 'batchd[mysql]'"),
    "mariadb": ("pymysql", "pymysql", "pip install 'batchd[mysql]'"),
}


def dialect_for(url: URL) -> LedgerDialect:
    """The dialect that serves a database URL. Raises ConfigError for a database or driver batchd does not know."""
    name = url.get_backend_name()
    if name not in _DIALECTS:
        raise ConfigError(
            f"database.url: batchd does not work with {name!r}; it works with: {', '.join(_DIALECTS)}",
            next_command="use such a URL, for example sqlite:///FILE.db",
        )
    _check_driver(url, name)
    module, kind = _DIALECTS[name]
    made: LedgerDialect = getattr(importlib.import_module(module), kind)()
    return made


def _check_driver(url: URL, name: str) -> None:
    driver, module, install = _DRIVERS[name]
    _, plus, named = url.drivername.partition("+")
    if plus and named != driver:
        raise ConfigError(
            f"database.url: batchd reaches {name} by {driver}, not by {named!r}",
            next_command=f"begin the URL with {name}+{driver}://",
        )
    if install:
        _check_installed(name, module, install)


def _check_installed(name: str, module: str, install: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"database.url: {name} needs the Python package {module}, which is not installed", next_command=install
        ) from error
