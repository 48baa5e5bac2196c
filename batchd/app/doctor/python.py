"""Python, the packages that do the work, the database's driver, and time zones."""

import importlib.metadata
import platform
import sys
import zoneinfo
from collections.abc import Iterator

from batchd.app.remarks import Remark
from batchd.config import Config
from batchd.store.opening import dialect_of

_SUBJECT = "python"
_OLDEST = (3, 11)
_ALWAYS = ("SQLAlchemy", "openai")
_DRIVERS = {"postgresql": "psycopg", "mysql": "PyMySQL", "mssql": "pyodbc"}
_A_ZONE = "Europe/Berlin"


def look_at_python(config: Config | None) -> Iterator[Remark]:
    """Versions, for whoever asks for help; what is too old or missing."""
    version = platform.python_version()
    if sys.version_info < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        yield Remark("problem", _SUBJECT, f"Python {version}; batchd needs {oldest} or newer", "install it anew", 1)
    else:
        yield Remark("ok", _SUBJECT, ", ".join([f"Python {version}", *_versions(config)]))
    yield _zones()


def _versions(config: Config | None) -> Iterator[str]:
    names = [*_ALWAYS]
    if config is not None:
        name = dialect_of(config.database_url()).name
        names += [_DRIVERS[name]] if name in _DRIVERS else []
    for name in ("batchd", *names):
        try:
            yield f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            yield f"{name} not installed as a package"


def _zones() -> Remark:
    try:
        zoneinfo.ZoneInfo(_A_ZONE)
    except zoneinfo.ZoneInfoNotFoundError:
        remedy = "install the system's tzdata, or: pip install tzdata"
        return Remark("warning", _SUBJECT, "no time zone data: only UTC is known in schedules", remedy)
    return Remark("ok", _SUBJECT, "time zone data is there")
