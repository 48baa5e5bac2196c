"""The table a drill prints: what was run, and what went wrong, which should be nothing."""

import sys
from dataclasses import dataclass, field

from tests.drills.judge import Faults

_HEAD = (
    "drill",
    "database",
    "points",
    "runs",
    "kills",
    "lost rows",
    "paid twice",
    "applied twice",
    "unexplained",
    "seconds",
)
# The first columns are words.
_WORDS = 2


@dataclass(slots=True)
class Line:
    """One part of a drill, added up."""

    name: str
    database: str
    points: set[str] = field(default_factory=set)
    runs: int = 0
    kills: int = 0
    faults: Faults = field(default_factory=Faults)
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def cells(self) -> tuple[str, ...]:
        """As it stands in the table."""
        found = self.faults
        figures = (len(self.points), self.runs, self.kills, *map(len, (found.lost, found.paid_twice)))
        figures += (len(found.applied_twice), len(found.unexplained) + len(self.errors))
        return (self.name, self.database, *map(str, figures), f"{self.seconds:.0f}")

    @property
    def failed(self) -> bool:
        """True where anything went wrong, or nothing was run."""
        return bool(self.faults) or bool(self.errors) or not self.runs


def say(text: str) -> None:
    """One line to whoever waits, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def table(lines: list[Line]) -> str:
    """All parts, one under the other."""
    rows = [_HEAD, *(line.cells() for line in lines)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEAD))]
    shown = []
    for row in rows:
        cells = zip(row, widths, strict=True)
        shown.append(
            "  ".join(cell.ljust(width) if at < _WORDS else cell.rjust(width) for at, (cell, width) in enumerate(cells))
        )
    return "\n".join([shown[0], "  ".join("-" * width for width in widths), *shown[1:]])
