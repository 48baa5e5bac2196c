"""What servers have in common in a drill: an administrator's connection, opened when it is wanted."""

import contextlib
import secrets
from abc import ABC, abstractmethod
from typing import Any

import sqlalchemy as sa
from sqlalchemy import URL

from batchd.store.migrate import upgrade
from batchd.store.opening import open_database
from tests.conformance.stores import rows_of

# How long a person waits for somebody's lock: to be told whether there is one, and otherwise.
MOMENT = 1
PATIENCE = 30


class ServerDatabase(ABC):
    """A database of a name of its own on a server that is there."""

    def __init__(self, url: str) -> None:
        self.admin = sa.make_url(url)
        self.name = f"batchd_drill_{secrets.token_hex(4)}"
        self.url = _text(self.own_url()._replace(password=None))
        self.password = self.admin.password or ""
        self._person: Any = None

    @abstractmethod
    def connect(self, database: str, *, patience: int = PATIENCE) -> Any:
        """A connection of the administrator, each statement committed at once; ``patience`` in seconds."""

    @abstractmethod
    def statement(self, sql: str, *, with_values: bool) -> str:
        """SQL as this driver and this server want it."""

    def execute(self, sql: str, *values: object) -> list[Any]:
        """What a person at the database sees and does."""
        if self._person is None:
            self._person = self.connect(self.name)
        return self.say(self._person, sql, *values)

    def say(self, connection: Any, sql: str, *values: object) -> list[Any]:
        """One statement on a connection."""
        with contextlib.closing(connection.cursor()) as cursor:
            cursor.execute(self.statement(sql, with_values=bool(values)), *([values] if values else []))
            return rows_of(cursor)

    def at_the_server(self, *statements: str) -> None:
        """Statements about the database itself, by somebody who is not connected to it."""
        self.let_go()
        with contextlib.closing(self.connect(str(self.admin.database))) as connection:
            for statement in statements:
                self.say(connection, statement)

    def upgrade(self) -> None:
        """Makes the ledger, as ``batchd db upgrade`` does."""
        opened = open_database(_text(self.own_url()))
        upgrade(opened.engine, opened.dialect, opened.url)
        opened.engine.dispose()

    def own_url(self) -> URL:
        """The administrator's URL to this database."""
        return self.admin.set(database=self.name)

    def is_locked(self) -> bool:
        """True where rows that carry leases are locked for longer than a moment."""
        with contextlib.closing(self.connect(self.name, patience=MOMENT)) as connection:
            try:
                for table in ("batchd_task", "batchd_batch"):
                    self.say(connection, f"UPDATE {table} SET lease_epoch = lease_epoch")
            except self.errors():
                return True
            return False

    @abstractmethod
    def errors(self) -> type[Exception]:
        """What the driver raises where a lock did not come."""

    def let_go(self) -> None:
        """Ends the person's connection."""
        if self._person is not None:
            self._person.close()
            self._person = None


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)
