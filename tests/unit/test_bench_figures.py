"""The arithmetic of ``scripts/bench``: ratios, slopes, targets, and what is told of them."""

import json
import tempfile

import pytest

from tests.bench.__main__ import merged
from tests.bench.options import options
from tests.bench.results import (
    BASELINE,
    BATCHD,
    FLOOR,
    Figure,
    Flat,
    Link,
    Question,
    Results,
    Run,
    Statements,
    Status,
    from_json,
    slope,
    to_json,
)
from tests.bench.shapes import KILOBYTE, LONG_ANSWERS, texts
from tests.bench.storage import MEMORY, disk, file_system
from tests.bench.tables import as_markdown, as_text, cycles, flat, growth, status
from tests.bench.targets import TARGETS, targets
from tests.bench.vendor import answered

AT_50_000 = Question("sqlite-disk", KILOBYTE, 50_000)


def figure(contestant: str, *walls: float, question: Question = AT_50_000, peak: int = 100_000_000) -> Figure:
    return Figure(question, contestant, tuple(Run(wall, wall / 2, peak) for wall in walls))


def measured() -> Results:
    return Results(
        machine={"processor": "one", "databases": "PostgreSQL 15, SQLite 3"},
        figures=[figure(BASELINE, 40, 44, 400), figure(FLOOR, 4, 5, 6), figure(BATCHD, 9, 11, 10)],
        statements=[Statements("sqlite-disk", BATCHD, 5.01, 30.0)],
        links=[Link(50_000, 20.0, 30.0, 20.0)],
        flat=[
            Flat("sqlite-disk", 10_000, 0, 10_000, 4.0, 3.0),
            Flat("sqlite-disk", 1_000_000, 90, 10_000, 5.2, 4.0),
            Flat("sqlite-disk", 10_000, 100, 0, 1.0, 0.9),
        ],
        status=[Status("sqlite-disk", 10_000_000, 5_000_000, 1.2, 0.9, 0.8)],
        help_cpu=0.2,
    )


def verdicts(results: Results) -> dict[str, tuple[str, str]]:
    return {line[0]: (line[2], line[3]) for line in targets(results)[1]}


def test_a_ratio_is_of_medians() -> None:
    """One run that met a busy machine does not make the baseline slow."""
    results = measured()

    assert 10 / 44 == pytest.approx(results.ratio(AT_50_000, BASELINE))
    assert pytest.approx(2.0) == results.ratio(AT_50_000, FLOOR)


def test_the_largest_peak_counts() -> None:
    """Memory that was needed once is needed."""
    runs = tuple(Run(1.0, 1.0, peak) for peak in (5, 9, 7))

    assert Figure(AT_50_000, BATCHD, runs).peak == 9


def test_a_ratio_needs_both() -> None:
    """Nothing is told of what was not measured in the same place and size."""
    results = measured()
    other = Question("sqlite-disk", KILOBYTE, 1_000)
    results.figures.append(figure(BATCHD, 1.0, question=other))

    assert results.ratio(other, BASELINE) is None


def test_a_file_holds_everything() -> None:
    """What is read back from JSON is what was written."""
    results = measured()

    assert results == from_json(json.loads(json.dumps(to_json(results))))


def test_parts_that_were_not_measured_are_kept() -> None:
    """A second call for another part leaves the first one's figures in the file."""
    now = Results(machine={"processor": "two", "databases": "SQLite 4"}, links=[Link(1, 1.0, 1.0, 1.0)])
    both = merged(measured(), now, ["link"])

    assert measured().figures == both.figures
    assert now.links == both.links
    assert measured().help_cpu == both.help_cpu
    assert {"processor": "two", "databases": "PostgreSQL 15, SQLite 3, SQLite 4"} == both.machine


def test_cycles_that_were_not_measured_are_kept() -> None:
    """A second call for another database adds to the file; what it measured again takes the old figure's place."""
    other, again = Question("mariadb", KILOBYTE, 1_000), figure(BATCHD, 7)
    now = Results(
        machine=measured().machine,
        figures=[figure(BATCHD, 3, question=other), again],
        statements=[Statements("mariadb", BATCHD, 1.0, 2.0)],
    )
    both = merged(measured(), now, ["cycles", "statements"])

    assert [again, figure(BATCHD, 3, question=other)] == both.figures
    assert [*measured().statements, *now.statements] == both.statements


def test_a_slope_leaves_out_what_is_there_anyway() -> None:
    """Statements of connecting and closing are not told as statements of rows."""
    assert slope([(1_000, 5_040.0), (3_000, 15_040.0)]) == (5.0, 40.0)


def test_growth_is_beside_the_smallest_table_of_the_same_work() -> None:
    """An idle pass is never compared with one that claims."""
    results = measured()

    assert [None, pytest.approx(1.3), None] == [growth(results, one) for one in results.flat]


def test_targets_are_judged() -> None:
    """A figure within its limit is a yes, one beyond it a no, and what was not measured is neither."""
    found = verdicts(measured())

    assert found["50,000 rows, SQLite on disk, of the baseline"] == ("0.23", "yes")
    assert found["50,000 rows, SQLite, on disk, of the floor"] == ("2.00", "**no**")
    assert found["50,000 rows, PostgreSQL, of the baseline"] == ("not measured", "")
    assert found["peak memory of every run"] == ("100 MB", "yes")
    assert found["50,000 rows, PostgreSQL, round trip of 20 ms, of the local time"] == ("1.50", "yes")
    assert ("30 %", "**no**") in found.values()
    assert ("1.20 s", "**no**") in found.values()
    assert len(found) == len(TARGETS)


def test_peaks_are_compared_between_sizes() -> None:
    """Memory that grows with the rows misses its target, however small it is."""
    few, many = Question("postgresql", KILOBYTE, 10_000), Question("postgresql", KILOBYTE, 200_000)
    results = Results({}, [figure(BATCHD, 1, question=few, peak=80_000_000), figure(BATCHD, 9, question=many)])

    assert verdicts(results)["peak memory at 200,000 rows, of that at 10,000"] == ("1.25", "**no**")


def test_tables_have_a_cell_for_each_heading() -> None:
    """On a page and on a terminal alike."""
    for table in (cycles(measured()), flat(measured()), status(measured()), targets(measured())):
        headings, rows = table

        assert {len(headings)} == {len(row) for row in rows}
        assert len(rows) + 2 == len(as_markdown(table).splitlines())
        assert len(rows) + 1 == len(as_text(table).splitlines())


def test_ratios_stand_beside_batchd() -> None:
    """The line of batchd tells its ratios, those of the others none."""
    rows = {row[2]: row for row in cycles(measured())[1]}

    assert ("0.23", "2.00", "5.01") == (rows[BATCHD][4], rows[BATCHD][5], rows[BATCHD][8])
    assert ("", "") == (rows[FLOOR][4], rows[BASELINE][5])


def test_texts_have_their_length_and_differ() -> None:
    """A kilobyte is 1,000 characters, and no row is another's copy."""
    found = list(texts(KILOBYTE, 500))

    assert {1_000} == {len(text) for text in found}
    assert len(set(found)) == 500


def test_a_long_answer_is_asked_for_in_the_text() -> None:
    """The same kilobyte brings five back, the row's own name still in it."""
    short, long = (
        answered(b'{"custom_id":"a-1","body":"Candidate 7\\n\\n%b"}\n' % next(texts(shape, 1)).encode())[0]
        for shape in (KILOBYTE, LONG_ANSWERS)
    )

    assert 700 < len(short) < 1_000
    assert 5_000 < len(long) < 6_000
    assert b"Candidate 7" in long
    assert json.loads(long)["custom_id"] == "a-1"


def test_memory_is_not_taken_for_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where temporary files are in memory, another folder is measured, or none."""
    if file_system(MEMORY) != "tmpfs":
        pytest.skip("no memory-backed storage here")
    monkeypatch.setattr(tempfile, "tempdir", str(MEMORY))
    found = disk()

    assert found is None or file_system(found) not in {"tmpfs", "ramfs"}
    assert MEMORY != found


def test_plain_and_full_calls() -> None:
    """The plain call leaves out what takes long; the full one leaves out nothing."""
    plain, full = options([]), options(["--full"])

    assert plain.parts == ["cycles", "statements", "help"]
    assert full.parts == ["cycles", "statements", "link", "flat", "status", "help"]
    assert (max(plain.sizes), max(full.sizes)) == (50_000, 200_000)
    assert "mariadb" in full.databases
    assert options(["--part", "flat", "--link", "5"]).parts == ["link", "flat"]
    assert options(["--only", "batchd"]).contestants == (BATCHD,)
