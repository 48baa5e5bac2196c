"""PostgreSQL with fsync on, its data on disk: a server of the bench's own, a database copied from a template a run."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
import sqlalchemy as sa

from batchd.store.migrate import upgrade
from batchd.store.opening import open_database
from tests.bench.places import TABLE
from tests.bench.storage import disk, own_folder
from tests.servers.postgresql import AS_INSTALLED, PostgreSQL

_KEPT, _RUN = "batchd_bench_kept", "batchd_bench"


class Postgresql:
    """Implements ``Place``."""

    name = kind = "postgresql"

    def __init__(self) -> None:
        self.folder = own_folder(disk())
        self.folder.chmod(0o711)  # the server's own user passes through it
        self._server = PostgreSQL(AS_INSTALLED).start(self.folder)
        self._url = sa.make_url(self._server.url)
        ((version,),) = self._at(str(self._url.database), "SHOW server_version")
        self.version = f"PostgreSQL {version.split()[0]}"

    @staticmethod
    def is_installed() -> bool:
        """Whether a server can be started here."""
        return PostgreSQL().is_installed()

    def fill(self, rows: Iterator[str]) -> None:
        self._anew(_KEPT, "template1")
        with self._connection(_KEPT) as connection, connection.transaction(), connection.cursor() as cursor:
            cursor.execute(TABLE.format(time="TIMESTAMPTZ"))
            with cursor.copy("COPY candidate (id, resume) FROM STDIN") as copy:
                for row in enumerate(rows, 1):
                    copy.write_row(row)
        # As autovacuum would, some time after a load.
        self._at(_KEPT, "VACUUM ANALYZE candidate")

    def fresh(self, *, ledger: bool, port: int | None = None) -> None:
        self._anew(_RUN, _KEPT)
        if ledger:
            opened = open_database(self._own(port).render_as_string(hide_password=False))
            upgrade(opened.engine, opened.dialect, opened.url)
            opened.engine.dispose()
        # What the copy has left to be written is none of the run's.
        self._at(_RUN, "CHECKPOINT")
        os.sync()

    def settings(self, port: int | None = None) -> dict[str, Any]:
        url = self._own(port)
        return {
            "host": url.host, "port": url.port, "user": url.username, "password": url.password, "dbname": url.database,
        }  # fmt: skip

    def url(self, port: int | None = None) -> str:
        return self._own(port)._replace(password=None).render_as_string()

    @property
    def password(self) -> str:
        return str(self._url.password)

    def execute(self, sql: str) -> list[Any]:
        return self._at(_RUN, sql)

    def add_rows(self, rows: int, columns: Mapping[str, str], table: str = "candidate") -> None:
        series = f"generate_series(1, {rows}) AS series(i)"
        self.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns.values())} FROM {series}")

    def settle(self) -> None:
        # As autovacuum does some time after so many changes.
        self._at(_RUN, "VACUUM ANALYZE", "CHECKPOINT")
        os.sync()

    def name_of_key(self) -> str:
        return "'Candidate ' || id"

    def close(self) -> None:
        self._server.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _own(self, port: int | None = None) -> sa.URL:
        return self._url.set(drivername="postgresql+psycopg", database=_RUN, port=port or self._url.port)

    def _anew(self, name: str, template: str) -> None:
        self._at(
            str(self._url.database),
            f"DROP DATABASE IF EXISTS {name} WITH (FORCE)",
            f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY",
        )

    def _at(self, database: str, *statements: str) -> list[Any]:
        found: list[Any] = []
        with self._connection(database) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                found = cursor.fetchall() if cursor.description else []
        return found

    @contextlib.contextmanager
    def _connection(self, database: str) -> Iterator[psycopg.Connection]:
        settings = self.settings() | {"dbname": database}
        with psycopg.connect(**settings, autocommit=True, options="-c search_path=public,batchd") as connection:
            yield connection
