"""MariaDB and MySQL, by PyMySQL. A schema is a database here.

READ COMMITTED, since REPEATABLE READ locks gaps between rows, which brings deadlocks, and shows rows as they were
when the transaction began. The driver counts the rows that were found, not those that an UPDATE changed.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import URL, ColumnElement, Connection, Engine, FromClause, Select, TableClause, Update, event
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import SAWarning
from sqlalchemy.types import TypeEngine

from batchd.core.schema import ColumnInfo
from batchd.core.tasks import KeyColumn
from batchd.store.dialects import mysql_errors as errors
from batchd.store.dialects.base import Fault, Refusal
from batchd.store.dialects.reflected import column_info, key_columns, reflected_columns
from batchd.store.dialects.servers import CONNECT_SECONDS, LOCK_SECONDS, listen_for_refusals, place_of
from batchd.store.scripts import until_semicolon
from batchd.store.types import AsGiven

_PORT = 3306
_STAGE = "batchd_stage"
# Bytes, and not characters, that the types without a length of their own take.
_BYTES: dict[type[TypeEngine[Any]], int] = {mysql.TINYTEXT: 255, mysql.TEXT: 65_535}


class MysqlDialect:
    """The ways of MariaDB and MySQL."""

    name = "mysql"
    default_schema: str | None = None
    has_schemas = True

    def create_engine(self, url: URL, *, create: bool = False) -> Engine:
        """An engine of PyMySQL; a database is made by its owner, never by batchd."""
        del create
        family = url.get_backend_name()
        engine = sa.create_engine(
            url.set(drivername=f"{family}+pymysql").update_query_dict({"charset": "utf8mb4"}),
            isolation_level="READ COMMITTED",
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"connect_timeout": CONNECT_SECONDS},
        )
        event.listen(engine, "connect", _configure)
        listen_for_refusals(engine)
        return engine

    def reading(self, connection: Connection) -> Connection:
        """One snapshot, taken by the first statement."""
        return connection.execution_options(isolation_level="REPEATABLE READ")

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

    def update_rows(
        self,
        connection: Connection,
        table: TableClause,
        keys: Sequence[KeyColumn],
        changes: Sequence[tuple[tuple[Any, ...], Mapping[str, Any]]],
        constants: Mapping[str, ColumnElement[Any]],
    ) -> int:
        """By a temporary table: PyMySQL sends its rows at once, where an UPDATE for each row is a round trip each."""
        stage = _staged(connection, table, keys, changes)
        values: dict[Any, Any] = {table.c[name]: stage.c[f"v{at}"] for at, name in enumerate(changes[0][1])}
        values |= {table.c[name]: value for name, value in constants.items()}
        same = (table.c[key.name] == stage.c[f"k{at}"] for at, key in enumerate(keys))
        return connection.execute(sa.update(table).where(*same).values(values)).rowcount

    def check_update(self, connection: Connection, update: Update) -> None:
        """Planned and not run."""
        connection.exec_driver_sql(f"EXPLAIN {update.compile(connection)}")

    def key_columns(
        self, connection: Connection, table: str, schema: str | None, names: Sequence[str]
    ) -> list[KeyColumn]:
        """As reflected."""
        with _unknown_types_are_silent():
            return key_columns(connection, table, schema, names)

    def columns(self, connection: Connection, table: str, schema: str | None) -> dict[str, ColumnInfo]:
        """As reflected; lengths are in characters, those of TEXT in bytes."""
        with _unknown_types_are_silent():
            columns = reflected_columns(connection, table, schema)
        return {name: _info(column_info(one), one["type"]) for name, one in columns.items()}

    def fault(self, error: Exception) -> Fault:
        """By the server's error number."""
        return errors.fault(error)

    def code(self, error: Exception) -> str:
        """The server's error number."""
        return errors.code(error)

    def refusal(self, error: Exception) -> Refusal | None:
        """By the server's error number."""
        return errors.refusal(error)

    def prepare(self, engine: Engine) -> None:
        """Nothing: the DDL says it all."""

    def statements(self, script: str, ledger_schema: str | None) -> list[str]:
        """One by one; each CREATE commits by itself."""
        return [*([f"USE {ledger_schema}"] if ledger_schema else []), *until_semicolon(script)]


def _staged(
    connection: Connection,
    table: TableClause,
    keys: Sequence[KeyColumn],
    changes: Sequence[tuple[tuple[Any, ...], Mapping[str, Any]]],
) -> TableClause:
    """A temporary table of the session with the columns' own types, filled: what they refuse, it refuses too."""
    columns = {f"k{at}": table.c[key.name] for at, key in enumerate(keys)}
    columns |= {f"v{at}": table.c[name] for at, name in enumerate(changes[0][1])}
    stage = sa.table(_STAGE, *(sa.column(name, AsGiven()) for name in columns))
    shape = sa.select(*(column.label(name) for name, column in columns.items())).where(sa.text("1 = 0"))
    # Neither of these commits, as DDL of other tables would.
    connection.exec_driver_sql(f"DROP TEMPORARY TABLE IF EXISTS {_STAGE}")
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {_STAGE} {shape.compile(connection)}")
    names = list(changes[0][1])
    rows = [
        {f"k{at}": part for at, part in enumerate(key)} | {f"v{at}": values[name] for at, name in enumerate(names)}
        for key, values in changes
    ]
    connection.execute(sa.insert(stage), rows)
    return stage


def _info(info: ColumnInfo, kind: TypeEngine[Any]) -> ColumnInfo:
    if isinstance(kind, mysql.ENUM | mysql.SET):
        return ColumnInfo(info.kind, None, info.nullable)
    length = _BYTES.get(type(kind))
    in_utf8 = str(getattr(kind, "collation", None) or "").startswith("utf8")
    return ColumnInfo(info.kind, length, info.nullable, "utf-8") if length and in_utf8 else info


def _configure(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        # Without strict mode the server cuts what is too long, and writes it.
        cursor.execute("SET SESSION sql_mode = CONCAT_WS(',', NULLIF(@@sql_mode, ''), 'STRICT_TRANS_TABLES')")
        cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {LOCK_SECONDS}")


def _unknown_types_are_silent() -> "warnings.catch_warnings[None]":
    """A type that SQLAlchemy has no name for says so to everybody; for batchd it holds anything."""
    return warnings.catch_warnings(action="ignore", category=SAWarning)
