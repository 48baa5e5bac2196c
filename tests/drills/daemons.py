"""Several daemons on one database, as jobs for a crew: they race, and they sleep through their leases."""

import random
from collections.abc import Iterator

from tests.drills.crew import Crew, Done
from tests.drills.race import Race, run_race, undisturbed
from tests.drills.race_fencing import Slept, run_fencing
from tests.drills.report import Line
from tests.drills.slot import Slot

_SECONDS = 25.0


def several_daemons(crew: Crew, chance: random.Random, *, full: bool) -> Iterator[Line]:
    """Races of two and four processes, then a process that sleeps at each point while another takes over."""
    name = "race of two and four processes, 1,000 rows" if full else "race of two processes, 300 rows"
    races = Line(name, crew.database)
    drawn = [(1000, many, chance.randrange(10**6)) for many in (2, 4) for _ in range(2)]
    for done in crew.do(race, drawn if full else [(300, 2, chance.randrange(10**6))]):
        _count(races, done)
        if isinstance(done.found, Race):
            races.kills += done.found.kills
            races.faults.add(done.found.faults, f"rows, processes, seed {done.arguments}")
    yield races
    sleepers = Line("asleep through a lease, woken after a takeover", crew.database)
    for done in crew.do(fencing, [(full,)]):
        _count(sleepers, done)
        for where, slept in done.found or ():
            sleepers.runs += 1
            sleepers.points.add(where)
            sleepers.faults.add(slept.faults, where)
    # The job itself was no run.
    sleepers.runs -= 1
    yield sleepers


def race(slot: Slot, rows: int, processes: int, seed: int) -> Race:
    """One race, held against the same rows undisturbed."""
    return run_race(slot, undisturbed(slot, rows), processes, seed, _SECONDS)


def fencing(slot: Slot, full: bool) -> list[tuple[str, Slept]]:  # noqa: FBT001 - a job's arguments have no names
    """All cases of sleepers."""
    return list(run_fencing(slot, full=full))


def _count(line: Line, done: Done) -> None:
    line.runs += 1
    line.seconds += done.seconds
    if done.error:
        line.errors.append(f"{done.arguments}: {done.error}")
