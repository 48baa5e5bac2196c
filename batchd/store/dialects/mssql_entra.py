"""A login to SQL Server by tokens of Entra ID, in place of user and password."""

import struct
from collections.abc import Callable
from typing import Any

from sqlalchemy import URL, Engine, event

from batchd.entra import NoTokenError
from batchd.errors import ConfigError, DatabaseBusyError, DatabaseError
from batchd.store.dialects.odbc import is_freetds

# SQL_COPT_SS_ACCESS_TOKEN of Microsoft's driver: the token's bytes in UTF-16, their count in front.
_ACCESS_TOKEN = 1256
# SQLAlchemy asks for Kerberos where a URL names nobody; the driver takes only one of both.
_KERBEROS = ";Trusted_Connection=Yes"
_OTHER_WAYS = ("authentication", "trusted_connection", "uid", "pwd")


def check_url(url: URL) -> None:
    """Refuses a URL that says who logs in, and one that tokens are of no use to. Raises ConfigError."""
    if url.get_backend_name() != "mssql":
        raise ConfigError(
            "entra is for SQL Server and Azure SQL only",
            next_command="take entra out of [database]; say user and password",
        )
    others = [name for name in url.query if name.lower() in _OTHER_WAYS]
    named = ["a user"] * bool(url.username) + ["a password"] * bool(url.password) + others
    if named:
        raise ConfigError(
            f"entra logs in by a token, but the URL or [database] has {', '.join(named)} too",
            next_command="keep one way to log in: take that out, or take entra out",
        )


def log_in_by_tokens(engine: Engine, token: Callable[[], str]) -> None:
    """Has each new connection log in by a token, a new one where the last is about to expire. Raises ConfigError."""
    if is_freetds(engine.url):
        raise ConfigError(
            "FreeTDS takes no tokens of Entra ID",
            next_command="install Microsoft's ODBC Driver 18 for SQL Server, and name it in database.url",
        )

    def with_token(_dialect: object, _record: object, arguments: list[str], more: dict[str, Any]) -> None:
        arguments[0] = arguments[0].replace(_KERBEROS, "")
        more["attrs_before"] = {_ACCESS_TOKEN: _packed(_given(token))}

    event.listen(engine, "do_connect", with_token)


def _given(token: Callable[[], str]) -> str:
    try:
        return token()
    except NoTokenError as error:
        if error.is_away:
            raise DatabaseBusyError(
                f"{error.sentence}; the database was not asked",
                next_command="check the network, proxy and certificates",
            ) from None
        raise DatabaseError(
            f"{error.sentence} for the database", next_command="check entra of [database], then run the command again"
        ) from None


def _packed(token: str) -> bytes:
    text = token.encode("utf-16-le")
    return struct.pack(f"<I{len(text)}s", len(text), text)
