"""Every commit of every stage on a real server, cut on the wire: answered and not heard, never sent, heard late.

The ways are those of the stage tests (``tests/stages/test_lost_commits.py``), which break SQLite's commits inside the
program. Here the driver itself finds its connection reset, and the server goes on or not as servers do.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.linked_bench import Benches, CutCommits, LinkedBench
from tests.conformance.stores_mariadb import MariadbUnderTest
from tests.conformance.stores_postgresql import PostgresqlUnderTest
from tests.fakes.answers import answered
from tests.fakes.tcp_proxy import Cut
from tests.stages import test_lost_commits as drilled
from tests.stages.judging import broken

Way = Callable[[LinkedBench], None]


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def benches(request: pytest.FixtureRequest) -> Iterator[Benches]:
    """Benches on each kind of server in turn."""
    server = request.getfixturevalue(f"_{request.param}")
    kinds = {"postgresql": PostgresqlUnderTest, "mariadb": MariadbUnderTest}
    with closing(Benches(lambda: kinds[request.param](server), request.param)) as made:
        yield made


def plainly(bench: LinkedBench) -> None:
    """Two batches in chunks of two; an answer that is no answer, a row that the database refuses, a retry."""
    bench.vendor.script = drilled.at_first({"two": answered("no JSON")})
    bench.refuse_row_six()
    bench.run_until_quiet()


def unrendered(bench: LinkedBench) -> None:
    """Rows without a text."""
    bench.execute("UPDATE person SET resume = NULL")
    bench.run_until_quiet()


def cleaned_up(bench: LinkedBench) -> None:
    """Files are removed as soon as their batch has ended."""
    bench.place = replace(bench.place, keep_files=0.0)
    bench.run_until_quiet()
    bench.run()


# How a way of the stage tests goes on a server; the others go as they are.
HERE: dict[Callable[..., None], Way] = {drilled.plainly: plainly, drilled.unrendered: unrendered}
# No column of a server holds a key that is none of its type.
NOWHERE = {"claim.unusable"}
WAYS: dict[Way, tuple[str, ...]] = {
    **{HERE.get(way, way): steps for way, steps in drilled.WAYS.items()},
    cleaned_up: ("cleanup.record",),
}

# What never reached the server is simply run again; what was taken, or is about to be, is met anew on each way.
CASES: list[tuple[Way, int, Cut]] = [
    *((way, 1, cut) for way in WAYS for cut in (Cut.ANSWER_LOST, Cut.LATE)),
    (plainly, 2, Cut.ANSWER_LOST),
    (plainly, 1, Cut.NEVER_SENT),
]


def begin(benches: Benches, folder: Path) -> LinkedBench:
    """Six rows that wait, and an audit of every update that a row sees."""
    bench = benches.make(folder, null_input="error", max_attempts=2)
    bench.configure(batch_size=3)
    bench.watch_updates()
    bench.add_people("one", "two", "three", "four", "five", "six")
    return bench


def end(bench: LinkedBench) -> dict[str, Any]:
    """Everything that a user could compare."""
    return drilled.end(bench) | {"violations": broken(bench)}


Undisturbed = Callable[[Benches, Way], dict[str, Any]]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The end of a way without any fault; each way is gone once."""
    ends: dict[tuple[str, Way], dict[str, Any]] = {}

    def end_of(benches: Benches, way: Way) -> dict[str, Any]:
        if (benches.name, way) not in ends:
            bench = begin(benches, tmp_path_factory.mktemp("undisturbed") / way.__name__)
            way(bench)
            ends[benches.name, way] = end(bench)
        return ends[benches.name, way]

    return end_of


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0].__name__}-{case[1]}-{case[2].name}")
def test_commits_that_are_cut_on_the_wire_change_nothing_in_the_end(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    benches: Benches,
    undisturbed: Undisturbed,
    case: tuple[Way, int, Cut],
) -> None:
    """Promises 2, 4 and 8: whether or not the server has committed, and when, the end is the undisturbed one."""
    way, passing, kind = case
    steps = set(WAYS[way]) - NOWHERE - (drilled.ONCE if passing > 1 else set())
    expected = undisturbed(benches, way)
    bench = begin(benches, tmp_path / "cut")
    cuts = CutCommits(steps, passing, kind)
    cuts.arm(monkeypatch, bench.link)

    way(bench)

    assert len(steps) == bench.link.cuts, f"{way.__name__} has not all of {steps}; it has {cuts.seen}"
    assert expected == end(bench)
    assert [] == expected["violations"]
