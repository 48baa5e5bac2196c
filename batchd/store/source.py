"""The task's table as the database describes it: columns, keys, whether the predicate is SQL. Reads only."""

import difflib
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SAWarning

from batchd.core.keys import KeyCodec, UnusableKeyError
from batchd.core.schema import ColumnInfo
from batchd.core.tasks import KeyColumn, TaskDefinition
from batchd.errors import ConfigError
from batchd.store.dialects.base import LedgerDialect
from batchd.store.rows import pending_clause, source_table


class SourceTable:
    """One user table, looked at before any task works on it.

    Args:
        connection: an open connection.
        dialect: what differs between databases.
        table: as configured.
        schema: as configured.

    Raises:
        ConfigError: there is no such table; names the near ones.
    """

    def __init__(self, connection: Connection, dialect: LedgerDialect, table: str, schema: str | None) -> None:
        self._connection = connection
        self._dialect = dialect
        self._table = table
        self._schema = schema
        self._inspector = sa.inspect(connection)
        self._check_exists()
        self.columns: Mapping[str, ColumnInfo] = dialect.columns(connection, table, schema)

    def _check_exists(self) -> None:
        names = [
            *self._inspector.get_table_names(self._schema),
            *self._inspector.get_view_names(self._schema),
        ]
        users = [name for name in names if not name.startswith("batchd_")]
        if self._table in names:
            return
        near = difflib.get_close_matches(self._table.lower(), [name.lower() for name in users], n=1, cutoff=0.5)
        matching = [name for name in users if near and name.lower() == near[0]]
        hint = f"; did you mean {matching[0]!r}?" if matching else ""
        known = ", ".join(sorted(users)[:10]) or "none"
        raise ConfigError(f"the database has no table {self._table!r}{hint}", next_command=f"tables here: {known}")

    def column_named(self, name: str) -> ColumnInfo:
        """A column by its exact name. Raises ConfigError, naming the nearest one."""
        if name in self.columns:
            return self.columns[name]
        near = difflib.get_close_matches(name.lower(), [one.lower() for one in self.columns], n=1, cutoff=0.5)
        matching = [one for one in self.columns if near and one.lower() == near[0]]
        hint = f"; did you mean {matching[0]!r}?" if matching else ""
        raise ConfigError(
            f"table {self._table!r} has no column {name!r}{hint}",
            next_command=f"the columns are: {', '.join(self.columns)}",
        )

    def key_columns(self, names: Sequence[str]) -> list[KeyColumn]:
        """Kind and equality of the key columns. Raises ConfigError for a column no key can be made of."""
        for name in names:
            self.column_named(name)
        return self._dialect.key_columns(self._connection, self._table, self._schema, names)

    def check_unique(self, names: Sequence[str]) -> bool:
        """True where the database itself keeps the key unique. Raises ConfigError where it is not unique now."""
        if any(set(columns) <= set(names) for columns in self._unique_sets()):
            return True
        columns: list[sa.ColumnElement[Any]] = [sa.column(name) for name in names]
        twice = (
            sa.select(*columns)
            .select_from(sa.table(self._table, schema=self._schema))
            .group_by(*columns)
            .having(sa.func.count() > 1)
            .limit(1)
        )
        if self._connection.execute(twice).first() is not None:
            raise ConfigError(
                f"key {list(names)} of table {self._table!r} is not unique: some values stand in several rows",
                next_command="name the columns of the primary key in key = [...]",
            )
        return False

    def _unique_sets(self) -> list[list[str]]:
        with warnings.catch_warnings():
            # It tells of every index over an expression that it leaves out; those say nothing about keys.
            warnings.simplefilter("ignore", SAWarning)
            return self._reflected_sets()

    def _reflected_sets(self) -> list[list[str]]:
        primary = self._inspector.get_pk_constraint(self._table, self._schema) if self._is_table() else None
        indexes = self._inspector.get_indexes(self._table, self._schema) if self._is_table() else []
        constraints = self._unique_constraints() if self._is_table() else []
        found: list[list[str]] = [list(primary["constrained_columns"])] if primary else []
        # A partial index, or one over an expression, says nothing about all rows.
        whole = [one for one in indexes if one["unique"] and not _is_partial(one)]
        found += [[str(name) for name in one["column_names"]] for one in whole if None not in one["column_names"]]
        found += [list(one["column_names"]) for one in constraints]
        return [columns for columns in found if columns]

    def _unique_constraints(self) -> list[Any]:
        try:
            return list(self._inspector.get_unique_constraints(self._table, self._schema))
        except NotImplementedError:
            # SQL Server keeps them as indexes, and SQLAlchemy tells of those alone.
            return []

    def _is_table(self) -> bool:
        return self._table in self._inspector.get_table_names(self._schema)

    def check_pending(self, pending: str | None) -> None:
        """Lets the database parse the predicate without reading a row. Raises ConfigError."""
        table = sa.table(self._table, schema=self._schema)
        query: sa.Select[Any] = (
            sa.select(sa.literal_column("1")).select_from(table).where(pending_clause(pending)).limit(0)
        )
        try:
            self._connection.execute(query)
        except DBAPIError as error:
            # Parsed and not run, so the database's words are about the predicate's text and quote no row.
            reason = str(error.orig).splitlines()[0] if error.orig else type(error).__name__
            raise ConfigError(
                f"pending is not a condition this database understands over {self._table!r}: {reason}",
                next_command="try it in a SELECT: SELECT count(*) FROM <table> WHERE <pending>",
            ) from error

    def check_writable(self, columns: Sequence[str]) -> None:
        """Lets the database plan an update of these columns, and runs none. Raises ConfigError.

        It refuses views and computed columns; batchd would find out after the answers were paid for.
        """
        table = sa.table(self._table, *(sa.column(name) for name in columns), schema=self._schema)
        update = sa.update(table).values(dict.fromkeys(columns, sa.null()))
        try:
            self._dialect.check_update(self._connection, update)
        except DBAPIError as error:
            # Planned and not run, so the database's words are about names and quote no row.
            reason = str(error.orig).splitlines()[0] if error.orig else type(error).__name__
            raise ConfigError(
                f"the database lets nobody write {', '.join(columns)} of table {self._table!r}: {reason}",
                next_command="name a table and columns that can be written",
            ) from error

    def sample(self, definition: TaskDefinition) -> Mapping[str, Any] | None:
        """The inputs of one row, a pending one where there is one; None in an empty table."""
        table = source_table(definition, self._dialect)
        columns = [table.c[name] for name in definition.inputs] or [sa.literal_column("1")]
        for where in (pending_clause(definition.pending), sa.literal_column("(1 = 1)")):
            row = self._connection.execute(sa.select(*columns).select_from(table).where(where).limit(1)).first()
            if row is not None:
                return dict(zip(definition.inputs, row, strict=False))
        return None

    def unusable_keys(self, definition: TaskDefinition, most: int = 1000) -> int:
        """How many of the first rows have a key that is NULL or of the wrong type."""
        table = source_table(definition, self._dialect)
        codec = KeyCodec(definition.key)
        rows = self._connection.execute(sa.select(*(table.c[name] for name in definition.key_columns)).limit(most))
        return sum(not _usable(codec, tuple(row)) for row in rows)


def _usable(codec: KeyCodec, values: tuple[Any, ...]) -> bool:
    try:
        codec.encode(values)
    except UnusableKeyError:
        return False
    return True


def _is_partial(index: Any) -> bool:
    return any(name.endswith("_where") for name in index.get("dialect_options", {}))
