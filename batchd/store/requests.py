"""``batchd_request``: one row's one try, and its one outcome."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from batchd.core.keys import RowKey
from batchd.core.model import FinishedRequest, NewRequest, OpenRequest
from batchd.core.outcomes import Tries
from batchd.store import tables
from batchd.store.chunks import chunks
from batchd.store.dialects.base import LedgerDialect

_NUMBERS_A_QUERY = 400


class SqlRequests:
    """Records requests and finishes them once."""

    def __init__(self, connection: Connection, dialect: LedgerDialect) -> None:
        self._connection = connection
        self._dialect = dialect

    def add(self, batch_id: int, requests: Sequence[NewRequest]) -> None:
        """Records a batch's requests."""
        if not requests:
            return
        self._connection.execute(
            sa.insert(tables.request),
            [
                {
                    "batch_id": batch_id,
                    "seq": one.seq,
                    "key_int": one.key.integer,
                    "key_text": one.key.text,
                    "key_hash": one.key.digest,
                    "guard": one.guard,
                    "guard_value": one.guard_value,
                }
                for one in requests
            ],
        )

    def seqs(self, batch_id: int) -> frozenset[int]:
        """Numbers of all requests of a batch."""
        request = tables.request
        return frozenset(self._connection.scalars(sa.select(request.c.seq).where(request.c.batch_id == batch_id)))

    def open_after(self, batch_id: int, seq: int, limit: int) -> list[int]:
        """Numbers of requests without an outcome, in order, after ``seq``."""
        request = tables.request
        rows = self._connection.scalars(
            sa.select(request.c.seq)
            .where(request.c.batch_id == batch_id, request.c.seq > seq, request.c.outcome.is_(None))
            .order_by(request.c.seq)
            .limit(limit)
        )
        return list(rows)

    def lock_open(self, batch_id: int, seqs: Sequence[int]) -> list[OpenRequest]:
        """Those still without an outcome; so a COMMIT whose answer was lost is settled by looking."""
        return [one for some in chunks(sorted(seqs), _NUMBERS_A_QUERY) for one in self._lock_some(batch_id, some)]

    def _lock_some(self, batch_id: int, seqs: Sequence[int]) -> list[OpenRequest]:
        request, gate = tables.request, tables.gate
        query = (
            sa.select(
                request.c.seq,
                request.c.key_int,
                request.c.key_text,
                request.c.guard,
                request.c.guard_value,
                request.c.key_hash,
                gate.c.paid_tries,
                gate.c.unpaid_tries,
            )
            .select_from(
                request.outerjoin(gate, sa.and_(gate.c.batch_id == request.c.batch_id, gate.c.seq == request.c.seq))
            )
            .where(request.c.batch_id == batch_id, request.c.seq.in_(list(seqs)), request.c.outcome.is_(None))
            .order_by(request.c.seq)
        )
        return [_open_request(row) for row in self._connection.execute(self._dialect.locked(query, request))]

    def finish(self, batch_id: int, finished: Sequence[FinishedRequest]) -> None:
        """Gives each request its outcome; one that has one already is left alone."""
        if not finished:
            return
        request = tables.request
        statement = (
            sa.update(request)
            .where(
                request.c.batch_id == sa.bindparam("b"),
                request.c.seq == sa.bindparam("s"),
                request.c.outcome.is_(None),
            )
            .values(
                outcome=sa.bindparam("o"),
                finish_reason=sa.bindparam("f"),
                error_code=sa.bindparam("c"),
                error_text=sa.bindparam("t"),
                input_tokens=sa.bindparam("ti"),
                cached_tokens=sa.bindparam("tc"),
                output_tokens=sa.bindparam("to"),
                reasoning_tokens=sa.bindparam("tr"),
                cost_nano_usd=sa.bindparam("n"),
                finished_at=self._dialect.now(),
            )
        )
        self._connection.execute(statement, [_finish_parameters(batch_id, one) for one in finished])


def _open_request(row: Any) -> OpenRequest:
    return OpenRequest(
        seq=row.seq,
        key=RowKey(row.key_int, row.key_text, row.key_hash),
        guard=row.guard,
        guard_value=row.guard_value,
        tries=Tries(row.paid_tries or 0, row.unpaid_tries or 0),
    )


def _finish_parameters(batch_id: int, one: FinishedRequest) -> dict[str, Any]:
    return {
        "b": batch_id,
        "s": one.seq,
        "o": one.outcome.value,
        "f": one.finish_reason or None,
        "c": one.code or None,
        "t": one.sentence or None,
        "ti": one.usage.input,
        "tc": one.usage.cached,
        "to": one.usage.output,
        "tr": one.usage.reasoning,
        "n": one.cost,
    }
