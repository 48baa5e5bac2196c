"""A vendor on a simulated clock: a limit on enqueued tokens, batches that fail, dawdle and expire."""

import random
from dataclasses import dataclass
from enum import Enum, auto

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0


class End(Enum):
    """How a batch ends."""

    COMPLETED = auto()
    EXPIRED = auto()
    OVER_LIMIT = auto()
    FILE_NOT_FOUND = auto()
    BAD_LINE = auto()


@dataclass(frozen=True, slots=True)
class Habits:
    """What this vendor is like. Chances are of a batch, but for that of a line."""

    limit: int
    median_minutes: float = 30.0
    spread: float = 0.6
    slow: float = 0.02
    slow_factor: float = 6.0
    stuck: float = 0.002
    answered_before_expiry: float = 0.5
    file_not_found: float = 0.01
    bad_line: float = 0.003
    errored_line: float = 0.005


@dataclass(frozen=True, slots=True)
class Run:
    """A batch at the vendor: when it was created, when it ends and how; ``tokens`` count until then."""

    created: float
    ends: float
    end: End
    tokens: int


class SimVendor:
    """Runs batches; keeps what it was asked for, to be measured."""

    def __init__(self, habits: Habits, chance: random.Random) -> None:
        self.habits = habits
        self._chance = chance
        self.runs: list[Run] = []
        self._open: list[Run] = []

    def create(self, tokens: int, now: float) -> Run:
        """A new batch of so many input tokens."""
        run = self._run(tokens, now)
        self.runs.append(run)
        self._open.append(run)
        return run

    def enqueued(self, now: float) -> int:
        """Tokens of batches that have not ended."""
        self._open = [run for run in self._open if run.ends > now]
        return sum(run.tokens for run in self._open)

    def _run(self, tokens: int, now: float) -> Run:
        habits, chance = self.habits, self._chance
        if self.enqueued(now) + tokens > habits.limit:
            return Run(now, now + chance.uniform(0.5, 1.5) * _MINUTE, End.OVER_LIMIT, 0)
        drawn = chance.random()
        for end, likely in ((End.FILE_NOT_FOUND, habits.file_not_found), (End.BAD_LINE, habits.bad_line)):
            if drawn < likely:
                return Run(now, now + chance.uniform(0.5, 3.0) * _MINUTE, end, tokens)
            drawn -= likely
        if drawn < habits.stuck:
            return Run(now, now + _DAY, End.EXPIRED, tokens)
        seconds = chance.lognormvariate(0, habits.spread) * habits.median_minutes * _MINUTE
        if chance.random() < habits.slow:
            seconds *= habits.slow_factor
        end = End.COMPLETED if seconds < _DAY else End.EXPIRED
        return Run(now, now + min(seconds, _DAY), end, tokens)
