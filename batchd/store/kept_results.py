"""Answers that were paid for and kept: which rows still wait for them, and what becomes of them."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Select

from batchd.core.keys import RowKey
from batchd.core.model import Amendment, KeptResult, OpenRequest
from batchd.core.outcomes import GateState, Outcome, Tries
from batchd.store import tables
from batchd.store.chunks import chunks
from batchd.store.dialects.base import LedgerDialect

_NUMBERS_A_QUERY = 400
# `open` is in work, `held` was cancelled, `done` is written.
_WAITING = (GateState.RETRY.value, GateState.FAILED.value)


class SqlKeptResults:
    """Finds kept answers by the gates of their rows, so that what a table has long done costs nothing."""

    def __init__(self, connection: Connection, dialect: LedgerDialect) -> None:
        self._connection = connection
        self._dialect = dialect

    def find(
        self,
        task_id: int,
        outcomes: Sequence[Outcome],
        *,
        keys: Sequence[RowKey] | None = None,
        batch_id: int | None = None,
    ) -> list[tuple[int, int]]:
        """Batch and number of each, in order: of all rows, or of those named, or of one batch."""
        gate, request, content = tables.gate, tables.request, tables.content
        kept = sa.exists().where(
            content.c.batch_id == gate.c.batch_id, content.c.kind == "line", content.c.seq == gate.c.seq
        )
        query = self._waiting(sa.select(gate.c.batch_id, gate.c.seq)).where(
            gate.c.task_id == task_id, request.c.outcome.in_([one.value for one in outcomes]), kept
        )
        if batch_id is not None:
            query = query.where(gate.c.batch_id == batch_id)
        if keys is not None:
            queries = [query.where(_is_row(key)) for key in keys]
        elif batch_id is not None:
            queries = [query.order_by(gate.c.seq)]
        else:
            # State by state. The orders are those of the indexes: else SQLite goes through all gates, done ones too.
            queries = [query.where(gate.c.state == state).order_by(gate.c.not_before) for state in _WAITING]
        return sorted({(row.batch_id, row.seq) for one in queries for row in self._connection.execute(one)})

    def lines(self, batch_id: int, seqs: Sequence[int]) -> dict[int, str]:
        """The kept line of each of these requests."""
        content = tables.content
        found: dict[int, str] = {}
        for some in chunks(seqs, _NUMBERS_A_QUERY):
            rows = self._connection.execute(
                sa.select(content.c.seq, content.c.body).where(
                    content.c.batch_id == batch_id,
                    content.c.kind == "line",
                    content.c.seq.in_(list(some)),
                    content.c.part == 0,
                )
            )
            found.update((row.seq, row.body) for row in rows)
        return found

    def lock(self, batch_id: int, seqs: Sequence[int]) -> list[KeptResult]:
        """Locks these requests and their rows' gates; leaves out those that no longer wait."""
        gate, request = tables.gate, tables.request
        columns = (request, gate.c.state, gate.c.paid_tries, gate.c.unpaid_tries)
        found: list[KeptResult] = []
        for some in chunks(seqs, _NUMBERS_A_QUERY):
            query = self._waiting(sa.select(*columns)).where(
                request.c.batch_id == batch_id,
                request.c.seq.in_(list(some)),
                request.c.outcome.is_not(None),
                request.c.outcome != Outcome.APPLIED.value,
            )
            rows = self._connection.execute(self._dialect.locked(query.order_by(request.c.seq), request))
            found += [_kept_result(row) for row in rows]
        return found

    def written_among(self, batch_id: int, seqs: Sequence[int]) -> frozenset[int]:
        """Those of these requests that are applied."""
        request = tables.request
        written: set[int] = set()
        for some in chunks(seqs, _NUMBERS_A_QUERY):
            query = sa.select(request.c.seq).where(
                request.c.batch_id == batch_id,
                request.c.seq.in_(list(some)),
                request.c.outcome == Outcome.APPLIED.value,
            )
            written.update(self._connection.scalars(query))
        return frozenset(written)

    def amend(self, batch_id: int, amendments: Sequence[Amendment]) -> None:
        """Gives finished requests another outcome or another reason, and their gates that reason."""
        if not amendments:
            return
        gate, request = tables.gate, tables.request
        reason: dict[str, Any] = {"error_code": sa.bindparam("c"), "error_text": sa.bindparam("t")}
        named = [_amendment_parameters(batch_id, one) for one in amendments]
        self._connection.execute(
            sa.update(request)
            .where(
                request.c.batch_id == sa.bindparam("b"),
                request.c.seq == sa.bindparam("s"),
                request.c.outcome == sa.bindparam("w"),
            )
            .values(outcome=sa.bindparam("o"), reapplied_version_id=sa.bindparam("v"), **reason),
            named,
        )
        self._connection.execute(
            sa.update(gate)
            .where(gate.c.batch_id == sa.bindparam("b"), gate.c.seq == sa.bindparam("s"))
            .values(**reason),
            [{name: one[name] for name in ("b", "s", "c", "t")} for one in named],
        )

    def _waiting(self, query: Select[Any]) -> Select[Any]:
        gate, request = tables.gate, tables.request
        same = sa.and_(request.c.batch_id == gate.c.batch_id, request.c.seq == gate.c.seq)
        return query.select_from(gate.join(request, same)).where(gate.c.state.in_(_WAITING))


def _is_row(key: RowKey) -> ColumnElement[bool]:
    return sa.and_(tables.gate.c.key_int == key.integer, tables.gate.c.key_hash == key.digest)


def _amendment_parameters(batch_id: int, one: Amendment) -> dict[str, Any]:
    return {
        "b": batch_id,
        "s": one.seq,
        "w": one.was.value,
        "o": one.outcome.value,
        "c": one.code or None,
        "t": one.sentence or None,
        "v": one.version_id,
    }


def _kept_result(row: Any) -> KeptResult:
    request = OpenRequest(
        seq=row.seq,
        key=RowKey(row.key_int, row.key_text, row.key_hash),
        guard=row.guard,
        guard_value=row.guard_value,
        tries=Tries(row.paid_tries, row.unpaid_tries),
    )
    return KeptResult(request, Outcome(row.outcome), GateState(row.state))
