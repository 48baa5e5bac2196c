"""``batchd_gate``: batchd's memory of rows it must not claim now. Its primary key is promise 1."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from batchd.core.keys import RowKey
from batchd.core.model import NewRequest, SettledGate
from batchd.core.outcomes import GateState
from batchd.core.packing import Failure
from batchd.store import tables
from batchd.store.chunks import chunks
from batchd.store.dialects.base import LedgerDialect

_KEYS_A_QUERY = 400


class SqlGates:
    """Opens, settles and removes gates."""

    def __init__(self, connection: Connection, dialect: LedgerDialect) -> None:
        self._connection = connection
        self._dialect = dialect

    def due_retries(self, task_id: int, limit: int) -> list[RowKey]:
        """Rows whose wait is over, in key order."""
        gate = tables.gate
        rows = self._connection.execute(
            sa.select(gate.c.key_int, gate.c.key_text, gate.c.key_hash)
            .where(
                gate.c.task_id == task_id,
                gate.c.state == GateState.RETRY.value,
                gate.c.not_before <= self._dialect.now(),
            )
            .order_by(gate.c.key_int, gate.c.key_hash)
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
        opened: set[int] = set()
        retried = [one for one in requests if one.retried]
        opened.update(one.seq for one in retried if self._reopen(task_id, batch_id, one))
        fresh = [one for one in requests if not one.retried]
        gated = self._identities(task_id, [one.key for one in fresh])
        free = [one for one in fresh if one.key.identity not in gated]
        if free:
            self._connection.execute(
                sa.insert(tables.gate).values(
                    state=GateState.OPEN.value, paid_tries=0, unpaid_tries=0, changed_at=self._dialect.now()
                ),
                [_key_values(task_id, one.key) | {"batch_id": batch_id, "seq": one.seq} for one in free],
            )
            opened.update(one.seq for one in free)
        return frozenset(opened)

    def drop(self, task_id: int, keys: Sequence[RowKey]) -> None:
        """Removes the gates of rows that are no longer pending."""
        for key in keys:
            self._connection.execute(sa.delete(tables.gate).where(_is_row(task_id, key)))

    def fail(self, task_id: int, failures: Sequence[Failure]) -> None:
        """Marks rows that cannot be sent, whether or not they were gated before."""
        for failure in failures:
            self._fail(task_id, failure)

    def free(self, task_id: int, keys: Sequence[RowKey] | None) -> int:
        """A person's word: rows that had failed, or were held, may be tried, and paid for, again."""
        gate = tables.gate
        freed = sa.update(gate).values(
            state=GateState.RETRY.value,
            paid_tries=0,
            unpaid_tries=0,
            not_before=self._dialect.now(),
            changed_at=self._dialect.now(),
        )
        stuck = gate.c.state.in_([GateState.FAILED.value, GateState.HELD.value])
        if keys is None:
            return self._connection.execute(freed.where(gate.c.task_id == task_id, stuck)).rowcount
        # Who names a row means it, also one that was written and is still pending.
        named = sa.or_(stuck, gate.c.state == GateState.DONE.value)
        return sum(self._connection.execute(freed.where(_is_row(task_id, key), named)).rowcount for key in keys)

    def settle(self, task_id: int, batch_id: int, settled: Sequence[SettledGate]) -> None:
        """Moves or removes the gates of a batch's finished requests."""
        gone = [one.seq for one in settled if one.state is None]
        gate = tables.gate
        for seqs in chunks(gone, _KEYS_A_QUERY):
            self._connection.execute(
                sa.delete(gate).where(gate.c.batch_id == batch_id, gate.c.seq.in_(seqs), gate.c.task_id == task_id)
            )
        kept = [one for one in settled if one.state is not None]
        if kept:
            statement = (
                sa.update(gate)
                .where(gate.c.batch_id == sa.bindparam("b"), gate.c.seq == sa.bindparam("s"))
                .values(
                    state=sa.bindparam("st"),
                    paid_tries=sa.bindparam("p"),
                    unpaid_tries=sa.bindparam("u"),
                    not_before=self._dialect.now_plus(sa.bindparam("d", type_=sa.Double())),
                    outcome=sa.bindparam("o"),
                    error_code=sa.bindparam("c"),
                    error_text=sa.bindparam("t"),
                    changed_at=self._dialect.now(),
                )
            )
            self._connection.execute(statement, [_settle_parameters(batch_id, one) for one in kept])

    def _fail(self, task_id: int, failure: Failure) -> None:
        reason = {
            "state": GateState.FAILED.value,
            "outcome": failure.outcome.value,
            "error_code": failure.code,
            "error_text": failure.sentence,
            "changed_at": self._dialect.now(),
        }
        waiting = tables.gate.c.state == GateState.RETRY.value
        changed = self._connection.execute(
            sa.update(tables.gate).where(_is_row(task_id, failure.key), waiting).values(reason)
        )
        if changed.rowcount == 0 and failure.key.identity not in self._identities(task_id, [failure.key]):
            fresh = {"paid_tries": 0, "unpaid_tries": 0}
            self._connection.execute(sa.insert(tables.gate).values(_key_values(task_id, failure.key) | reason | fresh))

    def _reopen(self, task_id: int, batch_id: int, one: NewRequest) -> bool:
        changed = self._connection.execute(
            sa.update(tables.gate)
            .where(_is_row(task_id, one.key), tables.gate.c.state == GateState.RETRY.value)
            .values(state=GateState.OPEN.value, batch_id=batch_id, seq=one.seq, changed_at=self._dialect.now())
        )
        return changed.rowcount == 1

    def _identities(self, task_id: int, keys: Sequence[RowKey]) -> frozenset[tuple[int, str]]:
        return gated_identities(self._connection, task_id, keys)


def gated_identities(connection: Connection, task_id: int, keys: Sequence[RowKey]) -> frozenset[tuple[int, str]]:
    """Identities of those keys that have a gate, whatever its state."""
    gate = tables.gate
    found: set[tuple[int, str]] = set()
    for some in chunks(keys, _KEYS_A_QUERY):
        rows = connection.execute(
            sa.select(gate.c.key_int, gate.c.key_hash).where(gate.c.task_id == task_id, _among(some))
        )
        found.update((row.key_int, row.key_hash) for row in rows)
    return frozenset(found)


def _among(keys: Sequence[RowKey]) -> ColumnElement[bool]:
    gate = tables.gate
    if keys[0].digest:
        return sa.and_(gate.c.key_int == 0, gate.c.key_hash.in_([key.digest for key in keys]))
    return sa.and_(gate.c.key_int.in_([key.integer for key in keys]), gate.c.key_hash == "")


def _is_row(task_id: int, key: RowKey) -> ColumnElement[bool]:
    gate = tables.gate
    return sa.and_(gate.c.task_id == task_id, gate.c.key_int == key.integer, gate.c.key_hash == key.digest)


def _key_values(task_id: int, key: RowKey) -> dict[str, Any]:
    return {"task_id": task_id, "key_int": key.integer, "key_hash": key.digest, "key_text": key.text}


def _settle_parameters(batch_id: int, one: SettledGate) -> dict[str, Any]:
    return {
        "b": batch_id,
        "s": one.seq,
        "st": one.state.value if one.state else None,
        "p": one.tries.paid,
        "u": one.tries.unpaid,
        "d": one.delay,
        "o": one.outcome.value,
        "c": one.code or None,
        "t": one.sentence or None,
    }
