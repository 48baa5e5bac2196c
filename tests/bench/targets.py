"""What the figures ought to be, and whether they are."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.bench.results import BASELINE, BATCHD, FLOOR, Question, Results
from tests.bench.shapes import KILOBYTE
from tests.bench.tables import TITLES, Table, growth

ROWS = 50_000
_MEMORY = 150e6
# Two peaks are the same where they differ by no more than what an allocator does from run to run.
_SAME = 1.1
_FLAT = 0.2


@dataclass(frozen=True, slots=True)
class Target:
    """A figure and its limit.

    Attributes:
        what: for people.
        limit: the most it may be.
        measured: of the results; None where they have nothing to say of it.
        shown: the figure and its unit.
    """

    what: str
    limit: float
    measured: Callable[[Results], float | None]
    shown: Callable[[float], str] = "{:.2f}".format


def _ratio(place: str, to: str) -> Callable[[Results], float | None]:
    return lambda results: results.ratio(Question(place, KILOBYTE, ROWS), to)


def _largest_peak(results: Results) -> float | None:
    """Over all of batchd's runs."""
    return max((float(one.peak) for one in results.figures if one.contestant == BATCHD), default=None)


def _growth_of_peak(results: Results) -> float | None:
    """From 10,000 to 200,000 rows, where it is worst."""
    found = []
    for place in TITLES:
        few, many = (results.figure(Question(place, KILOBYTE, rows), BATCHD) for rows in (10_000, 200_000))
        if few and many:
            found.append(many.peak / few.peak)
    return max(found, default=None)


def _steepest(results: Results) -> float | None:
    """How far the cost of a claimed row is from that of the smallest table, where it is farthest."""
    ratios = [growth(results, one) for one in results.flat if one.claimed]
    return max((abs(ratio - 1) for ratio in ratios if ratio is not None), default=None)


def _link(milliseconds: float) -> Callable[[Results], float | None]:
    return lambda results: next(
        (one.ratio for one in results.links if (one.rows, one.milliseconds) == (ROWS, milliseconds)), None
    )


def _slowest_status(results: Results) -> float | None:
    return max((one.wall for one in results.status), default=None)


TARGETS = (
    Target("50,000 rows, SQLite in memory-backed storage, of the baseline", 1.0, _ratio("sqlite-memory", BASELINE)),
    Target("50,000 rows, SQLite on disk, of the baseline", 0.25, _ratio("sqlite-disk", BASELINE)),
    Target("50,000 rows, PostgreSQL, of the baseline", 0.3, _ratio("postgresql", BASELINE)),
    *(Target(f"50,000 rows, {TITLES[place]}, of the floor", 1.5, _ratio(place, FLOOR)) for place in TITLES),
    Target("peak memory of every run", _MEMORY, _largest_peak, lambda found: f"{found / 1e6:.0f} MB"),
    Target("peak memory at 200,000 rows, of that at 10,000", _SAME, _growth_of_peak),
    Target(
        "cost of a row, 10,000 to 1,000,000 rows in the table, however many done: off by",
        _FLAT,
        _steepest,
        lambda found: f"{found * 100:.0f} %",
    ),
    Target("50,000 rows, PostgreSQL, round trip of 1 ms, of the local time", 2.0, _link(1)),
    Target("50,000 rows, PostgreSQL, round trip of 20 ms, of the local time", 2.0, _link(20)),
    Target(
        "`batchd status`, 5,000,000 requests in the ledger and 10,000,000 rows in the table",
        1.0,
        _slowest_status,
        "{:.2f} s".format,
    ),
    Target("`batchd --help`, processor time", 0.3, lambda results: results.help_cpu, "{:.2f} s".format),
)


def targets(results: Results) -> Table:
    """Each target with its limit, what was measured, and whether that will do."""
    return ("target", "at most", "measured", "met"), list(_lines(results))


def _lines(results: Results) -> Iterator[tuple[str, str, str, str]]:
    for target in TARGETS:
        found = target.measured(results)
        yield (
            target.what,
            target.shown(target.limit),
            "not measured" if found is None else target.shown(found),
            "" if found is None else "yes" if found <= target.limit else "**no**",
        )
