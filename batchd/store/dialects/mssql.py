"""SQL Server and Azure SQL, by pyodbc, with Microsoft's driver or FreeTDS.

Only batchd's own rows and the task's rows at hand are locked, by key, under READ COMMITTED; so it does not matter
whether the database reads by row versions. No MERGE, and no OUTPUT, which a trigger on the table would forbid.
"""

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Delete,
    Engine,
    ExceptionContext,
    FromClause,
    Insert,
    Select,
    TableClause,
    Update,
    event,
)
from sqlalchemy.dialects import mssql
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from batchd.core.schema import ColumnInfo
from batchd.core.tasks import KeyColumn
from batchd.store.dialects import mssql_errors as errors
from batchd.store.dialects.base import Mask
from batchd.store.dialects.mssql_catalog import Unreadable, columns_of, needed_columns, table_names, unique_keys
from batchd.store.dialects.mssql_keys import key_type
from batchd.store.dialects.mssql_masks import masks_of
from batchd.store.dialects.mssql_names import use_names
from batchd.store.dialects.mssql_values import insert_by_values, listen_for_texts, try_update, update_by_values
from batchd.store.dialects.odbc import is_freetds, odbc_url
from batchd.store.dialects.reflected import column_info, key_column
from batchd.store.dialects.row_write import RowWrite
from batchd.store.dialects.server_dialect import ServerDialect
from batchd.store.dialects.servers import (
    CONNECT_SECONDS,
    LOCK_SECONDS,
    close_what_cannot_be_reset,
    listen_for_refusals,
    place_of,
)
from batchd.store.scripts import until_go

_PORT = 1433
# What filtered indexes ask of a session, and an end to waiting for locks. XACT_ABORT is off, so that a question which
# the driver asks by itself, and whose failure it keeps to itself, does not end a transaction behind our back
# (docs/decisions/0008): every error that we are told of rolls back anyway.
_SESSION = (
    "SET ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL, QUOTED_IDENTIFIER ON; "
    "SET NUMERIC_ROUNDABORT, NOCOUNT OFF; SET XACT_ABORT OFF; "
    f"SET LOCK_TIMEOUT {LOCK_SECONDS * 1000}"
)
_NOTHING_TO_ROLL_BACK = "3903"
_NO_SNAPSHOT_HERE = frozenset({"3952", "3957", "41332"})
# ODBC's numbers of these.
_NATIONAL_KINDS = (-8, -9, -10)
_NATIONAL = (mssql.NVARCHAR, mssql.NCHAR, mssql.NTEXT)
_CODE_PAGES = {65001: "utf-8", 932: "cp932", 936: "gbk", 949: "cp949", 950: "cp950"}


class MssqlDialect(ServerDialect):
    """SQL Server's ways."""

    name = "mssql"
    default_schema: str | None = "batchd"
    loses_transactions = True

    def __init__(self) -> None:
        super().__init__(errors)
        self._by_versions = False
        self._refused_versions = False

    def create_engine(self, url: URL, *, create: bool = False) -> Engine:
        """An engine of pyodbc; a database is made by its owner, never by batchd. Raises ConfigError."""
        del create
        url = odbc_url(url)
        engine = sa.create_engine(
            url,
            isolation_level="READ COMMITTED",
            pool_pre_ping=True,
            hide_parameters=True,
            # FreeTDS can't be told the types of parameters beforehand.
            use_setinputsizes=not is_freetds(url),
            connect_args={"timeout": CONNECT_SECONDS},
        )
        use_names(engine.dialect)
        engine.dialect.do_rollback = _roll_back  # type: ignore[assignment,method-assign]
        # What the engine was told new sessions begin with; asking for it takes a view that not every server has.
        engine.dialect.get_default_isolation_level = lambda _: "READ COMMITTED"  # type: ignore[assignment,method-assign]
        event.listen(engine, "connect", self._configure)
        listen_for_texts(engine, typed=not is_freetds(url))
        close_what_cannot_be_reset(engine)
        listen_for_refusals(engine)
        event.listen(engine, "handle_error", errors.mark_lost)
        event.listen(engine, "handle_error", self._read_plainly)
        return engine

    def reading(self, connection: Connection) -> Connection:
        """One snapshot where the database allows it; otherwise each statement sees what is committed by then."""
        if not self._by_versions or self._refused_versions:
            return connection
        # The pool's ping may have begun a transaction, within which the level can't be changed. Asked of SQLAlchemy,
        # so that a link that is lost meanwhile is an error like any other.
        connection.exec_driver_sql("IF @@TRANCOUNT > 0 ROLLBACK")
        connection.rollback()
        return connection.execution_options(isolation_level="SNAPSHOT")

    def asking(self, connection: Connection) -> Connection:
        """As for any reading: to leave transactions, and to come back, would take a round trip each."""
        return self.reading(connection)

    def binding(self, url: URL) -> str:
        """Server and database. FreeTDS is told the port in the query, in capitals or not."""
        small = url.set(query={name.lower(): value for name, value in url.query.items()})
        return place_of(self.name, small, _PORT)

    def now(self) -> ColumnElement[Any]:
        """UTC; ``CURRENT_TIMESTAMP`` is local time here."""
        return sa.func.sysutcdatetime()

    def now_plus(self, seconds: float | ColumnElement[Any]) -> ColumnElement[Any]:
        """In two steps: 24 days of milliseconds are more than DATEADD takes."""
        if isinstance(seconds, int | float):
            whole = math.floor(seconds)
            return _moved(self.now(), sa.literal(whole), sa.literal(round((seconds - whole) * 1000)))
        floor = sa.func.floor(sa.cast(seconds, sa.Double()))
        rest: ColumnElement[Any] = (sa.cast(seconds, sa.Double()) - floor) * 1000
        return _moved(self.now(), sa.cast(floor, sa.Integer()), sa.cast(rest, sa.Integer()))

    def seconds_between(self, later: ColumnElement[Any], earlier: ColumnElement[Any]) -> ColumnElement[Any]:
        """By whole milliseconds."""
        milliseconds = sa.func.datediff_big(sa.literal_column("MILLISECOND"), earlier, later)
        return milliseconds / sa.literal_column("1000.0")

    def row_now(self, *, zoned: bool) -> ColumnElement[Any]:
        """A DATETIMEOFFSET takes it as UTC, too."""
        del zoned
        return self.now()

    def key_type(self, column: KeyColumn) -> TypeEngine[Any]:
        """As the column has it: other lengths would be other plans, and other types its whole index read."""
        return key_type(column)

    def locked(self, rows: Select[Any], of: FromClause) -> Select[Any]:
        """Update locks, which readers under row versions don't notice, and no more than rows."""
        return rows.with_hint(of, "WITH (UPDLOCK, ROWLOCK)", dialect_name=self.name)

    def update_rows(self, connection: Connection, write: RowWrite) -> int:
        """By joins with tables of values, of as many rows as the limit of parameters allows."""
        return update_by_values(connection, write)

    def insert_rows(self, connection: Connection, write: RowWrite) -> int:
        """The same, from the tables of values alone."""
        return insert_by_values(connection, write)

    def update_ledger_rows(self, connection: Connection, write: RowWrite) -> None:
        """The same; no column of the ledger needs its text converted first."""
        update_by_values(connection, write, kinds={})

    def insert_ledger_rows(self, connection: Connection, write: RowWrite) -> None:
        """The same."""
        insert_by_values(connection, write, kinds={})

    @contextlib.contextmanager
    def trying(self, connection: Connection) -> Iterator[None]:
        """A statement that fails leaves the transaction as it was, with XACT_ABORT off; or there is another one.

        Not every server that speaks T-SQL leaves it. Microsoft's driver begins another by itself, FreeTDS does not.
        """
        try:
            yield
        except DBAPIError:
            if is_freetds(connection.engine.url):
                connection.exec_driver_sql("IF @@TRANCOUNT = 0 BEGIN TRANSACTION")
            raise

    def check_table(self, connection: Connection, table: str, schema: str | None) -> None:
        """Every table takes part in transactions."""
        del connection, table, schema

    def masks(self, connection: Connection, table: str, schema: str | None, names: Sequence[str]) -> list[Mask]:
        """By dynamic data masking, which gives masks for values without a word."""
        return masks_of(connection, table, schema, names)

    def check_write(self, connection: Connection, write: Update | Insert | Delete) -> None:
        """Run for no row at all, there being no EXPLAIN; an update as rows will be written, which not all takes."""
        if isinstance(write, Update) and isinstance(write.table, TableClause):
            try_update(connection, write.table)
        else:
            connection.execute(write)

    def key_columns(
        self, connection: Connection, table: str, schema: str | None, names: Sequence[str]
    ) -> list[KeyColumn]:
        """As reflected, with the type and collation that a document's keys are read with."""
        columns = columns_of(connection, table, schema)
        return [
            key_column(connection, table, schema, columns[name]).model_copy(update=_declared(connection, columns[name]))
            for name in names
        ]

    def columns(self, connection: Connection, table: str, schema: str | None) -> dict[str, ColumnInfo]:
        """As reflected. NVARCHAR counts halves of UTF-16, VARCHAR the bytes of its collation's code page."""
        columns = columns_of(connection, table, schema)
        pages = _code_pages(connection, {str(getattr(one["type"], "collation", None)) for one in columns.values()})
        return {name: _info(one, pages) for name, one in columns.items()}

    def table_names(self, connection: Connection, schema: str | None) -> list[str]:
        """As the catalogue has them."""
        return table_names(connection, schema)

    def needed_columns(self, connection: Connection, table: str, schema: str | None) -> list[str]:
        """As the catalogue has them."""
        return needed_columns(connection, table, schema)

    def primary_key(self, connection: Connection, table: str, schema: str | None) -> list[str]:
        """As the catalogue has it."""
        return unique_keys(connection, table, schema)[0]

    def unique_keys(self, connection: Connection, table: str, schema: str | None) -> list[list[str]]:
        """Constraints are indexes too; one with a filter says nothing about all rows."""
        return unique_keys(connection, table, schema)[1]

    def statements(self, script: str, ledger_schema: str | None) -> list[str]:
        """Batch by batch, as sqlcmd does."""
        return until_go(self.script_for(script, ledger_schema))

    def literal(self, text: str) -> str:
        """As national text: plain text has the characters of a code page only."""
        return f"N{super().literal(text)}"

    def _read_plainly(self, context: ExceptionContext) -> None:
        """A view may lead to where there are no snapshots: another database, a table in memory."""
        error = context.sqlalchemy_exception
        if error is not None and errors.code(error).partition(" ")[0] in _NO_SNAPSHOT_HERE:
            self._refused_versions = True

    def _configure(self, connection: Any, _record: object) -> None:
        for kind in _NATIONAL_KINDS:
            connection.add_output_converter(kind, _with_halves)
        with connection.cursor() as cursor:
            cursor.execute(_SESSION)
            # By name: the ids of Azure SQL's databases differ between its catalogues.
            cursor.execute("SELECT snapshot_isolation_state FROM sys.databases WHERE name = DB_NAME()")
            found = cursor.fetchone()
        # ODBC has begun a transaction, within which the isolation level could not be changed to SNAPSHOT.
        connection.commit()
        self._by_versions = bool(found) and found[0] == 1


def _with_halves(raw: bytes) -> str:
    """Text as it stands in the row. LEFT and SUBSTRING cut characters in two, at which the driver's own way fails."""
    return raw.decode("utf-16-le", "surrogatepass")


def _roll_back(connection: Any) -> None:
    """What a trigger, or the server, has rolled back already is an error to drivers; it would hide the first."""
    try:
        connection.rollback()
    except Exception as error:
        if errors.code(error).partition(" ")[0] != _NOTHING_TO_ROLL_BACK:
            raise


def _moved(
    clock: ColumnElement[Any], seconds: ColumnElement[Any], milliseconds: ColumnElement[Any]
) -> ColumnElement[Any]:
    by_seconds = sa.func.dateadd(sa.literal_column("SECOND"), seconds, clock)
    return sa.func.dateadd(sa.literal_column("MILLISECOND"), milliseconds, by_seconds)


def _declared(connection: Connection, column: ReflectedColumn) -> dict[str, str]:
    kind = column["type"]
    collation = getattr(kind, "collation", None) or ""
    declared = str(kind.compile(connection.dialect))
    return {"sql_type": declared.partition(" COLLATE ")[0], "collation": collation}


def _info(column: ReflectedColumn, pages: Mapping[str, str]) -> ColumnInfo:
    info, kind = column_info(column), column["type"]
    if isinstance(kind, Unreadable):
        return replace(info, unreadable=kind.name)
    if info.kind != "text":
        return info
    national = isinstance(kind, _NATIONAL)
    encoding = "utf-16-le" if national else pages.get(str(getattr(kind, "collation", None)), "")
    return ColumnInfo(info.kind, info.max_length, info.nullable, encoding)


def _code_pages(connection: Connection, collations: set[str]) -> dict[str, str]:
    """Python's name of each collation's encoding."""
    found: dict[str, str] = {}
    for collation in sorted(collations - {"None"}):
        code_page = sa.func.collationproperty(sa.literal(collation, sa.Unicode()), sa.literal("CodePage", sa.Unicode()))
        page = connection.scalar(sa.select(sa.cast(code_page, sa.Integer())))
        if page:
            found[collation] = _CODE_PAGES.get(int(page), f"cp{int(page)}")
    return found
