"""What goes to stdout: JSON for programs, tables on a terminal, plain aligned lines elsewhere."""

import datetime as dt
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from batchd.cli.lines import as_called, say


def print_json(document: Mapping[str, Any], *, to: TextIO | None = None) -> None:
    """Prints one JSON document on one line; times as ISO 8601 in UTC."""
    # ASCII only: a terminal's encoding must not decide whether a document can be printed.
    stream = to or sys.stdout
    stream.write(json.dumps(document, default=_as_json) + "\n")
    stream.flush()


def say_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Prints rows under headings: a table that fits the terminal, or lines that a program can cut up."""
    texts = [[as_called(shown(value)) for value in row] for row in rows]
    if sys.stdout.isatty():
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in texts:
            table.add_row(*(Text(cell) for cell in row))
        Console().print(table)
        return
    for line in aligned([list(columns), *texts]):
        say(line)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines in which the columns stand below each other."""
    widths = [max(cell_len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["  ".join(map(_filled, row, widths)).rstrip() for row in rows]


def _filled(cell: str, width: int) -> str:
    # Some characters take two cells of a terminal, some take none.
    return cell + " " * (width - cell_len(cell))


def shown(value: Any) -> str:
    """A value for people: times in UTC to the second, nothing as a dash, whole numbers with separators."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, int):
        return f"{value:,}"
    return str(value).replace("\n", " ")


def dollars(amount: float) -> str:
    """A cost in USD, with the digits that small batches need."""
    return f"${amount:,.4f}" if amount < 1 else f"${amount:,.2f}"


def plural(number: int, one: str, many: str = "") -> str:
    """``1 row``, ``2 rows``, ``2 batches``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _as_json(value: object) -> object:
    if isinstance(value, dt.datetime):
        moment = value.astimezone(dt.UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value)
