"""Keys sent as their column has them: rows are found, the column's index serves, and the server needs few plans."""

import re
from typing import Any

import sqlalchemy as sa
from sqlalchemy import BindParameter, ColumnElement, Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

from batchd.core.decimals import decimal_text
from batchd.core.tasks import KeyColumn
from batchd.store.types import AsGiven

_DECLARED = re.compile(r"(N?)(?:VAR)?CHAR\((\d+)\)", re.IGNORECASE)


def key_type(column: KeyColumn) -> TypeEngine[Any]:
    """The type by which a key column is compared."""
    if column.kind == "decimal":
        return _DecimalText(column.sql_type)
    if column.kind == "date":
        return _IsoDate(column.sql_type)
    if column.kind == "binary":
        return _HexText(column.sql_type)
    declared = _DECLARED.fullmatch(column.sql_type)
    if declared is None:
        return AsGiven()
    national, length = declared.groups()
    return sa.Unicode(int(length)) if national else _CodePageText(column.sql_type, column.collation)


class _Declared(UserDefinedType[Any]):
    """A type in the server's own words."""

    cache_ok = True

    def __init__(self, words: str) -> None:
        self.words = words

    def get_col_spec(self, **_: object) -> str:
        """The words."""
        return self.words


class _CodePageText(TypeDecorator[str]):
    """VARCHAR or CHAR, sent as Unicode and converted by the server.

    The driver would send text in the client's code page, and CAST would take the database's: letters that only the
    column's own collation has would be question marks. So the collation stands within the CAST.
    """

    impl = sa.Unicode
    cache_ok = True

    def __init__(self, declared: str, collation: str) -> None:
        super().__init__()
        self.declared = declared
        self.collation = collation

    def bind_expression(self, bindparam: BindParameter[str]) -> ColumnElement[Any]:
        """The parameter, in the column's code page and of its type."""
        there = sa.collate(bindparam, self.collation) if self.collation else bindparam
        return sa.cast(there, _Declared(self.declared))


class _AsText(TypeDecorator[Any]):
    """A value sent as text, of which the statement makes one of the column's type.

    The driver would send each decimal as one of its own precision, and a server that brings several under one type
    loses some of them.
    """

    impl = sa.Unicode
    cache_ok = True

    def __init__(self, declared: str) -> None:
        super().__init__()
        self.declared = declared

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """What the driver reads."""
        del dialect
        return value


class _DecimalText(_AsText):
    """DECIMAL and NUMERIC by their digits."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Every digit, and no exponent."""
        del dialect
        return None if value is None else decimal_text(value)

    def bind_expression(self, bindparam: BindParameter[Any]) -> ColumnElement[Any]:
        """The number."""
        return sa.cast(bindparam, _Declared(self.declared))


class _HexText(_AsText):
    """BINARY and VARBINARY by hex digits."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Two digits for each byte."""
        del dialect
        return None if value is None else bytes(value).hex()

    def bind_expression(self, bindparam: BindParameter[Any]) -> ColumnElement[Any]:
        """The bytes; style 2 is without 0x."""
        return sa.func.convert(sa.literal_column(self.declared), bindparam, sa.literal_column("2"))


class _IsoDate(_AsText):
    """DATE as every login's language reads it. FreeTDS makes the next day of dates before 1753: another row's key."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Year, month, day."""
        del dialect
        return None if value is None else str(value)

    def bind_expression(self, bindparam: BindParameter[Any]) -> ColumnElement[Any]:
        """The date."""
        return sa.cast(bindparam, _Declared(self.declared))
