"""Rows written by a join with a table of values: some two hundred rows in a statement, with every driver.

`executemany` is a round trip for each row; its fast form sends no type right which it was not told, and crashes
FreeTDS. A JSON document is one parameter, but not every server that speaks T-SQL reads its escapes
(docs/decisions/0008). So every value is a parameter of text, which the column that it is written to converts, or
refuses; keys are converted to the type and collation of their column, so that its index serves.
"""

import decimal
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, TableClause, event
from sqlalchemy.pool import ConnectionPoolEntry

from batchd.core.decimals import decimal_text
from batchd.core.tasks import KeyColumn
from batchd.store.chunks import chunks

# The server takes 2,100 in a statement.
_PARAMETERS = 2000
_TEXTS = "batchd_texts"
_UNCOUNTED = "batchd_uncounted"
# ODBC's NVARCHAR of any length: of one length for each value, the server would keep a plan for each.
_NVARCHAR_MAX = (-9, 0, 0)

Change = tuple[tuple[Any, ...], Mapping[str, Any]]


def update_by_values(
    connection: Connection,
    table: TableClause,
    keys: Sequence[KeyColumn],
    changes: Sequence[Change],
    constants: Mapping[str, ColumnElement[Any]],
) -> int:
    """Writes the rows; returns how many were found."""
    columns = list(changes[0][1])
    update = _update(connection, table, columns, constants)
    rows_at_once = _PARAMETERS // (len(keys) + len(columns) + 1)
    return sum(
        _written(connection, update + _joined(connection, keys, len(columns), len(some)), some, columns)
        for some in chunks(changes, rows_at_once)
    )


def listen_for_texts(engine: Engine, *, typed: bool) -> None:
    """Has such statements' parameters sent as texts of any length, where the driver can be told types."""
    if typed:
        event.listen(engine, "before_cursor_execute", _as_texts)
    event.listen(engine, "checkin", _count_again)


def _written(connection: Connection, statement: str, changes: Sequence[Change], columns: Sequence[str]) -> int:
    parameters = tuple(text for change in changes for text in _texts(change, columns))
    connection.info[_UNCOUNTED] = True
    found = connection.exec_driver_sql(statement, parameters, execution_options={_TEXTS: True})
    written = int(found.scalar_one())
    connection.info[_UNCOUNTED] = False
    return written


def _update(
    connection: Connection,
    table: TableClause,
    columns: Sequence[str],
    constants: Mapping[str, ColumnElement[Any]],
) -> str:
    prepare = connection.dialect.identifier_preparer
    sets = [f"t.{prepare.quote(name)} = {_value(at)}" for at, name in enumerate(columns)]
    sets += [f"t.{prepare.quote(name)} = {value.compile(connection)}" for name, value in constants.items()]
    # A trigger on the table tells counts of its own; so none is told, and the statement's is asked for.
    begin = "SET NOCOUNT ON; DECLARE @written INT; "
    return f"{begin}UPDATE t SET {', '.join(sets)} FROM {prepare.format_table(table)} AS t "  # noqa: S608  (quoted)


def _joined(connection: Connection, keys: Sequence[KeyColumn], columns: int, rows: int) -> str:
    quote = connection.dialect.identifier_preparer.quote
    names = [*(f"k{at}" for at in range(len(keys))), *(f"v{at}" for at in range(columns)), "nulls"]
    one_row = f"({', '.join('?' * len(names))})"
    values = f"(VALUES {', '.join([one_row] * rows)}) AS s ({', '.join(names)})"
    same = " AND ".join(f"t.{quote(key.name)} = {_key(at, key)}" for at, key in enumerate(keys))
    return f"JOIN {values} ON {same}; SET @written = @@ROWCOUNT; SET NOCOUNT OFF; SELECT @written"


def _value(at: int) -> str:
    return f"CASE WHEN SUBSTRING(s.nulls, {at + 1}, 1) = N'0' THEN s.v{at} END"


def _key(at: int, key: KeyColumn) -> str:
    if key.kind == "binary":
        return f"CONVERT({key.sql_type}, s.k{at}, 2)"
    converted = f"CAST(s.k{at} AS {key.sql_type})"
    return f"{converted} COLLATE {key.collation}" if key.collation else converted


def _texts(change: Change, columns: Sequence[str]) -> Iterator[str]:
    """The key's parts, the values, and which of these are NULL: of a NULL the driver would ask the server's type."""
    key, values = change
    yield from (_text(part) for part in key)
    yield from ("" if values[name] is None else _text(values[name]) for name in columns)
    yield "".join("01"[values[name] is None] for name in columns)


def _text(value: Any) -> str:
    """A value as every column reads it: no exponent, and 0 and 1 for false and true."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return decimal_text(decimal.Decimal(repr(value)))
    return decimal_text(value) if isinstance(value, decimal.Decimal) else str(value)


def _as_texts(
    _connection: Connection, cursor: Any, _statement: str, parameters: Any, context: Any, _many: object
) -> None:
    if context is not None and context.execution_options.get(_TEXTS):
        cursor.setinputsizes([_NVARCHAR_MAX] * len(parameters))


def _count_again(dbapi_connection: Any, record: ConnectionPoolEntry) -> None:
    """Undoes what a failure of the statement left behind: a session that counts no rows any more."""
    if record.info.pop(_UNCOUNTED, False) and dbapi_connection is not None:
        with dbapi_connection.cursor() as cursor:
            cursor.execute("SET NOCOUNT OFF")
        dbapi_connection.commit()
