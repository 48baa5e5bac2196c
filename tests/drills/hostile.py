"""A hostile vendor: every fault of the table played through, and those about money and rows with a kill besides."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.drills import hostile_calls, hostile_results
from tests.drills.crew import Crew, Done
from tests.drills.hostile_acts import NotSeenError, unspent, vendor_clock_right
from tests.drills.hostile_case import ROWS, Case, Expected
from tests.drills.judge import End, Faults, look
from tests.drills.matrix import Blow
from tests.drills.report import Line
from tests.drills.scenarios import RUN, Command, clear_faults
from tests.drills.slot import Slot

CASES: tuple[Case, ...] = (*hostile_calls.CASES, *hostile_results.CASES)
Rows = Mapping[Any, tuple[Any, ...]]
_MOST_RESTARTS = 4
_KILLED_IN_CI = 12
_BY_NAME = {case.name: case for case in CASES}


@dataclass(slots=True)
class Played:
    """A case that was played: which points each act has passed, exit codes, kills, and what was wrong."""

    passed: list[tuple[str, ...]] = field(default_factory=list)
    codes: list[int | None] = field(default_factory=list)
    kills: int = 0
    not_seen: list[str] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)


def hostile(crew: Crew, chance: random.Random, *, full: bool = True, wanted: str = "") -> Iterator[Line]:
    """All cases, then the marked ones, or some of them, with a kill drawn by chance.

    ``wanted`` is part of the names of cases.
    """
    friendly = next(crew.do(friendly_rows, [()])).found
    line, played = Line("hostile vendor", crew.database), {}
    for done in crew.do(play, [(case.name, friendly) for case in CASES if wanted in case.name]):
        _count(line, done)
        if done.found is not None:
            played[done.arguments[0]] = done.found
    yield line
    line = Line("hostile vendor, one kill", crew.database)
    marked = [case.name for case in CASES if case.killed and case.name in played]
    if not full:
        marked = chance.sample(marked, min(len(marked), _KILLED_IN_CI))
    for done in crew.do(play, [(name, friendly, drawn(played[name], chance)) for name in marked]):
        _count(line, done)
    yield line


def friendly_rows(slot: Slot) -> Rows:
    """How the rows end at a vendor that does nothing wrong."""
    slot.begin(ROWS)
    slot.run(*RUN)
    return look(slot).rows


def play(slot: Slot, name: str, friendly: Rows, blow: Blow | None = None) -> Played:
    """Plays a case, with a kill where one is given, and judges its end."""
    case = _BY_NAME[name]
    scenario = case.scenario
    slot.begin(scenario.rows, faults=scenario.faults, change=scenario.change, **scenario.settings)
    played = Played()
    try:
        _act(slot, case, blow, played)
        played.not_seen.extend(unspent(slot))
        clear_faults(slot)
        if played.kills:
            # Whatever a killed command has left is the next run's.
            slot.run(*RUN)
        played.faults = judged(case.expected, friendly, look(slot))
        if blow is None:
            played.faults.unexplained.extend(_undisturbed(case.expected, played, slot.vendor.batches()))
    finally:
        clear_faults(slot)
        vendor_clock_right(slot)
    return played


def _act(slot: Slot, case: Case, blow: Blow | None, played: Played) -> None:
    for number, act in enumerate(case.scenario.acts):
        if not callable(act):
            _run(slot, act, f"{blow.point}:{blow.passing}" if blow and number == blow.act else "", played)
            continue
        played.passed.append(())
        try:
            act(slot)
        except NotSeenError as error:
            played.not_seen.append(str(error))


def _run(slot: Slot, command: Command, failpoint: str, played: Played) -> None:
    """Runs a command, again where it was killed."""
    ended = slot.run(*command, failpoint=failpoint, traced=True)
    played.passed.append(tuple(slot.passed()))
    for _ in range(_MOST_RESTARTS):
        if not ended.was_killed:
            break
        played.kills += 1
        ended = slot.run(*command)
    played.codes.append(ended.code)


def judged(expected: Expected, friendly: Rows, end: End) -> Faults:
    """What is wrong with an end, held against what was expected and against a friendly vendor's rows."""
    written = {key: row for key, row in end.rows.items() if row[-1]}
    wanted = expected.outcomes.get("applied", 0)
    faults = Faults(unexplained=[*end.violations, *_otherwise(expected, end)])
    if len(written) != wanted:
        faults.lost.append(f"{len(written)} rows are written, and not {wanted}")
    faults.lost.extend(
        f"row {key} is {row}, at a friendly vendor {friendly[key]}"
        for key, row in written.items()
        if (row != friendly[key]) != (key in expected.unlike)
    )
    faults.paid_twice.extend(
        f"input {text[:12]} was paid for {times} times, and not {expected.most_paid} at most"
        for text, times in end.paid.items()
        if times > expected.most_paid
    )
    faults.applied_twice.extend(
        f"row {key} was written {times} times" for key, times in end.writes.items() if times > 1
    )
    return faults


def _otherwise(expected: Expected, end: End) -> list[str]:
    outcomes: Counter[str] = Counter()
    for (_, outcome), requests in end.outcomes.items():
        outcomes[outcome] += requests
    gates = Counter(gate[0] for gate in end.gates.values())
    return [
        *_differs("outcomes of all requests", outcomes, Counter(expected.outcomes)),
        *_differs("gates left", gates, Counter(expected.gates)),
        *_differs("open findings", end.findings, Counter(expected.findings)),
        *_differs("open batches", end.open_batches, []),
    ]


def _undisturbed(expected: Expected, played: Played, created: int) -> list[str]:
    """What a kill may change."""
    made = [] if expected.created is None else _differs("number of batches made", created, expected.created)
    return [*played.not_seen, *made, *_differs("list of exit codes", played.codes, list(expected.codes))]


def _differs(what: str, found: object, wanted: object) -> list[str]:
    return [] if found == wanted else [f"the {what} is {found}, and not {wanted}"]


def drawn(played: Played, chance: random.Random) -> Blow:
    """A point that the case has passed, drawn by chance, with one of its passings."""
    points = [(act, point) for act, passed in enumerate(played.passed) for point in dict.fromkeys(passed)]
    act, point = chance.choice(points)
    return Blow(act, point, chance.randint(1, played.passed[act].count(point)))


def _count(line: Line, done: Done) -> None:
    line.runs += 1
    line.seconds += done.seconds
    name, _, *rest = done.arguments
    where = f"{name}, killed at {rest[0]}" if rest else str(name)
    if done.found is None:
        line.errors.append(f"{where}: {done.error}")
        return
    line.kills += done.found.kills
    line.points.update(blow.point for blow in rest)
    line.faults.add(done.found.faults, where)
    if rest and not done.found.kills:
        line.errors.append(f"{where}: the blow did not fall")
