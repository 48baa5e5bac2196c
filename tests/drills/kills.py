"""The kill matrix as jobs for a crew: each scenario undisturbed, then killed once, then twice."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import replace

from batchd.failpoints import POINTS
from tests.drills import matrix
from tests.drills.crew import Crew, Done
from tests.drills.databases import never_passed_on
from tests.drills.judge import soundness
from tests.drills.matrix import Blow, Outcome, Trace
from tests.drills.report import Line
from tests.drills.scenarios import SCENARIOS
from tests.drills.slot import Slot

_BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


def kill_matrix(crew: Crew, chance: random.Random, *, full: bool, wanted: str = "") -> Iterator[Line]:
    """All parts of the kill matrix, a line of the table each; ``wanted`` is part of the names of points to kill at."""
    undisturbed, traces = _undisturbed(crew)
    yield undisturbed
    points = [point for point in POINTS if wanted in point and point not in never_passed_on(crew.database)]
    one_kill = list(_one_kill(traces, points, full=full))
    line, recoveries = _killed(crew, "one kill", traces, one_kill)
    # What a process passes hangs a little on the moment; but each point must have been struck at once.
    line.errors.extend(f"no process was killed at {point}" for point in points if point not in line.points)
    yield line
    routine = next(crew.do(matrix.routine, [()])).found
    again = [
        (name, blow, f"{matrix.first_recovery_point(recovery, routine)}:1")
        for name, blow, recovery in recoveries
        if blow.passing == 1 and matrix.first_recovery_point(recovery, routine)
    ]
    if not full:
        again = chance.sample(again, min(len(again), 10))
    yield _killed(crew, "two kills: the second at the recovery", traces, again)[0]
    drawn = list(matrix.pairs(traces, 200 if full else 10, chance))
    yield _killed(crew, "two kills: drawn", traces, drawn)[0]


def _undisturbed(crew: Crew) -> tuple[Line, dict[str, Trace]]:
    """Every scenario once without a kill; a registered point that none of them passes is a fault."""
    left_out = never_passed_on(crew.database)
    name = f"undisturbed, without {len(left_out)} points that only SQLite has" if left_out else "undisturbed"
    line, found = Line(name, crew.database), {}
    for done in crew.do(_trace, [(scenario.name,) for scenario in SCENARIOS]):
        _count(line, done)
        if done.found is not None:
            found[done.arguments[0]] = done.found
            line.faults.add(soundness(done.found.end), done.arguments[0])
            line.points.update(point for points in done.found.passed for point in points)
    traces = {scenario.name: found[scenario.name] for scenario in SCENARIOS if scenario.name in found}
    line.errors.extend(f"no scenario passes {point}" for point in matrix.never_passed(traces.values(), left_out))
    return line, traces


def _one_kill(traces: dict[str, Trace], points: list[str], *, full: bool) -> Iterable[tuple[str, Blow, str]]:
    """Every point in the first scenario that passes it; the first passing in CI, first, middle and last in full."""
    first = matrix.first_scenarios(traces)
    for point in points:
        if point in first:
            blows = traces[first[point]].blows(point)
            yield from ((first[point], blow, "") for blow in (blows if full else blows[:1]))


def _killed(
    crew: Crew, name: str, traces: dict[str, Trace], cases: Iterable[tuple[str, Blow, str]]
) -> tuple[Line, list[tuple[str, Blow, tuple[str, ...]]]]:
    line, recoveries = Line(name, crew.database), []
    jobs = [(scenario, traces[scenario], blow, second) for scenario, blow, second in cases]
    for done in crew.do(_play, jobs):
        scenario, _, blow, second = done.arguments
        _count(line, done)
        if isinstance(done.found, Outcome):
            line.kills += done.found.kills
            where = f"{scenario}, killed at {blow}{f', then at {second}' if second else ''}"
            line.faults.add(done.found.faults, where)
            recoveries.append((scenario, blow, done.found.recovery))
            if done.found.kills:
                line.points.add(blow.point)
    return line, sorted(recoveries, key=str)


def _count(line: Line, done: Done) -> None:
    line.runs += 1
    line.seconds += done.seconds
    if done.error:
        line.errors.append(
            f"{' '.join(str(one) for one in done.arguments if not isinstance(one, Trace))}: {done.error}"
        )


def _trace(slot: Slot, name: str) -> Trace:
    return matrix.trace(slot, _BY_NAME[name])


def _play(slot: Slot, name: str, undisturbed: Trace, blow: Blow, second: str) -> Outcome:
    outcome = matrix.play(slot, _BY_NAME[name], undisturbed, blow, second)
    if not outcome.kills:
        # How often the vendor is looked at, and what comes too late, hangs on the moment: this one had less of it.
        return matrix.play(slot, _BY_NAME[name], undisturbed, replace(blow, passing=1), second)
    return outcome
