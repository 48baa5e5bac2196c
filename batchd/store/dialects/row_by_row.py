"""Writing many rows with one statement that is sent for each of them, where that costs no round trip each.

SQLAlchemy makes the statement; its rows go to the driver as they are. What SQLAlchemy does to the parameters of each
row would take longer than the database does to write it (docs/reference/performance.md).
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy import BindParameter, Connection

from batchd.store.dialects.row_write import RowWrite
from batchd.store.types import AsGiven


def update_each(connection: Connection, write: RowWrite) -> int:
    """Runs one UPDATE for each row; returns how many rows were found by all of them."""
    named = _named(write)
    same = (write.table.c[key.name] == named[key.name] for key in write.keys)
    values = {name: named[name] for name in write.columns}
    statement = sa.update(write.table).where(*same, *write.conditions).values(values | dict(write.clocks))
    return _run_for_each(connection, statement, write)


def insert_each(connection: Connection, write: RowWrite) -> int:
    """Runs one INSERT for each row; returns how many rows were added by all of them."""
    return _run_for_each(connection, sa.insert(write.table).values(_named(write) | dict(write.clocks)), write)


def _named(write: RowWrite) -> dict[str, BindParameter[Any]]:
    """A parameter for each name, called by its number: what a column is called need be no name to a driver."""
    return {name: sa.bindparam(_parameter(at), type_=AsGiven()) for at, name in enumerate(write.names)}


def _run_for_each(connection: Connection, statement: sa.Update | sa.Insert, write: RowWrite) -> int:
    compiled: Any = statement.compile(dialect=connection.dialect)
    # What a clock is told, such as a format, stands behind each row's own.
    told = {name: value for name, value in compiled.params.items() if value is not None}
    places = {name: at for at, name in enumerate([*map(_parameter, range(len(write.names))), *told])}
    wanted = compiled.positiontup or list(compiled.params)
    rows = _in_order(write.rows, [places[name] for name in wanted], tuple(told.values()))
    if not compiled.positional:
        rows = [dict(zip(wanted, row, strict=True)) for row in rows]
    options = {"preserve_rowcount": True}
    return connection.exec_driver_sql(str(compiled), rows, execution_options=options).rowcount


def _in_order(rows: Sequence[tuple[Any, ...]], order: Sequence[int], told: tuple[Any, ...]) -> list[Any]:
    if len(order) == 1:
        return [(row[order[0]],) for row in rows]
    take = itemgetter(*order)
    return [take(row + told) for row in rows]


def _parameter(at: int) -> str:
    return f"batchd_{at}"
