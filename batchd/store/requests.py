"""``batchd_request``: one row's one try, and its one outcome."""

from array import array
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from batchd.core.keys import RowKey
from batchd.core.model import FinishedRequest, NewRequest, OpenRequest
from batchd.core.outcomes import Tries
from batchd.store import tables
from batchd.store.chunks import numbered
from batchd.store.dialects.base import LedgerDialect
from batchd.store.ledger_rows import LedgerRows

# What a request gets with its outcome.
_FINISH = (
    "outcome",
    "finish_reason",
    "error_code",
    "error_text",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_nano_usd",
)


class SqlRequests:
    """Records requests and finishes them once."""

    def __init__(self, connection: Connection, dialect: LedgerDialect) -> None:
        self._connection = connection
        self._dialect = dialect

    def add(self, batch_id: int, requests: Iterable[NewRequest]) -> None:
        """Records a batch's requests."""
        columns = ("batch_id", "seq", "key_int", "key_text", "key_hash", "guard", "guard_value")
        rows = (
            (batch_id, one.seq, one.key.integer, one.key.text, one.key.digest, one.guard, one.guard_value)
            for one in requests
        )
        LedgerRows(self._connection, self._dialect, tables.request).add(columns, rows)

    def seqs(self, batch_id: int) -> Collection[int]:
        """Numbers of all requests of a batch: a range, where none was dropped, which takes no room."""
        request = tables.request
        query = sa.select(request.c.seq).where(request.c.batch_id == batch_id)
        found = array("q", self._connection.scalars(query.order_by(request.c.seq)))
        if found and found[-1] - found[0] + 1 == len(found):
            return range(found[0], found[-1] + 1)
        return frozenset(found)

    def open_after(self, batch_id: int, seq: int, limit: int) -> Sequence[int]:
        """Numbers of requests without an outcome, in order, after ``seq``."""
        request = tables.request
        rows = self._connection.scalars(
            sa.select(request.c.seq)
            .where(request.c.batch_id == batch_id, request.c.seq > seq, request.c.outcome.is_(None))
            .order_by(request.c.seq)
            .limit(limit)
        )
        return array("q", rows)

    def open_keys(self, batch_id: int, most: int) -> list[RowKey]:
        """The rows of the first requests without an outcome."""
        request = tables.request
        rows = self._connection.execute(
            sa.select(request.c.key_int, request.c.key_text, request.c.key_hash)
            .where(request.c.batch_id == batch_id, request.c.outcome.is_(None))
            .order_by(request.c.seq)
            .limit(most)
        )
        return [RowKey(row.key_int, row.key_text, row.key_hash) for row in rows]

    def lock_open(self, batch_id: int, seqs: Sequence[int]) -> list[OpenRequest]:
        """Those still without an outcome; so a COMMIT whose answer was lost is settled by looking."""
        return [one for among in numbered(tables.request.c.seq, seqs) for one in self._lock_some(batch_id, among)]

    def _lock_some(self, batch_id: int, among: ColumnElement[bool]) -> list[OpenRequest]:
        request, gate = tables.request, tables.gate
        query = (
            sa.select(
                request.c.seq,
                request.c.key_int,
                request.c.key_text,
                request.c.key_hash,
                request.c.guard,
                request.c.guard_value,
                gate.c.paid_tries,
                gate.c.unpaid_tries,
            )
            .select_from(
                request.outerjoin(gate, sa.and_(gate.c.batch_id == request.c.batch_id, gate.c.seq == request.c.seq))
            )
            .where(request.c.batch_id == batch_id, among, request.c.outcome.is_(None))
            .order_by(request.c.seq)
        )
        rows = self._connection.execute(self._dialect.locked(query, request)).all()
        return [
            OpenRequest(seq, RowKey(number, text, digest), guard, guard_value, Tries(paid or 0, unpaid or 0))
            for seq, number, text, digest, guard, guard_value, paid, unpaid in rows
        ]

    def finish(self, batch_id: int, finished: Sequence[FinishedRequest]) -> None:
        """Gives each request its outcome; one that has one already is left alone."""
        rows = ((batch_id, *_finish(one)) for one in finished)
        requests = LedgerRows(self._connection, self._dialect, tables.request)
        requests.change(("batch_id", "seq"), _FINISH, rows, clock="finished_at", unset="outcome")


def _finish(one: FinishedRequest) -> tuple[Any, ...]:
    usage = one.usage
    return (
        one.seq,
        one.outcome.value,
        one.finish_reason or None,
        one.code or None,
        one.sentence or None,
        usage.input,
        usage.cached,
        usage.output,
        usage.reasoning,
        one.cost,
    )
