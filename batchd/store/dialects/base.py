"""What a database must tell the rest of the store."""

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import URL, ColumnElement, Connection, Engine, Select, TableClause

from batchd.core.schema import ColumnInfo
from batchd.core.tasks import KeyColumn


class Fault(Enum):
    """What to do about a database error."""

    AGAIN = auto()  # run the whole transaction again: deadlock, lost connection, busy
    DATA = auto()  # these values are refused, and would be again
    FATAL = auto()  # a person is needed: a dropped column, a revoked right


class LedgerDialect(Protocol):
    """One database's ways. A dialect file holds only what differs from the others."""

    name: str
    has_schemas: bool

    def create_engine(self, url: URL, *, create: bool = False) -> Engine:
        """An engine whose transactions are durable and serialise writers of the ledger."""

    def binding(self, url: URL) -> str:
        """What tells this database from a copy of it."""

    def now(self) -> ColumnElement[Any]:
        """The database's clock, UTC."""

    def now_plus(self, seconds: float | ColumnElement[Any]) -> ColumnElement[Any]:
        """The database's clock, so many seconds on."""

    def seconds_between(self, later: ColumnElement[Any], earlier: ColumnElement[Any]) -> ColumnElement[Any]:
        """Seconds from one time to another."""

    def row_now(self) -> ColumnElement[Any]:
        """The time as ``{ now = "utc" }`` writes it into a user's column."""

    def locked(self, rows: Select[Any]) -> Select[Any]:
        """The same rows, locked until the transaction ends."""

    def update_rows(
        self,
        connection: Connection,
        table: TableClause,
        key_columns: Sequence[str],
        changes: Sequence[tuple[tuple[Any, ...], Mapping[str, Any]]],
        constants: Mapping[str, ColumnElement[Any]],
    ) -> int:
        """Writes many rows by key; returns how many rows were found."""

    def key_columns(
        self, connection: Connection, table: str, schema: str | None, names: Sequence[str]
    ) -> list[KeyColumn]:
        """Kind and equality of the key columns. Raises ConfigError for types no key can be of."""

    def columns(self, connection: Connection, table: str, schema: str | None) -> dict[str, ColumnInfo]:
        """The table's columns, by name."""

    def fault(self, error: Exception) -> Fault:
        """What a driver's error means."""

    def code(self, error: Exception) -> str:
        """The database's own name or number for an error; never its text, which quotes values."""

    def prepare(self, engine: Engine) -> None:
        """What the installer does to the database beside the DDL."""

    def sql_folder(self, root: Path) -> Path:
        """Where this database's DDL is."""
