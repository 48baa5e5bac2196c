"""Where a stored batch stands now: its recorded end, or the progress that times and faults make due."""

import sqlite3
from dataclasses import replace

from batchd.sandbox.batches import BatchRecord
from batchd.sandbox.faults import BatchFaults, read_faults
from batchd.sandbox.flavour import AZURE, flavour_of
from batchd.sandbox.progress import Answered, Progress, progress


def standing(
    connection: sqlite3.Connection, batch: BatchRecord, now: float, faults: BatchFaults | None = None
) -> Progress:
    """Return where a batch stands at ``now``; ``faults`` saves reading them for each batch of a list."""
    if batch.end is not None:
        return Progress(batch.end.status, batch.end.at, 1.0)
    pace = (faults or read_faults(connection).batches).pace
    if flavour_of(connection).name == AZURE:
        pace = replace(pace, expires=False)
    return progress(batch, now, pace, _answered(connection, batch))


def _answered(connection: sqlite3.Connection, batch: BatchRecord) -> Answered | None:
    if not batch.created.upstream:
        return None
    row = connection.execute(
        "SELECT count(*) AS lines, max(answered_at) AS last_at FROM upstream_answer WHERE batch_id = ?",
        (batch.created.id,),
    ).fetchone()
    return Answered(row["lines"], row["last_at"] or batch.created.created_at)
