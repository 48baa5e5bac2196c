"""What a database must tell the rest of the store."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from sqlalchemy import URL, ColumnElement, Connection, Delete, Engine, FromClause, Insert, Select, Update
from sqlalchemy.types import TypeEngine

from batchd.core.schema import ColumnInfo
from batchd.core.tasks import KeyColumn
from batchd.store.dialects.row_write import RowWrite


class Fault(Enum):
    """What to do about a database error."""

    AGAIN = auto()  # run the whole transaction again: deadlock, lost connection, busy
    LATER = auto()  # the same after a longer wait: the server is away, starting, or asks for less load
    DUPLICATE = auto()  # a unique key is taken: a row's values, or somebody else was faster with the ledger
    DATA = auto()  # these values are refused, and would be again
    FATAL = auto()  # a person is needed: a dropped column, a revoked right


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a person is told of an error that only a person can end: our own words, never the database's.

    Attributes:
        reason: what is wrong, as the end of a sentence, such as "the server refused the login".
        next_command: what to run, install or change next.
        lacks_right: the login may not do it, and a GRANT would end that.
    """

    reason: str
    next_command: str
    lacks_right: bool = False


@dataclass(frozen=True, slots=True)
class Mask:
    """A column whose values the database hides from whoever lacks the right to see them.

    Attributes:
        column: its name.
        lifted: the login is shown the values.
        by_column: the right can be granted for this column alone.
    """

    column: str
    lifted: bool
    by_column: bool


class LedgerDialect(Protocol):
    """One database's ways. A dialect file holds only what differs from the others.

    Attributes:
        name: the folder of its DDL under ``sql/``, and what it is called in code.
        default_schema: where the ledger is if the config does not say; None: where the URL leads.
        has_schemas: the ledger may be in a schema of its own.
        most_values: how many values a condition may name at once.
        is_served: a server does its work.
        loses_transactions: its driver may lose one without a word, and go on in a new one.
    """

    name: str
    default_schema: str | None
    has_schemas: bool
    most_values: int
    is_served: bool
    loses_transactions: bool

    def create_engine(self, url: URL, *, create: bool = False) -> Engine:
        """An engine whose transactions are durable. Raises ConfigError for a driver that is not there."""

    def reading(self, connection: Connection) -> Connection:
        """The connection for one transaction that only reads: one consistent view, and no write lock."""

    def binding(self, url: URL) -> str:
        """What tells this database from a copy of it."""

    def now(self) -> ColumnElement[Any]:
        """The database's clock, UTC."""

    def now_plus(self, seconds: float | ColumnElement[Any]) -> ColumnElement[Any]:
        """The database's clock, so many seconds on; NULL for NULL."""

    def seconds_between(self, later: ColumnElement[Any], earlier: ColumnElement[Any]) -> ColumnElement[Any]:
        """Seconds from one time to another."""

    def row_now(self, *, zoned: bool) -> ColumnElement[Any]:
        """The time as ``{ now = "utc" }`` writes it into a user's column; ``zoned``: one that knows of time zones."""

    def key_type(self, column: KeyColumn) -> TypeEngine[Any]:
        """How values are sent that a key column is compared with, so that its index serves."""

    def among(self, column: ColumnElement[Any], values: Sequence[Any]) -> ColumnElement[bool]:
        """The column is one of these values, whole numbers or texts: at most :attr:`most_values`."""

    def without(self, others: Select[Any]) -> ColumnElement[bool]:
        """The row has none of these in another table, which finds them by its key."""

    def locked(self, rows: Select[Any], of: FromClause) -> Select[Any]:
        """The same rows, those of one table locked until the transaction ends."""

    def update_rows(self, connection: Connection, write: RowWrite) -> int:
        """Writes rows that are there; returns how many were found."""

    def insert_rows(self, connection: Connection, write: RowWrite) -> int:
        """Adds rows, their keys among the values; returns how many."""

    def update_ledger_rows(self, connection: Connection, write: RowWrite) -> None:
        """Changes rows of a table of the ledger, whose types the statement knows."""

    def insert_ledger_rows(self, connection: Connection, write: RowWrite) -> None:
        """Adds rows to a table of the ledger."""

    def asking(self, connection: Connection) -> Connection:
        """For one single statement that reads, which sees one consistent view by itself."""

    def together(self, connection: Connection) -> AbstractContextManager[object]:
        """Around statements that return nothing and whose counts nobody asks for: they may go out at once.

        Raises what the first of them has raised, by the end at the latest.
        """

    def trying(self, connection: Connection) -> AbstractContextManager[object]:
        """Around a statement that may fail: the transaction goes on after its failure."""

    def check_table(self, connection: Connection, table: str, schema: str | None) -> None:
        """Refuses a table of which the promises could not be kept. Raises ConfigError, DatabaseError."""

    def masks(self, connection: Connection, table: str, schema: str | None, names: Sequence[str]) -> list[Mask]:
        """Those of the columns that are masked."""

    def check_write(self, connection: Connection, write: Update | Insert | Delete) -> None:
        """Has the database look at a statement that writes no row at all; raises its own error."""

    def key_columns(
        self, connection: Connection, table: str, schema: str | None, names: Sequence[str]
    ) -> list[KeyColumn]:
        """Kind and equality of the key columns. Raises ConfigError for types no key can be of."""

    def table_names(self, connection: Connection, schema: str | None) -> list[str]:
        """The tables and views of a schema; none of a schema that is not there."""

    def columns(self, connection: Connection, table: str, schema: str | None) -> dict[str, ColumnInfo]:
        """The table's columns, by name."""

    def needed_columns(self, connection: Connection, table: str, schema: str | None) -> list[str]:
        """The columns that a new row must give: not NULL, and not filled by the database itself."""

    def primary_key(self, connection: Connection, table: str, schema: str | None) -> list[str]:
        """The columns of the primary key; none where there is none."""

    def unique_keys(self, connection: Connection, table: str, schema: str | None) -> list[list[str]]:
        """The columns of each key that the database keeps unique over all rows, the primary key's among them."""

    def fault(self, error: Exception) -> Fault:
        """What a driver's error means."""

    def code(self, error: Exception) -> str:
        """The database's own name or number for an error; never its text, which quotes values."""

    def refusal(self, error: Exception) -> Refusal | None:
        """What to tell a person of an error that only a person can end; None where there is no more to say."""

    def prepare(self, engine: Engine) -> None:
        """What the installer does to the database beside the DDL."""

    def statements(self, script: str, ledger_schema: str | None) -> list[str]:
        """The statements of one script of DDL, for a ledger in this schema."""

    def script_for(self, script: str, ledger_schema: str | None) -> str:
        """One script whole, as the database's own client takes it, for a ledger in this schema."""

    def literal(self, text: str) -> str:
        """A text as a script writes it, in quotes."""
