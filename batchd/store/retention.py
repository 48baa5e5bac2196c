"""``batchd_retention``: which batches that ended long ago still have requests in the ledger, and the way out for these.

A request goes with all that is kept of its row, and only where nobody waits for that row any more. Batches and events
stay: they are the record.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from batchd.core.model import Batch, Moment
from batchd.core.outcomes import GateState
from batchd.ports import Scope
from batchd.store import tables
from batchd.store.batch_rows import batch_from, in_scope, with_task
from batchd.store.chunks import chunks
from batchd.store.dialects.base import LedgerDialect
from batchd.store.enlisting import enlist
from batchd.store.expressions import steady

_NUMBERS_A_QUERY = 400
# Of a request; what belongs to a whole batch has the number 0.
_KINDS = ("before", "line")


class SqlRetention:
    """Finds requests that nobody needs any more, and removes them."""

    def __init__(self, connection: Connection, dialect: LedgerDialect) -> None:
        self._connection = connection
        self._dialect = dialect

    def enlist(self, batch: Batch) -> None:
        """Counted from the batch's end; a batch that is known already stays as it is."""
        enlist(self._connection, tables.retention, batch)

    def due(self, scope: Scope, seconds: float, most: int) -> list[Batch]:
        """Those that have waited longest."""
        here, batch = tables.retention, tables.batch
        query = (
            with_task()
            .join(here, here.c.batch_id == batch.c.id)
            .where(here.c.due_from <= steady(self._dialect.now_plus(-seconds)), *in_scope(scope))
            .order_by(here.c.due_from)
            .limit(most)
        )
        return [batch_from(row) for row in self._connection.execute(query)]

    def removable(self, batch: Batch, after: int, most: int) -> list[int]:
        """Requests whose row has no gate, or one that only remembers that it is done."""
        request, gate = tables.request, tables.gate
        waits = sa.and_(
            gate.c.task_id == batch.task_id,
            gate.c.key_int == request.c.key_int,
            gate.c.key_hash == request.c.key_hash,
            gate.c.state != GateState.DONE.value,
        )
        # By a join, not by NOT EXISTS, for which MariaDB would copy all gates.
        query = (
            sa.select(request.c.seq)
            .select_from(request.outerjoin(gate, waits))
            .where(request.c.batch_id == batch.id, request.c.seq > after, gate.c.task_id.is_(None))
            .order_by(request.c.seq)
            .limit(most)
        )
        return list(self._connection.scalars(query))

    def remove(self, batch: Batch, seqs: Sequence[int]) -> None:
        """Removes these requests and what is kept of them; from now on the batch counts as trimmed."""
        request, content = tables.request, tables.content
        for some in chunks(seqs, _NUMBERS_A_QUERY):
            numbers = list(some)
            self._connection.execute(
                sa.delete(content).where(
                    content.c.batch_id == batch.id, content.c.kind.in_(_KINDS), content.c.seq.in_(numbers)
                )
            )
            self._connection.execute(
                sa.delete(request).where(request.c.batch_id == batch.id, request.c.seq.in_(numbers))
            )
        self._note(batch, trimmed_at=self._dialect.now())

    def remove_rest(self, batch: Batch, most: int) -> int:
        """Of what is kept of a whole batch, the first pieces."""
        content = tables.content
        place = (content.c.kind, content.c.seq, content.c.part)
        query = sa.select(*place).where(content.c.batch_id == batch.id).order_by(*place).limit(most)
        pieces = self._connection.execute(query).all()
        if pieces:
            named = (column == sa.bindparam(f"p_{column.name}") for column in place)
            self._connection.execute(
                sa.delete(content).where(content.c.batch_id == batch.id, *named),
                [{"p_kind": one.kind, "p_seq": one.seq, "p_part": one.part} for one in pieces],
            )
        return len(pieces)

    def has_requests(self, batch: Batch) -> bool:
        """True while a request of it is there."""
        request = tables.request
        query = sa.select(request.c.seq).where(request.c.batch_id == batch.id).limit(1)
        return self._connection.scalar(query) is not None

    def finish(self, batch: Batch) -> None:
        """Nothing of it is left to be removed."""
        self._note(batch, due_from=None)

    def put_off(self, batch: Batch) -> None:
        """The time that it is kept begins again; a batch that is done with, or not enlisted yet, stays as it is."""
        here = tables.retention
        again = sa.update(here).where(here.c.batch_id == batch.id, here.c.due_from.is_not(None))
        self._connection.execute(again.values(due_from=self._dialect.now()))

    def trimmed_at(self, batch_id: int) -> Moment | None:
        """When requests of it were removed last."""
        here = tables.retention
        found: Moment | None = self._connection.scalar(sa.select(here.c.trimmed_at).where(here.c.batch_id == batch_id))
        return found

    def _note(self, batch: Batch, **values: object) -> None:
        here = tables.retention
        self._connection.execute(sa.update(here).where(here.c.batch_id == batch.id).values(**values))
