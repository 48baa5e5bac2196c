"""MariaDB and MySQL, by PyMySQL. A schema is a database here.

READ COMMITTED, since REPEATABLE READ locks gaps between rows, which brings deadlocks, and shows rows as they were
when the transaction began. The driver counts the rows that were found, not those that an UPDATE changed.
"""

import contextlib
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

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
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from batchd.core.schema import ColumnInfo
from batchd.core.tasks import KeyColumn
from batchd.store.dialects import mysql_errors as errors
from batchd.store.dialects.mysql_transactions import check_binary_log, check_engine, check_staging
from batchd.store.dialects.reflected import column_info, reflected_columns, unique_keys
from batchd.store.dialects.row_by_row import insert_each
from batchd.store.dialects.row_write import RowWrite
from batchd.store.dialects.server_dialect import ServerDialect
from batchd.store.dialects.servers import (
    CONNECT_SECONDS,
    LOCK_SECONDS,
    close_what_cannot_be_reset,
    listen_for_refusals,
    place_of,
    watch_line,
)
from batchd.store.scripts import until_semicolon
from batchd.store.types import AsGiven

_PORT = 3306
_STAGE = "batchd_stage"
# Bytes, and not characters, that the types without a length of their own take.
_BYTES: dict[type[TypeEngine[Any]], int] = {mysql.TINYTEXT: 255, mysql.TEXT: 65_535}


class MysqlDialect(ServerDialect):
    """The ways of MariaDB and MySQL."""

    name = "mysql"
    default_schema: str | None = None

    def __init__(self) -> None:
        super().__init__(errors)

    def create_engine(self, url: URL, *, create: bool = False) -> Engine:
        """An engine of PyMySQL; a database is made by its owner, never by batchd."""
        del create
        family = url.get_backend_name()
        engine = sa.create_engine(
            url.set(drivername=f"{family}+pymysql").update_query_dict({"charset": "utf8mb4"}),
            isolation_level="READ COMMITTED",
            # For every one: what it is told of isolation goes past SQLAlchemy, and so would the error of a broken one.
            pool_pre_ping=True,
            hide_parameters=True,
            # The time limit for reading ends once the connection is made.
            connect_args={"connect_timeout": CONNECT_SECONDS, "read_timeout": CONNECT_SECONDS},
        )
        event.listen(engine, "connect", _configure)
        close_what_cannot_be_reset(engine)
        listen_for_refusals(engine)
        return engine

    def reading(self, connection: Connection) -> Connection:
        """One snapshot, taken by the first statement."""
        driver_error = connection.dialect.loaded_dbapi.Error
        try:
            return connection.execution_options(isolation_level="REPEATABLE READ")
        except driver_error as error:
            # The level is set past SQLAlchemy, so a link that was lost after the pool's ping is no error of its own.
            connection.invalidate(error)
            raise sa.exc.DBAPIError.instance(
                "SET TRANSACTION",
                None,
                error,
                driver_error,
                connection_invalidated=True,
                dialect=connection.dialect,
            ) from error

    def asking(self, connection: Connection) -> Connection:
        """As for any reading: to leave transactions, and to come back, would take a round trip each."""
        return self.reading(connection)

    def binding(self, url: URL) -> str:
        """Server and database."""
        return place_of(self.name, url, _PORT)

    def now(self) -> ColumnElement[Any]:
        """UTC, whatever the session's time zone is; as of the start of the statement."""
        return sa.literal_column("UTC_TIMESTAMP(3)")

    def now_plus(self, seconds: float | ColumnElement[Any]) -> ColumnElement[Any]:
        """The clock moved by so many seconds."""
        given = seconds if isinstance(seconds, ColumnElement) else sa.literal(seconds, sa.Float())
        microseconds = sa.func.round(given * 1_000_000)
        return sa.func.timestampadd(sa.literal_column("MICROSECOND"), microseconds, self.now())

    def seconds_between(self, later: ColumnElement[Any], earlier: ColumnElement[Any]) -> ColumnElement[Any]:
        """By whole microseconds."""
        return sa.func.timestampdiff(sa.literal_column("MICROSECOND"), earlier, later) / sa.literal_column("1000000.0")

    def row_now(self, *, zoned: bool) -> ColumnElement[Any]:
        """A TIMESTAMP takes a time for one of the session's time zone; a DATETIME keeps what it is given."""
        return sa.literal_column("CURRENT_TIMESTAMP(3)") if zoned else self.now()

    def key_type(self, column: KeyColumn) -> TypeEngine[Any]:
        """The column's own collation compares."""
        del column
        return AsGiven()

    def locked(self, rows: Select[Any], of: FromClause) -> Select[Any]:
        """``FOR UPDATE``, of the one table where the server can tell them apart."""
        return rows.with_for_update(of=of)

    def update_rows(self, connection: Connection, write: RowWrite) -> int:
        """By a temporary table: PyMySQL sends its rows at once, where an UPDATE for each row is a round trip each."""
        table, stage = write.table, _staged(connection, write)
        staged = dict(zip(write.names, stage.c, strict=True))
        values: dict[Any, Any] = {table.c[name]: staged[name] for name in write.columns}
        values |= {table.c[name]: clock for name, clock in write.clocks.items()}
        same = (table.c[key.name] == staged[key.name] for key in write.keys)
        return connection.execute(sa.update(table).where(*same, *write.conditions).values(values)).rowcount

    def insert_rows(self, connection: Connection, write: RowWrite) -> int:
        """PyMySQL sends rows of plain values at once; so the clock is asked for its value beforehand."""
        return insert_each(connection, _with_times(connection, write))

    def update_ledger_rows(self, connection: Connection, write: RowWrite) -> None:
        """Like any others."""
        self.update_rows(connection, write)

    def insert_ledger_rows(self, connection: Connection, write: RowWrite) -> None:
        """Like any others."""
        self.insert_rows(connection, write)

    def trying(self, connection: Connection) -> AbstractContextManager[object]:
        """A statement that fails leaves the transaction as it was."""
        del connection
        return contextlib.nullcontext()

    def check_table(self, connection: Connection, table: str, schema: str | None) -> None:
        """Its engine must know transactions; and the session must be able to write, by way of a temporary table."""
        check_engine(connection, table, schema)
        check_binary_log(connection)
        check_staging(connection, _STAGE)

    def check_write(self, connection: Connection, write: Update | Insert | Delete) -> None:
        """Planned and not run."""
        connection.exec_driver_sql(f"EXPLAIN {write.compile(connection)}")

    def columns(self, connection: Connection, table: str, schema: str | None) -> dict[str, ColumnInfo]:
        """As reflected; lengths are in characters, those of TEXT in bytes."""
        columns = reflected_columns(connection, table, schema)
        return {name: _info(column_info(one), one["type"]) for name, one in columns.items()}

    def unique_keys(self, connection: Connection, table: str, schema: str | None) -> list[list[str]]:
        """As reflected, but for indexes over the beginning of a text, which is not told."""
        beginnings = _indexed_by_beginning(connection, table, schema)
        return [key for key in unique_keys(connection, table, schema) if beginnings.isdisjoint(key)]

    def statements(self, script: str, ledger_schema: str | None) -> list[str]:
        """One by one; each CREATE commits by itself."""
        place = [f"USE {_quoted(ledger_schema)}"] if ledger_schema else []
        return [*place, *until_semicolon(script)]

    def script_for(self, script: str, ledger_schema: str | None) -> str:
        """A schema is a database here; without one the script runs in the client's."""
        return f"USE {_quoted(ledger_schema)};\n{script}" if ledger_schema else script

    def literal(self, text: str) -> str:
        """A backslash begins an escape."""
        return super().literal(text.replace("\\", "\\\\"))


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def _staged(connection: Connection, write: RowWrite) -> TableClause:
    """A temporary table of the session with the columns' own types, filled: what they refuse, it refuses too."""
    columns = {f"c{at}": write.table.c[name] for at, name in enumerate(write.names)}
    stage = sa.table(_STAGE, *(sa.column(name, AsGiven()) for name in columns))
    shape = sa.select(*(column.label(name) for name, column in columns.items())).where(sa.text("1 = 0"))
    # Neither of these commits, as DDL of other tables would.
    connection.exec_driver_sql(f"DROP TEMPORARY TABLE IF EXISTS {_STAGE}")
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {_STAGE} {shape.compile(connection)}")
    insert_each(connection, RowWrite(stage, (), list(columns), write.rows, {}))
    return stage


def _indexed_by_beginning(connection: Connection, table: str, schema: str | None) -> set[str]:
    query = sa.text(
        "SELECT column_name FROM information_schema.statistics "
        "WHERE table_schema = COALESCE(:place, DATABASE()) AND table_name = :name AND sub_part IS NOT NULL"
    )
    return set(connection.scalars(query, {"place": schema, "name": table}))


def _with_times(connection: Connection, write: RowWrite) -> RowWrite:
    if not write.clocks:
        return write
    clocks = sa.select(*(clock.label(f"c{at}") for at, clock in enumerate(write.clocks.values())))
    told = tuple(connection.execute(clocks).one())
    rows = [row + told for row in write.rows]
    return replace(write, columns=[*write.columns, *write.clocks], rows=rows, clocks={})


def _info(info: ColumnInfo, kind: TypeEngine[Any]) -> ColumnInfo:
    if isinstance(kind, mysql.ENUM | mysql.SET):
        return ColumnInfo(info.kind, None, info.nullable)
    length = _BYTES.get(type(kind))
    in_utf8 = str(getattr(kind, "collation", None) or "").startswith("utf8")
    return ColumnInfo(info.kind, length, info.nullable, "utf-8") if length and in_utf8 else info


def _configure(connection: Any, _record: object) -> None:
    # A statement may take as long as it takes; a server that lets in and says nothing must not.
    connection._read_timeout = None  # noqa: SLF001 - PyMySQL has one limit for both
    watch_line(connection._sock)  # noqa: SLF001 - and nowhere else to set these
    with connection.cursor() as cursor:
        # Without strict mode the server cuts what is too long, and writes it.
        cursor.execute("SET SESSION sql_mode = CONCAT_WS(',', NULLIF(@@sql_mode, ''), 'STRICT_TRANS_TABLES')")
        cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {LOCK_SECONDS}")
