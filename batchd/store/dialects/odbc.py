"""SQL Server's URL as pyodbc and the installed driver need it."""

import importlib
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from batchd.errors import ConfigError

# The newest of Microsoft's comes first; FreeTDS serves where none of them is.
_KNOWN = ("ODBC Driver 18 for SQL Server", "ODBC Driver 17 for SQL Server", "FreeTDS")
_INSTALL = (
    "install Microsoft's ODBC Driver 18 for SQL Server (msodbcsql18), "
    "or FreeTDS (Debian, Ubuntu: apt-get install tdsodbc)"
)


def odbc_url(url: URL) -> URL:
    """The URL with a driver that is there, and what that driver needs. Raises ConfigError."""
    pyodbc = _pyodbc()
    # SQLAlchemy pools; a second pool beneath it would hand out sessions that were not reset.
    pyodbc.pooling = False
    named = _as_sqlalchemy_spells(url.set(drivername="mssql+pyodbc"))
    named = named.update_query_dict({"driver": _driver(url, pyodbc.drivers())})
    if not is_freetds(named):
        return named.update_query_dict({"LongAsMax": "yes"})
    # FreeTDS reads no port behind the host; the version it would agree on by itself knows no long texts.
    given = {name.lower() for name in named.query}
    needed = {"port": str(named.port or 1433), "tds_version": "7.4"}
    told = {name: value for name, value in needed.items() if name not in given}
    return named.update_query_dict(told)._replace(port=None)


def is_freetds(url: URL) -> bool:
    """FreeTDS, by its name or by its file's."""
    driver = str(url.query.get("driver", "")).lower()
    return "freetds" in driver or "tdsodbc" in driver


def _as_sqlalchemy_spells(url: URL) -> URL:
    """Where no user is given it asks for Windows' own, unless it sees another way to log in, in small letters."""
    way = "authentication"
    return url.set(query={way if name.lower() == way else name: value for name, value in url.query.items()})


def _driver(url: URL, installed: list[str]) -> str:
    wanted = url.query.get("driver")
    if wanted is None:
        return _first_known(installed)
    name = str(wanted)
    there = Path(name).is_file() if name.startswith("/") else name in installed
    if not there:
        listed = ", ".join(repr(one) for one in installed) or "none"
        raise ConfigError(
            f"database.url: there is no ODBC driver {name!r} on this machine; installed: {listed}",
            next_command=f"name one of them, as in ?driver={_KNOWN[0].replace(' ', '+')}; or {_INSTALL}",
        )
    return name


def _first_known(installed: list[str]) -> str:
    for name in _KNOWN:
        if name in installed:
            return name
    listed = ", ".join(repr(one) for one in installed) or "none"
    raise ConfigError(
        f"database.url: no ODBC driver for SQL Server is installed here; installed: {listed}",
        next_command=_INSTALL,
    )


def _pyodbc() -> Any:
    """Imported only here: its wheel leaves the system's unixODBC to the system."""
    try:
        return importlib.import_module("pyodbc")
    except ImportError as error:
        raise ConfigError(
            "database.url: SQL Server needs unixODBC, and this machine has no libodbc.so.2",
            next_command="install it (Debian, Ubuntu: apt-get install unixodbc; Fedora, RHEL: dnf install unixODBC)",
        ) from error
