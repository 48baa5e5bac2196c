"""The kill matrix: every fault point at its first, middle and last passing, in real processes; then two kills."""

import random
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from batchd.failpoints import POINTS
from tests.drills.judge import End, Faults, compare, look
from tests.drills.scenarios import RUN, Scenario
from tests.drills.slot import Slot

_MOST_RESTARTS = 6


@dataclass(frozen=True, slots=True)
class Blow:
    """A kill: the scenario's act (its number), the point, and the passing within that process, from 1."""

    act: int
    point: str
    passing: int

    def __str__(self) -> str:
        return f"{self.point}:{self.passing} (act {self.act})"


@dataclass(frozen=True, slots=True)
class Trace:
    """A scenario undisturbed: which points each act passes, and how it ends."""

    passed: tuple[tuple[str, ...], ...]
    end: End

    def blows(self, point: str) -> list[Blow]:
        """The first, middle and last passing of a point; fewer where it is passed once or twice."""
        all_of_them = [
            Blow(act, point, number)
            for act, points in enumerate(self.passed)
            for number in range(1, Counter(points)[point] + 1)
        ]
        chosen = {0, len(all_of_them) // 2, len(all_of_them) - 1} if all_of_them else set()
        return [all_of_them[at] for at in sorted(chosen)]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case: whether its blows fell, what the recovery passed, and what was wrong in the end."""

    kills: int
    recovery: tuple[str, ...]
    faults: Faults


def trace(slot: Slot, scenario: Scenario) -> Trace:
    """Plays a scenario undisturbed."""
    _begin(slot, scenario)
    passed: list[tuple[str, ...]] = []
    for act in scenario.acts:
        command = act(slot) if callable(act) else act
        if command is None:
            passed.append(())
        else:
            ended = slot.run(*command, traced=True)
            if ended.signal is not None or ended.code in {1, 2, 70}:
                raise RuntimeError(f"{scenario.name}: {' '.join(command)} ended with {ended}: {slot.said()}")
            passed.append(tuple(slot.passed()))
    return Trace(tuple(passed), look(slot))


def play(slot: Slot, scenario: Scenario, undisturbed: Trace, blow: Blow, second: str = "") -> Outcome:
    """Plays a scenario with one kill, or a second one at the first restart, and restarts until it ends."""
    _begin(slot, scenario)
    kills, recovery = 0, tuple[str, ...]()
    for number, act in enumerate(scenario.acts):
        command = act(slot) if callable(act) else act
        if command is None:
            continue
        failpoint = f"{blow.point}:{blow.passing}" if number == blow.act else ""
        for _ in range(_MOST_RESTARTS):
            ended = slot.run(*command, failpoint=failpoint, traced=kills == 1 and not recovery)
            if kills == 1 and not recovery:
                recovery = tuple(slot.passed())
            if not ended.was_killed:
                break
            kills += 1
            failpoint = second if kills == 1 else ""
    if kills and scenario.acts[-1] != RUN:
        # Whatever a killed command has left is the next run's.
        slot.run(*RUN)
    faults = compare(undisturbed.end, look(slot), most_paid=scenario.most_paid)
    return Outcome(kills, recovery, faults)


def routine(slot: Slot) -> frozenset[str]:
    """The points that a run passes which has nothing to do."""
    slot.begin(0)
    slot.run(*RUN, traced=True)
    return frozenset(slot.passed())


def first_recovery_point(recovery: Sequence[str], routine_points: frozenset[str]) -> str:
    """The first point a restarted process passes that a process with nothing to do would not; "" for none."""
    return next((point for point in recovery if point not in routine_points), "")


def never_passed(traces: Iterable[Trace], left_out: Collection[str] = ()) -> list[str]:
    """Registered points that no scenario passes: a drill that can't hit them proves nothing about them."""
    passed = {point for one in traces for points in one.passed for point in points}
    return [point for point in POINTS if point not in passed and point not in left_out]


def first_scenarios(traces: Mapping[str, Trace]) -> dict[str, str]:
    """Point → the first scenario, in the order of the table, that passes it."""
    found: dict[str, str] = {}
    for name, one in traces.items():
        for points in one.passed:
            for point in points:
                found.setdefault(point, name)
    return found


def pairs(traces: Mapping[str, Trace], number: int, chance: random.Random) -> Iterator[tuple[str, Blow, str]]:
    """A sample of two kills: any passing of any point of any scenario, then any point of the restart."""
    names = sorted(traces)
    for _ in range(number):
        name = chance.choice(names)
        passed = [(act, point) for act, points in enumerate(traces[name].passed) for point in dict.fromkeys(points)]
        act, point = chance.choice(passed)
        times = Counter(traces[name].passed[act])[point]
        yield name, Blow(act, point, chance.randint(1, times)), f"{chance.choice(passed)[1]}:1"


def _begin(slot: Slot, scenario: Scenario) -> None:
    slot.begin(scenario.rows, faults=scenario.faults, change=scenario.change, **scenario.settings)
