"""A table that is not there: which one was meant, here or in another schema. Only names are read."""

import difflib
import re
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from batchd.errors import ConfigError

# Spelt so that each server finds its own, whatever it makes of small letters. SQLite has no such thing.
_EVERYWHERE = sa.text("SELECT TABLE_SCHEMA, TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE LOWER(TABLE_NAME) = :name")
_SYSTEMS = frozenset({"information_schema", "pg_catalog", "pg_toast", "sys", "mysql", "performance_schema"})
# A name in the quotes of any server, or a plain one.
_PART = re.compile(r'\[([^\]]+)\]|"([^"]+)"|`([^`]+)`|([^.\[\]"`]+)')
_SHOWN = 10


def missing_table(
    connection: Connection, table: str, schema: str | None, here: Sequence[str], *, has_schemas: bool
) -> ConfigError:
    """The error to raise for a table that is not there.

    Args:
        connection: an open connection.
        table: as configured.
        schema: as configured.
        here: the tables and views of that schema.
        has_schemas: whether the database has others beside it.
    """
    users = sorted(name for name in here if not name.startswith("batchd_"))
    listed = f"tables here: {', '.join(users[:_SHOWN]) or 'none'}"
    # The very name in other letters is the likeliest; then one elsewhere; then one that is spelt a little differently.
    if has_schemas and table.lower() not in {name.lower() for name in users}:
        elsewhere = _elsewhere(connection, table, schema)
        if elsewhere:
            return ConfigError(elsewhere, next_command=listed)
    near = difflib.get_close_matches(table.lower(), [name.lower() for name in users], n=1, cutoff=0.5)
    meant = next((name for name in users if near and name.lower() == near[0]), None)
    hint = f"; did you mean {meant!r}?" if meant else ""
    unseen = "; one on which the login has no right may not show: batchd db grants TASK"
    return ConfigError(
        f"the database has no table {table!r}{_within(schema)}{hint}",
        next_command=listed + (unseen if has_schemas and not meant else ""),
    )


def _within(schema: str | None) -> str:
    return f" in schema {schema}" if schema else ""


def _elsewhere(connection: Connection, table: str, schema: str | None) -> str:
    """A sentence about the table in another schema, or about its schema; "" where neither has anything to say."""
    parts = [next(filter(None, found)) for found in _PART.findall(table)]
    if len(parts) > 1 and (there := _found(connection, parts[-1])):
        meant = next((one for one in there if one[0].lower() == parts[-2].lower()), there[0])
        return f'table {table!r} holds more than a name: say table = "{meant[1]}" and schema = "{meant[0]}"'
    current = schema or sa.inspect(connection).default_schema_name
    there = _found(connection, table)
    if (current, table) in there:
        return (
            f"{table!r} is neither a table nor a view of this database; rows of a foreign table, for one, take no part "
            "in its transactions"
        )
    if there:
        named = " and ".join(".".join(one) for one in there[:_SHOWN])
        here = f"schema {current}" if current else "any schema that the login's search_path names"
        return f'table "{table}" is not in {here}; there is {named}: say schema = "{there[0][0]}"'
    schemas = sa.inspect(connection).get_schema_names()
    if schema is None or schema in schemas:
        return ""
    users = ", ".join([name for name in schemas if not _is_systems(name)][:_SHOWN])
    return f"the database has no schema {schema!r}; it has: {users or 'none'}"


def _found(connection: Connection, name: str) -> list[tuple[str, str]]:
    found = connection.execute(_EVERYWHERE, {"name": name.lower()}).all()
    return sorted((str(schema), str(table)) for schema, table in found if not _is_systems(schema))


def _is_systems(schema: str) -> bool:
    return schema.lower() in _SYSTEMS or schema.startswith("db_")
