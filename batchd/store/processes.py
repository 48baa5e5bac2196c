"""``batchd_process``: which processes run, by what they have said themselves."""

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy import Connection

from batchd.store import tables
from batchd.store.dialects.base import LedgerDialect
from batchd.store.expressions import steady


class SqlProcesses:
    """Each writes its own row; times are by the database's clock."""

    def __init__(self, connection: Connection, dialect: LedgerDialect, is_dead: Callable[[str], bool]) -> None:
        self._connection = connection
        self._dialect = dialect
        self._is_dead = is_dead

    def show(self, owner: str, version: str, seconds: float) -> None:
        """Makes its row where there is none, or none any more."""
        here, now = tables.process, self._dialect.now()
        seen = {"seen_at": now, "expires_at": self._dialect.now_plus(seconds)}
        known = self._connection.execute(sa.update(here).values(seen).where(here.c.owner == owner))
        if known.rowcount == 0:
            row = {"owner": owner, "version": version, "started_at": now, **seen}
            self._connection.execute(sa.insert(here).values(row))

    def leave(self, owner: str) -> None:
        """Takes its row away."""
        self._connection.execute(sa.delete(tables.process).where(tables.process.c.owner == owner))

    def forget_others(self, owner: str, seconds: float) -> None:
        """Those of other machines can't be known to be dead, so they are given ``seconds``."""
        here = tables.process
        owners = self._connection.scalars(sa.select(here.c.owner).where(here.c.owner != owner)).all()
        for dead in filter(self._is_dead, owners):
            self.leave(dead)
        self._connection.execute(
            sa.delete(here).where(here.c.owner != owner, here.c.expires_at < steady(self._dialect.now_plus(-seconds)))
        )
