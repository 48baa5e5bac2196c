"""Statements and round trips a row: counted in short runs of their own, at two numbers of rows."""

from dataclasses import replace

from tests.bench.contestants import Race, command_of, environment_of, judge, prepare
from tests.bench.ears import ear_of
from tests.bench.process import measured
from tests.bench.results import Statements, slope
from tests.bench.shapes import KILOBYTE, texts
from tests.bench.vendor_process import VendorProcess
from tests.bench.wire import Wire

_FEWER, _MORE = 1_000, 3_000


def statements_of(race: Race, vendor: VendorProcess, contestants: tuple[str, ...]) -> list[Statements]:
    """Of each contestant at this place. Fills the place anew. Raises RunFailedError."""
    counts: dict[str, list[tuple[int, int, int]]] = {name: [] for name in contestants}
    for rows in (_FEWER, _MORE):
        race.place.fill(texts(KILOBYTE, rows))
        for name in contestants:
            counts[name].append((rows, *_counted(race, vendor, name, rows)))
    return [_per_row(race.place.name, name, found) for name, found in counts.items()]


def _per_row(place: str, contestant: str, found: list[tuple[int, int, int]]) -> Statements:
    each, fixed = slope([(rows, statements) for rows, statements, _ in found])
    trips, _ = slope([(rows, trips) for rows, _, trips in found])
    return Statements(place, contestant, each, fixed, None if place.startswith("sqlite") else trips)


def _counted(race: Race, vendor: VendorProcess, contestant: str, rows: int) -> tuple[int, int]:
    """Statements and round trips of one cycle."""
    vendor.forget()
    if race.place.kind == "sqlite":
        prepare(race, contestant)
        told = race.folder / "statements"
        python, dash_m, *module = command_of(race, contestant)
        measured([python, dash_m, "tests.bench.counted", str(told), *module], environment_of(race))
        judge(race, contestant, rows)
        return int(told.read_text(encoding="ascii")), 0
    settings = race.place.settings()
    with Wire((settings["host"], settings["port"]), ear=ear_of(race.place.kind)) as wire:
        tapped = replace(race, port=wire.port)
        prepare(tapped, contestant)
        measured(command_of(tapped, contestant), environment_of(tapped))
        judge(race, contestant, rows)
        return wire.statements, wire.round_trips
