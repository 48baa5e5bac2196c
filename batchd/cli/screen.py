"""Columns on a screen of any width: figures stand below each other, and what is too long is cut where it may be."""

import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells

WIDE = 120
_GAP = "  "
# Control characters would move the cursor; marks that turn the writing direction would tear a table apart.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        heading: above it.
        right: figures, which stand at its right edge.
        least: so narrow it may become, in cells; 0: it is never cut.
        name: cut in its middle, since names often differ at their ends; else at its end.
    """

    heading: str
    right: bool = False
    least: int = 0
    name: bool = False


def screen_size() -> tuple[int, int | None]:
    """Columns and lines of the terminal; 80 columns, and no end of lines, where the output goes elsewhere."""
    size = shutil.get_terminal_size((80, 24))
    is_terminal = sys.stdout.isatty()
    return max(size.columns, 40), size.lines if is_terminal else None


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """The lines of a table, its headings first."""
    cells = [[plain(cell) for cell in row] for row in ([one.heading for one in columns], *rows)]
    widths = _widths(columns, cells, width)
    return [_line(columns, row, widths) for row in cells]


def table_width() -> int:
    """Columns of the terminal. Elsewhere a table is as wide as it gets: a program may read it."""
    return screen_size()[0] if sys.stdout.isatty() else sys.maxsize


def wrapped(text: str, width: int, indent: str, most: int) -> list[str]:
    """A sentence in at most so many lines, all of them indented; the last one is cut if need be."""
    lines = textwrap.wrap(plain(text), max(width - len(indent), 20)) or [""]
    if len(lines) > most:
        rest = " ".join(lines[most - 1 :])
        lines = [*lines[: most - 1], cut(rest, width - len(indent))]
    return [f"{indent}{cut(line, width - len(indent))}" for line in lines]


def cut(text: str, width: int, *, name: bool = False) -> str:
    """The text in so many cells, with an ellipsis where something is left out."""
    if cell_len(text) <= width:
        return text
    if not name:
        return _first(text, width - 1).rstrip() + "…"
    end = (width - 1) // 3
    return _first(text, width - 1 - end) + "…" + _first(text[::-1], end)[::-1]


def plain(text: str) -> str:
    """Text that stays in its line."""
    return _CONTROL.sub(" ", text).strip()


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Filled up with blanks, by what a terminal shows: some characters take two cells, some take none."""
    blanks = " " * (width - cell_len(text))
    return blanks + text if right else text + blanks


def _first(text: str, width: int) -> str:
    pieces = chop_cells(text, width) if width > 0 else []
    return pieces[0] if pieces else ""


def _widths(columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int) -> list[int]:
    widths = [max(cell_len(row[at]) for row in cells) for at in range(len(columns))]
    over = sum(widths) + len(_GAP) * (len(columns) - 1) - width
    while over > 0:
        may_give = [at for at, one in enumerate(columns) if one.least and widths[at] > one.least]
        if not may_give:
            break
        widest = max(may_give, key=lambda at: widths[at])
        widths[widest] -= 1
        over -= 1
    return widths


def _line(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int]) -> str:
    parts = [
        padded(cut(cell, width, name=one.name), width, right=one.right)
        for one, cell, width in zip(columns, row, widths, strict=True)
    ]
    return _GAP.join(parts).rstrip()
