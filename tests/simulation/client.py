"""batchd on a simulated clock: its passes in their order, its decisions by its own code, its ledger in memory."""

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from batchd.core import quota
from batchd.core.outcomes import growing_delay
from batchd.core.pacing import poll_delay, submit_delay
from batchd.core.packing import FileLimits, Full, Packing
from batchd.core.quota import Enqueued, Learnt, Refused, Sample
from batchd.core.shares import Candidate, plan
from tests.simulation.vendor import End, Run, SimVendor
from tests.simulation.workload import Rows, SimTask, drawn

_MAX_BYTES = 200_000_000
_SAMPLES = 20
_HOUR = 3600.0
_RATE_PAUSE = 60.0


@dataclass(frozen=True, slots=True)
class Machine:
    """How batchd is configured, and what its work takes on the machine that it runs on; rates are per second."""

    check_interval: float = 60.0
    configured: int | None = None
    max_batches_per_hour: int | None = 2000
    transfer: float = 10_000_000.0
    claimed_rows: float = 5_000.0
    applied_rows: float = 3_000.0


@dataclass(slots=True)
class SimBatch:
    """A batch, as the ledger would know it; ``real`` is what the vendor counts."""

    number: int
    work: "Work"
    requests: int
    size: int
    tokens: int
    real: int
    attempt: int = 0
    not_before: float = 0.0
    run: Run | None = None
    reserved_at: float = -math.inf
    beside: int | None = None
    waits: bool = False
    turn_at: float | None = None


@dataclass(slots=True)
class Work:
    """A task and where it stands: rows left, rows due again (when, how many, their try), samples, open batches."""

    task: SimTask
    rows: Rows
    left: int
    again: list[tuple[float, int, int]] = field(default_factory=list)
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=_SAMPLES))
    open: int = 0
    done: int = 0
    failed: int = 0
    rate: float = quota.tokens_per_byte([])

    def learn(self, sample: Sample) -> None:
        """A batch has ended."""
        self.samples.append(sample)
        self.rate = quota.tokens_per_byte(list(self.samples))

    def due(self, now: float) -> int:
        """Rows that may be claimed."""
        return self.left + sum(number for when, number, _ in self.again if when <= now)

    def take(self, number: int, now: float) -> int:
        """So many rows are claimed, those that are due again first; returns the highest try among them."""
        attempt, kept = 0, []
        for when, count, tried in sorted(self.again):
            taken = min(count, number) if when <= now else 0
            number -= taken
            attempt = max(attempt, tried) if taken else attempt
            if count > taken:
                kept.append((when, count - taken, tried))
        self.again = kept
        self.left -= number
        return attempt


class SimClient:
    """The daemon. ``step`` is one pass; it returns when the next one is due, or None once all is done."""

    def __init__(self, tasks: list[SimTask], vendor: SimVendor, machine: Machine, seed: int) -> None:
        self.work = [Work(task, Rows(task, drawn(seed, task.name)), task.rows) for task in tasks]
        self.vendor = vendor
        self._machine = machine
        self._learnt = Learnt()
        self._learnt_at = 0.0
        self._chance = drawn(seed, "lines")
        self._numbers = 0
        self.built: list[SimBatch] = []
        self.at_vendor: list[SimBatch] = []
        # When each batch was sent, and the tokens of all until then.
        self._sent: list[tuple[float, int]] = [(-math.inf, 0)]
        self._creates: deque[float] = deque()
        self._tries: dict[int, int] = {}
        self.refusals = 0
        self.most_created = 0

    def step(self, now: float) -> float | None:
        """One pass of the working lane, then claims for tasks that have room again."""
        start = now
        ended = self._poll(now)
        now = self._submit(now)
        for batch in ended:
            now = self._finish(batch, now)
        for work in self.work:
            now = self._claim(work, now)
        now = self._submit(now)
        if not self.built and not self.at_vendor and not any(work.left or work.again for work in self.work):
            return None
        return max(start + self._machine.check_interval, now)

    @property
    def limit(self) -> int | None:
        """As batchd knows it."""
        return quota.limit_of(self._machine.configured, self._learnt)

    def in_flight(self) -> dict[str, int]:
        """Estimated tokens by task."""
        found: dict[str, int] = {}
        for batch in self.at_vendor:
            found[batch.work.task.name] = found.get(batch.work.task.name, 0) + batch.tokens
        return found

    @property
    def unsent(self) -> float:
        """Tokens that are not at the vendor yet, as it will count them."""
        rows = ((work.left + sum(number for _, number, _ in work.again)) * work.rows.mean_tokens for work in self.work)
        return sum(rows) + sum(batch.real for batch in self.built)

    def _poll(self, now: float) -> list[SimBatch]:
        wanted = any(batch.waits for batch in self.built)
        ended: list[SimBatch] = []
        for batch in self.at_vendor:
            run = batch.run
            if run is None or batch.not_before > now:
                continue
            if run.ends <= now:
                ended.append(batch)
            else:
                delay = poll_delay(now - run.created, self._machine.check_interval, wanted=wanted)
                batch.not_before = now + delay
        self.at_vendor = [batch for batch in self.at_vendor if batch not in ended]
        return ended

    def _submit(self, now: float) -> float:
        ready = [batch for batch in self.built if batch.not_before <= now]
        for batch in ready:
            batch.tokens = quota.revised(batch.tokens, batch.size, batch.work.rate)
        candidates = [
            Candidate(one.number, one.work.task.name, one.work.task.weight, one.tokens, *self._passed(one))
            for one in ready
        ]
        planned = plan(candidates, self.in_flight(), self.limit)
        by_number = {batch.number: batch for batch in ready}
        for number in planned.send:
            now = self._send(by_number[number], now)
        for batch in ready:
            if batch.number not in planned.send:
                batch.waits = True
                if batch.number == planned.turn and batch.turn_at is None:
                    batch.turn_at = now
                self._probe(now)
        return now

    def _passed(self, batch: SimBatch) -> tuple[bool, int]:
        if batch.turn_at is None:
            return False, 0
        return True, self._sent[-1][1] - self._sent[bisect_left(self._sent, (batch.turn_at, 0)) - 1][1]

    def _send(self, batch: SimBatch, now: float) -> float:
        while self._creates and self._creates[0] <= now - _HOUR:
            self._creates.popleft()
        most = self._machine.max_batches_per_hour
        if most is not None and len(self._creates) >= most:
            batch.not_before = now + _RATE_PAUSE
            return now
        enqueued = sum(self.in_flight().values())
        if not quota.fits(batch.tokens, enqueued, self.limit):
            batch.waits = True
            return now
        batch.beside, batch.reserved_at, batch.waits, batch.turn_at = enqueued, now, False, None
        batch.attempt += 1
        now += batch.size / self._machine.transfer
        batch.run = self.vendor.create(batch.real, now)
        batch.not_before = now + self._machine.check_interval
        self._creates.append(now)
        self.most_created = max(self.most_created, len(self._creates))
        self.built.remove(batch)
        self.at_vendor.append(batch)
        self._sent.append((batch.reserved_at, self._sent[-1][1] + batch.tokens))
        return now

    def _probe(self, now: float) -> None:
        higher = quota.probed(self._aged(now), self._machine.configured)
        if higher is not None:
            self._learn(higher, now)

    def _aged(self, now: float) -> Learnt:
        return Learnt(self._learnt.tokens, self._learnt.told, now - self._learnt_at)

    def _learn(self, learnt: Learnt, now: float) -> None:
        self._learnt, self._learnt_at = learnt, now

    def _finish(self, batch: SimBatch, now: float) -> float:
        """Collect and apply, or what follows from a refusal; returns when that is done."""
        end = batch.run.end if batch.run else End.COMPLETED
        if end is End.OVER_LIMIT:
            self._refused(batch, now)
        elif end is End.FILE_NOT_FOUND:
            self._back(batch, now)
        elif end is End.BAD_LINE:
            self._close(batch, now, done=0, failed=1)
        else:
            return self._apply(batch, now, end)
        return now

    def _refused(self, batch: SimBatch, now: float) -> None:
        self.refusals += 1
        told = self.vendor.habits.limit
        attempted = max(batch.beside or 0, sum(self.in_flight().values())) + batch.tokens
        refused = Refused(batch.tokens, attempted, told, now - batch.reserved_at)
        self._learn(quota.lowered(self._aged(now), self._machine.configured, refused), now)
        entry = Enqueued(batch.number, "", batch.tokens, batch.beside)
        if quota.goes_by_rows(entry, batch.requests, batch.attempt, told):
            self._close(batch, now, done=0, failed=0)
        else:
            self._back(batch, now)

    def _back(self, batch: SimBatch, now: float) -> None:
        batch.run = None
        batch.not_before = now + submit_delay(batch.attempt, self._machine.check_interval)
        self.built.append(batch)

    def _apply(self, batch: SimBatch, now: float, end: End) -> float:
        habits = self.vendor.habits
        ran = batch.requests if end is End.COMPLETED else int(batch.requests * habits.answered_before_expiry)
        errored = sum(self._chance.random() < habits.errored_line for _ in range(min(ran, 200))) * max(ran // 200, 1)
        answered = max(ran - errored, 0)
        counted = round(batch.real * answered / batch.requests)
        batch.work.learn(Sample(batch.size, batch.requests, answered, counted))
        seconds = batch.size / self._machine.transfer + answered / self._machine.applied_rows
        self._close(batch, now + seconds, done=answered, failed=0)
        return now + seconds

    def _close(self, batch: SimBatch, now: float, *, done: int, failed: int) -> None:
        work = batch.work
        work.open -= 1
        work.done += done
        work.failed += failed
        tried = self._tries.pop(batch.number, 0) + 1
        if again := batch.requests - done - failed:
            work.again.append((now + growing_delay(tried), again, tried))

    def _claim(self, work: Work, now: float) -> float:
        while work.open < work.task.max_open_batches and (due := work.due(now)):
            batch = self._pack(work, due, now)
            now += batch.requests / self._machine.claimed_rows
            work.open += 1
            self.built.append(batch)
        return now

    def _pack(self, work: Work, due: int, now: float) -> SimBatch:
        fair = quota.fair_bytes(self.limit, work.task.max_open_batches, work.rate)
        self._numbers += 1
        packing = Packing(
            f"{self._numbers:032x}",
            work.rows.builder(),
            FileLimits(min(work.task.batch_size, due), _MAX_BYTES, fair=fair),
        )
        _fill(packing, work.rows.ahead())
        number = len(packing.requests)
        self._tries[self._numbers] = work.take(number, now)
        real = work.rows.took(number)
        return SimBatch(self._numbers, work, number, packing.size, quota.estimated(packing.size, work.rate), real)


def _fill(packing: Packing, rows: Iterator[object]) -> None:
    for row in rows:
        if packing.is_full or packing.add(row, retried=False) is Full.FULL:  # type: ignore[arg-type]
            return
