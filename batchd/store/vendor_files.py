"""``batchd_vendor_files``: which batches that ended long ago still have files at their vendor."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from batchd.core.model import Batch, Moment
from batchd.ports import Scope
from batchd.store import tables
from batchd.store.batch_rows import batch_from, in_scope, with_task
from batchd.store.chunks import chunks
from batchd.store.dialects.base import LedgerDialect
from batchd.store.enlisting import enlist
from batchd.store.expressions import steady

_NUMBERS_A_QUERY = 400


class SqlVendorFiles:
    """Remembers what may be deleted at vendors, and what has been."""

    def __init__(self, connection: Connection, dialect: LedgerDialect) -> None:
        self._connection = connection
        self._dialect = dialect

    def enlist(self, batch: Batch) -> None:
        """Counted from the batch's end; a batch that is known already stays as it is."""
        enlist(self._connection, tables.vendor_files, batch)

    def due(self, scope: Scope, account: tuple[str, str], seconds: float, most: int) -> list[Batch]:
        """Those that have waited longest."""
        here, batch = tables.vendor_files, tables.batch
        name, fingerprint = account
        query = (
            with_task()
            .join(here, here.c.batch_id == batch.c.id)
            .where(
                here.c.due_from <= steady(self._dialect.now_plus(-seconds)),
                batch.c.account == name,
                batch.c.account_fingerprint == fingerprint,
                *in_scope(scope),
            )
            .order_by(here.c.due_from)
            .limit(most)
        )
        return [batch_from(row) for row in self._connection.execute(query)]

    def put_off(self, batches: Sequence[Batch], seconds: float) -> None:
        """By the database's clock."""
        for some in chunks([batch.id for batch in batches], _NUMBERS_A_QUERY):
            self._change(list(some), due_from=self._dialect.now_plus(-seconds))

    def let_go(self, batch: Batch) -> None:
        """Nothing is to be done about it any more."""
        self._change([batch.id], due_from=None)

    def let_go_of_all(self) -> None:
        """Those that are not enlisted yet are, and done with at once."""
        here, batch = tables.vendor_files, tables.batch
        self._connection.execute(sa.update(here).values(due_from=None))
        known = sa.exists().where(here.c.batch_id == batch.c.id)
        self._connection.execute(sa.insert(here).from_select(["batch_id"], sa.select(batch.c.id).where(~known)))

    def note_deleted(self, batch: Batch) -> bool:
        """By the database's clock."""
        return self._change([batch.id], due_from=None, deleted_at=self._dialect.now()) > 0

    def deleted_at(self, batch_id: int) -> Moment | None:
        """By batch."""
        here = tables.vendor_files
        found: Moment | None = self._connection.scalar(sa.select(here.c.deleted_at).where(here.c.batch_id == batch_id))
        return found

    def _change(self, ids: Sequence[int], **values: Any) -> int:
        """Of those that wait; returns how many there were."""
        here = tables.vendor_files
        waiting = sa.update(here).where(self._dialect.among(here.c.batch_id, ids), here.c.due_from.is_not(None))
        return self._connection.execute(waiting.values(**values)).rowcount
