"""A clock that only the test moves, and SQLite reading its time from it."""

import datetime as dt
import sqlite3
from typing import Any

import sqlalchemy as sa
from sqlalchemy import URL, ColumnElement, Engine, event

from batchd.store.dialects.sqlite import SqliteDialect

_FORMAT = "%Y-%m-%d %H:%M:%f"


class Clock:
    """The time at the database and at the vendor."""

    def __init__(self) -> None:
        self.at = dt.datetime(2027, 3, 1, 9, tzinfo=dt.UTC)

    def forward(self, seconds: float) -> None:
        """Moves on."""
        self.at += dt.timedelta(seconds=seconds)

    def unix(self) -> int:
        """Whole seconds, as vendors tell the time."""
        return int(self.at.timestamp())

    def now(self) -> str:
        """The time, as the ledger keeps it."""
        return self.text()

    def text(self, ahead: float = 0.0) -> str:
        """As the ledger keeps times, so many seconds ahead."""
        return (self.at + dt.timedelta(seconds=ahead)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


class ClockedSqlite(SqliteDialect):
    """SQLite by the test's clock; nothing is flushed to a disk, since no power is cut here."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def create_engine(self, url: URL, *, create: bool = False) -> Engine:
        engine = super().create_engine(url, create=create)
        event.listen(engine, "connect", lambda connection, _: furnish(connection, self._clock, "batchd"))
        return engine

    def binding(self, url: URL) -> str:
        # Each example works on a copy of one template.
        del url
        return "machine"

    def now(self) -> ColumnElement[Any]:
        return sa.func.machine_now()

    def now_plus(self, seconds: float | ColumnElement[Any]) -> ColumnElement[Any]:
        return sa.func.strftime(_FORMAT, sa.func.machine_now(), sa.func.printf("%+.3f seconds", seconds))

    def row_now(self, *, zoned: bool) -> ColumnElement[Any]:
        del zoned
        return sa.func.strftime("%Y-%m-%d %H:%M:%S", sa.func.machine_now())


def furnish(connection: sqlite3.Connection, clock: Clock, writer: str) -> None:
    """Gives a connection the clock, and the name its writes are told by."""
    connection.create_function("machine_now", 0, clock.now)
    connection.create_function("machine_writer", 0, lambda: writer)
    connection.execute("PRAGMA synchronous = OFF")
