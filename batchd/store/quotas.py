"""``batchd_quota`` and ``batchd_enqueued``: tokens at the vendor.

What is enqueued is no counter that could be left behind by a crash: it is summed up from the batches that the vendor
has or may have, and those that a process is about to send.
"""

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, FromClause

from batchd.core.model import Batch
from batchd.core.pacing import LONGEST_POLL
from batchd.core.quota import Enqueued, Learnt, Sample, Standing
from batchd.core.states import BatchState
from batchd.ports import Scope
from batchd.store import tables
from batchd.store.batch_rows import in_scope, on_their_way
from batchd.store.chunks import chunks
from batchd.store.dialects.base import LedgerDialect
from batchd.store.expressions import steady, total

_AT_VENDOR = (BatchState.SUBMITTED.value, BatchState.SUBMITTING.value)
# All that counts is in one of these states, which have an index.
_MAY_COUNT = (*_AT_VENDOR, BatchState.BUILT.value, BatchState.HELD.value)
_HOUR = 3600.0
_SAMPLES = 20
# Outcomes of requests whose tokens the vendor has told.
_ANSWERED = ("applied", "stale", "gone", "invalid", "truncated", "refused", "poison", "conflict")


class SqlQuotas:
    """Tokens at the vendor."""

    def __init__(self, connection: Connection, dialect: LedgerDialect, is_dead: Callable[[str], bool]) -> None:
        self._connection = connection
        self._dialect = dialect
        self._is_dead = is_dead

    def samples(self, task_id: int, model: str) -> list[Sample]:
        """What the vendor counted for the task's last batches with this model."""
        batch, enqueued = tables.batch, tables.enqueued
        answered = sum((batch.c[name] for name in _ANSWERED), sa.literal(0)).label("answered")
        query = (
            sa.select(batch.c.input_bytes, batch.c.requests, batch.c.input_tokens, answered)
            .select_from(enqueued)
            .join(batch, batch.c.id == enqueued.c.batch_id)
            .where(enqueued.c.task_id == task_id, enqueued.c.model == model, batch.c.closed_at.is_not(None))
            .order_by(enqueued.c.batch_id.desc())
            .limit(_SAMPLES)
        )
        rows = self._connection.execute(query)
        return [Sample(int(row.input_bytes), row.requests, int(row.answered), int(row.input_tokens)) for row in rows]

    def enqueue(self, batch: Batch, model: str, tokens: int) -> None:
        """Writes down what a new batch will be counted as; once."""
        enqueued = tables.enqueued
        known = self._connection.scalar(sa.select(enqueued.c.tokens).where(enqueued.c.batch_id == batch.id))
        if known is None:
            counted = {"account": batch.account, "model": model, "tokens": tokens}
            self._connection.execute(sa.insert(enqueued).values(batch_id=batch.id, task_id=batch.task_id, **counted))

    def entries(self, batch_ids: Sequence[int]) -> dict[int, Enqueued]:
        """Of these batches, those that were written down, by id."""
        found: dict[int, Enqueued] = {}
        for some in chunks(batch_ids, 400):
            found.update({one.batch_id: one for one in self._entries(list(some))})
        return found

    def _entries(self, batch_ids: list[int]) -> list[Enqueued]:
        enqueued, later = tables.enqueued, tables.enqueued.alias()
        passed = (
            sa.select(total(later.c.tokens))
            .where(
                later.c.account == enqueued.c.account,
                later.c.model == enqueued.c.model,
                later.c.reserved_at >= enqueued.c.turn_at,
            )
            .scalar_subquery()
        )
        query = sa.select(
            enqueued,
            self._dialect.seconds_between(self._dialect.now(), enqueued.c.reserved_at).label("age"),
            sa.case((enqueued.c.turn_at.is_(None), sa.literal(0)), else_=passed).label("passed"),
        ).where(enqueued.c.batch_id.in_(batch_ids))
        return [
            Enqueued(
                batch_id=row.batch_id,
                model=row.model,
                tokens=int(row.tokens),
                beside=None if row.beside is None else int(row.beside),
                age=math.inf if row.age is None else float(row.age),
                waits=row.waits_since is not None,
                had_turn=row.turn_at is not None,
                passed=int(row.passed),
            )
            for row in self._connection.execute(query)
        ]

    def standing(self, account: str, model: str, *, apart: int | None = None) -> Standing:
        """What is enqueued, leaving one batch out of the count."""
        batch, task, enqueued = tables.batch, tables.task, tables.enqueued
        query = (
            sa.select(task.c.name, total(enqueued.c.tokens).label("tokens"))
            .select_from(batch)
            .join(enqueued, enqueued.c.batch_id == batch.c.id)
            .join(task, task.c.id == enqueued.c.task_id)
            .where(enqueued.c.account == account, enqueued.c.model == model, self._counts())
            .group_by(task.c.name)
        )
        if apart is not None:
            query = query.where(batch.c.id != apart)
        in_flight = {row.name: int(row.tokens) for row in self._connection.execute(query)}
        return Standing(self.learnt(account, model), in_flight, self._created(account, apart))

    def _counts(self) -> ColumnElement[bool]:
        """The vendor has the batch, or may have it, or gets it from a process that is at work on it now."""
        batch = tables.batch
        return sa.and_(
            *on_their_way(_MAY_COUNT),
            sa.or_(
                batch.c.state.in_(_AT_VENDOR),
                batch.c.held_from.in_(_AT_VENDOR),
                self._is_being_sent(batch, tables.enqueued),
            ),
        )

    def _is_being_sent(self, batch: FromClause, enqueued: FromClause) -> ColumnElement[bool]:
        """It was let through, and a process that may still live is at work on it."""
        return sa.and_(
            batch.c.state == BatchState.BUILT.value,
            enqueued.c.reserved_at.is_not(None),
            batch.c.lease_owner.in_(self._at_work()),
            batch.c.lease_expires_at >= self._dialect.now(),
        )

    def _at_work(self) -> list[str]:
        """Who has a built batch under lease: a lease of the dead lasts longer than they did, and keeps no room."""
        batch = tables.batch
        owners = sa.select(batch.c.lease_owner).distinct().where(*on_their_way([BatchState.BUILT.value]))
        found = self._connection.scalars(owners.where(batch.c.lease_owner.is_not(None)))
        return [owner for owner in found if not self._is_dead(owner)]

    def learnt(self, account: str, model: str) -> Learnt:
        """What refusals have taught of the limit."""
        quota = tables.quota
        age = self._dialect.seconds_between(self._dialect.now(), quota.c.learnt_at).label("age")
        row = self._connection.execute(
            sa.select(quota.c.learnt_tokens, quota.c.told, age).where(
                quota.c.account == account, quota.c.model == model
            )
        ).one_or_none()
        if row is None or row.learnt_tokens is None:
            return Learnt()
        return Learnt(int(row.learnt_tokens), bool(row.told), math.inf if row.age is None else float(row.age))

    def _created(self, account: str, apart: int | None) -> int:
        """Creates of the last hour. Earlier tries of a batch are counted with its last one: rather one too many."""
        batch, enqueued = tables.batch, tables.enqueued
        tries = sa.case((batch.c.attempt > 1, batch.c.attempt), else_=1)
        since = steady(self._dialect.now_plus(-_HOUR))
        young = sa.select(enqueued.c.batch_id).where(enqueued.c.account == account, enqueued.c.reserved_at > since)
        ids = [one for one in self._connection.scalars(young) if one != apart]
        # One after the other: joined, PostgreSQL would read all batches there ever were.
        sums = (sa.select(total(tries)).where(batch.c.id.in_(list(some))) for some in chunks(ids, 400))
        return sum(int(self._connection.scalar(one) or 0) for one in sums)

    def lock(self, account: str, model: str) -> None:
        """Nobody else sends anything to this account until the transaction ends. First statement of those that do."""
        quota = tables.quota
        asked = {"asked_at": self._dialect.now()}
        locked = self._connection.execute(sa.update(quota).where(quota.c.account == account).values(**asked)).rowcount
        known = sa.select(quota.c.told).where(quota.c.account == account, quota.c.model == model)
        # Where there was no row to lock, one that is there by now is another's, who must be waited for: the INSERT is
        # refused for it, and the transaction is run again.
        if not locked or self._connection.scalar(known) is None:
            self._connection.execute(sa.insert(quota).values(account=account, model=model, told=0, **asked))

    def reserve(self, batch_id: int, tokens: int, beside: int) -> None:
        """The batch is sent and counts so many tokens, ``beside`` those of others."""
        sent = {
            "tokens": tokens,
            "beside": beside,
            "reserved_at": self._dialect.now(),
            "waits_since": None,
            "turn_at": None,
        }
        self._connection.execute(
            sa.update(tables.enqueued).where(tables.enqueued.c.batch_id == batch_id).values(**sent)
        )

    def wait(self, batch_ids: Collection[int], turn: int | None) -> None:
        """These batches wait for the vendor's quota; ``turn`` names the one whose turn it is."""
        enqueued = tables.enqueued
        for some in chunks(sorted(batch_ids), 400):
            waiting = sa.update(enqueued).where(enqueued.c.batch_id.in_(list(some)), enqueued.c.waits_since.is_(None))
            self._connection.execute(waiting.values(waits_since=self._dialect.now()))
        if turn is not None:
            its_turn = sa.update(enqueued).where(enqueued.c.batch_id == turn, enqueued.c.turn_at.is_(None))
            self._connection.execute(its_turn.values(turn_at=self._dialect.now()))

    def learn(self, account: str, model: str, learnt: Learnt) -> None:
        """Writes down what is known of the limit now."""
        quota = tables.quota
        self._connection.execute(
            sa.update(quota)
            .where(quota.c.account == account, quota.c.model == model)
            .values(learnt_tokens=learnt.tokens, told=int(learnt.told), learnt_at=self._dialect.now())
        )

    def are_wanted(self, account: str) -> bool:
        """True while a batch waits for tokens of this account, of whichever model."""
        batch, enqueued = tables.batch, tables.enqueued
        query = (
            sa.select(batch.c.id)
            .join(enqueued, enqueued.c.batch_id == batch.c.id)
            .where(
                batch.c.state == BatchState.BUILT.value,
                enqueued.c.account == account,
                enqueued.c.waits_since.is_not(None),
            )
            .limit(1)
        )
        return self._connection.scalar(query) is not None

    def will_be_freed(self, scope: Scope) -> bool:
        """True where a batch in scope waits for tokens that batches have which somebody looks after."""
        batch, enqueued = tables.batch, tables.enqueued
        other, its = tables.batch.alias(), tables.enqueued.alias()
        looked_after = sa.or_(
            other.c.not_before.is_(None), other.c.not_before > self._dialect.now_plus(-2 * LONGEST_POLL)
        )
        held = sa.or_(sa.and_(other.c.state.in_(_AT_VENDOR), looked_after), self._is_being_sent(other, its))
        holder = (
            sa.exists()
            .where(its.c.account == enqueued.c.account, its.c.model == enqueued.c.model, its.c.batch_id == other.c.id)
            .where(other.c.state.in_(_MAY_COUNT), other.c.closed_at.is_(None), held)
        )
        query: Any = (
            sa.select(batch.c.id)
            .join(enqueued, enqueued.c.batch_id == batch.c.id)
            .where(*on_their_way([BatchState.BUILT.value]), enqueued.c.waits_since.is_not(None), holder)
            .where(*in_scope(scope))
            .limit(1)
        )
        return self._connection.scalar(query) is not None
