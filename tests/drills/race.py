"""A race: several real processes on one database, stopped for longer than their leases, woken and killed at random.

What the referee does is drawn from a seed; when it does it hangs on the machine, so a seed replays nearly, not exactly.
"""

import argparse
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.drills.databases import NAMES, SQLITE
from tests.drills.forking import Process
from tests.drills.judge import Faults, compare, look
from tests.drills.matrix import Trace
from tests.drills.race_sleepers import (
    alone,
    end,
    end_of,
    finish,
    has_ended,
    is_asleep,
    is_leased,
    let_all_end,
    losses,
    none_left,
    unfinished,
    wake,
)
from tests.drills.report import say
from tests.drills.scenarios import RUN, Scenario
from tests.drills.slot import Slot

# A create may not take longer than a lease.
_LEASE = 0.7
_CREATE = 0.6
_TIMEOUT = 2.0
SETTINGS: dict[str, Any] = {
    "lease": f"{_LEASE * 1000:.0f}ms",
    "create_timeout": f"{_CREATE * 1000:.0f}ms",
    "timeout": f"{_TIMEOUT:.0f}s",
    "batch_size": 40,
    "apply_rows": 10,
    "max_open_batches": 4,
    "batch_duration": "300ms",
}
# The longest lease is that of two downloads; one nap is longer than that, most are longer than the others.
_NAPS = (0.5 * _LEASE, 2.0 * _LEASE, 3.0 * _LEASE, 4.0 * _LEASE, 2.0 * _TIMEOUT + 3.0 * _LEASE)
_PACE = (0.02, 0.2)
# A signal from outside rarely meets a process under a lease: so many of them stop themselves, at a point drawn;
# those after a step lie outside its transaction, so that others can take over.
_HARMLESS = ("_release", "_register", "_sweep")
_SHARE_OF_SLEEPERS = 0.8
_MOST_PASSINGS = 4
_KILLED_AWAKE, _KILLED_ASLEEP, _STOPPED = 0.08, 0.02, 0.2
_CONTINUOUS = ("run",)
_SECONDS = 25.0


@dataclass(slots=True)
class Race:
    """What a race came to, and what the referee did: a race without kills and lost leases has shown little."""

    kills: int = 0
    stops: int = 0
    lost: int = 0
    seconds: float = 0.0
    faults: Faults = field(default_factory=Faults)


@dataclass(slots=True)
class _Racer:
    """A process, what it was started as, and when it is to be woken; None while it is awake."""

    arguments: tuple[str, ...]
    process: Process
    wakes_at: float | None = None


class _Referee:
    """Starts the racers, and draws what befalls them."""

    def __init__(self, slot: Slot, calm: Trace, processes: int, seed: int, race: Race) -> None:
        self._slot = slot
        self._points = sorted({point for points in calm.passed for point in points if _is_drawn(point)})
        self._chance = random.Random(seed)  # noqa: S311 - a drill's draw, no secret
        self._race = race
        # Every other one is a daemon; the others end when they find nothing to do, and are started again.
        kinds = [_CONTINUOUS if number % 2 else RUN for number in range(processes)]
        self._racers = [_Racer(kind, self._started(kind)) for kind in kinds]

    @property
    def processes(self) -> list[Process]:
        """Those that run now."""
        return [racer.process for racer in self._racers]

    def run(self, seconds: float) -> None:
        """Disturbs them for so long, or until nothing is left to do; then lets all come to their end."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and unfinished(self._slot):
            time.sleep(self._chance.uniform(*_PACE))
            for racer in self._racers:
                self._look_after(racer)
            self._strike(self._chance.choice(self._racers))
        for racer in self._racers:
            if racer.arguments == _CONTINUOUS:
                racer.process.send(signal.SIGTERM)
        let_all_end(self.processes)
        for racer in self._racers:
            end(racer.process, self._slot, self._race.faults)

    def _started(self, arguments: tuple[str, ...]) -> Process:
        failpoint = f"{self._chance.choice(self._points)}:{self._chance.randint(1, _MOST_PASSINGS)}:STOP"
        return self._slot.start(*arguments, failpoint=failpoint if self._chance.random() < _SHARE_OF_SLEEPERS else "")

    def _look_after(self, racer: _Racer) -> None:
        """Wakes whose time has come, and starts again who has ended."""
        if racer.wakes_at is not None and racer.wakes_at <= time.monotonic():
            racer.wakes_at = None
            wake(racer.process)
        elif racer.wakes_at is None and is_asleep(racer.process):
            self._let_sleep(racer, _NAPS)
        elif has_ended(racer.process):
            end(racer.process, self._slot, self._race.faults)
            racer.process, racer.wakes_at = self._started(racer.arguments), None

    def _strike(self, racer: _Racer) -> None:
        sleeps = racer.wakes_at is not None
        if self._chance.random() < (_KILLED_ASLEEP if sleeps else _KILLED_AWAKE):
            self._kill(racer)
        elif not sleeps and self._chance.random() < _STOPPED and self._others_awake(racer):
            racer.process.send(signal.SIGSTOP)
            # In a transaction it keeps everybody from writing: nobody can take anything over.
            self._let_sleep(racer, _NAPS[:1] if self._slot.database.is_locked() else _NAPS)

    def _others_awake(self, racer: _Racer) -> bool:
        return any(one.wakes_at is None for one in self._racers if one is not racer)

    def _let_sleep(self, racer: _Racer, naps: Sequence[float]) -> None:
        racer.wakes_at = time.monotonic() + self._chance.choice(naps)
        self._race.stops += 1

    def _kill(self, racer: _Racer) -> None:
        """At once, also out of its sleep; another one takes its place."""
        racer.process.send(signal.SIGKILL)
        self._race.kills += end_of(racer.process).was_killed
        racer.process, racer.wakes_at = self._started(racer.arguments), None


def _is_drawn(point: str) -> bool:
    return is_leased(point) and ".after_" in point and not point.endswith(_HARMLESS)


def undisturbed(slot: Slot, rows: int) -> Trace:
    """The same rows, and one process that nobody disturbs."""
    return alone(slot, Scenario("a race", rows=rows, settings=SETTINGS))


def run_race(slot: Slot, calm: Trace, processes: int, seed: int, seconds: float = _SECONDS) -> Race:
    """One race over the rows of ``calm``, the undisturbed run: so many seconds of disturbance, then run to idle."""
    slot.begin(len(calm.end.rows), **SETTINGS)
    race, begun = Race(), time.monotonic()
    referee = _Referee(slot, calm, processes, seed, race)
    with none_left() as started:
        try:
            referee.run(seconds)
        finally:
            started.extend(referee.processes)
    finish(slot, race.faults)
    race.lost, race.seconds = losses(slot), time.monotonic() - begun
    race.faults.add(compare(calm.end, look(slot)), "in the end")
    return race


def main() -> int:
    """Runs one race, or several with seeds of their own."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.race", description=__doc__)
    parser.add_argument("--processes", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--database", choices=NAMES, default=SQLITE)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="how long the racers are disturbed at most")
    parser.add_argument("--seed", type=int, nargs="+", default=[random.SystemRandom().randrange(10**6)])
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory(prefix="batchd-race-") as folder, Slot(Path(folder), options.database) as slot:
        calm = undisturbed(slot, options.rows)
        for seed in options.seed:
            for processes in options.processes:
                race = run_race(slot, calm, processes, seed, options.seconds)
                failed = failed or bool(race.faults)
                say(
                    f"{processes} processes, {options.rows} rows, seed {seed}: {race.kills} kills, {race.stops} stops,"
                    f" {race.lost} leases lost, {race.seconds:.0f} s, {len(race.faults.sentences())} faults"
                )
                for sentence in race.faults.sentences():
                    say(f"FAULT {sentence}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
