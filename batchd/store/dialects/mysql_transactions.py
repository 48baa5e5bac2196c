"""What a transaction of MariaDB and MySQL needs to be one: the table's engine, the binary log, temporary tables."""

import re
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from batchd.errors import ConfigError, DatabaseError
from batchd.store.dialects import mysql_errors as errors

_ENGINE = sa.text(
    "SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.ENGINE FROM INFORMATION_SCHEMA.TABLES t "
    "JOIN INFORMATION_SCHEMA.ENGINES e ON e.ENGINE = t.ENGINE AND COALESCE(e.TRANSACTIONS, 'NO') <> 'YES' "
    "WHERE t.TABLE_SCHEMA = COALESCE(:schema, DATABASE()) AND t.TABLE_NAME = :table"
)
_VIEW = sa.text(
    "SELECT VIEW_DEFINITION FROM INFORMATION_SCHEMA.VIEWS "
    "WHERE TABLE_SCHEMA = COALESCE(:schema, DATABASE()) AND TABLE_NAME = :table"
)
# The server writes every table of a view with its database in front.
_NAMED = re.compile(r"`((?:[^`]|``)+)`\.`((?:[^`]|``)+)`")


def check_engine(connection: Connection, table: str, schema: str | None) -> None:
    """Refuses a table, or a view of one, that a rollback leaves as it was written. Raises ConfigError.

    A row that stays written while its outcome is rolled back is asked, and paid for, again.
    """
    for database, name in [(schema, table), *_behind(connection, table, schema)]:
        found = connection.execute(_ENGINE, {"schema": database, "table": name}).first()
        if found is not None:
            raise ConfigError(
                f"table {name!r} is kept by the engine {found[2]}, which knows no transactions: what is rolled back "
                "there stays written",
                next_command=f"have a DBA run: ALTER TABLE {_quoted(found[0])}.{_quoted(found[1])} ENGINE=InnoDB;",
            )


def check_binary_log(connection: Connection) -> None:
    """Refuses a server that takes no write under READ COMMITTED. Raises DatabaseError."""
    is_kept, form = connection.execute(sa.text("SELECT @@log_bin, @@binlog_format")).one()
    if is_kept and form == "STATEMENT":
        raise DatabaseError(errors.BY_STATEMENT.reason, next_command=errors.BY_STATEMENT.next_command)


def check_staging(connection: Connection, stage: str) -> None:
    """Refuses a login that may make no temporary tables. Raises DatabaseError with the GRANT."""
    try:
        connection.exec_driver_sql(f"DROP TEMPORARY TABLE IF EXISTS {stage}")
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {stage} (k INT)")
    except DBAPIError as error:
        refusal = errors.refusal(error)
        if refusal is None or not refusal.lacks_right:
            raise
        database, login = connection.execute(sa.text("SELECT DATABASE(), CURRENT_USER()")).one()
        # In a right on a whole database, _ and % stand for any letters.
        pattern = re.sub(r"([\\_%])", r"\\\1", database)
        account = "@".join(_quoted(part) for part in login.rsplit("@", 1))
        raise DatabaseError(
            "the login may make no temporary tables, by way of which answers are written",
            next_command=f"have a DBA run: GRANT CREATE TEMPORARY TABLES ON {_quoted(pattern)}.* TO {account};",
        ) from error


def _behind(connection: Connection, table: str, schema: str | None) -> Iterator[tuple[str, str]]:
    """The tables that a view reads, and much else that is no table's name; nothing for a table."""
    definition = connection.scalar(_VIEW, {"schema": schema, "table": table})
    for database, name in set(_NAMED.findall(definition or "")):
        yield database.replace("``", "`"), name.replace("``", "`")


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
