"""What a database server is, what its clock says, and settings of it that a promise hangs on. Reads only."""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from batchd.store.dialects.base import LedgerDialect
from batchd.store.types import Moment

# The oldest that know what batchd asks for. SQL Server 2016 calls itself 13; SQLite comes with Python.
_OLDEST = {"PostgreSQL": (13,), "MariaDB": (10, 5), "MySQL": (8, 0, 16), "SQL Server": (13,), "SQLite": ()}
_DEFERRED = "a commit may be answered before it is on the disk, so that a power cut can take back what was paid for"
_OURS = "batchd sets it for each connection; see what else does"


@dataclass(frozen=True, slots=True)
class Server:
    """A database server, or SQLite: its product, its version as it says it, the oldest that will do, and whether."""

    product: str
    version: str
    oldest: str
    is_supported: bool


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of the database, what hangs on it where it is not right, and what sets it right."""

    name: str
    value: str
    is_right: bool
    trouble: str = ""
    remedy: str = ""


def server_of(connection: Connection, dialect: LedgerDialect) -> Server:
    """Which database this is."""
    products = {"postgresql": "PostgreSQL", "mssql": "SQL Server", "sqlite": "SQLite"}
    is_mariadb = bool(getattr(connection.dialect, "is_mariadb", False))
    product = products.get(dialect.name, "MariaDB" if is_mariadb else "MySQL")
    numbers = tuple(one for one in connection.dialect.server_version_info or () if isinstance(one, int))
    oldest = _OLDEST[product]
    return Server(product, _dotted(numbers), _dotted(oldest), numbers >= oldest)


def clock_of(connection: Connection, dialect: LedgerDialect) -> dt.datetime:
    """The database's clock."""
    now: dt.datetime | None = connection.scalar(sa.select(sa.type_coerce(dialect.now(), Moment)))
    if now is None:
        msg = "a database without a clock"
        raise LookupError(msg)
    return now


def settings_of(connection: Connection, dialect: LedgerDialect) -> list[Setting]:
    """Whether what is committed is durable, and whether reading sees one moment."""
    return list(_SETTINGS[dialect.name](connection))


def _sqlite(connection: Connection) -> Iterator[Setting]:
    level = int(connection.exec_driver_sql("PRAGMA synchronous").scalar() or 0)
    full = 2
    yield Setting("synchronous", {2: "FULL", 3: "EXTRA"}.get(level, str(level)), level >= full, _DEFERRED, _OURS)


def _postgresql(connection: Connection) -> Iterator[Setting]:
    commit, fsync, pages = connection.execute(
        sa.text(
            "SELECT current_setting('synchronous_commit'), current_setting('fsync'), "
            "current_setting('full_page_writes')"
        )
    ).one()
    login = str(connection.scalar(sa.text("SELECT quote_ident(current_user)")))
    remedy = f"have a DBA run: ALTER ROLE {login} SET synchronous_commit = on"
    yield Setting("synchronous_commit", commit, commit != "off", _DEFERRED, remedy)
    for name, value in (("fsync", fsync), ("full_page_writes", pages)):
        yield Setting(name, value, value == "on", "a power cut can damage the database", f"set {name} = on")


def _mysql(connection: Connection) -> Iterator[Setting]:
    flush, keeps_log, sync = connection.execute(
        sa.text("SELECT @@innodb_flush_log_at_trx_commit, @@log_bin, @@sync_binlog")
    ).one()
    name = "innodb_flush_log_at_trx_commit"
    yield Setting(name, str(flush), int(flush) == 1, _DEFERRED, f"have a DBA run: SET GLOBAL {name} = 1")
    if keeps_log:
        trouble = "after a power cut a replica, or a restored backup, may lack what was paid for"
        yield Setting("sync_binlog", str(sync), int(sync) == 1, trouble, "have a DBA run: SET GLOBAL sync_binlog = 1")


def _mssql(connection: Connection) -> Iterator[Setting]:
    row = connection.execute(
        sa.text(
            "SELECT CAST(delayed_durability_desc AS NVARCHAR(60)), CAST(snapshot_isolation_state_desc AS NVARCHAR(60)) "
            "FROM sys.databases WHERE database_id = DB_ID()"
        )
    ).first()
    if row is None:
        return
    durability, snapshot = str(row[0] or ""), str(row[1] or "")
    set_durability = "have a DBA run: ALTER DATABASE CURRENT SET DELAYED_DURABILITY = DISABLED"
    # Where it is merely allowed, a transaction would have to ask for it, and none of batchd's does.
    yield Setting("DELAYED_DURABILITY", durability, durability != "FORCED", _DEFERRED, set_durability)
    trouble = "status and verify read while others write, and may see two moments at once"
    allow = "have a DBA run: ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON"
    yield Setting("ALLOW_SNAPSHOT_ISOLATION", snapshot, snapshot == "ON", trouble, allow)


_SETTINGS: dict[str, Callable[[Connection], Iterator[Setting]]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "mysql": _mysql,
    "mssql": _mssql,
}


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
