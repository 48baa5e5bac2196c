"""PostgreSQL's dates and times that Python has no value for, read as the server writes them.

``infinity``, years before Christ or beyond 9999, and ``24:00:00`` are values like any other to the server. psycopg
fails on them, and with one such row the whole page of rows that it stands in could not be read.
"""

from typing import Any

from psycopg import DataError
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.types.datetime import (
    DateLoader,
    IntervalLoader,
    TimeLoader,
    TimestampLoader,
    TimestamptzLoader,
    TimetzLoader,
)


def read_all_times(connection: Any, _record: object) -> None:
    """Has a new connection read whatever it is sent; a listener for SQLAlchemy's "connect"."""
    for name, loader in _LOADERS.items():
        connection.adapters.register_loader(name, loader)


def _lenient(loader: type[Loader]) -> type[Loader]:
    class Lenient(loader):  # type: ignore[valid-type,misc]
        """What the loader cannot make a value of stays text."""

        def load(self, data: Buffer) -> Any:
            try:
                return super().load(data)
            except DataError:
                return bytes(data).decode()

    return Lenient


_LOADERS: dict[str, type[Loader]] = {
    "date": _lenient(DateLoader),
    "interval": _lenient(IntervalLoader),
    "time": _lenient(TimeLoader),
    "timestamp": _lenient(TimestampLoader),
    "timestamptz": _lenient(TimestamptzLoader),
    "timetz": _lenient(TimetzLoader),
}
