"""batchd's cycle over a link to the database that has a length: what it costs to be elsewhere."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.bench.contestants import Race
from tests.bench.cycles import cycle
from tests.bench.results import BATCHD, Link
from tests.bench.vendor_process import VendorProcess
from tests.bench.wire import Wire


def links_at(race: Race, vendor: VendorProcess, rows: int, milliseconds: Sequence[float]) -> Iterator[Link]:
    """Each link beside the local time; the place is filled with so many rows already."""
    local = cycle(race, vendor, BATCHD, rows).wall
    settings = race.place.settings()
    for one in milliseconds:
        with Wire((settings["host"], settings["port"]), round_trip=one / 1000) as wire:
            run = cycle(replace(race, port=wire.port), vendor, BATCHD, rows)
        yield Link(rows, one, run.wall, local)
