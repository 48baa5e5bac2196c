"""The databases that a drill can be run on: what it needs of one, and where the servers are found."""

import datetime as dt
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from batchd.store.tables import metadata
from tests.servers.given import MARIADB, MSSQL, MSSQL_FREETDS, POSTGRESQL, Given

# What people change at a database, now and then at the very moment that a trigger names.
Change = Literal[
    "add odd rows",
    "finish three rows meanwhile",
    "steal a lease",
    "refuse a row",
    "accept the row",
    "hide a column",
    "show the column",
]
# The ledger's tables without their "batchd_", as they are written down: those that others refer to come first.
LEDGER = tuple(table.name.removeprefix("batchd_") for table in metadata.tables.values())
# What a trigger says that refuses a row, and since when a row is done that others have finished.
REFUSAL = "row three is not written"
LONG_AGO = "2000-01-01 00:00:00"

SQLITE = "sqlite"
SERVERS: Mapping[str, Given] = {
    "postgresql": POSTGRESQL,
    "mariadb": MARIADB,
    "mssql": MSSQL,
    "mssql-freetds": MSSQL_FREETDS,
}
NAMES = (SQLITE, *SERVERS)
# SQLite lets text live in a column of whole numbers; no server does, and NULL is no key at all.
_OF_SQLITE_ALONE = frozenset({"claim.before_unusable", "claim.after_unusable"})


class Database(Protocol):
    """One database of a worker's own, with the tables ``person`` and ``audit``.

    The audit counts every write to a row's name, whoever makes it: a row that is written twice was applied twice.

    Attributes:
        url: for the config, without a password.
        password: empty where none is needed.
        changes: the statements for what people change.
    """

    url: str
    password: str
    changes: Mapping[Change, Sequence[str]]

    def create(self) -> None:
        """Makes the database anew, with the two tables, and no ledger."""

    def keep(self) -> None:
        """What is there now, ledger included, is what each case begins with."""

    def put_back(self) -> None:
        """Makes it again what was kept."""

    def execute(self, sql: str, *values: object) -> list[Any]:
        """What a person at the database sees and does, with ``?`` for values; committed at once."""

    def forget_ledger(self) -> None:
        """The database as it was before batchd came."""

    def clock(self) -> dt.datetime:
        """Its own time."""

    def is_locked(self) -> bool:
        """True where nobody can take a lease, since a transaction that is under way has written one."""

    def let_go(self) -> None:
        """Ends the person's connection, which no process that is forked now must share."""

    def close(self) -> None:
        """Leaves nothing behind."""


def database_of(name: str, folder: Path) -> Database:
    """A database of one of ``NAMES``; SQLite's is a file in the folder."""
    # Its driver is loaded only where it is wanted.
    module = importlib.import_module(f"tests.drills.database_{name.partition('-')[0]}")
    made: Database = module.Sqlite(folder) if name == SQLITE else module.Server(SERVERS[name].url)
    return made


def never_passed_on(name: str) -> frozenset[str]:
    """Fault points that nothing can lead to on this database."""
    return frozenset() if name == SQLITE else _OF_SQLITE_ALONE


def why_not(name: str) -> str:
    """Why there can't be a drill on this database, "" where there can."""
    if name not in SERVERS or SERVERS[name].url is not None:
        return ""
    return f"no drill on {name}: set {SERVERS[name].variable} to the URL of a server's administrator"
