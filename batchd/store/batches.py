"""``batchd_batch``: where every batch stands. Each move says where from, and leaves an event behind."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from batchd.core.model import Batch, Lease, Moment, NewBatch, UnknownCreate
from batchd.core.outcomes import GateState, Outcome
from batchd.core.states import ENDS, OPEN, BatchState, check_move
from batchd.errors import LeaseLostError
from batchd.ports import EVERYTHING, Scope
from batchd.store import leases, tables
from batchd.store.batch_clock import BatchClock
from batchd.store.batch_rows import SUMS, ZEROS, batch_from, in_scope, on_their_way, sums_by_outcome, with_task
from batchd.store.chunks import chunks
from batchd.store.dialects.base import LedgerDialect
from batchd.store.events import SqlEvents
from batchd.store.expressions import as_number, steady, total

# More digits than this are no row id, and more than a database's integer holds.
_ROW_ID = re.compile("[0-9]{1,18}")
_OPEN_STATES = sorted(state.value for state in OPEN)
_UNHELD_STATES = sorted(state.value for state in OPEN - {BatchState.HELD})
_WITHOUT_RESULTS = sorted(state.value for state in OPEN - {BatchState.COLLECTED, BatchState.HELD})
_STAMPS: dict[BatchState, str] = {
    BatchState.SUBMITTING: "intent_at",
    BatchState.SUBMITTED: "submitted_at",
    BatchState.ENDED: "ended_at",
    BatchState.COLLECTED: "collected_at",
    BatchState.CLOSED: "closed_at",
    BatchState.FAILED: "closed_at",
    BatchState.ABANDONED: "closed_at",
}


class SqlBatches(BatchClock):
    """Records batches and moves them on."""

    def __init__(
        self,
        connection: Connection,
        dialect: LedgerDialect,
        events: SqlEvents,
        is_dead: Callable[[str], bool],
    ) -> None:
        super().__init__(connection, dialect)
        self._events = events
        self._is_dead = is_dead
        # Batches that come to their end in this transaction.
        self.ended: list[int] = []

    def add(self, batch: NewBatch) -> int:
        """Records a built batch."""
        self._connection.execute(
            sa.insert(tables.batch).values(
                uid=batch.uid,
                task_id=batch.task_id,
                version_id=batch.version_id,
                state=BatchState.BUILT.value,
                account=batch.account,
                account_fingerprint=batch.account_fingerprint,
                input_bytes=batch.input_bytes,
                input_sha256=batch.input_sha256,
                created_at=self._dialect.now(),
                **ZEROS,
            )
        )
        batch_id = int(
            self._connection.scalar(sa.select(tables.batch.c.id).where(tables.batch.c.uid == batch.uid)) or 0
        )
        self._events.add("batch", batch_id, "built", move=(None, BatchState.BUILT.value))
        return batch_id

    def get(self, batch_id: int) -> Batch:
        """The batch as it is now."""
        row = self._connection.execute(with_task().where(tables.batch.c.id == batch_id)).one()
        return batch_from(row)

    def find(self, reference: str) -> Batch | None:
        """By vendor id, uid, or row id, whatever a person has at hand."""
        if not reference.isascii():
            # No id is; and MariaDB refuses to compare such text with one.
            return None
        named = [tables.batch.c.vendor_batch_id == reference, tables.batch.c.uid == reference]
        if _ROW_ID.fullmatch(reference):
            named.append(tables.batch.c.id == int(reference))
        row = self._connection.execute(with_task().where(sa.or_(*named)).limit(1)).one_or_none()
        return None if row is None else batch_from(row)

    def at(self, position: BatchState, scope: Scope, *, due: bool = True) -> list[Batch]:
        """Batches at a position, oldest first; a held batch stands where it was held."""
        batch = tables.batch
        query = with_task().where(
            *on_their_way((position.value, BatchState.HELD.value)),
            sa.or_(batch.c.state == position.value, batch.c.held_from == position.value),
            *in_scope(scope),
        )
        if due:
            now = steady(self._dialect.now())
            query = query.where(sa.or_(batch.c.not_before.is_(None), batch.c.not_before <= now))
        return [batch_from(row) for row in self._connection.execute(query.order_by(batch.c.id))]

    def open_accounts(self, scope: Scope = EVERYTHING) -> set[tuple[str, str]]:
        """Name and fingerprint of each vendor account that open batches belong to."""
        batch = tables.batch
        query = sa.select(batch.c.account, batch.c.account_fingerprint).distinct()
        rows = self._connection.execute(query.where(*on_their_way(_OPEN_STATES), *in_scope(scope)))
        return {(row.account, row.account_fingerprint) for row in rows}

    def open_tasks(self) -> set[str]:
        """Names of the tasks that have batches which have not come to an end."""
        batch, task = tables.batch, tables.task
        named = sa.select(task.c.name).distinct().join(batch, batch.c.task_id == task.c.id)
        return set(self._connection.scalars(named.where(*on_their_way(_OPEN_STATES))))

    def open_count(self, task_id: int) -> int:
        """Batches of a task that have not come to an end."""
        batch = tables.batch
        query = sa.select(sa.func.count()).where(batch.c.task_id == task_id, *on_their_way(_OPEN_STATES))
        return int(self._connection.scalar(query) or 0)

    def bytes_on_the_way(self) -> int:
        """Input bytes of all batches whose results are not on disk yet: about what those will need."""
        batch = tables.batch
        waits = sa.or_(batch.c.state.in_(_WITHOUT_RESULTS), batch.c.held_from.in_(_WITHOUT_RESULTS))
        # Named once more by state, which has an index.
        query = sa.select(total(batch.c.input_bytes)).where(*on_their_way(_OPEN_STATES), waits)
        return int(self._connection.scalar(query) or 0)

    def with_old_files(self, scope: Scope, seconds: float, most: int) -> list[Batch]:
        """Batches that ended at least so long ago and whose files are not marked as removed, oldest end first."""
        batch = tables.batch
        query = (
            with_task()
            .where(
                batch.c.files_removed_at.is_(None),
                batch.c.closed_at <= steady(self._dialect.now_plus(-seconds)),
                *in_scope(scope),
            )
            .order_by(batch.c.closed_at)
            .limit(most)
        )
        return [batch_from(row) for row in self._connection.execute(query)]

    def note_files_removed(self, batch: Batch) -> None:
        """Marks a batch whose spool files are gone."""
        self.note(batch, files_removed_at=self._dialect.now())

    def take_lease(self, batch_id: int, owner: str, seconds: float) -> Lease | None:
        """The right to work on this batch."""
        return leases.take(self._connection, self._dialect, Lease("batch", batch_id, owner, 0, seconds), self._is_dead)

    def release(self, lease: Lease) -> None:
        """Gives the lease back."""
        leases.release(self._connection, lease)

    def move(self, batch: Batch, to: BatchState, reason: str, **changes: Any) -> Batch:
        """Moves a batch on from where it stands. A held one moves on under its hold."""
        check_move(batch.position, to)
        stamp = {_STAMPS[to]: self._dialect.now()} if to in _STAMPS else {}
        held = batch.state is BatchState.HELD
        place = {"held_from": to.value} if held else {"state": to.value}
        # What a person waived, they waived for the step at hand.
        self._change(batch, {**place, **stamp, "not_before": None, "checks_waived": 0, **changes})
        if to in ENDS:
            self.ended.append(batch.id)
        self._events.add("batch", batch.id, "moved", move=(batch.position.value, to.value), reason=reason)
        return self.get(batch.id)

    def hold(self, batch: Batch, reason: str, code: str = "") -> Batch:
        """Makes a batch wait for a person; where it stands is remembered."""
        if batch.state is BatchState.HELD:
            return batch
        check_move(batch.state, BatchState.HELD)
        held = {"state": BatchState.HELD.value, "held_from": batch.state.value}
        self._change(batch, {**held, "error_code": code or None, "error_text": reason})
        self._events.add("batch", batch.id, "held", move=(batch.state.value, BatchState.HELD.value), reason=reason)
        return self.get(batch.id)

    def resume(self, batch: Batch, reason: str, **changes: Any) -> Batch:
        """Lets a held batch go on from where it stands."""
        target = batch.position
        check_move(batch.state, target)
        freed = {
            "state": target.value,
            "held_from": None,
            "not_before": None,
            "error_code": None,
            "error_text": None,
        }
        self._change(batch, {**freed, **changes})
        self._events.add("batch", batch.id, "resumed", move=(batch.state.value, target.value), reason=reason)
        return self.get(batch.id)

    def abandon(self, batch: Batch, reason: str) -> Batch:
        """Ends a batch that was never sent, or that a person gives up."""
        check_move(batch.state, BatchState.ABANDONED)
        ended = {"state": BatchState.ABANDONED.value, "held_from": None, "closed_at": self._dialect.now()}
        self._change(batch, ended)
        self.ended.append(batch.id)
        move = (batch.state.value, BatchState.ABANDONED.value)
        self._events.add("batch", batch.id, "abandoned", move=move, reason=reason)
        return self.get(batch.id)

    def record(
        self, batch: Batch, action: str, reason: str, move: tuple[str | None, str | None] = (None, None)
    ) -> None:
        """Adds to the batch's timeline what does not move it."""
        self._events.add("batch", batch.id, action, move=move, reason=reason)

    def note(self, batch: Batch, **changes: Any) -> None:
        """Writes down facts that do not move the batch; a fact is kept whatever state the batch is in."""
        self._connection.execute(sa.update(tables.batch).where(tables.batch.c.id == batch.id).values(**changes))

    def note_polled(self, batch: Batch, **changes: Any) -> None:
        """The same, with the time of the look."""
        self.note(batch, polled_at=self._dialect.now(), **changes)

    def note_applied(self, batch: Batch) -> None:
        """Stamps the last chunk that was applied."""
        self.note(batch, applied_at=self._dialect.now())

    def settle_within(self, batch: Batch, seconds: float) -> None:
        """The bound of an unknown create's wait."""
        self.note(batch, settle_by=self._dialect.now_plus(seconds))

    def note_absent(self, batch: Batch) -> None:
        """Stamps the first listing that proves an absence."""
        self.note(batch, absent_since=self._dialect.now())

    def tally(self, batch: Batch) -> dict[Outcome, int]:
        """Counts outcomes, tokens and cost from the requests, and writes them to the batch."""
        rows = self._connection.execute(sums_by_outcome(batch.id)).all()
        counts = {Outcome(row.outcome): int(row.requests) for row in rows}
        sums = {name: sum(int(getattr(row, name)) for row in rows) for name in SUMS}
        unpriced = sum(int(row.requests) - int(row.priced) for row in rows if row.input_tokens or row.output_tokens)
        # Zeros too: what a batch says is what was counted last.
        told = {outcome.value: counts.get(outcome, 0) for outcome in tables.REQUEST_OUTCOMES}
        self.note(batch, **told, **sums, unpriced=unpriced)
        return counts

    def count_reapplied(self, batch: Batch, was: Outcome, number: int) -> None:
        """By difference: the batch may have lost requests to retention, and a count of the rest would forget them."""
        left, added = tables.batch.c[was.value], tables.batch.c[Outcome.APPLIED.value]
        self.note(batch, **{left.name: left - number, added.name: added + number})

    def has_open_requests(self, batch: Batch) -> bool:
        """A batch closes only when no request and no gate of it is open."""
        request, gate = tables.request, tables.gate
        unfinished = sa.exists().where(request.c.batch_id == batch.id, request.c.outcome.is_(None))
        gated = sa.exists().where(gate.c.batch_id == batch.id, gate.c.state == GateState.OPEN.value)
        return bool(self._connection.scalar(sa.select(as_number(sa.or_(unfinished, gated)))))

    def sent_at(self, account: str, ids: Sequence[str]) -> dict[str, Moment]:
        """Those of these vendor ids that the ledger knows for this account, and when each was sent."""
        batch = tables.batch
        known: dict[str, Moment] = {}
        for some in chunks(ids, 400):
            intent = sa.func.coalesce(batch.c.intent_at, batch.c.created_at).label("intent")
            named = batch.c.vendor_batch_id.in_(list(some))
            rows = self._connection.execute(sa.select(batch.c.vendor_batch_id, batch.c.account, intent).where(named))
            # Compared here: asked for the account too, SQLite would read all of its batches.
            known.update({row.vendor_batch_id: row.intent for row in rows if row.account == account})
        return known

    def newest_at(self, account: str) -> Moment | None:
        """When the newest batch of an account was built."""
        batch = tables.batch
        found: Moment | None = self._connection.scalar(
            sa.select(sa.func.max(batch.c.created_at)).where(batch.c.account == account)
        )
        return found

    def known_uids(self, uids: Sequence[str]) -> frozenset[str]:
        """Which of these uids the ledger knows."""
        batch = tables.batch
        known: set[str] = set()
        for some in chunks(uids, 400):
            known.update(self._connection.scalars(sa.select(batch.c.uid).where(batch.c.uid.in_(list(some)))))
        return frozenset(known)

    def watch(self, batch: Batch) -> None:
        """Puts the last try on watch; one that is there already stays as it is."""
        watch = tables.watch
        known = sa.select(watch.c.attempt).where(watch.c.batch_id == batch.id, watch.c.attempt == batch.attempt)
        if self._connection.scalar(known) is None:
            self._connection.execute(
                sa.insert(watch).values(
                    batch_id=batch.id,
                    attempt=batch.attempt,
                    file_id=batch.vendor_file_id or "",
                    since=self._dialect.now(),
                )
            )

    def watched(self, account: str, seconds: float) -> list[UnknownCreate]:
        """What was put on watch not too long ago."""
        watch, batch = tables.watch, tables.batch
        young = sa.select(watch.c.batch_id, watch.c.attempt, watch.c.file_id).where(
            watch.c.since > steady(self._dialect.now_plus(-seconds))
        )
        rows = self._connection.execute(young.order_by(watch.c.batch_id, watch.c.attempt)).all()
        # One after the other: joined, SQLite would go through the batches of the account, which are far more.
        here: set[int] = set()
        for some in chunks(sorted({row.batch_id for row in rows}), 400):
            query = sa.select(batch.c.id).where(batch.c.id.in_(list(some)), batch.c.account == account)
            here.update(self._connection.scalars(query))
        return [UnknownCreate(row.batch_id, row.attempt, row.file_id) for row in rows if row.batch_id in here]

    def any_later(self, scope: Scope) -> bool:
        """True where an open, not held batch is not due yet."""
        batch = tables.batch
        later = (*on_their_way(_UNHELD_STATES), batch.c.not_before > steady(self._dialect.now()), *in_scope(scope))
        return self._connection.scalar(sa.select(batch.c.id).where(*later).limit(1)) is not None

    def next_due(self, scope: Scope) -> float | None:
        """Seconds until the next open, not held batch is due (negative: now); None where none is open."""
        batch = tables.batch
        wait = sa.func.min(
            sa.func.coalesce(self._dialect.seconds_between(batch.c.not_before, self._dialect.now()), -1.0)
        )
        found = self._connection.scalar(sa.select(wait).where(*on_their_way(_UNHELD_STATES), *in_scope(scope)))
        return None if found is None else float(found)

    def _change(self, batch: Batch, changes: dict[str, Any]) -> None:
        changed = self._connection.execute(
            sa.update(tables.batch)
            .where(
                tables.batch.c.id == batch.id,
                tables.batch.c.state == batch.state.value,
                tables.batch.c.held_from == (batch.held_from.value if batch.held_from else None),
            )
            .values(**changes)
        )
        if changed.rowcount != 1:
            raise LeaseLostError(
                f"batch {batch.id} has been moved by somebody else meanwhile",
                next_command=f"batchd show {batch.id}",
            )
