"""The vendor's limit on enqueued tokens, as stages meet it: what a batch counts, its turn, a refusal's lesson."""

from collections.abc import Container, Sequence
from dataclasses import replace

import structlog

from batchd import events
from batchd.core import quota
from batchd.core.model import Batch, TaskRecord
from batchd.core.quota import Enqueued, Learnt, Refused, model_of
from batchd.core.shares import Candidate, Plan, plan
from batchd.core.tasks import TaskDefinition
from batchd.ports import Account, ConfiguredTask, Ledger, Workplace

log = structlog.get_logger("batchd")

TOO_LARGE = "too large for the vendor's limit on enqueued tokens; its rows go again in smaller batches"
# Seconds until a batch is looked at again that would be one too many for this hour.
_PAUSE = 60.0


def count_tokens(ledger: Ledger, batch: Batch, definition: TaskDefinition) -> None:
    """Writes down how many tokens the vendor will count for a new batch, as far as that can be told beforehand."""
    model = model_of(definition.model)
    rate = quota.tokens_per_byte(ledger.quotas.samples(batch.task_id, model))
    ledger.quotas.enqueue(batch, model, quota.estimated(batch.input_bytes, rate))


def fair_bytes(place: Workplace, account: Account, record: TaskRecord, task: ConfiguredTask) -> float:
    """Bytes that the next file of a task should have at most, so that several batches share the account's limit."""
    model = model_of(task.definition.model)

    def read(ledger: Ledger) -> float:
        limit = _limit(account, model, ledger.quotas.learnt(account.name, model))
        samples = ledger.quotas.samples(record.id, model) if limit is not None else []
        return quota.fair_bytes(limit, task.open_batches_allowed(record), quota.tokens_per_byte(samples))

    return place.store.read(read)


def queues_of(place: Workplace, account: Account, batches: Sequence[Batch]) -> list["Queue"]:
    """These batches of an account, by model, each with what is enqueued there."""
    entries = place.store.read(lambda ledger: _entries(ledger, batches))
    waiting: dict[str, list[tuple[Batch, Enqueued]]] = {}
    for batch in batches:
        waiting.setdefault(entries[batch.id].model, []).append((batch, entries[batch.id]))
    return [Queue(place, account, model, some) for model, some in waiting.items()]


def _entries(ledger: Ledger, batches: Sequence[Batch]) -> dict[int, Enqueued]:
    """With their tokens as they are estimated now: what has ended since they were built has told more."""
    known = ledger.quotas.entries([batch.id for batch in batches])
    rates: dict[tuple[int, str], float] = {}

    def entry(batch: Batch) -> Enqueued:
        found = known.get(batch.id)
        # An older batchd has built it, and written nothing down.
        model = found.model if found else model_of(ledger.tasks.definition(batch.version_id).model)
        kind = (batch.task_id, model)
        if kind not in rates:
            rates[kind] = quota.tokens_per_byte(ledger.quotas.samples(*kind))
        if found is None:
            return Enqueued(batch.id, model, quota.estimated(batch.input_bytes, rates[kind]), is_written=False)
        return replace(found, tokens=quota.revised(found.tokens, batch.input_bytes, rates[kind]))

    return {batch.id: entry(batch) for batch in batches}


class Queue:
    """Batches of one account and model that may be sent now."""

    def __init__(
        self, place: Workplace, account: Account, model: str, waiting: Sequence[tuple[Batch, Enqueued]]
    ) -> None:
        self._place = place
        self._account = account
        self._model = model
        self._waiting = {batch.id: (batch, entry) for batch, entry in waiting}
        self._standing = place.store.read(lambda ledger: ledger.quotas.standing(account.name, model))

    def plan(self) -> Plan:
        """Which to send, in which order."""
        candidates = [
            Candidate(batch.id, batch.task, self._weight(batch), entry.tokens, entry.had_turn, entry.passed)
            for batch, entry in self._waiting.values()
        ]
        return plan(candidates, self._standing.in_flight, _limit(self._account, self._model, self._standing.learnt))

    def batches(self, batch_ids: Sequence[int]) -> list[Batch]:
        """Those of these ids, in this order."""
        return [self._waiting[batch_id][0] for batch_id in batch_ids]

    def let_through(self, ledger: Ledger, batch: Batch) -> bool:
        """True where the vendor's quota has room for the batch: it counts as enqueued from then on."""
        tokens = self._waiting[batch.id][1].tokens
        ledger.quotas.lock(self._account.name, self._model)
        standing = ledger.quotas.standing(self._account.name, self._model, apart=batch.id)
        most = self._account.max_batches_per_hour
        if most is not None and standing.created >= most:
            ledger.batches.wait(batch, _PAUSE)
            return False
        if not quota.fits(tokens, standing.enqueued, _limit(self._account, self._model, standing.learnt)):
            ledger.quotas.wait([batch.id], None)
            return False
        self._write_first_time(ledger, [batch.id])
        ledger.quotas.reserve(batch.id, tokens, standing.enqueued)
        return True

    def leave_the_others(self, planned: Plan, ours: Container[int]) -> int:
        """Marks those of ``ours`` that are not to be sent as waiting, once; returns for how many that is new.

        A learnt limit that keeps them waiting is tried a little higher, now and then.
        """
        left = {batch_id: entry for batch_id, (_, entry) in self._waiting.items() if batch_id not in planned.send}
        new = [batch_id for batch_id, entry in left.items() if batch_id in ours and not entry.waits]
        turn_is_new = planned.turn in left and not left[planned.turn].had_turn
        if new or turn_is_new or (left and self._probed(self._standing.learnt)):
            self._place.store.transact(lambda ledger: self._write_down(ledger, new, planned.turn), step="submit.wait")
        return len(new)

    def _write_down(self, ledger: Ledger, waiting: Sequence[int], turn: int | None) -> None:
        ledger.quotas.lock(self._account.name, self._model)
        self._write_first_time(ledger, waiting)
        ledger.quotas.wait(waiting, turn)
        higher = self._probed(ledger.quotas.learnt(self._account.name, self._model))
        if higher is not None:
            ledger.quotas.learn(self._account.name, self._model, higher)
            log.info(events.QUOTA_RAISED, vendor=self._account.name, model=self._model, tokens=higher.tokens)

    def _write_first_time(self, ledger: Ledger, batch_ids: Sequence[int]) -> None:
        for batch, entry in (self._waiting[batch_id] for batch_id in batch_ids):
            if not entry.is_written:
                ledger.quotas.enqueue(batch, entry.model, entry.tokens)

    def _probed(self, learnt: Learnt) -> Learnt | None:
        return quota.probed(learnt, self._account.enqueued_tokens.get(self._model))

    def _weight(self, batch: Batch) -> float:
        task = self._place.tasks.get(batch.task)
        return 1.0 if task is None else task.weight


def learn(ledger: Ledger, account: Account, batch: Batch, told: int | None) -> bool:
    """Lowers what is known of the limit, once the vendor refused a batch for it; ``told`` is the limit it named.

    True where its rows had better go again in smaller files.
    """
    entry = ledger.quotas.entries([batch.id]).get(batch.id)
    if entry is None:
        return False
    ledger.quotas.lock(account.name, entry.model)
    standing = ledger.quotas.standing(account.name, entry.model, apart=batch.id)
    attempted = max(entry.beside or 0, standing.enqueued) + entry.tokens
    configured = account.enqueued_tokens.get(entry.model)
    learnt = quota.lowered(standing.learnt, configured, Refused(entry.tokens, attempted, told, entry.age))
    ledger.quotas.learn(account.name, entry.model, learnt)
    log.warning(events.QUOTA_LOWERED, vendor=account.name, model=entry.model, tokens=learnt.tokens, told=learnt.told)
    return quota.goes_by_rows(entry, batch.requests, batch.attempt, told)


def _limit(account: Account, model: str, learnt: Learnt) -> int | None:
    return quota.limit_of(account.enqueued_tokens.get(model), learnt)
