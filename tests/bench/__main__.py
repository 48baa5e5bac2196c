"""``scripts/bench``: measures what a whole cycle takes, beside a bare script and beside the floor; prints one table."""

import argparse
import contextlib
import json
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench import tables
from tests.bench.contestants import Race
from tests.bench.cycles import cycle, in_turns
from tests.bench.flat import flat_at
from tests.bench.help_time import help_cpu
from tests.bench.link import links_at
from tests.bench.machine import load, machine
from tests.bench.options import options
from tests.bench.place_catalog import opened
from tests.bench.places import Place
from tests.bench.process import RunFailedError
from tests.bench.results import BASELINE, Figure, Question, Results, from_json, to_json
from tests.bench.shapes import KILOBYTE, SHAPES, texts, why_not
from tests.bench.statements import statements_of
from tests.bench.status_time import status_at
from tests.bench.targets import targets
from tests.bench.vendor_process import VendorProcess

# Beyond, a commit a row tells nothing that it has not told before; it only takes long.
_BASELINE_ROWS = 50_000
# Of shapes that are longer: 200 MB and more, one way or the other.
_LONG_ROWS = 50_000
_WARMING_ROWS = 10
_LINK_PLACE = "postgresql"
_LARGE_PLACES = ("sqlite-memory", "postgresql")
_LARGE_ROOM = 6_000_000_000


def main() -> int:
    """Runs what the command line asks for; 1 where a contestant did not do its work."""
    wanted = options()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    begun = time.monotonic()
    try:
        results = _measured(wanted)
    except RunFailedError as error:
        _say(f"FAILED: {error}")
        return 1
    sys.stdout.write(_report(results))
    if wanted.json:
        _write(Path(wanted.json), results, wanted.parts)
    _say(f"{time.monotonic() - begun:.0f} s in all")
    return 0


def _measured(wanted: argparse.Namespace) -> Results:
    versions: list[str] = []
    load_before = load()
    results = Results(machine={})
    with VendorProcess() as vendor:
        for name in wanted.databases:
            with _at(name) as place:
                if place is not None:
                    versions.append(place.version)
                    _measure_at(place, vendor, wanted, results)
    if "help" in wanted.parts:
        results.help_cpu = help_cpu()
    results.machine = machine(versions, load_before)
    return results


@contextlib.contextmanager
def _at(name: str) -> Iterator[Place | None]:
    """The place, None where it can't be had here, which is said."""
    place, reason = opened(name)
    if place is None:
        _say(f"{name}: not run, {reason}")
        yield None
        return
    with contextlib.closing(place):
        yield place


def _measure_at(place: Place, vendor: VendorProcess, wanted: argparse.Namespace, results: Results) -> None:
    race = Race(place, vendor.url)
    _warm(race, vendor, wanted.contestants)
    parts: dict[str, Callable[[], None]] = {
        "cycles": lambda: _cycles(race, vendor, wanted, results),
        "statements": lambda: results.statements.extend(statements_of(race, vendor, wanted.contestants)),
        "link": lambda: _links(race, vendor, wanted, results),
        "flat": lambda: _flat(race, vendor, results),
        "status": lambda: _status(race, vendor, results),
    }
    for name, measure in parts.items():
        if name in wanted.parts:
            measure()


def _warm(race: Race, vendor: VendorProcess, contestants: tuple[str, ...]) -> None:
    """Once each, unmeasured: files are compiled, and what does not work is seen before the waiting begins."""
    race.place.fill(texts(KILOBYTE, _WARMING_ROWS))
    for name in contestants:
        cycle(race, vendor, name, _WARMING_ROWS)


def _cycles(race: Race, vendor: VendorProcess, wanted: argparse.Namespace, results: Results) -> None:
    for shape in wanted.shapes:
        if reason := why_not(shape):
            _say(f"{shape}: not run, {reason}")
            continue
        for rows in wanted.sizes:
            if shape != KILOBYTE and rows > _LONG_ROWS:
                continue
            race.place.fill(texts(shape, rows))
            question = Question(race.place.name, shape, rows)
            results.figures += _figures(race, vendor, question, wanted)


def _figures(race: Race, vendor: VendorProcess, question: Question, wanted: argparse.Namespace) -> list[Figure]:
    names = [name for name in wanted.contestants if name != BASELINE or question.rows <= _BASELINE_ROWS]
    found: dict[str, Figure] = {}
    for figure, run in in_turns(race, vendor, question, names, wanted.repeat):
        found[figure.contestant] = figure
        _say(
            f"{question.place}, {question.rows:,} of {question.shape}, {figure.contestant}: {run.wall:.1f} s,"
            f" CPU {run.cpu:.1f} s, {run.peak / 1e6:.0f} MB"
        )
    return list(found.values())


def _links(race: Race, vendor: VendorProcess, wanted: argparse.Namespace, results: Results) -> None:
    if race.place.name != _LINK_PLACE:
        return
    rows = max(size for size in wanted.sizes if size <= _BASELINE_ROWS or size == min(wanted.sizes))
    race.place.fill(texts(KILOBYTE, rows))
    for one in links_at(race, vendor, rows, wanted.link):
        results.links.append(one)
        _say(f"link of {one.milliseconds:g} ms, {rows:,} rows: {one.wall:.1f} s, {one.ratio:.2f} of local")


def _takes_large_tables(place: Place) -> bool:
    if place.name not in _LARGE_PLACES:
        return False
    if (free := shutil.disk_usage(place.folder).free) < _LARGE_ROOM:
        _say(f"{place.name}: no large tables, {free / 1e9:.1f} GB are free and {_LARGE_ROOM / 1e9:.0f} are needed")
        return False
    return True


def _flat(race: Race, vendor: VendorProcess, results: Results) -> None:
    if not _takes_large_tables(race.place):
        return
    for one in flat_at(race, vendor):
        results.flat.append(one)
        _say(
            f"{one.place}, {one.rows:,} rows in the table, {one.done_percent} % done, {one.claimed:,} claimed:"
            f" {one.wall:.2f} s, CPU {one.cpu:.2f} s"
        )


def _status(race: Race, vendor: VendorProcess, results: Results) -> None:
    if not _takes_large_tables(race.place):
        return
    one = status_at(race, vendor)
    results.status.append(one)
    _say(f"{one.place}, status with {one.requests:,} requests: {one.wall:.2f} s, CPU {one.cpu:.2f} s")


def _report(results: Results) -> str:
    shown = [
        tables.cycles(results),
        tables.links(results),
        tables.flat(results),
        tables.status(results),
        targets(results),
    ]
    facts = "".join(f"{name}: {value}\n" for name, value in results.machine.items())
    return "\n".join([facts, *(tables.as_text(table) for table in shown if table[1])])


def _write(path: Path, results: Results, parts: list[str]) -> None:
    """What was not measured now stays as it is in the file."""
    if path.exists():
        before = from_json(json.loads(path.read_text(encoding="utf-8")))
        results = merged(before, results, parts)
    path.write_text(json.dumps(to_json(results), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def merged(before: Results, now: Results, parts: list[str]) -> Results:
    """What was measured now, and what else was before: other parts, and other cycles and their statements."""
    asked, counted = set(now.questions()), {one.place for one in now.statements}
    return Results(
        machine=now.machine | {"databases": _both(before.machine["databases"], now.machine["databases"])},
        figures=sorted([one for one in before.figures if one.question not in asked] + now.figures, key=_order),
        statements=[one for one in before.statements if one.place not in counted] + now.statements,
        links=now.links if "link" in parts else before.links,
        flat=now.flat if "flat" in parts else before.flat,
        status=now.status if "status" in parts else before.status,
        help_cpu=now.help_cpu if "help" in parts else before.help_cpu,
    )


def _order(figure: Figure) -> tuple[int, int, int]:
    """As a call that asks for everything would have it; contestants stay in the order in which they ran."""
    question = figure.question
    return list(tables.TITLES).index(question.place), SHAPES.index(question.shape), question.rows


def _both(before: str, now: str) -> str:
    return ", ".join(sorted({*before.split(", "), *now.split(", ")}))


def _say(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
