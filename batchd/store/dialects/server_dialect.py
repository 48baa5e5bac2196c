"""What the dialects of servers have in common: a catalogue to be reflected, and errors that have numbers."""

import contextlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Engine, Select

from batchd.core.tasks import KeyColumn
from batchd.store.dialects import reflected
from batchd.store.dialects.base import Fault, Mask, Refusal
from batchd.store.scripts import in_schema, literal


class KnownErrors(Protocol):
    """A module that knows a server's errors by their numbers."""

    def fault(self, error: Exception, /) -> Fault:
        """What it means."""

    def code(self, error: Exception, /) -> str:
        """The server's own number for it; never its text, which quotes values."""

    def refusal(self, error: Exception, /) -> Refusal | None:
        """What to tell a person."""


class ServerDialect:
    """The ways that most servers share; a dialect file holds what differs.

    Args:
        errors: the server's errors by number.
    """

    has_schemas = True
    is_served = True
    # From 1,000 on MariaDB makes a table of them first; SQL Server takes 2,100 in a statement.
    most_values = 900
    loses_transactions = False

    def __init__(self, errors: KnownErrors) -> None:
        self._errors = errors

    def among(self, column: ColumnElement[Any], values: Sequence[Any]) -> ColumnElement[bool]:
        """By a list."""
        return column.in_(list(values))

    def without(self, others: Select[Any]) -> ColumnElement[bool]:
        """By an anti-join, in whichever way the database takes for best."""
        return ~others.exists()

    def together(self, connection: Connection) -> AbstractContextManager[object]:
        """One after the other, as the driver knows no other way."""
        del connection
        return contextlib.nullcontext()

    def masks(self, connection: Connection, table: str, schema: str | None, names: Sequence[str]) -> list[Mask]:
        """Who may read a column reads its values."""
        del connection, table, schema, names
        return []

    def key_columns(
        self, connection: Connection, table: str, schema: str | None, names: Sequence[str]
    ) -> list[KeyColumn]:
        """As reflected."""
        return reflected.key_columns(connection, table, schema, names)

    def table_names(self, connection: Connection, schema: str | None) -> list[str]:
        """As reflected."""
        return reflected.table_names(connection, schema, has_schemas=True)

    def needed_columns(self, connection: Connection, table: str, schema: str | None) -> list[str]:
        """As reflected."""
        return reflected.needed_columns(connection, table, schema)

    def primary_key(self, connection: Connection, table: str, schema: str | None) -> list[str]:
        """As reflected."""
        return reflected.primary_key(connection, table, schema)

    def unique_keys(self, connection: Connection, table: str, schema: str | None) -> list[list[str]]:
        """As reflected."""
        return reflected.unique_keys(connection, table, schema)

    def fault(self, error: Exception) -> Fault:
        """By the server's number."""
        return self._errors.fault(error)

    def code(self, error: Exception) -> str:
        """The server's number."""
        return self._errors.code(error)

    def refusal(self, error: Exception) -> Refusal | None:
        """By the server's number, or by how the connection failed."""
        return self._errors.refusal(error)

    def prepare(self, engine: Engine) -> None:
        """Nothing: the DDL says it all."""

    def script_for(self, script: str, ledger_schema: str | None) -> str:
        """The schema's name stands before each of the ledger's."""
        return in_schema(script, ledger_schema)

    def literal(self, text: str) -> str:
        """As standard SQL has it."""
        return literal(text)
