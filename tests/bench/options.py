"""What the bench is asked for."""

import argparse

from tests.bench.results import CONTESTANTS
from tests.bench.shapes import KILOBYTE, SHAPES
from tests.bench.tables import TITLES

PARTS = ("cycles", "statements", "link", "flat", "status", "help")
_USUAL_PARTS = ("cycles", "statements", "help")
_USUAL_SIZES, _ALL_SIZES = [1_000, 10_000, 50_000], [1_000, 10_000, 50_000, 200_000]
_USUAL_PLACES = ["sqlite-memory", "sqlite-disk", "postgresql"]
_USUAL_LINKS = [1.0, 20.0]


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """``parts``, ``sizes``, ``databases``, ``shapes``, ``contestants``, ``repeat``, ``link``, ``json``."""
    parser = _parser()
    found = parser.parse_args(arguments)
    parts = set(found.part or (PARTS if found.full else _USUAL_PARTS))
    parts |= {"link"} if found.link else set()
    parts |= {"flat"} if found.flat else set()
    found.parts = [part for part in PARTS if part in parts]
    found.sizes = found.sizes or (_ALL_SIZES if found.full else _USUAL_SIZES)
    found.databases = found.databases or (list(TITLES) if found.full else _USUAL_PLACES)
    found.shapes = found.shapes or (list(SHAPES) if found.full else [KILOBYTE])
    found.contestants = tuple(name for name in CONTESTANTS if name in (found.only or CONTESTANTS))
    found.link = found.link or _USUAL_LINKS
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measures a whole cycle of batchd beside a bare script and beside the floor; prints one table.",
    )
    parser.add_argument("--full", action="store_true", help="every part, size, database and shape; an hour or so")
    parser.add_argument("--part", action="append", choices=PARTS, help="this part; may be given twice")
    parser.add_argument("--sizes", type=_numbers, metavar="N,…", help="rows of a cycle (1000,10000,50000)")
    parser.add_argument("--databases", type=_places, metavar="NAME,…", help=f"of {', '.join(TITLES)}")
    parser.add_argument("--shapes", type=_shapes, metavar="NAME,…", help=f"what the rows hold: {', '.join(SHAPES)}")
    parser.add_argument("--only", action="append", choices=CONTESTANTS, help="this contestant; may be given twice")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="runs of each contestant; medians are shown")
    parser.add_argument("--link", type=_decimals, metavar="MS,…", help="the part link, with these round trips (1,20)")
    parser.add_argument("--flat", action="store_true", help="the part flat: tables of up to 1,000,000 rows")
    parser.add_argument("--json", metavar="FILE", help="writes what was measured; parts of FILE that weren't are kept")
    return parser


def _numbers(text: str) -> list[int]:
    return [int(one.replace("_", "")) for one in text.split(",")]


def _decimals(text: str) -> list[float]:
    return [float(one) for one in text.split(",")]


def _places(text: str) -> list[str]:
    return _among(text, list(TITLES))


def _shapes(text: str) -> list[str]:
    return _among(text, list(SHAPES))


def _among(text: str, known: list[str]) -> list[str]:
    for name in text.split(","):
        if name not in known:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
    return text.split(",")
