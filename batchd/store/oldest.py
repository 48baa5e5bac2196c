"""Since when the oldest pending row of a task waits, by a column of its table. Reads all that is pending."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy import Connection

from batchd.core.model import Moment
from batchd.core.tasks import TaskDefinition
from batchd.store.dialects.base import LedgerDialect
from batchd.store.ledger import SqlLedger
from batchd.store.opening import Database
from batchd.store.reading import ask
from batchd.store.source import SourceTable


def oldest_pending(database: Database, definition: TaskDefinition, column: str) -> Moment | None:
    """The least value of ``column`` over the rows that could be claimed now, as a time in UTC.

    None where there is no such row, or where its value is no date and time. Raises ConfigError, DatabaseError.
    """

    def look(connection: Connection) -> Moment | None:
        ledger = SqlLedger(connection, database.dialect, actor="", is_dead=lambda _: False)
        task = ledger.tasks.find(definition.name)
        if task is None:
            return None
        least = _as_time(ledger.rows(task.id, definition).least_claimable(column))
        if least is None or least.tzinfo is not None:
            return least
        source = SourceTable(connection, database.dialect, definition.table, definition.table_schema)
        shift = _session_offset(connection, database.dialect) if source.column_named(column).zoned else dt.timedelta()
        return least - shift

    found = ask(database, look)
    return None if found is None else _utc(found)


def _as_time(value: object) -> dt.datetime | None:
    """What a driver gives for a time or a date, or what SQLite keeps as text."""
    if isinstance(value, str):
        try:
            return _utc(dt.datetime.fromisoformat(value.strip()))
        except ValueError:
            return None
    if isinstance(value, dt.datetime):
        return value
    return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC) if isinstance(value, dt.date) else None


def _session_offset(connection: Connection, dialect: LedgerDialect) -> dt.timedelta:
    """What a column that knows of time zones adds to UTC when its driver gives it without one."""
    shown, utc = connection.execute(sa.select(dialect.row_now(zoned=True), dialect.row_now(zoned=False))).one()
    # Zones differ by minutes; what is less is the time between the two.
    return dt.timedelta(minutes=round((shown - utc).total_seconds() / 60))


def _utc(value: dt.datetime) -> Moment:
    return value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)
