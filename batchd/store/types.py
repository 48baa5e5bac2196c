"""Column types that the ledger and the tasks' tables need beyond SQLAlchemy's own."""

import datetime as dt
from typing import Any

from sqlalchemy import DateTime, Dialect, String
from sqlalchemy.dialects import mssql, mysql, postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

_FORMAT = "%Y-%m-%d %H:%M:%S.%f"
_MILLISECONDS = 3


class Moment(TypeDecorator[dt.datetime]):
    """A time in UTC with milliseconds, aware in Python.

    SQLite keeps it as fixed-width text, ``YYYY-MM-DD HH:MM:SS.mmm``, so that text order is time order; the others
    have a type for it, of which only PostgreSQL's knows of time zones.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The database's own type."""
        kinds: dict[str, TypeEngine[Any]] = {
            "sqlite": String(23),
            "postgresql": postgresql.TIMESTAMP(timezone=True, precision=_MILLISECONDS),
            "mysql": mysql.DATETIME(fsp=_MILLISECONDS),
            "mariadb": mysql.DATETIME(fsp=_MILLISECONDS),
            "mssql": mssql.DATETIME2(_MILLISECONDS),  # type: ignore[no-untyped-call]
        }
        return dialect.type_descriptor(kinds[dialect.name])

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> Any:
        """Writes an aware time."""
        if value is None:
            return None
        utc = value.astimezone(dt.UTC)
        if dialect.name == "sqlite":
            return utc.strftime(_FORMAT)[:-3]
        return utc if dialect.name == "postgresql" else utc.replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> dt.datetime | None:
        """Reads it back, in UTC."""
        del dialect
        if value is None:
            return None
        # A person may have written it to the second, as CURRENT_TIMESTAMP does.
        read = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
        return read.astimezone(dt.UTC) if read.tzinfo else read.replace(tzinfo=dt.UTC)


class AsGiven(UserDefinedType[Any]):
    """A value passed on as it is: the column it meets says what it means, and no cast stands in between.

    No column is made of it.
    """

    cache_ok = True

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:
        """What is compared with such a column is passed on as it is, too."""
        del op, value
        return self
