"""Column types that the ledger needs beyond SQLAlchemy's own."""

import datetime

from sqlalchemy import Dialect, String
from sqlalchemy.types import TypeDecorator

_FORMAT = "%Y-%m-%d %H:%M:%S.%f"


class Moment(TypeDecorator[datetime.datetime]):
    """A time in UTC with milliseconds, aware in Python.

    SQLite keeps it as fixed-width text, ``YYYY-MM-DD HH:MM:SS.mmm``, so that text order is time order.
    """

    impl = String(23)
    cache_ok = True

    def process_bind_param(self, value: datetime.datetime | None, dialect: Dialect) -> str | None:
        """Writes an aware time as text."""
        del dialect
        if value is None:
            return None
        return value.astimezone(datetime.UTC).strftime(_FORMAT)[:-3]

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime.datetime | None:
        """Reads the text back as an aware time."""
        del dialect
        if value is None:
            return None
        return datetime.datetime.strptime(value, _FORMAT).replace(tzinfo=datetime.UTC)
