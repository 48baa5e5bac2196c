"""What differs between databases: one file each, one line each in this catalogue."""

from sqlalchemy import URL

from batchd.errors import ConfigError
from batchd.store.dialects.base import LedgerDialect
from batchd.store.dialects.sqlite import SqliteDialect

_DIALECTS: dict[str, type[LedgerDialect]] = {"sqlite": SqliteDialect}


def dialect_for(url: URL) -> LedgerDialect:
    """The dialect that serves a database URL. Raises ConfigError for a database batchd does not know."""
    name = url.get_backend_name()
    if name not in _DIALECTS:
        known = ", ".join(sorted(_DIALECTS))
        raise ConfigError(
            f"database.url: this version of batchd has no support for {name!r} yet; it works with: {known}",
            next_command="use sqlite:///FILE.db",
        )
    return _DIALECTS[name]()
