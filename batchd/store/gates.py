"""``batchd_gate``: batchd's memory of rows it must not claim now. Its primary key is promise 1."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from batchd.core.keys import RowKey
from batchd.core.model import NewRequest, SettledGate, StuckRow, StuckRows
from batchd.core.outcomes import GateState, Outcome
from batchd.core.packing import Failure
from batchd.store import tables
from batchd.store.chunks import chunks, numbered
from batchd.store.dialects.base import LedgerDialect
from batchd.store.expressions import steady, total
from batchd.store.ledger_rows import LedgerRows

_KEY = ("task_id", "key_int", "key_hash")
_MORE_THAN_THERE_ARE = 10**12
_REASON = ("state", "outcome", "error_code", "error_text")


class SqlGates:
    """Opens, settles and removes gates."""

    def __init__(self, connection: Connection, dialect: LedgerDialect) -> None:
        self._connection = connection
        self._dialect = dialect

    def due_retries(self, task_id: int, limit: int) -> list[RowKey]:
        """Rows whose wait is over, longest over first: the index's own order, which no database needs to look for."""
        gate = tables.gate
        rows = self._connection.execute(
            sa.select(gate.c.key_int, gate.c.key_text, gate.c.key_hash)
            .where(
                gate.c.task_id == task_id,
                gate.c.state == GateState.RETRY.value,
                gate.c.not_before <= steady(self._dialect.now()),
            )
            .order_by(gate.c.not_before, gate.c.key_int, gate.c.key_hash)
            .limit(limit)
        )
        return [RowKey(row.key_int, row.key_text, row.key_hash) for row in rows]

    def next_retry(self, task_id: int) -> float | None:
        """Seconds until the next retry is due; negative where one is due already."""
        gate = tables.gate
        wait = self._dialect.seconds_between(sa.func.min(gate.c.not_before), self._dialect.now())
        found = self._connection.scalar(
            sa.select(wait).where(gate.c.task_id == task_id, gate.c.state == GateState.RETRY.value)
        )
        return None if found is None else float(found)

    def open(self, task_id: int, batch_id: int, requests: Sequence[NewRequest]) -> frozenset[int]:
        """Opens a gate per row; a row that is gated already is left to whoever gated it."""
        retried = self._waiting(task_id, [one for one in requests if one.retried])
        gates = LedgerRows(self._connection, self._dialect, tables.gate)
        gates.change(
            _KEY,
            ("state", "batch_id", "seq"),
            ((*_key(task_id, one.key), GateState.OPEN.value, batch_id, one.seq) for one in retried),
            clock="changed_at",
        )
        fresh = [one for one in requests if not one.retried]
        gated = gated_identities(self._connection, self._dialect, task_id, [one.key for one in fresh])
        free = [one for one in fresh if one.key.identity not in gated]
        gates.add(
            (*_KEY, "key_text", "state", "paid_tries", "unpaid_tries", "batch_id", "seq"),
            ((*_key(task_id, one.key), one.key.text, GateState.OPEN.value, 0, 0, batch_id, one.seq) for one in free),
            clock="changed_at",
        )
        return frozenset(one.seq for one in (*retried, *free))

    def _waiting(self, task_id: int, requests: Sequence[NewRequest]) -> list[NewRequest]:
        """Those whose row's gate waits for its retry; locked, so that nobody else opens it meanwhile."""
        retry = tables.gate.c.state == GateState.RETRY.value
        keys = [one.key for one in requests]
        waiting = {identity for identity, _ in self._locked(task_id, keys, retry)}
        return [one for one in requests if one.key.identity in waiting]

    def _locked(
        self, task_id: int, keys: Sequence[RowKey], *where: ColumnElement[bool]
    ) -> Iterator[tuple[tuple[int, str], str]]:
        """Identity and state of each of the gates of these rows."""
        gate = tables.gate
        for some in chunks(keys, self._dialect.most_values):
            query = sa.select(gate.c.key_int, gate.c.key_hash, gate.c.state)
            query = query.where(gate.c.task_id == task_id, _among(self._dialect, some), *where)
            for row in self._connection.execute(self._dialect.locked(query, gate)):
                yield (row.key_int, row.key_hash), row.state

    def drop(self, task_id: int, keys: Sequence[RowKey]) -> None:
        """Removes the gates of rows that are no longer pending."""
        gate = tables.gate
        for some in chunks(keys, self._dialect.most_values):
            self._connection.execute(sa.delete(gate).where(gate.c.task_id == task_id, _among(self._dialect, some)))

    def fail(self, task_id: int, failures: Sequence[Failure]) -> None:
        """Marks rows that cannot be sent, whether or not they were gated before."""
        told = [(failure, failure.key.identity) for failure in {one.key.identity: one for one in failures}.values()]
        known = dict(self._locked(task_id, [failure.key for failure, _ in told]))
        gates = LedgerRows(self._connection, self._dialect, tables.gate)
        gates.change(
            _KEY,
            _REASON,
            [
                (*_key(task_id, failure.key), *_failed(failure))
                for failure, identity in told
                if known.get(identity) == GateState.RETRY.value
            ],
            clock="changed_at",
        )
        gates.add(
            (*_KEY, *_REASON, "key_text", "paid_tries", "unpaid_tries"),
            [
                (*_key(task_id, failure.key), *_failed(failure), failure.key.text, 0, 0)
                for failure, identity in told
                if identity not in known
            ],
            clock="changed_at",
        )

    def free(self, task_id: int, keys: Sequence[RowKey] | None, only: Sequence[Outcome] = ()) -> int:
        """A person's word: rows that had failed, or were held, may be tried, and paid for, again."""
        freed = sa.update(tables.gate).values(
            state=GateState.RETRY.value,
            paid_tries=0,
            unpaid_tries=0,
            not_before=self._dialect.now(),
            changed_at=self._dialect.now(),
        )
        return sum(self._connection.execute(freed.where(*among)).rowcount for among in _stuck(task_id, keys, only))

    def stuck(self, task_id: int, keys: Sequence[RowKey] | None, only: Sequence[Outcome] = ()) -> list[StuckRows]:
        """Counted by the database, with an average row's part of the files that they were sent in."""
        gate, batch = tables.gate, tables.batch
        # In the order of the index, which a limit keeps: else SQLite goes through all gates of the task, done ones too.
        first = sa.select(gate.c.outcome, gate.c.batch_id).order_by(gate.c.not_before).limit(_MORE_THAN_THERE_ARE)
        share = batch.c.input_bytes / sa.func.nullif(batch.c.requests, 0)
        counted: dict[str | None, StuckRows] = {}
        for among in _stuck(task_id, keys, only):
            stuck = first.where(*among).subquery()
            query = (
                sa.select(stuck.c.outcome, sa.func.count(), sa.func.count(batch.c.id), total(share))
                .select_from(stuck.outerjoin(batch, batch.c.id == stuck.c.batch_id))
                .group_by(stuck.c.outcome)
            )
            for outcome, rows, sent, size in self._connection.execute(query):
                known = counted.get(outcome) or StuckRows(Outcome(outcome) if outcome else None, 0, 0, 0)
                counted[outcome] = StuckRows(known.outcome, known.rows + rows, known.sent + sent, known.bytes + size)
        return sorted(counted.values(), key=lambda one: -one.rows)

    def stuck_rows(
        self, task_id: int, keys: Sequence[RowKey] | None, only: Sequence[Outcome], most: int
    ) -> list[StuckRow]:
        """Those that have waited longest, of each state in turn."""
        gate = tables.gate
        query = sa.select(gate).order_by(gate.c.not_before)
        found: list[StuckRow] = []
        for among in _stuck(task_id, keys, only):
            if most > len(found):
                rows = self._connection.execute(query.where(*among).limit(most - len(found)))
                found += [_stuck_row(row) for row in rows]
        return found

    def settle(self, task_id: int, batch_id: int, settled: Sequence[SettledGate]) -> None:
        """Moves or removes the gates of a batch's finished requests."""
        gate = tables.gate
        # Nearly all of a chunk come to the same; what they come to is told once.
        alike: dict[SettledGate | None, list[int]] = {}
        for one in settled:
            verdict = None if one.state is None else one._replace(seq=0, key=RowKey())
            alike.setdefault(verdict, []).append(one.seq)
        for verdict, seqs in alike.items():
            change = sa.delete(gate) if verdict is None else sa.update(gate).values(self._settled(verdict))
            for among in numbered(gate.c.seq, seqs):
                self._connection.execute(change.where(gate.c.batch_id == batch_id, among, gate.c.task_id == task_id))

    def any_failed(self, task_id: int, outcome: Outcome) -> bool:
        """True while a row has failed, for good, with this outcome."""
        gate = tables.gate
        failed = gate.c.task_id == task_id, gate.c.state == GateState.FAILED.value, gate.c.outcome == outcome.value
        # In the order of the index, which a limit keeps: else SQLite goes through all gates of the task, done ones too.
        query = sa.select(gate.c.task_id).where(*failed).order_by(gate.c.not_before).limit(1)
        return self._connection.scalar(query) is not None

    def _settled(self, one: SettledGate) -> dict[str, Any]:
        return {
            "state": one.state.value if one.state else None,
            "paid_tries": one.tries.paid,
            "unpaid_tries": one.tries.unpaid,
            "not_before": self._dialect.now_plus(one.delay),
            "outcome": one.outcome.value,
            "error_code": one.code or None,
            "error_text": one.sentence or None,
            "changed_at": self._dialect.now(),
        }


def gated_identities(
    connection: Connection, dialect: LedgerDialect, task_id: int, keys: Sequence[RowKey]
) -> frozenset[tuple[int, str]]:
    """Identities of those keys that have a gate, whatever its state."""
    gate = tables.gate
    found: set[tuple[int, str]] = set()
    for some in chunks(keys, dialect.most_values):
        rows = connection.execute(
            sa.select(gate.c.key_int, gate.c.key_hash).where(gate.c.task_id == task_id, _among(dialect, some))
        )
        found.update((row.key_int, row.key_hash) for row in rows)
    return frozenset(found)


def _among(dialect: LedgerDialect, keys: Sequence[RowKey]) -> ColumnElement[bool]:
    gate = tables.gate
    if keys[0].digest:
        return sa.and_(gate.c.key_int == 0, dialect.among(gate.c.key_hash, [key.digest for key in keys]))
    return sa.and_(dialect.among(gate.c.key_int, [key.integer for key in keys]), gate.c.key_hash == "")


def _is_row(task_id: int, key: RowKey) -> ColumnElement[bool]:
    gate = tables.gate
    return sa.and_(gate.c.task_id == task_id, gate.c.key_int == key.integer, gate.c.key_hash == key.digest)


def _stuck(
    task_id: int, keys: Sequence[RowKey] | None, only: Sequence[Outcome]
) -> Iterator[tuple[ColumnElement[bool], ...]]:
    """Conditions, one set after the other, of the gates that a person may free; no gate fits two of them."""
    gate = tables.gate
    outcomes = (gate.c.outcome.in_([one.value for one in only]),) if only else ()
    stuck = [gate.c.state == state.value for state in (GateState.FAILED, GateState.HELD)]
    if keys is None:
        # State by state: of both together SQLite would read all gates of the task.
        yield from ((gate.c.task_id == task_id, one, *outcomes) for one in stuck)
        return
    # Who names a row means it, also one that was written and is still pending.
    named = sa.or_(*stuck, gate.c.state == GateState.DONE.value)
    yield from ((_is_row(task_id, key), named, *outcomes) for key in dict.fromkeys(keys))


def _stuck_row(row: Any) -> StuckRow:
    outcome = Outcome(row.outcome) if row.outcome else None
    return StuckRow(RowKey(row.key_int, row.key_text, row.key_hash), GateState(row.state), outcome, row.batch_id)


def _key(task_id: int, key: RowKey) -> tuple[int, int, str]:
    return task_id, key.integer, key.digest


def _failed(failure: Failure) -> tuple[str, str, str, str]:
    return GateState.FAILED.value, failure.outcome.value, failure.code, failure.sentence
