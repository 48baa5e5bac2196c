"""Rows written by a join with a table of values: some two hundred rows in a statement, with every driver.

`executemany` is a round trip for each row; its fast form sends no type right which it was not told, and crashes
FreeTDS. A JSON document is one parameter, but not every server that speaks T-SQL reads its escapes
(docs/decisions/0008). So every value is a parameter of text, which the column that it is written to converts, or
refuses; keys are converted to the type and collation of their column, so that its index serves.
"""

import decimal
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, TableClause, event
from sqlalchemy.dialects import mssql
from sqlalchemy.pool import ConnectionPoolEntry

from batchd.core.decimals import decimal_text
from batchd.core.tasks import KeyColumn
from batchd.store.chunks import chunks
from batchd.store.dialects.mssql_catalog import columns_of
from batchd.store.dialects.row_write import RowWrite

# The server takes 2,100 in a statement.
_PARAMETERS = 2000
_TEXTS = "batchd_texts"
# Columns, and what text is converted to on its way to them.
Kinds = Mapping[str, str]
_UNTOLD = "SET NOCOUNT ON; DECLARE @written INT; "
_COUNT = "batchd_written"
_UNCOUNTED = "batchd_uncounted"
# What text is converted to on its way: the first two read "2026-02-03" as the login's language has it, which may be the
# 2nd of March; for the others not every server that speaks T-SQL converts by itself.
_CONVERTED: Mapping[type[Any], str] = {
    mssql.DATETIME: "DATETIME2(7)",
    mssql.SMALLDATETIME: "DATETIME2(7)",
    mssql.DATETIMEOFFSET: "DATETIMEOFFSET(7)",
    mssql.MONEY: "MONEY",
    mssql.SMALLMONEY: "SMALLMONEY",
}
# ODBC's NVARCHAR of any length: of one length for each value, the server would keep a plan for each.
_NVARCHAR_MAX = (-9, 0, 0)


def update_by_values(connection: Connection, write: RowWrite, kinds: Kinds | None = None) -> int:
    """Writes the rows; returns how many were found. ``kinds`` None: the catalogue is asked what a column converts."""
    begin, same, only = _update(connection, write, kinds), _same(connection, write.keys), _only(connection, write)
    return _in_chunks(connection, write, lambda rows: f"{begin}JOIN {_values(write, rows)} ON {same}{only}")


def insert_by_values(connection: Connection, write: RowWrite, kinds: Kinds | None = None) -> int:
    """Adds the rows; returns how many."""
    begin = _insert(connection, write, kinds)
    return _in_chunks(connection, write, lambda rows: f"{begin}FROM {_values(write, rows)}")


def try_update(connection: Connection, table: TableClause) -> None:
    """Has the server look at an update of all these columns, without a row of the table; raises its error."""
    columns = table.c.keys()
    write = RowWrite(table, (), columns, [(None,) * len(columns)], {})
    statement = f"{_update(connection, write)}JOIN {_values(write, 1)} ON 1 = 0"
    parameters = tuple(_texts(write.rows[0], 0))
    connection.exec_driver_sql(statement, parameters, execution_options={_TEXTS: True})


def listen_for_texts(engine: Engine, *, typed: bool) -> None:
    """Has such statements' parameters sent as texts of any length, where the driver can be told types."""
    if typed:
        event.listen(engine, "before_cursor_execute", _as_texts)
    event.listen(engine, "after_cursor_execute", _to_the_count)
    event.listen(engine, "checkin", _count_again)


def _in_chunks(connection: Connection, write: RowWrite, statement: Callable[[int], str]) -> int:
    """Runs the statement for so many rows at once; returns how many rows it came to."""
    rows_at_once = _PARAMETERS // (len(write.names) + 1)
    keys = len(write.keys)
    return sum(
        _written(connection, statement(len(some)), tuple(text for row in some for text in _texts(row, keys)))
        for some in chunks(write.rows, rows_at_once)
    )


def _written(connection: Connection, statement: str, parameters: tuple[str, ...]) -> int:
    connection.info[_UNCOUNTED] = True
    # A trigger on the table tells counts of its own; so none is told, and the statement's is asked for.
    counted = f"{_UNTOLD}{statement}; SET @written = @@ROWCOUNT; SET NOCOUNT OFF; SELECT @written AS {_COUNT}"
    found = connection.exec_driver_sql(counted, parameters, execution_options={_TEXTS: True})
    written = int(found.scalar_one())
    connection.info[_UNCOUNTED] = False
    return written


def _update(connection: Connection, write: RowWrite, kinds: Kinds | None = None) -> str:
    prepare = connection.dialect.identifier_preparer
    taken = zip(write.columns, _taken(connection, write, kinds), strict=True)
    sets = [f"t.{prepare.quote(name)} = {value}" for name, value in taken]
    sets += [f"t.{prepare.quote(name)} = {clock.compile(connection)}" for name, clock in write.clocks.items()]
    return f"UPDATE t SET {', '.join(sets)} FROM {prepare.format_table(write.table)} AS t "  # noqa: S608  (quoted)


def _insert(connection: Connection, write: RowWrite, kinds: Kinds | None) -> str:
    prepare = connection.dialect.identifier_preparer
    named = [*write.names, *write.clocks]
    values = [*(_new_key(at, key) for at, key in enumerate(write.keys)), *_taken(connection, write, kinds)]
    values += [str(clock.compile(connection)) for clock in write.clocks.values()]
    into = f"{prepare.format_table(write.table)} ({', '.join(map(prepare.quote, named))})"
    return f"INSERT INTO {into} SELECT {', '.join(values)} "


def _values(write: RowWrite, rows: int) -> str:
    keys, values = range(len(write.keys)), range(len(write.columns))
    names = [*(f"k{at}" for at in keys), *(f"v{at}" for at in values), "nulls"]
    one_row = f"({', '.join('?' * len(names))})"
    return f"(VALUES {', '.join([one_row] * rows)}) AS s ({', '.join(names)})"


def _same(connection: Connection, keys: Sequence[KeyColumn]) -> str:
    quote = connection.dialect.identifier_preparer.quote
    return " AND ".join(f"t.{quote(key.name)} = {_key(at, key)}" for at, key in enumerate(keys))


def _only(connection: Connection, write: RowWrite) -> str:
    quote = connection.dialect.identifier_preparer.quote
    return "" if write.unset is None else f" WHERE t.{quote(write.unset)} IS NULL"


def _taken(connection: Connection, write: RowWrite, known: Kinds | None) -> list[str]:
    """Each value as its column takes it."""
    kinds = _kinds(connection, write.table) if known is None else known
    cast = [kinds.get(name) for name in write.columns]
    return [f"CAST({_value(at)} AS {kind})" if kind else _value(at) for at, kind in enumerate(cast)]


def _kinds(connection: Connection, table: TableClause) -> Kinds:
    """What text must be converted to first, by column."""
    there = columns_of(connection, table.name, table.schema)
    kinds = {name: _CONVERTED.get(type(column["type"])) for name, column in there.items()}
    return {name: kind for name, kind in kinds.items() if kind}


def _value(at: int) -> str:
    return f"CASE WHEN SUBSTRING(s.nulls, {at + 1}, 1) = N'0' THEN s.v{at} END"


def _key(at: int, key: KeyColumn) -> str:
    if key.kind == "binary":
        return f"CONVERT({key.sql_type}, s.k{at}, 2)"
    if not key.collation:
        return f"CAST(s.k{at} AS {key.sql_type})"
    # Within the CAST it names the code page to convert to, and behind it how to compare.
    return f"CAST(s.k{at} COLLATE {key.collation} AS {key.sql_type}) COLLATE {key.collation}"


def _new_key(at: int, key: KeyColumn) -> str:
    """A key to be added: what is too long for the column must be refused, where a CAST to its type would cut it."""
    if key.kind == "binary":
        return f"CONVERT(VARBINARY(8000), s.k{at}, 2)"
    return f"s.k{at}" if key.kind == "text" else _key(at, key)


def _texts(row: tuple[Any, ...], keys: int) -> Iterator[str]:
    """The key's parts, the values, and which of these are NULL: of a NULL the driver would ask the server's type."""
    yield from ("" if value is None else _text(value) for value in row)
    yield "".join("01"[value is None] for value in row[keys:])


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


def _to_the_count(
    _connection: Connection, cursor: Any, _statement: str, _parameters: Any, context: Any, _many: object
) -> None:
    """Past what triggers print and select, up to the count: an error may stand behind it, and must be met."""
    if context is None or not context.execution_options.get(_TEXTS):
        return
    while cursor.description is None or cursor.description[0][0] != _COUNT:
        if not cursor.nextset():
            return


def _count_again(dbapi_connection: Any, record: ConnectionPoolEntry) -> None:
    """Undoes what a failure of the statement left behind: a session that counts no rows any more."""
    if record.info.pop(_UNCOUNTED, False) and dbapi_connection is not None:
        with dbapi_connection.cursor() as cursor:
            cursor.execute("SET NOCOUNT OFF")
        dbapi_connection.commit()
