"""Batches that have ended are enlisted for what is to be tidied up of them later, once, with when they ended."""

import sqlalchemy as sa
from sqlalchemy import Connection, Table

from batchd.core.model import Batch
from batchd.store import tables


def enlist(connection: Connection, there: Table, batch: Batch) -> None:
    """In a table of ``batch_id`` and ``due_from``; a batch that is known there already stays as it is."""
    if connection.scalar(sa.select(there.c.batch_id).where(there.c.batch_id == batch.id)) is None:
        ended = sa.select(tables.batch.c.closed_at).where(tables.batch.c.id == batch.id).scalar_subquery()
        connection.execute(sa.insert(there).values(batch_id=batch.id, due_from=ended))
