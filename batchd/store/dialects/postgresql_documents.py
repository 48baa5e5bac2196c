"""Many rows by one JSON document in a statement: a fraction of the time of a statement for each of them.

The types of the ledger's own columns are known here. What a user's column is given goes as text that is cast to its
type without its length: so the column itself takes or refuses it, as it does what a statement of its own would say.
"""

from collections.abc import Mapping
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, TableClause, TableValuedAlias, Text
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.exc import DataError
from sqlalchemy.types import TypeEngine, UserDefinedType

from batchd.store.dialects.row_write import RowWrite

_DOCUMENT = "batchd_rows"
# Type and collation of each column. With -1, and not NULL, for a length: "character" alone would be one letter. Of a
# domain the type beneath it: a cast to the domain itself would cut a text to its length, where the column refuses it.
_TYPES = sa.text(
    "WITH RECURSIVE beneath (name, kind, collation_id) AS ("
    "SELECT attname, atttypid, attcollation FROM pg_attribute "
    "WHERE attrelid = CAST(:relation AS regclass) AND attnum > 0 AND NOT attisdropped "
    "UNION ALL SELECT b.name, t.typbasetype, b.collation_id FROM beneath b "
    "JOIN pg_type t ON t.oid = b.kind WHERE t.typtype = 'd') "
    "SELECT b.name, format_type(b.kind, -1), "
    "CASE WHEN b.collation_id <> 0 THEN quote_ident(n.nspname) || '.' || quote_ident(c.collname) END "
    "FROM beneath b JOIN pg_type t ON t.oid = b.kind AND t.typtype <> 'd' "
    "LEFT JOIN pg_collation c ON c.oid = b.collation_id LEFT JOIN pg_namespace n ON n.oid = c.collnamespace"
)
# A column that is not there is the statement's own error to name.
_UNKNOWN = ("text", None)
_INTEGERS = frozenset({"smallint", "integer", "bigint"})
Told = Mapping[str, ColumnElement[Any]]


class _Named(UserDefinedType[Any]):
    """A type by the name that the catalogue gives it."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        """The name, quoted where it must be; a percent sign would be a place for a value."""
        return self.name.replace("%", "%%")


def insert_by_document(connection: Connection, write: RowWrite) -> None:
    """Adds rows to a table of the ledger."""
    _insert(connection, write, _typed(write))


def update_by_document(connection: Connection, write: RowWrite) -> None:
    """Changes rows of a table of the ledger."""
    _update(connection, write, _typed(write))


def insert_as_text(connection: Connection, write: RowWrite) -> int:
    """Adds rows to a user's table; returns how many."""
    return _insert(connection, write, _cast(connection, write))


def update_as_text(connection: Connection, write: RowWrite) -> int:
    """Changes rows of a user's table; returns how many were found."""
    return _update(connection, write, _cast(connection, write))


def check_types(connection: Connection, table: TableClause) -> None:
    """Has the server plan the casts to the types of a table's columns; raises its error, as of a right that lacks."""
    nothing = RowWrite(table, (), table.c.keys(), [(None,) * len(table.c)], {})
    casts = sa.select(*_cast(connection, nothing).values()).params(_document(nothing))
    connection.exec_driver_sql(f"EXPLAIN {casts.compile(connection, compile_kwargs={'literal_binds': True})}")


def _insert(connection: Connection, write: RowWrite, told: Told) -> int:
    clocks = [clock.label(name) for name, clock in write.clocks.items()]
    rows = sa.select(*told.values(), *clocks)
    statement = sa.insert(write.table).from_select([*told, *write.clocks], rows, include_defaults=False)
    return connection.execution_options(preserve_rowcount=True).execute(statement, _document(write)).rowcount


def _update(connection: Connection, write: RowWrite, told: Told) -> int:
    values = {name: told[name] for name in write.columns}
    same = (write.table.c[key.name] == told[key.name] for key in write.keys)
    statement = sa.update(write.table).where(*same, *_unset(write, told)).values(values | dict(write.clocks))
    return connection.execute(statement, _document(write)).rowcount


def _unset(write: RowWrite, told: Told) -> list[ColumnElement[bool]]:
    """The condition of ``unset``, said of both sides, so that the planner can't tell how many rows it leaves.

    Said of the table alone it would take the rows of a batch that is just being applied for none, where the statistics
    know only of finished ones, and compare each of them with the whole document.
    """
    if write.unset is None:
        return []
    return [write.table.c[write.unset].is_(None) == told[write.keys[0].name].is_not(None)]


def _typed(write: RowWrite) -> Told:
    told = _recordset([write.table.c[name].type for name in write.names])
    return dict(zip(write.names, told.c, strict=True))


def _cast(connection: Connection, write: RowWrite) -> Told:
    relation = ".".join(_quoted(part) for part in (write.table.schema, write.table.name) if part)
    there = {name: told for name, *told in connection.execute(_TYPES, {"relation": relation})}
    told = _recordset([Text()] * len(write.names))
    return {name: _as_column(text, *there.get(name, _UNKNOWN)) for name, text in zip(write.names, told.c, strict=True)}


def _quoted(name: str) -> str:
    # Not as SQLAlchemy does it, which doubles percent signs: this goes as a value.
    return '"' + name.replace('"', '""') + '"'


def _as_column(text: ColumnElement[Any], kind: str, collation: str | None) -> ColumnElement[Any]:
    value = sa.cast(_as_number(text) if kind in _INTEGERS else text, _Named(kind))
    # A key is compared as its column compares; between two collations the server would not choose.
    return value.op("COLLATE")(sa.literal_column(collation)) if collation else value


def _as_number(text: ColumnElement[Any]) -> ColumnElement[Any]:
    """A constant may be true, or 1.0: as a number whole columns take them, everywhere."""
    whole = sa.case((text == "true", "1"), (text == "false", "0"), else_=text)
    return sa.cast(whole, sa.Numeric())


def _recordset(types: list[TypeEngine[Any]]) -> TableValuedAlias:
    columns = (sa.column(f"c{at}", kind) for at, kind in enumerate(types))
    document = sa.cast(sa.bindparam(_DOCUMENT, type_=Text()), JSON())
    return (
        sa.func.json_to_recordset(document).table_valued(*columns).render_derived(name="batchd_told", with_types=True)
    )


def _document(write: RowWrite) -> dict[str, Any]:
    names = [f"c{at}" for at in range(len(write.names))]
    rows = [dict(zip(names, row, strict=True)) for row in write.rows]
    try:
        return {_DOCUMENT: orjson.dumps(rows, default=_as_text).decode()}
    except TypeError as error:
        # What the driver would refuse by itself: half a character, a number beyond 64 bits.
        raise DataError(None, None, OverflowError(str(error)), hide_parameters=True) from error


def _as_text(value: object) -> str:
    return f"\\x{bytes(value).hex()}" if isinstance(value, bytes | bytearray | memoryview) else str(value)
