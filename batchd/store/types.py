"""Column types that the ledger needs beyond SQLAlchemy's own."""

import datetime as dt

from sqlalchemy import Dialect, String
from sqlalchemy.types import TypeDecorator

_FORMAT = "%Y-%m-%d %H:%M:%S.%f"


class Moment(TypeDecorator[dt.datetime]):
    """A time in UTC with milliseconds, aware in Python.

    SQLite keeps it as fixed-width text, ``YYYY-MM-DD HH:MM:SS.mmm``, so that text order is time order.
    """

    impl = String(23)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> str | None:
        """Writes an aware time as text."""
        del dialect
        if value is None:
            return None
        return value.astimezone(dt.UTC).strftime(_FORMAT)[:-3]

    def process_result_value(self, value: str | None, dialect: Dialect) -> dt.datetime | None:
        """Reads the text back as an aware time."""
        del dialect
        if value is None:
            return None
        return dt.datetime.strptime(value, _FORMAT).replace(tzinfo=dt.UTC)
