"""The task's table as the database describes it: columns, keys, whether the predicate is SQL. Reads only."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from batchd.core.keys import KeyCodec, UnusableKeyError
from batchd.core.schema import ColumnInfo
from batchd.core.tasks import KeyColumn, TaskDefinition
from batchd.errors import ConfigError, DatabaseError
from batchd.store.dialects.base import LedgerDialect
from batchd.store.grants import TaskTable
from batchd.store.keyed import KeyedTable, table_clause
from batchd.store.missing_rights import check_rights
from batchd.store.near_tables import missing_table
from batchd.store.rows import pending_clause, source_table
from batchd.store.rows_elsewhere import row_there

_NO_ROW = sa.text("1 = 0")
# What may say when a row came: SQLite keeps times as text.
_TELL_TIME = ("time", "date", "text", "any")


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
        # One name, whatever it looks like: SQLAlchemy reads a database and a schema out of one with a dot.
        self._schema = None if schema is None else sa.quoted_name(schema, quote=True)
        self._check_exists()
        self.columns: Mapping[str, ColumnInfo] = dialect.columns(connection, table, self._schema)

    def _check_exists(self) -> None:
        names = self._dialect.table_names(self._connection, self._schema)
        if self._table not in names:
            has_schemas = self._dialect.has_schemas
            raise missing_table(self._connection, self._table, self._schema, names, has_schemas=has_schemas)

    def column_named(self, name: str) -> ColumnInfo:
        """A column by its exact name. Raises ConfigError, naming the nearest one, or why no task can use it."""
        if name in self.columns:
            self._check_readable(name)
            return self.columns[name]
        near = difflib.get_close_matches(name.lower(), [one.lower() for one in self.columns], n=1, cutoff=0.5)
        matching = [one for one in self.columns if near and one.lower() == near[0]]
        hint = f"; did you mean {matching[0]!r}?" if matching else ""
        raise ConfigError(
            f"table {self._table!r} has no column {name!r}{hint}",
            next_command=f"the columns are: {', '.join(self.columns)}",
        )

    def check_time(self, name: str) -> None:
        """Raises ConfigError where the column is not there, or can't hold a date and time."""
        kind = self.column_named(name).kind
        if kind not in _TELL_TIME:
            raise ConfigError(
                f"column {name!r} of table {self._table!r} holds {kind} values, and no date and time",
                next_command="name a column of dates and times, or leave the key out",
            )

    def _check_readable(self, name: str) -> None:
        unreadable = self.columns[name].unreadable
        if unreadable:
            raise ConfigError(
                f"column {name!r} of table {self._table!r} is {unreadable}, which batchd's drivers do not read",
                next_command="name another column, or a view in which it is text",
            )

    def key_columns(self, names: Sequence[str]) -> list[KeyColumn]:
        """Kind and equality of the key columns. Raises ConfigError for a column no key can be made of."""
        for name in names:
            self.column_named(name)
        return self._dialect.key_columns(self._connection, self._table, self._schema, names)

    def check_unique(self, names: Sequence[str]) -> bool:
        """True where the database itself keeps the key unique. Raises ConfigError where it is not unique now."""
        if any(set(columns) <= set(names) for columns in self._unique_keys()):
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

    def _unique_keys(self) -> list[list[str]]:
        return self._dialect.unique_keys(self._connection, self._table, self._schema)

    def check_comparable(self, key: Sequence[KeyColumn], other: "SourceTable", other_key: Sequence[KeyColumn]) -> None:
        """Lets the database compare the key with that of another table, without reading a row. Raises ConfigError."""
        own, there = self._keyed(key), other._keyed(other_key)  # noqa: SLF001 - the same class
        query: sa.Select[Any] = (
            sa.select(sa.literal_column("1")).select_from(own.clause).where(row_there(there, own)).limit(0)
        )
        try:
            with self._dialect.trying(self._connection):
                self._connection.execute(query)
        except DBAPIError as error:
            # Parsed and not run, so the database's words are about names and quote no row.
            reason = str(error.orig).splitlines()[0] if error.orig else type(error).__name__
            raise ConfigError(
                f"the database can't compare the keys of {self._table!r} and {other._table!r}: {reason}",  # noqa: SLF001
                next_command="give their columns the same type and collation",
            ) from error

    def _keyed(self, key: Sequence[KeyColumn]) -> KeyedTable:
        clause = table_clause(self._dialect, self._table, self._schema, key, ())
        return KeyedTable(self._connection, self._dialect, clause, key)

    def check_pending(self, pending: str | None) -> None:
        """Lets the database parse the predicate without reading a row. Raises ConfigError."""
        table = sa.table(self._table, schema=self._schema)
        query: sa.Select[Any] = (
            sa.select(sa.literal_column("1")).select_from(table).where(pending_clause(pending)).limit(0)
        )
        try:
            with self._dialect.trying(self._connection):
                self._connection.execute(query)
        except DBAPIError as error:
            # Parsed and not run, so the database's words are about the predicate's text and quote no row.
            self._raise_for_rights(error)
            raise ConfigError(
                f"pending is not a condition this database understands over {self._table!r}: {_words(error)}",
                next_command="try it in a SELECT: SELECT count(*) FROM <table> WHERE <pending>",
            ) from error

    def check_writable(self, columns: Sequence[str]) -> None:
        """Lets the database plan an update of these columns, and runs none. Raises ConfigError.

        It refuses views and computed columns; batchd would find out after the answers were paid for.
        """
        table = sa.table(self._table, *(sa.column(name) for name in columns), schema=self._schema)
        self._check(sa.update(table).values(dict.fromkeys(columns, sa.null())).where(_NO_ROW), columns)

    def check_addable(self, columns: Sequence[str]) -> None:
        """The same for rows to be added, with these columns. Raises ConfigError."""
        table = sa.table(self._table, *(sa.column(name) for name in columns), schema=self._schema)
        nothing = sa.select(*(sa.null().label(name) for name in columns)).where(_NO_ROW)
        self._check(sa.insert(table).from_select(list(columns), nothing), columns)

    def check_filled(self, columns: Sequence[str]) -> None:
        """Raises ConfigError where a row of these columns would lack one that must not be NULL."""
        needed = self._dialect.needed_columns(self._connection, self._table, self._schema)
        missing = [name for name in needed if name not in columns]
        if missing:
            raise ConfigError(
                f"a row of table {self._table!r} needs {', '.join(missing)} too, which the task does not write",
                next_command="give these columns a default, let them be NULL, or write them with on_success",
            )

    def _check(self, write: sa.Update | sa.Insert, columns: Sequence[str]) -> None:
        try:
            with self._dialect.trying(self._connection):
                self._dialect.check_write(self._connection, write)
        except DBAPIError as error:
            # Planned and not run, so the database's words are about names and quote no row.
            self._raise_for_rights(error)
            raise ConfigError(
                f"the database lets nobody write {', '.join(columns)} of table {self._table!r}: {_words(error)}",
                next_command="name a table and columns that can be written, or another table in [tasks.NAME.write]",
            ) from error

    def check_usable(self) -> None:
        """Whether the promises can be kept of this table. Raises ConfigError, DatabaseError."""
        self._dialect.check_table(self._connection, self._table, self._schema)

    def check_rights(self, asked: Mapping[str, Sequence[str]]) -> None:
        """Whether the login may do this to these columns, by verb. Raises DatabaseError with the GRANTs it lacks.

        Of columns that are not there others tell.
        """
        there = {verb: [name for name in names if name in self.columns] for verb, names in asked.items()}
        check_rights(self._connection, self._dialect, sa.table(self._table, schema=self._schema), there)

    def with_masks(self, needed: TaskTable) -> TaskTable:
        """The same, with the masks that are on the columns that are read."""
        masks = self._dialect.masks(self._connection, self._table, self._schema, needed.read)
        return replace(needed, masks=tuple(masks))

    def _raise_for_rights(self, error: DBAPIError) -> None:
        refusal = self._dialect.refusal(error)
        if refusal is not None and refusal.lacks_right:
            code = self._dialect.code(error)
            raise DatabaseError(
                f"table {self._table!r}: {refusal.reason} ({code})", next_command=refusal.next_command
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


def _words(error: DBAPIError) -> str:
    """The first line of what the driver says."""
    told = error.orig.args[-1] if error.orig and error.orig.args else type(error).__name__
    return str(told).splitlines()[0]


def _usable(codec: KeyCodec, values: tuple[Any, ...]) -> bool:
    try:
        codec.encode(values)
    except UnusableKeyError:
        return False
    return True
