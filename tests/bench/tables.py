"""Results as tables: headings and rows of text, for a terminal and for the page of the documentation."""

from collections.abc import Iterable, Sequence

from tests.bench.results import BASELINE, FLOOR, Figure, Flat, Question, Results

Table = tuple[Sequence[str], list[Sequence[str]]]
TITLES = {
    "sqlite-memory": "SQLite, memory-backed",
    "sqlite-disk": "SQLite, on disk",
    "postgresql": "PostgreSQL, on disk",
    "mariadb": "MariaDB, on disk",
}
_CYCLES = (
    "where", "rows", "", "wall s", "of baseline", "of floor", "CPU s", "peak MB", "statements a row",
    "round trips a row", "MB up, down", "vendor s",
)  # fmt: skip


def cycles(results: Results) -> Table:
    """One row for each contestant at each question; ratios stand in batchd's."""
    rows = [
        _cycle(results, question, figure)
        for question in results.questions()
        for figure in results.figures
        if figure.question == question
    ]
    return _CYCLES, rows


def _cycle(results: Results, question: Question, figure: Figure) -> Sequence[str]:
    ours = figure.contestant not in (BASELINE, FLOOR)
    counted = results.counted(question.place, figure.contestant)
    run = figure.runs[0]
    return (
        TITLES[question.place],
        f"{question.rows:,} of {question.shape}",
        figure.contestant,
        f"{figure.median('wall'):.1f}",
        _times(results.ratio(question, BASELINE)) if ours else "",
        _times(results.ratio(question, FLOOR)) if ours else "",
        f"{figure.median('cpu'):.1f}",
        f"{figure.peak / 1e6:.0f}",
        f"{counted.per_row:.2f}" if counted else "",
        f"{counted.round_trips_per_row:.3f}" if counted and counted.round_trips_per_row is not None else "",
        f"{run.bytes_up / 1e6:.1f}, {run.bytes_down / 1e6:.1f}",
        f"{figure.median('vendor_answering'):.1f}",
    )


def links(results: Results) -> Table:
    """One row for each length of the link."""
    return (
        ("round trip to the database", "rows", "wall s", "of local"),
        [(f"{one.milliseconds:g} ms", f"{one.rows:,}", f"{one.wall:.1f}", f"{one.ratio:.2f}") for one in results.links],
    )


def flat(results: Results) -> Table:
    """One row for each table; its cost beside that of the smallest one at the same place."""
    return (
        ("where", "rows in the table", "done before", "", "wall s", "CPU s", "µs a row", "of the smallest table"),
        [_flat(results, one) for one in results.flat],
    )


def _flat(results: Results, one: Flat) -> Sequence[str]:
    what = f"{one.claimed:,} rows claimed and applied" if one.claimed else "a pass that finds nothing to do"
    each = f"{one.wall / one.claimed * 1e6:,.0f}" if one.claimed else ""
    return (
        TITLES[one.place],
        f"{one.rows:,}",
        f"{one.done_percent} %",
        what,
        f"{one.wall:.2f}",
        f"{one.cpu:.2f}",
        each,
        _times(growth(results, one)),
    )


def status(results: Results) -> Table:
    """One row for each place."""
    return (
        ("where", "rows in the table", "requests in the ledger", "wall s", "CPU s", "wall s with one batch"),
        [
            (
                TITLES[one.place],
                f"{one.rows:,}",
                f"{one.requests:,}",
                f"{one.wall:.2f}",
                f"{one.cpu:.2f}",
                f"{one.before:.2f}",
            )
            for one in results.status
        ],
    )


def machine(results: Results) -> Table:
    """One row for each fact about the machine."""
    return ("", "of these figures"), [(name, value) for name, value in results.machine.items()]


def growth(results: Results, one: Flat) -> float | None:
    """A table's time as a multiple of the smallest one's, for the same number of claimed rows."""
    same = [other for other in results.flat if (other.place, other.claimed) == (one.place, one.claimed)]
    smallest = min(same, key=lambda other: (other.rows, other.done_percent))
    return None if smallest is one else one.wall / smallest.wall


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


def as_text(table: Table) -> str:
    """Columns of equal width, for a terminal."""
    headings, rows = table
    lines = [headings, *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(headings))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )


def as_markdown(table: Table) -> str:
    """The same for a page."""
    headings, rows = table
    return "".join(_markdown_line(line) for line in (headings, ["---"] * len(headings), *rows))


def _markdown_line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"
