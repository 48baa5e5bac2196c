"""Writing many rows with one prepared statement, where that costs no round trip for each of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, TableClause

from batchd.core.tasks import KeyColumn
from batchd.store.types import AsGiven


def update_each(
    connection: Connection,
    table: TableClause,
    keys: Sequence[KeyColumn],
    changes: Sequence[tuple[tuple[Any, ...], Mapping[str, Any]]],
    constants: Mapping[str, ColumnElement[Any]],
) -> int:
    """Runs one UPDATE for each change; returns how many rows were found by all of them."""
    columns = list(changes[0][1])
    statement = (
        sa.update(table)
        .where(*(table.c[key.name] == sa.bindparam(f"batchd_key_{at}") for at, key in enumerate(keys)))
        .values({name: sa.bindparam(f"batchd_value_{at}", type_=AsGiven()) for at, name in enumerate(columns)})
        .values(dict(constants))
    )
    return connection.execute(statement, _parameters(changes, columns)).rowcount


def insert_each(
    connection: Connection,
    table: TableClause,
    keys: Sequence[KeyColumn],
    changes: Sequence[tuple[tuple[Any, ...], Mapping[str, Any]]],
    constants: Mapping[str, ColumnElement[Any]],
) -> int:
    """Runs one INSERT for each change; returns how many rows were added by all of them."""
    columns = list(changes[0][1])
    statement = (
        sa.insert(table)
        .values({key.name: sa.bindparam(f"batchd_key_{at}", type_=AsGiven()) for at, key in enumerate(keys)})
        .values({name: sa.bindparam(f"batchd_value_{at}", type_=AsGiven()) for at, name in enumerate(columns)})
        .values(dict(constants))
    )
    counted = connection.execution_options(preserve_rowcount=True)
    return counted.execute(statement, _parameters(changes, columns)).rowcount


def _parameters(
    changes: Sequence[tuple[tuple[Any, ...], Mapping[str, Any]]], columns: Sequence[str]
) -> list[dict[str, Any]]:
    return [
        {f"batchd_key_{at}": part for at, part in enumerate(key)}
        | {f"batchd_value_{at}": values[name] for at, name in enumerate(columns)}
        for key, values in changes
    ]
