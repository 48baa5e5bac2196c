"""A server's columns as SQLAlchemy reflects them, in batchd's own words."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, types
from sqlalchemy.dialects import mssql, mysql
from sqlalchemy.dialects.postgresql import CITEXT, DOMAIN
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.exc import SAWarning
from sqlalchemy.types import TypeEngine

from batchd.core.schema import ColumnInfo
from batchd.core.tasks import ColumnKind, KeyColumn, KeyKind
from batchd.errors import ConfigError
from batchd.store.dialects.equality import equality_of

_BLOBS = (mysql.TINYBLOB, mysql.MEDIUMBLOB, mysql.LONGBLOB)
# In this order: a kind of its own before the wider one that it is derived from.
_KINDS: tuple[tuple[tuple[type[TypeEngine[Any]], ...], ColumnKind], ...] = (
    ((mssql.TIMESTAMP, types.LargeBinary, types.BINARY, types.VARBINARY, *_BLOBS), "binary"),
    ((types.Boolean, mssql.BIT), "boolean"),
    ((types.Uuid, mssql.UNIQUEIDENTIFIER), "guid"),
    ((types.JSON,), "json"),
    ((types.Date,), "date"),
    ((types.DateTime, mssql.DATETIMEOFFSET), "time"),
    ((types.Time,), "clock"),
    ((types.Integer, mysql.YEAR, mysql.BIT), "integer"),
    ((types.Numeric, types.Float, mssql.MONEY, mssql.SMALLMONEY), "number"),
    ((types.String, CITEXT, mssql.XML), "text"),
)
_KEY_KINDS: Mapping[ColumnKind, KeyKind] = {
    "integer": "integer",
    "text": "text",
    "guid": "guid",
    "binary": "binary",
    "date": "date",
}
# MySQL orders the first two by number and compares them by word, and gives bits as bytes.
_INEXACT = mysql.ENUM | mysql.SET | mysql.BIT


def reflected_columns(connection: Connection, table: str, schema: str | None) -> dict[str, ReflectedColumn]:
    """The columns as the server describes them, by name."""
    # A type that SQLAlchemy has no name for says so to everybody; for batchd it holds anything.
    with warnings.catch_warnings(action="ignore", category=SAWarning):
        return {column["name"]: column for column in sa.inspect(connection).get_columns(table, schema)}


def table_names(connection: Connection, schema: str | None, *, has_schemas: bool) -> list[str]:
    """The tables and views of a schema; none of a schema that is not there."""
    inspector = sa.inspect(connection)
    if schema and has_schemas:
        # MySQL fails on one, where the others have nothing to tell of it.
        there = {name.casefold() for name in inspector.get_schema_names()}
        if schema.casefold() not in there:
            return []
    return [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]


def needed_columns(connection: Connection, table: str, schema: str | None) -> list[str]:
    """The columns that a new row must give: not NULL, and not filled by the database itself."""
    columns = reflected_columns(connection, table, schema)
    return [name for name, column in columns.items() if _is_needed(column)]


def column_info(column: ReflectedColumn) -> ColumnInfo:
    """Kind, length in characters and nullability."""
    kind = _base(column["type"])
    return ColumnInfo(
        kind=kind_of(kind),
        max_length=_length(kind),
        nullable=column["nullable"],
        zoned=isinstance(kind, mysql.TIMESTAMP | mssql.DATETIMEOFFSET) or bool(getattr(kind, "timezone", False)),
    )


def key_column(connection: Connection, table: str, schema: str | None, column: ReflectedColumn) -> KeyColumn:
    """One column of a key. Raises ConfigError for a type no key can be of."""
    name, base = column["name"], _base(column["type"])
    kind = _key_kind(base)
    if kind is None:
        raise ConfigError(
            f"column {name!r} of table {table!r} is {_shown(column['type'])}; a key must be whole numbers, decimals, "
            "text, bytes, dates or GUIDs, since other types do not compare exactly",
            next_command="name another unique column in key = [...]",
        )
    # The words of an enum are what they are, and no other letter may even be asked about.
    folds = kind == "text" and not isinstance(base, types.Enum)
    equality = equality_of(connection, table, schema, name) if folds else "exact"
    return KeyColumn(name=name, kind=kind, equality=equality)


def key_columns(connection: Connection, table: str, schema: str | None, names: Sequence[str]) -> list[KeyColumn]:
    """The columns of a key, in key order. Raises ConfigError for a type no key can be of."""
    columns = reflected_columns(connection, table, schema)
    return [key_column(connection, table, schema, columns[name]) for name in names]


def primary_key(connection: Connection, table: str, schema: str | None) -> list[str]:
    """The columns of the primary key; none where there is none."""
    inspector = sa.inspect(connection)
    if table not in inspector.get_table_names(schema):
        return []
    with warnings.catch_warnings(action="ignore", category=SAWarning):
        # It tells of every type that it has no name for.
        return list(inspector.get_pk_constraint(table, schema)["constrained_columns"])


def unique_keys(connection: Connection, table: str, schema: str | None) -> list[list[str]]:
    """The columns of each key that holds for all rows; a partial index, or one over an expression, does not."""
    inspector = sa.inspect(connection)
    if table not in inspector.get_table_names(schema):
        return []
    with warnings.catch_warnings(action="ignore", category=SAWarning):
        # It tells of every index over an expression that it leaves out.
        indexes = [one for one in inspector.get_indexes(table, schema) if one["unique"] and not _is_partial(one)]
        constraints = inspector.get_unique_constraints(table, schema)
    found = [primary_key(connection, table, schema)]
    found += [[str(name) for name in one["column_names"]] for one in indexes if None not in one["column_names"]]
    found += [list(one["column_names"]) for one in constraints]
    return [columns for columns in found if columns]


def _is_partial(index: Any) -> bool:
    return any(name.endswith("_where") for name in index.get("dialect_options", {}))


def kind_of(kind: TypeEngine[Any]) -> ColumnKind:
    """What a column of this type holds."""
    for classes, name in _KINDS:
        if isinstance(kind, classes):
            return name
    return "any"


def _is_needed(column: ReflectedColumn) -> bool:
    fills_itself = column.get("computed") or column.get("identity") or column.get("autoincrement") is True
    return not (column["nullable"] or column["default"] is not None or fills_itself)


def _key_kind(kind: TypeEngine[Any]) -> KeyKind | None:
    if isinstance(kind, types.Float | _INEXACT):
        return None
    if isinstance(kind, types.Numeric):
        return "decimal"
    return _KEY_KINDS.get(kind_of(kind))


def _base(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    return _base(kind.data_type) if isinstance(kind, DOMAIN) else kind


def _length(kind: TypeEngine[Any]) -> int | None:
    length = getattr(kind, "length", None)
    return length if isinstance(kind, types.String) and isinstance(length, int) else None


def _shown(kind: TypeEngine[Any]) -> str:
    return type(kind).__name__.lower().replace("_", " ")
