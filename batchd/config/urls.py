"""URLs in the config: no passwords in them, shown masked, SQLite files made absolute."""

import re
from pathlib import Path
from urllib.parse import unquote_plus

# As SQLAlchemy reads a URL: all from the first colon behind the user name to the @ is the password.
_PASSWORD = re.compile(r"^(?P<user>[\w+.-]+://[^:/]*):(?P<password>.+)@", re.DOTALL)
_SECRET_OPTION = re.compile(
    r"(?P<name>[?&;](?:[\w.-]*(?:password|passwd|pwd|passphrase|secret|token|api_?key)))=(?P<value>[^&;]+)",
    re.IGNORECASE,
)
_ODBC = re.compile(r"(?P<name>[?&]odbc_connect)=(?P<value>[^&]*)", re.IGNORECASE)
_SQLITE = re.compile(r"(?P<driver>sqlite(?:\+\w+)?):(?://(?P<place>[^?]*))?(?P<options>\?.*)?", re.DOTALL)


def mask_url(url: str) -> str:
    """The URL with ``***`` for every password in it, to be shown to people."""
    masked = _PASSWORD.sub(r"\g<user>:***@", url)
    masked = _ODBC.sub(_mask_odbc, masked)
    return _SECRET_OPTION.sub(r"\g<name>=***", masked)


def has_password(url: str) -> bool:
    """True when a password, or something like one, is written in the URL."""
    return mask_url(url) != url


def absolute_sqlite_url(url: str, folder: Path) -> str:
    """The URL with its SQLite file made absolute against ``folder``; other URLs as they are.

    Raises:
        ValueError: the URL names no file: a database in memory, or too few slashes.
    """
    written = _SQLITE.fullmatch(url)
    if written is None:
        return url
    path = _sqlite_path(written["place"] or "")
    absolute = f"{folder / path}"
    if "?" in absolute:
        raise ValueError("the path of a SQLite file may not contain a question mark")
    return f"{written['driver']}:///{absolute}{written['options'] or ''}"


def _sqlite_path(place: str) -> str:
    host, slash, path = place.partition("/")
    if host:
        raise ValueError('a SQLite URL has three slashes: "sqlite:///batchd.db" (four for an absolute path)')
    if not slash or path in {"", ":memory:"}:
        raise ValueError(
            "a SQLite database in memory is gone with its process, and with it the record of what was paid; "
            'name a file: "sqlite:///batchd.db"'
        )
    if path.startswith("file:"):
        raise ValueError('a SQLite database is named by a plain path: "sqlite:///batchd.db", not by a file: URI')
    return path


def _mask_odbc(option: re.Match[str]) -> str:
    """An ODBC connection string holds its own options, so all of it is masked if it has a password."""
    value = ";" + unquote_plus(option["value"])
    return f"{option['name']}=***" if re.search(r";\s*(pwd|password)\s*=\s*[^;\s]", value, re.IGNORECASE) else option[0]
