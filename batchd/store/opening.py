"""Opens the database of a config."""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import URL, Engine
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from batchd.errors import ConfigError, DatabaseError
from batchd.store import installation, migrate
from batchd.store.dialects import dialect_for
from batchd.store.dialects.base import LedgerDialect
from batchd.store.engine import SqlStore
from batchd.store.tables import LEDGER


@dataclass(frozen=True, slots=True)
class Database:
    """An opened database: its engine translates the ledger's symbolic schema to the configured one."""

    url: URL
    dialect: LedgerDialect
    engine: Engine

    def store(self, *, actor: str, is_dead: Callable[[str], bool]) -> SqlStore:
        """The ledger, once its version and its place are right. Raises LedgerVersionError, DatabaseError."""
        migrate.check_version(self.engine, self.dialect)
        installation.check_binding(self.engine, self.dialect, self.url)
        return SqlStore(self.engine, self.dialect, actor=actor, is_dead=is_dead)


def open_database(
    url_text: str, *, password: str | None = None, ledger_schema: str | None = None, create: bool = False
) -> Database:
    """Connects to a database; ``create`` makes a missing SQLite file. Raises ConfigError, DatabaseError."""
    url = _parsed(url_text)
    if password is not None:
        url = url.set(password=password)
    dialect = dialect_for(url)
    if ledger_schema is not None and not dialect.has_schemas:
        raise ConfigError(
            f"database.ledger_schema = {ledger_schema!r}: {dialect.name} has no schemas",
            next_command="take ledger_schema out of [database]",
        )
    engine = dialect.create_engine(url, create=create)
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
    try:
        with engine.connect() as connection, dialect.reading(connection).begin():
            connection.exec_driver_sql("SELECT 1")
    except SQLAlchemyError as error:
        shown = url.render_as_string(hide_password=True)
        raise refused(dialect, error, f"cannot open the database {shown}", otherwise="check database.url") from error


def refused(
    dialect: LedgerDialect, error: Exception, what: str, *, otherwise: str = "batchd check-config"
) -> DatabaseError:
    """An error of the database in our own words: what failed, why where we know it, what to do."""
    refusal, code = dialect.refusal(error), dialect.code(error)
    if refusal is None:
        return DatabaseError(f"{what} ({code})", next_command=otherwise)
    return DatabaseError(f"{what}: {refusal.reason} ({code})", next_command=refusal.next_command)
