"""``batchd db upgrade``: runs the numbered SQL under ``sql/`` that the ledger has not seen yet.

Only the installer needs the right to create tables; a running batchd never does, and refuses to start on a
ledger of a version it does not know.
"""

import sqlite3
import uuid

import sqlalchemy as sa
from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from batchd import failpoints
from batchd.errors import DatabaseError, LedgerVersionError
from batchd.store import tables
from batchd.store.asking import asked
from batchd.store.dialects.base import LedgerDialect, Refusal
from batchd.store.scripts import added_column
from batchd.store.sql_folder import Script, scripts_for


def scripts(dialect: LedgerDialect) -> list[Script]:
    """This database's scripts, in order."""
    return scripts_for(dialect.name)


def ledger_version(dialect: LedgerDialect) -> int:
    """The version this program writes: the number of its last script."""
    return scripts(dialect)[-1].number


def installed_version(connection: Connection) -> int | None:
    """The ledger's version, None where there is no ledger."""
    if not sa.inspect(connection).has_table(tables.installation.name, schema=schema_of(connection)):
        return None
    found = connection.scalar(sa.select(tables.installation.c.ledger_version))
    return None if found is None else int(found)


def check_version(engine: Engine, dialect: LedgerDialect, url: URL) -> None:
    """Refuses a ledger that is missing, older or newer. Raises LedgerVersionError."""
    found, schema = asked(engine, dialect, lambda connection: (installed_version(connection), schema_of(connection)))
    wanted, place = ledger_version(dialect), dialect.binding(url)
    if found is None:
        raise LedgerVersionError(
            f"the database {place} has no batchd ledger yet"
            + (f" in schema {schema} that the login may see" if schema else ""),
            next_command="batchd db upgrade (or --sql to read it first)",
        )
    if found < wanted:
        raise LedgerVersionError(
            f"the ledger in {place} is version {found}, this batchd needs {wanted}", next_command="batchd db upgrade"
        )
    if found > wanted:
        raise _newer(found, wanted, place)


def _newer(found: int, wanted: int, place: str) -> LedgerVersionError:
    return LedgerVersionError(
        f"the ledger in {place} is version {found}, newer than this batchd, which knows {wanted}",
        next_command="install the batchd that wrote it, or a later one",
    )


def upgrade(engine: Engine, dialect: LedgerDialect, url: URL) -> list[str]:
    """Brings the ledger up to date; returns the names of the scripts that ran. Safe to run again."""
    try:
        dialect.prepare(engine)
        with engine.connect() as connection:
            found = installed_version(connection) or 0
        if found > ledger_version(dialect):
            raise _newer(found, ledger_version(dialect), dialect.binding(url))
        pending = [script for script in scripts(dialect) if script.number > found]
        for script in pending:
            _run(engine, dialect, url, script)
    except (SQLAlchemyError, sqlite3.Error) as error:
        refusal = dialect.refusal(error)
        because = f": {refusal.reason}" if refusal else ""
        raise DatabaseError(
            f"the ledger could not be brought up to date ({dialect.code(error)}){because}; it is as it was",
            next_command=_after(refusal, dialect),
        ) from error
    return [script.name for script in pending]


def _after(refusal: Refusal | None, dialect: LedgerDialect) -> str:
    if refusal is None:
        return "see what else uses the database and whether you may create tables, then: batchd db upgrade"
    if refusal.lacks_right:
        return (
            f"let a login install it that may make tables (sql/{dialect.name}/roles_installer.sql grants that), or "
            "have a DBA run what batchd db upgrade --sql prints"
        )
    return refusal.next_command


def _run(engine: Engine, dialect: LedgerDialect, url: URL, script: Script) -> None:
    # The script and the version it brings commit together, so a kill in between leaves the old version whole.
    with engine.begin() as connection:
        # What a script SETs lasts as long as its session, which is therefore nobody else's.
        connection.detach()
        for statement in dialect.statements(script.text, schema_of(connection)):
            if _is_done(connection, statement):
                continue
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
        changed = connection.execute(sa.update(tables.installation).values(ledger_version=script.number))
        if changed.rowcount == 0:
            connection.execute(
                sa.insert(tables.installation).values(
                    id=1,
                    installation_id=uuid.uuid4().hex,
                    bound_to=dialect.binding(url),
                    ledger_version=script.number,
                    created_at=dialect.now(),
                )
            )
        failpoints.before("migrate.script")
    failpoints.after("migrate.script")


def _is_done(connection: Connection, statement: str) -> bool:
    added = added_column(statement)
    if added is None:
        return False
    table, column = added
    return column in {one["name"] for one in sa.inspect(connection).get_columns(table)}


def schema_of(connection: Connection) -> str | None:
    """Where the ledger is, as the engine was told when it was opened."""
    translated = connection.get_execution_options().get("schema_translate_map", {})
    found: str | None = translated.get(tables.LEDGER)
    return found
