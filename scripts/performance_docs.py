"""The tables of docs/reference/performance.md, from the figures that ``scripts/bench --json`` has written beside it."""

# ruff: noqa: INP001 - beside a script, not part of a package

import json
from collections.abc import Callable
from pathlib import Path

from tests.bench import tables
from tests.bench.results import Results, from_json
from tests.bench.targets import targets

FIGURES = Path(__file__).resolve().parents[1] / "docs" / "reference" / "performance.json"


def _table(made: Callable[[Results], tables.Table]) -> Callable[[], str]:
    def table() -> str:
        shown = made(from_json(json.loads(FIGURES.read_text(encoding="utf-8"))))
        return tables.as_markdown(shown) if shown[1] else "Not measured yet.\n"

    return table


TABLES: dict[str, Callable[[], str]] = {
    "performance.md#targets": _table(targets),
    "performance.md#cycles": _table(tables.cycles),
    "performance.md#links": _table(tables.links),
    "performance.md#flat": _table(tables.flat),
    "performance.md#status": _table(tables.status),
    "performance.md#machine": _table(tables.machine),
}
