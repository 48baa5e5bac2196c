"""Whose batch is sent next, where an account's quota does not hold them all: by weight, and nobody waits for ever."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from batchd.core.quota import fits


@dataclass(frozen=True, slots=True)
class Candidate:
    """A built batch that may be sent now.

    Attributes:
        batch_id: also its age: the smallest was built first.
        weight: its task's share in proportion to that of others.
        had_turn: it was its turn before, and it did not fit.
        passed: tokens that were sent since then.
    """

    batch_id: int
    task: str
    weight: float
    tokens: int
    had_turn: bool = False
    passed: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send, in this order, and the batch whose turn it is though it does not fit, if there is one."""

    send: tuple[int, ...]
    turn: int | None = None


@dataclass(slots=True)
class _Sharing:
    """A plan in the making."""

    limit: int | None
    in_flight: dict[str, int]
    waiting: list[Candidate]
    send: list[int] = field(default_factory=list)

    @property
    def enqueued(self) -> int:
        return sum(self.in_flight.values())

    def fits(self, one: Candidate) -> bool:
        return fits(one.tokens, self.enqueued, self.limit)

    def take(self, one: Candidate) -> None:
        self.send.append(one.batch_id)
        self.waiting.remove(one)
        self.in_flight[one.task] = self.in_flight.get(one.task, 0) + one.tokens

    def in_turn(self) -> list[Candidate]:
        """The task with the least in flight for its weight first; within a task the oldest."""
        return sorted(self.waiting, key=lambda one: (self.in_flight.get(one.task, 0) / one.weight, one.batch_id))


def plan(candidates: Sequence[Candidate], in_flight: Mapping[str, int], limit: int | None) -> Plan:
    """Which batches of one account and model to send now.

    The next is that of the task with the fewest tokens in flight for its weight. Where it does not fit, smaller ones
    may pass it, until they amount to the whole limit: then everything waits for it. So no task is starved, not even
    one whose batches are larger than what is usually free.

    Args:
        candidates: batches that could be sent now; no paused or held one, for which nobody should wait.
        in_flight: tokens of each task that are enqueued.
        limit: tokens that may be enqueued; None for no limit.
    """
    sharing = _Sharing(limit, dict(in_flight), sorted(candidates, key=lambda one: one.batch_id))
    for one in [one for one in sharing.waiting if _has_waited(one, limit)]:
        if not sharing.fits(one):
            return Plan(tuple(sharing.send), one.batch_id)
        sharing.take(one)
    turn: int | None = None
    while order := sharing.in_turn():
        found = next((one for one in order if sharing.fits(one)), None)
        if turn is None and found is not order[0]:
            turn = order[0].batch_id
        if found is None:
            break
        sharing.take(found)
    return Plan(tuple(sharing.send), turn)


def _has_waited(one: Candidate, limit: int | None) -> bool:
    return limit is not None and one.had_turn and one.passed >= limit
