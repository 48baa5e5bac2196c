"""``scripts/drill``: kills batchd at its fault points, sets it before a hostile vendor, and prints one table."""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.drills.crew import Crew
from tests.drills.daemons import several_daemons
from tests.drills.databases import NAMES, SQLITE, why_not
from tests.drills.hostile import hostile
from tests.drills.kills import kill_matrix
from tests.drills.report import Line, say, table
from tests.drills.service import service

_PARTS = ("kills", "hostile", "daemons", "service")


def main() -> int:
    """Runs the drill of the size asked for; 1 where anything went wrong."""
    options = _options()
    begun = time.monotonic()
    say(f"drill, size {options.size}, seed {options.seed}, {options.workers} workers")
    lines = [line for name in options.database for line in _drill(name, options)]
    say(table(lines))
    say(f"{time.monotonic() - begun:.0f} s in all, seed {options.seed}")
    return int(any(line.failed for line in lines))


def _drill(database: str, options: argparse.Namespace) -> list[Line]:
    """The whole drill on one database; the same seed draws the same on each."""
    crew = Crew(options.workers, database)
    chance = random.Random(options.seed)  # noqa: S311 - a sample, no secret
    try:
        return [_told(line) for line in _parts(crew, chance, options)]
    finally:
        crew.close()


def _parts(crew: Crew, chance: random.Random, options: argparse.Namespace) -> Iterator[Line]:
    """The drill's parts, one after the other, a line of the table each."""
    full = options.size == "full"
    if "kills" in options.only:
        yield from kill_matrix(crew, chance, full=full, wanted=options.point)
    if "hostile" in options.only:
        yield from hostile(crew, chance, full=full)
    if "daemons" in options.only:
        yield from several_daemons(crew, chance, full=full)
    if "service" in options.only and crew.database == SQLITE:
        with tempfile.TemporaryDirectory() as folder:
            yield service(Path(folder))


def _told(line: Line) -> Line:
    """Says at once what was wrong: the table may be long in coming."""
    found = [*line.faults.sentences(), *line.errors]
    say(f"{line.name}, {line.database}: {line.runs} runs, {len(found)} faults")
    for sentence in found:
        say(f"FAULT {line.name}, {line.database}: {sentence}")
    return line


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/drill", description=__doc__)
    parser.add_argument("--size", choices=("ci", "full"), default="full", help="ci: at most six minutes on two cores")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="for what is drawn")
    parser.add_argument(
        "--workers", type=int, default=4, help="cases that run side by side; most of their time they wait"
    )
    parser.add_argument("--only", choices=_PARTS, action="append", help="this part; may be given twice")
    parser.add_argument("--point", default="", help="only the kill matrix, at points whose name contains this")
    parser.add_argument(
        "--database",
        type=_databases,
        action="extend",
        help=f"{', '.join(NAMES)}; several with commas between them, or several times (sqlite)",
    )
    options = parser.parse_args()
    options.only = ["kills"] if options.point else options.only or _PARTS
    options.database = list(dict.fromkeys(options.database or [SQLITE]))
    for name in options.database:
        if why_not(name):
            parser.error(why_not(name))
    return options


def _databases(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in NAMES:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(NAMES)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
