"""How long ago something happened to a batch, and when it is due again, by the database's clock."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from batchd.core.model import Batch
from batchd.core.states import BatchState
from batchd.store import tables
from batchd.store.chunks import chunks
from batchd.store.dialects.base import LedgerDialect


class BatchClock:
    """Reads the stamps of batches within one transaction, and writes when they are due."""

    def __init__(self, connection: Connection, dialect: LedgerDialect) -> None:
        self._connection = connection
        self._dialect = dialect

    def seconds_unsettled(self, batch: Batch) -> float:
        """How far the bound of an unknown create's wait is behind; negative before it."""
        return self._seconds_since(batch, tables.batch.c.settle_by) or 0.0

    def seconds_absent(self, batch: Batch) -> float:
        """How long ago a listing proved an absence for the first time."""
        return self._seconds_since(batch, tables.batch.c.absent_since) or 0.0

    def seconds_since_end(self, batch: Batch) -> float:
        """How long its results have been there to be fetched."""
        return self._seconds_since(batch, tables.batch.c.ended_at) or 0.0

    def seconds_past_window(self, batch: Batch) -> float:
        """Seconds since the vendor's window ended; negative while it is open or not known."""
        past = self._seconds_since(batch, tables.batch.c.expires_at)
        return -1.0 if past is None else past

    def seconds_since_submit(self, batch: Batch) -> float:
        """The batch's age at the vendor."""
        return self._seconds_since(batch, tables.batch.c.submitted_at) or 0.0

    def wait(self, batch: Batch, seconds: float) -> None:
        """Leaves the batch alone for a while."""
        until = self._dialect.now_plus(seconds) if seconds > 0 else None
        self._connection.execute(sa.update(tables.batch).where(tables.batch.c.id == batch.id).values(not_before=until))

    def bring_forward(self, account: str, vendor_ids: Sequence[str]) -> frozenset[str]:
        """Makes those of an account's batches due now that are at the vendor and have not ended as far as we know."""
        batch = tables.batch
        brought: set[str] = set()
        for some in chunks(vendor_ids, 400):
            named = sa.select(batch.c.id, batch.c.vendor_batch_id, batch.c.account).where(
                batch.c.vendor_batch_id.in_(list(some)), batch.c.state == BatchState.SUBMITTED.value
            )
            # Compared here: asked for the account too, SQLite would read all of its batches.
            here = {row.id: row.vendor_batch_id for row in self._connection.execute(named) if row.account == account}
            if here:
                # The state once more: one that has moved since it was read waits for something else.
                still = (batch.c.id.in_(sorted(here)), batch.c.state == BatchState.SUBMITTED.value)
                self._connection.execute(sa.update(batch).where(*still).values(not_before=None))
            brought.update(here.values())
        return frozenset(brought)

    def _seconds_since(self, batch: Batch, stamp: ColumnElement[Any]) -> float | None:
        """Negative before the stamp, None where there is none."""
        since = self._dialect.seconds_between(self._dialect.now(), stamp)
        found = self._connection.scalar(sa.select(since).where(tables.batch.c.id == batch.id))
        return None if found is None else float(found)
