"""What SQL Server's catalogue says of a table.

Columns are read from INFORMATION_SCHEMA: whoever has rights on columns only finds them there, named as CREATE TABLE
named them, on every server that speaks T-SQL; and it takes a tenth of the time of SQLAlchemy's way. Names are cast,
since not every server gives all of their letters by itself.
"""

from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import mssql
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.types import NullType, TypeEngine

_TABLES = """
SELECT CAST(TABLE_NAME AS NVARCHAR(128)) FROM INFORMATION_SCHEMA.TABLES
WHERE TABLE_SCHEMA = COALESCE(CAST(:owner AS NVARCHAR(128)), SCHEMA_NAME())
"""
_COLUMNS = """
SELECT CAST(COLUMN_NAME AS NVARCHAR(128)), DATA_TYPE, IS_NULLABLE, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION,
  NUMERIC_SCALE, COLLATION_NAME
FROM INFORMATION_SCHEMA.COLUMNS
WHERE TABLE_NAME = :name AND TABLE_SCHEMA = COALESCE(CAST(:owner AS NVARCHAR(128)), SCHEMA_NAME())
ORDER BY ORDINAL_POSITION
"""
# What the database does not fill itself. Of a table whose definition the login may not see, there is none.
_NEEDED = """
SELECT CAST(name AS NVARCHAR(128)) FROM sys.columns
WHERE object_id = OBJECT_ID(:place) AND is_nullable = 0 AND is_identity = 0 AND is_computed = 0
  AND default_object_id = 0 AND generated_always_type = 0
ORDER BY column_id
"""
# An index with a filter says nothing about the rows that it leaves out, a disabled one nothing at all.
_UNIQUE = """
SELECT i.index_id, i.is_primary_key, CAST(c.name AS NVARCHAR(128))
FROM sys.indexes AS i
JOIN sys.index_columns AS ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id
JOIN sys.columns AS c ON c.object_id = ic.object_id AND c.column_id = ic.column_id
WHERE i.object_id = OBJECT_ID(:place) AND i.is_unique = 1 AND i.has_filter = 0 AND i.is_disabled = 0
  AND ic.is_included_column = 0
ORDER BY i.is_primary_key DESC, i.index_id, ic.key_ordinal
"""
# The same without indexes, for who may see constraints only.
_CONSTRAINTS = """
SELECT c.CONSTRAINT_NAME, CASE WHEN c.CONSTRAINT_TYPE = N'PRIMARY KEY' THEN 1 ELSE 0 END,
  CAST(k.COLUMN_NAME AS NVARCHAR(128))
FROM INFORMATION_SCHEMA.TABLE_CONSTRAINTS AS c
JOIN INFORMATION_SCHEMA.KEY_COLUMN_USAGE AS k
  ON k.CONSTRAINT_NAME = c.CONSTRAINT_NAME AND k.TABLE_SCHEMA = c.TABLE_SCHEMA AND k.TABLE_NAME = c.TABLE_NAME
WHERE c.TABLE_NAME = :name AND c.TABLE_SCHEMA = COALESCE(CAST(:owner AS NVARCHAR(128)), SCHEMA_NAME())
  AND c.CONSTRAINT_TYPE IN (N'PRIMARY KEY', N'UNIQUE')
ORDER BY 2 DESC, c.CONSTRAINT_NAME, k.ORDINAL_POSITION
"""
_KINDS = mssql.dialect.ischema_names
_TEXTS = {"char", "varchar", "nchar", "nvarchar"}
_LONG_TEXTS = {"text", "ntext"}
_BYTES = {"binary", "varbinary"}
_DECIMALS = {"decimal", "numeric"}
# FreeTDS reads none of them; Microsoft's driver, or what stands between it and Python, no more than the first.
_UNREADABLE = {"sql_variant", "hierarchyid", "geography", "geometry"}


class Unreadable(NullType):
    """A type that batchd's drivers do not read; ``name`` is its own."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


def columns_of(connection: Connection, table: str, schema: str | None) -> dict[str, ReflectedColumn]:
    """The columns by name, in their order; those that the login may see. Empty for a table that is not there."""
    rows = connection.execute(_asking(_COLUMNS), _named(table, schema)).all()
    return {name: _column(name, nullable, _kind(kind, *sizes)) for name, kind, nullable, *sizes in rows}


def unique_keys(connection: Connection, table: str, schema: str | None) -> tuple[list[str], list[list[str]]]:
    """The columns of the primary key, none where there is none; and those of each unique index, its own included."""
    rows = connection.execute(_asking(_UNIQUE), _placed(connection, table, schema)).all()
    rows = rows or connection.execute(_asking(_CONSTRAINTS), _named(table, schema)).all()
    written = _as_written(columns_of(connection, table, schema))
    found: dict[Any, list[str]] = {}
    primary: list[str] = []
    for index, is_primary, column in rows:
        found.setdefault(index, []).append(written(column))
        primary = found[index] if is_primary else primary
    return primary, list(found.values())


def table_names(connection: Connection, schema: str | None) -> list[str]:
    """The tables and views of a schema."""
    return list(connection.scalars(_asking(_TABLES), {"owner": _text(schema)}))


def needed_columns(connection: Connection, table: str, schema: str | None) -> list[str]:
    """The columns that a new row must give: not NULL, and not filled by the database itself."""
    columns = columns_of(connection, table, schema)
    written = _as_written(columns)
    needed = map(written, connection.scalars(_asking(_NEEDED), _placed(connection, table, schema)))
    # ROWVERSION, which is called TIMESTAMP here, counts by itself.
    return [name for name in needed if name in columns and not isinstance(columns[name]["type"], mssql.TIMESTAMP)]


def _as_written(names: Iterable[str]) -> Callable[[str], str]:
    """A server that keeps names in small letters tells in one place only how they were written."""
    exact = list(names)
    by_small_letters = {name.lower(): name for name in exact}
    return lambda name: name if name in exact else by_small_letters.get(name.lower(), name)


def _named(table: str, schema: str | None) -> dict[str, str | None]:
    return {"name": str(table), "owner": _text(schema)}


def _placed(connection: Connection, table: str, schema: str | None) -> dict[str, str]:
    return {"place": connection.dialect.identifier_preparer.format_table(sa.table(table, schema=schema))}


def _text(schema: str | None) -> str | None:
    return None if schema is None else str(schema)


def _column(name: str, nullable: str, kind: TypeEngine[Any]) -> ReflectedColumn:
    return {"name": name, "type": kind, "nullable": nullable == "YES", "default": None}


def _kind(
    name: str, length: int | None, precision: int | None, scale: int | None, collation: str | None
) -> TypeEngine[Any]:
    if name in _UNREADABLE:
        return Unreadable(name)
    sizes: dict[str, Any] = {}
    if name in _TEXTS | _BYTES:
        sizes["length"] = length if length is not None and length > 0 else None
    if name in _TEXTS | _LONG_TEXTS:
        sizes["collation"] = collation
    if name in _DECIMALS:
        sizes |= {"precision": precision, "scale": scale}
    made: TypeEngine[Any] = _KINDS.get(name, NullType)(**sizes)
    return made


def _asking(sql: str) -> sa.TextClause:
    names = (name for name in ("place", "name", "owner") if f":{name}" in sql)
    # A name is not all of the letters that a VARCHAR has.
    return sa.text(sql).bindparams(*(sa.bindparam(name, type_=sa.Unicode()) for name in names))
