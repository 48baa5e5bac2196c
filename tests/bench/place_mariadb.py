"""MariaDB that flushes at each commit, on disk: a server of the bench's own, and rows copied from a kept table."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import pymysql  # type: ignore[import-untyped]
import sqlalchemy as sa

from batchd.store.migrate import upgrade
from batchd.store.opening import open_database
from tests.bench.places import TABLE
from tests.bench.storage import disk, own_folder
from tests.servers.mariadb import AS_INSTALLED, MariaDB

_KEPT, _RUN = "batchd_bench_kept", "batchd_bench"
_ROWS_A_STATEMENT = 1_000


class Mariadb:
    """Implements ``Place``."""

    name = kind = "mariadb"

    def __init__(self) -> None:
        self.folder = own_folder(disk())
        self.folder.chmod(0o711)  # the server's own user passes through it
        self._server = MariaDB(AS_INSTALLED).start(self.folder)
        self._url = sa.make_url(self._server.url)
        ((version,),) = self._at("mysql", "SELECT version()")
        self.version = f"MariaDB {version.partition('-')[0]}"

    @staticmethod
    def is_installed() -> bool:
        """Whether a server can be started here."""
        return MariaDB().is_installed()

    def fill(self, rows: Iterator[str]) -> None:
        self._at("mysql", f"DROP DATABASE IF EXISTS {_KEPT}", f"CREATE DATABASE {_KEPT}")
        numbered = enumerate(rows, 1)
        with self._connection(_KEPT) as connection, connection.cursor() as cursor:
            cursor.execute(TABLE.format(time="DATETIME(3)").replace("resume TEXT", "resume MEDIUMTEXT"))
            cursor.execute("SET autocommit = 0")
            while some := list(islice(numbered, _ROWS_A_STATEMENT)):
                cursor.executemany("INSERT INTO candidate (id, resume) VALUES (%s, %s)", some)
            connection.commit()

    def fresh(self, *, ledger: bool, port: int | None = None) -> None:
        self._at("mysql", f"DROP DATABASE IF EXISTS {_RUN}", f"CREATE DATABASE {_RUN}")
        self._at(
            _RUN,
            f"CREATE TABLE candidate LIKE {_KEPT}.candidate",
            f"INSERT INTO candidate SELECT * FROM {_KEPT}.candidate",
        )
        if ledger:
            opened = open_database(self._own(port).render_as_string(hide_password=False))
            upgrade(opened.engine, opened.dialect, opened.url)
            opened.engine.dispose()
        os.sync()

    def settings(self, port: int | None = None) -> dict[str, Any]:
        url = self._own(port)
        return {
            "host": url.host, "port": url.port, "user": url.username, "password": url.password,
            "database": url.database, "charset": "utf8mb4",
        }  # fmt: skip

    def url(self, port: int | None = None) -> str:
        return self._own(port)._replace(password=None).render_as_string()

    @property
    def password(self) -> str:
        return str(self._url.password)

    def execute(self, sql: str) -> list[Any]:
        return self._at(_RUN, sql)

    def add_rows(self, rows: int, columns: Mapping[str, str], table: str = "candidate") -> None:
        series = f"(SELECT seq AS i FROM seq_1_to_{rows}) AS series"
        self.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns.values())} FROM {series}")

    def settle(self) -> None:
        self._at(_RUN, "ANALYZE TABLE candidate, batchd_request, batchd_gate")
        os.sync()

    def name_of_key(self) -> str:
        return "CONCAT('Candidate ', id)"

    def close(self) -> None:
        self._server.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _own(self, port: int | None = None) -> sa.URL:
        return self._url.set(database=_RUN, port=port or self._url.port)

    def _at(self, database: str, *statements: str) -> list[Any]:
        found: list[Any] = []
        with self._connection(database) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                found = list(cursor.fetchall())
        return found

    @contextlib.contextmanager
    def _connection(self, database: str) -> Iterator[Any]:
        with contextlib.closing(pymysql.connect(**self.settings() | {"database": database}, autocommit=True)) as found:
            yield found
