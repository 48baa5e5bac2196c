"""Writing many rows with one prepared statement, where that costs no round trip for each of them."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import BindParameter, Connection

from batchd.store.dialects.row_write import RowWrite
from batchd.store.types import AsGiven


def update_each(connection: Connection, write: RowWrite) -> int:
    """Runs one UPDATE for each change; returns how many rows were found by all of them."""
    same = (write.table.c[key.name] == sa.bindparam(_key(at)) for at, key in enumerate(write.keys))
    statement = sa.update(write.table).where(*same).values(_values(write)).values(dict(write.clocks))
    return connection.execute(statement, _parameters(write)).rowcount


def insert_each(connection: Connection, write: RowWrite) -> int:
    """Runs one INSERT for each change; returns how many rows were added by all of them."""
    keys = {key.name: sa.bindparam(_key(at), type_=AsGiven()) for at, key in enumerate(write.keys)}
    statement = sa.insert(write.table).values(keys | _values(write)).values(dict(write.clocks))
    return connection.execution_options(preserve_rowcount=True).execute(statement, _parameters(write)).rowcount


def _values(write: RowWrite) -> dict[str, BindParameter[Any]]:
    return {name: sa.bindparam(_value(at), type_=AsGiven()) for at, name in enumerate(write.columns)}


def _parameters(write: RowWrite) -> list[dict[str, Any]]:
    columns = write.columns
    return [
        {_key(at): part for at, part in enumerate(key)} | {_value(at): values[name] for at, name in enumerate(columns)}
        for key, values in write.changes
    ]


def _key(at: int) -> str:
    return f"batchd_key_{at}"


def _value(at: int) -> str:
    return f"batchd_value_{at}"
