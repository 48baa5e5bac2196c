"""PostgreSQL, by psycopg 3.

Under READ COMMITTED every statement sees what is committed when it starts, and rows read FOR UPDATE are the newest
ones; what two transactions must not both do, the ledger's unique keys and lease rows keep apart.
"""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Delete,
    Engine,
    FromClause,
    Insert,
    Select,
    TableClause,
    Update,
    event,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from batchd.core.schema import ColumnInfo
from batchd.core.tasks import KeyColumn
from batchd.errors import DatabaseError
from batchd.store.dialects import postgresql_errors as errors
from batchd.store.dialects.postgresql_documents import (
    check_types,
    insert_as_text,
    insert_by_document,
    update_as_text,
    update_by_document,
)
from batchd.store.dialects.postgresql_pipelines import answered_together
from batchd.store.dialects.postgresql_values import read_all_times
from batchd.store.dialects.reflected import column_info, reflected_columns
from batchd.store.dialects.row_write import RowWrite
from batchd.store.dialects.server_dialect import ServerDialect
from batchd.store.dialects.servers import (
    CONNECT_SECONDS,
    KEEPALIVE,
    LOCK_SECONDS,
    UNREAD_MILLISECONDS,
    listen_for_refusals,
    ping_after_idleness,
    place_of,
)
from batchd.store.types import AsGiven

_PORT = 5432


class PostgresqlDialect(ServerDialect):
    """PostgreSQL's ways."""

    name = "postgresql"
    default_schema: str | None = "batchd"
    most_values = 5000

    def __init__(self) -> None:
        super().__init__(errors)

    def create_engine(self, url: URL, *, create: bool = False) -> Engine:
        """An engine of psycopg 3; a database is made by its owner, never by batchd."""
        del create
        # psycopg reads no other styles of dates; a role may have one of its own.
        styles = "-c datestyle=ISO -c intervalstyle=postgres"
        options = f"-c lock_timeout={LOCK_SECONDS * 1000} -c synchronous_commit=on {styles}"
        engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            isolation_level="READ COMMITTED",
            hide_parameters=True,
            connect_args={
                "connect_timeout": CONNECT_SECONDS,
                "options": options,
                "application_name": "batchd",
                "tcp_user_timeout": UNREAD_MILLISECONDS,
                **KEEPALIVE,
                # A pooler between us and the server hands each transaction another session.
                "prepare_threshold": None,
            },
        )
        event.listen(engine, "connect", read_all_times)
        # It warns of each pipeline that a refused value ends, with words of its own, beside our log.
        logging.getLogger("psycopg").setLevel(logging.ERROR)
        ping_after_idleness(engine)
        listen_for_refusals(engine)
        return engine

    def reading(self, connection: Connection) -> Connection:
        """One snapshot for the whole transaction."""
        return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def asking(self, connection: Connection) -> Connection:
        """Without BEGIN and COMMIT, each of which would be waited for as long as for the statement."""
        return connection.execution_options(isolation_level="AUTOCOMMIT")

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

    def among(self, column: ColumnElement[Any], values: Sequence[Any]) -> ColumnElement[bool]:
        """Whole numbers as one array; of anything else the column says what it is, which an array would say itself."""
        if all(type(value) is int for value in values):
            numbers = sa.bindparam(None, list(values), type_=postgresql.ARRAY(sa.BigInteger()))
            return column == sa.func.any(numbers)
        return column.in_(list(values))

    def without(self, others: Select[Any]) -> ColumnElement[bool]:
        """Row by row, by the index: an OFFSET keeps it from becoming a join.

        What is not there yet when a table is analysed the planner takes for nothing, and would compare each row of a
        page with each gate of a claim.
        """
        return ~others.offset(0).exists()

    def locked(self, rows: Select[Any], of: FromClause) -> Select[Any]:
        """``FOR UPDATE OF``: the outer side of a join can't be locked, and need not be."""
        return rows.with_for_update(of=of)

    def update_rows(self, connection: Connection, write: RowWrite) -> int:
        """By a document, which a pipeline of statements can't keep up with."""
        return update_as_text(connection, write)

    def insert_rows(self, connection: Connection, write: RowWrite) -> int:
        """By a document, too."""
        return insert_as_text(connection, write)

    def update_ledger_rows(self, connection: Connection, write: RowWrite) -> None:
        """By a document whose types are known."""
        update_by_document(connection, write)

    def insert_ledger_rows(self, connection: Connection, write: RowWrite) -> None:
        """The same."""
        insert_by_document(connection, write)

    def together(self, connection: Connection) -> AbstractContextManager[object]:
        """In a pipeline, by which the server is waited for once."""
        return answered_together(connection)

    def trying(self, connection: Connection) -> AbstractContextManager[object]:
        """Within a savepoint, since a statement that fails ends the transaction."""
        return connection.begin_nested()

    def check_table(self, connection: Connection, table: str, schema: str | None) -> None:
        """Every table takes part in transactions, on a server that takes writes."""
        del table, schema
        standby, setting = connection.execute(
            sa.text("SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')")
        ).one()
        if standby or setting == "on":
            raise DatabaseError(errors.READ_ONLY.reason, next_command=errors.READ_ONLY.next_command)

    def check_write(self, connection: Connection, write: Update | Insert | Delete) -> None:
        """Planned and not run, with what belongs to it.

        Not every type's schema is open to every login, and not every view takes the lock that comes before an update.
        """
        connection.exec_driver_sql(f"EXPLAIN {write.compile(connection)}")
        if not isinstance(write, Delete):
            check_types(connection, cast("TableClause", write.table))
        if isinstance(write, Update):
            locked: Select[Any] = sa.select(sa.literal_column("1")).select_from(write.table).with_for_update()
            connection.exec_driver_sql(f"EXPLAIN {locked.compile(connection)}")

    def columns(self, connection: Connection, table: str, schema: str | None) -> dict[str, ColumnInfo]:
        """As reflected; lengths are in characters."""
        return {name: column_info(one) for name, one in reflected_columns(connection, table, schema).items()}

    def statements(self, script: str, ledger_schema: str | None) -> list[str]:
        """The server takes a whole script at once, and as one transaction."""
        return [self.script_for(script, ledger_schema)]
