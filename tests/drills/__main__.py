"""``scripts/drill``: kills batchd at its fault points, sets it before a hostile vendor, and prints one table."""

import argparse
import random
import sys
import time
from collections.abc import Iterator

from tests.drills.crew import Crew
from tests.drills.daemons import several_daemons
from tests.drills.hostile import hostile
from tests.drills.kills import kill_matrix
from tests.drills.report import Line, say, table


def main() -> int:
    """Runs the drill of the size asked for; 1 where anything went wrong."""
    options = _options()
    begun = time.monotonic()
    chance = random.Random(options.seed)  # noqa: S311 - a sample, no secret
    say(f"drill, size {options.size}, seed {options.seed}, {options.workers} workers")
    crew = Crew(options.workers)
    try:
        lines = [_told(line) for line in _parts(crew, chance, options)]
    finally:
        crew.close()
    say(table(lines))
    say(f"{time.monotonic() - begun:.0f} s in all, seed {options.seed}")
    for line in lines:
        for sentence in [*line.faults.sentences(), *line.errors]:
            say(f"FAULT {line.name}: {sentence}")
    return int(any(line.failed for line in lines))


def _parts(crew: Crew, chance: random.Random, options: argparse.Namespace) -> Iterator[Line]:
    """The drill's parts, one after the other, a line of the table each."""
    full = options.size == "full"
    yield from kill_matrix(crew, chance, full=full, wanted=options.point or "")
    if options.point is None:
        yield from hostile(crew, chance, full=full)
        yield from several_daemons(crew, chance, full=full)


def _told(line: Line) -> Line:
    say(f"{line.name}: {line.runs} runs, {len(line.faults.sentences()) + len(line.errors)} faults")
    return line


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/drill", description=__doc__)
    parser.add_argument("--size", choices=("ci", "full"), default="full", help="ci: at most six minutes on two cores")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="for what is drawn")
    parser.add_argument(
        "--workers", type=int, default=4, help="cases that run side by side; most of their time they wait"
    )
    parser.add_argument("--point", help="only the kill matrix, at points whose name contains this")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
