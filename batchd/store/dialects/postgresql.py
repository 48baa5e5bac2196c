"""PostgreSQL, by psycopg 3.

Under READ COMMITTED every statement sees what is committed when it starts, and rows read FOR UPDATE are the newest
ones; what two transactions must not both do, the ledger's unique keys and lease rows keep apart.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import URL, ColumnElement, Connection, Engine, FromClause, Select, TableClause, Update
from sqlalchemy.types import TypeEngine

from batchd.core.schema import ColumnInfo
from batchd.core.tasks import KeyColumn
from batchd.store.dialects import postgresql_errors as errors
from batchd.store.dialects.base import Fault, Refusal
from batchd.store.dialects.reflected import column_info, key_columns, reflected_columns
from batchd.store.dialects.row_by_row import update_each
from batchd.store.dialects.servers import CONNECT_SECONDS, LOCK_SECONDS, listen_for_refusals, place_of
from batchd.store.scripts import in_schema
from batchd.store.types import AsGiven

_PORT = 5432


class PostgresqlDialect:
    """PostgreSQL's ways."""

    name = "postgresql"
    default_schema: str | None = "batchd"
    has_schemas = True

    def create_engine(self, url: URL, *, create: bool = False) -> Engine:
        """An engine of psycopg 3; a database is made by its owner, never by batchd."""
        del create
        options = f"-c lock_timeout={LOCK_SECONDS * 1000} -c synchronous_commit=on"
        engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            isolation_level="READ COMMITTED",
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={
                "connect_timeout": CONNECT_SECONDS,
                "options": options,
                "application_name": "batchd",
                # A pooler between us and the server hands each transaction another session.
                "prepare_threshold": None,
            },
        )
        listen_for_refusals(engine)
        return engine

    def reading(self, connection: Connection) -> Connection:
        """One snapshot for the whole transaction."""
        return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def binding(self, url: URL) -> str:
        """Server and database."""
        return place_of(self.name, url, _PORT)

    def now(self) -> ColumnElement[Any]:
        """The clock itself: ``now()`` stands still within a transaction."""
        return sa.func.clock_timestamp()

    def now_plus(self, seconds: float | ColumnElement[Any]) -> ColumnElement[Any]:
        """The clock moved by so many seconds."""
        return self.now() + sa.cast(seconds, sa.Double()) * sa.literal_column("interval '1 second'")

    def seconds_between(self, later: ColumnElement[Any], earlier: ColumnElement[Any]) -> ColumnElement[Any]:
        """As a double: a numeric would be a decimal in Python."""
        return sa.cast(sa.extract("epoch", later - earlier), sa.Double())

    def row_now(self, *, zoned: bool) -> ColumnElement[Any]:
        """A ``timestamp`` would take the clock in the session's time zone, so it is told UTC's."""
        return self.now() if zoned else sa.func.timezone("UTC", self.now())

    def key_type(self, column: KeyColumn) -> TypeEngine[Any]:
        """Untyped, so that the column decides; a cast to text would keep its index from being used."""
        del column
        return AsGiven()

    def locked(self, rows: Select[Any], of: FromClause) -> Select[Any]:
        """``FOR UPDATE OF``: the outer side of a join can't be locked, and need not be."""
        return rows.with_for_update(of=of)

    def update_rows(
        self,
        connection: Connection,
        table: TableClause,
        keys: Sequence[KeyColumn],
        changes: Sequence[tuple[tuple[Any, ...], Mapping[str, Any]]],
        constants: Mapping[str, ColumnElement[Any]],
    ) -> int:
        """Psycopg sends them in a pipeline, so that many rows cost few round trips."""
        return update_each(connection, table, keys, changes, constants)

    def check_update(self, connection: Connection, update: Update) -> None:
        """Planned and not run."""
        connection.exec_driver_sql(f"EXPLAIN {update.compile(connection)}")

    def key_columns(
        self, connection: Connection, table: str, schema: str | None, names: Sequence[str]
    ) -> list[KeyColumn]:
        """As reflected."""
        return key_columns(connection, table, schema, names)

    def columns(self, connection: Connection, table: str, schema: str | None) -> dict[str, ColumnInfo]:
        """As reflected; lengths are in characters."""
        return {name: column_info(one) for name, one in reflected_columns(connection, table, schema).items()}

    def fault(self, error: Exception) -> Fault:
        """By SQLSTATE."""
        return errors.fault(error)

    def code(self, error: Exception) -> str:
        """The SQLSTATE."""
        return errors.code(error)

    def refusal(self, error: Exception) -> Refusal | None:
        """By SQLSTATE, or by how the connection failed."""
        return errors.refusal(error)

    def prepare(self, engine: Engine) -> None:
        """Nothing: the DDL says it all."""

    def statements(self, script: str, ledger_schema: str | None) -> list[str]:
        """The server takes a whole script at once, and as one transaction."""
        return [in_schema(script, ledger_schema)]
