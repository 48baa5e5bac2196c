"""Opens the database of a config."""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import URL, Engine
from sqlalchemy.exc import ArgumentError

from batchd.errors import ConfigError
from batchd.stop import Stop
from batchd.store import installation, migrate
from batchd.store.asking import asked
from batchd.store.dialects import dialect_for
from batchd.store.dialects.base import LedgerDialect
from batchd.store.dialects.mssql_entra import check_url, log_in_by_tokens
from batchd.store.engine import SqlStore
from batchd.store.own_words import in_own_words
from batchd.store.tables import LEDGER


@dataclass(frozen=True, slots=True)
class Database:
    """An opened database: its engine translates the ledger's symbolic schema to the configured one."""

    url: URL
    dialect: LedgerDialect
    engine: Engine

    def store(self, *, actor: str, is_dead: Callable[[str], bool], stop: Stop | None = None) -> SqlStore:
        """The ledger, once its version and its place are right. Raises LedgerVersionError, DatabaseError."""
        with in_own_words(self.dialect, "the ledger could not be read"):
            migrate.check_version(self.engine, self.dialect, self.url)
            installation.check_binding(self.engine, self.dialect, self.url)
        return SqlStore(self.engine, self.dialect, actor=actor, is_dead=is_dead, stop=stop)


def open_database(
    url_text: str,
    *,
    password: str | None = None,
    ledger_schema: str | None = None,
    create: bool = False,
    token: Callable[[], str] | None = None,
) -> Database:
    """Connects to a database. Raises ConfigError, DatabaseError.

    Args:
        url_text: as SQLAlchemy writes it.
        password: the login's, where the URL does not hold it.
        ledger_schema: where the ledger is, if not where it is by itself.
        create: makes a missing SQLite file.
        token: gives a token of Entra ID, by which each connection logs in to SQL Server; raises NoTokenError.
    """
    url = _parsed(url_text)
    if password is not None:
        url = url.set(password=password)
    if token is not None:
        check_url(url)
    dialect = dialect_for(url)
    if ledger_schema is not None and not dialect.has_schemas:
        raise ConfigError(
            f"database.ledger_schema = {ledger_schema!r}: {dialect.name} has no schemas",
            next_command="take ledger_schema out of [database]",
        )
    engine = dialect.create_engine(url, create=create)
    if token is not None:
        log_in_by_tokens(engine, token)
    engine = engine.execution_options(schema_translate_map={LEDGER: ledger_schema or dialect.default_schema})
    _check_reachable(engine, dialect, url)
    return Database(url, dialect, engine)


def dialect_of(url_text: str) -> LedgerDialect:
    """The dialect that a URL asks for, without connecting. Raises ConfigError."""
    return dialect_for(_parsed(url_text))


def _parsed(url_text: str) -> URL:
    try:
        return sa.make_url(url_text)
    except ArgumentError as error:
        raise ConfigError(
            "database.url is not a database URL", next_command="write it like sqlite:///batchd.db"
        ) from error


def _check_reachable(engine: Engine, dialect: LedgerDialect, url: URL) -> None:
    what = f"cannot open the database {url.render_as_string(hide_password=True)}"
    try:
        with in_own_words(dialect, what, otherwise="check database.url"):
            asked(engine, dialect, lambda connection: connection.exec_driver_sql("SELECT 1").scalar())
    except BaseException:
        engine.dispose()
        raise
