"""How long ago something happened to a batch, by the database's clock."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from batchd.core.model import Batch
from batchd.store import tables
from batchd.store.dialects.base import LedgerDialect


class BatchClock:
    """Reads the stamps of batches within one transaction."""

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

    def _seconds_since(self, batch: Batch, stamp: ColumnElement[Any]) -> float | None:
        """Negative before the stamp, None where there is none."""
        since = self._dialect.seconds_between(self._dialect.now(), stamp)
        found = self._connection.scalar(sa.select(since).where(tables.batch.c.id == batch.id))
        return None if found is None else float(found)
