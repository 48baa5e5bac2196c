"""What a simulated run came to, and whether that is good enough."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.simulation.client import SimClient
from tests.simulation.vendor import End, Run, SimVendor

HOUR = 3600.0
_LEAST_IN_USE = 0.95
_FULL = 0.9


@dataclass(slots=True)
class Shares:
    """How each task fares while it runs: looked at after each pass.

    Attributes:
        waited: longest time that a task had rows to send and nothing at the vendor, in seconds.
        held: token-seconds at the vendor, by task, while every task had more to send.
        by_day: the same for each day, whoever had more to send.
        busy_until: when there was last more to send than the quota had room for.
    """

    waited: dict[str, float] = field(default_factory=dict)
    held: dict[str, float] = field(default_factory=dict)
    by_day: list[dict[str, float]] = field(default_factory=list)
    busy_until: float = 0.0
    _since: dict[str, float] = field(default_factory=dict)

    def look(self, client: SimClient, now: float, until: float) -> None:
        """How things stand from ``now`` until the next pass."""
        in_flight = client.in_flight()
        if client.unsent >= client.vendor.habits.limit - client.vendor.enqueued(now):
            self.busy_until = until
        waiting = {batch.work.task.name for batch in client.built}
        busy = all(work.task.name in waiting or work.left for work in client.work)
        while len(self.by_day) <= now // (24 * HOUR):
            self.by_day.append({})
        for work in client.work:
            name = work.task.name
            tokens = in_flight.get(name, 0)
            day = self.by_day[-1]
            day[name] = day.get(name, 0.0) + tokens * (until - now)
            if busy:
                self.held[name] = self.held.get(name, 0.0) + tokens * (until - now)
            if tokens or name not in waiting:
                self._since.pop(name, None)
            else:
                self._since.setdefault(name, now)
                self.waited[name] = max(self.waited.get(name, 0.0), until - self._since[name])


@dataclass(frozen=True, slots=True)
class Result:
    """The figures of a run; seconds and tokens."""

    rows: int
    makespan: float
    bound: float
    in_use: float
    full: float
    over_limit: int
    most_created: int
    batches: int
    failed: int
    expired: int
    shares: Shares
    weights: dict[str, float]

    @property
    def over_bound(self) -> float:
        """The makespan as a multiple of its bound."""
        return self.makespan / self.bound

    def faults(self, *, longest_wait: float, over_bound: float = 1.05) -> list[str]:
        """What is not good enough.

        Args:
            longest_wait: seconds that a task may wait with nothing at the vendor, though it has rows to send.
            over_bound: the makespan as a multiple of its bound.
        """
        found = []
        if self.in_use < _LEAST_IN_USE:
            found.append(f"the quota was in use to {self.in_use:.1%}, and should be to {_LEAST_IN_USE:.0%}")
        if self.over_bound > over_bound:
            found.append(f"it took {self.over_bound:.3f} times the bound, and should {over_bound}")
        found += [
            f"{name} had rows to send and nothing at the vendor for {seconds:,.0f} s"
            for name, seconds in self.shares.waited.items()
            if seconds > longest_wait
        ]
        return found


def simulated(client: SimClient, vendor: SimVendor) -> Result:
    """Runs a client to its end."""
    shares, now = Shares(), 0.0
    while (until := client.step(now)) is not None:
        shares.look(client, now, until)
        now = until
    in_use, full = _use(vendor.runs, vendor.habits.limit, shares.busy_until)
    return Result(
        rows=sum(work.done + work.failed for work in client.work),
        makespan=now,
        bound=sum(run.tokens * (run.ends - run.created) for run in vendor.runs) / vendor.habits.limit,
        in_use=in_use,
        full=full,
        over_limit=client.refusals,
        most_created=client.most_created,
        batches=len(vendor.runs),
        failed=sum(run.end in {End.FILE_NOT_FOUND, End.BAD_LINE} for run in vendor.runs),
        expired=sum(run.end is End.EXPIRED for run in vendor.runs),
        shares=shares,
        weights={work.task.name: work.task.weight for work in client.work},
    )


def _use(runs: Sequence[Run], limit: int, until: float) -> tuple[float, float]:
    """The part of the quota that was in use until then, and the part of the time that it was nearly full."""
    used = full = 0.0
    for seconds, tokens in _levels(runs, until):
        used += seconds * tokens
        full += seconds * (tokens >= _FULL * limit)
    return (used / (limit * until), full / until) if until else (0.0, 0.0)


def _levels(runs: Sequence[Run], until: float) -> Iterator[tuple[float, int]]:
    changes = sorted([(run.created, run.tokens) for run in runs] + [(run.ends, -run.tokens) for run in runs])
    before, tokens = 0.0, 0
    for when, change in changes:
        at = min(when, until)
        yield at - before, tokens
        before, tokens = at, tokens + change
