"""What the demo prints: tables that fit 80 columns, bars or lines while it follows, and the cost."""

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from batchd.cli.out import dollars, plural, shown

Facts = Mapping[str, Any]
_WIDTH = 80
_SHOWN_BEFORE = 12
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")


def demo_console(*, as_json: bool) -> Console:
    """A console at most 80 columns wide; with ``--json`` it speaks on stderr, stdout is for the document."""
    console = Console(stderr=as_json, highlight=False, markup=False, emoji=False)
    console.width = min(console.width, _WIDTH)
    return console


def show_before(console: Console, rows: Sequence[Any]) -> None:
    """The table as it was filled: texts, and nothing else."""
    table = _table("userid", "Resume", "FullName", "Level", "LastProcessed", wide="Resume")
    for row in rows[:_SHOWN_BEFORE]:
        text = "NULL" if row["Resume"] is None else row["Resume"]
        table.add_row(*_cells(row["userid"], text, row["FullName"], row["Level"], row["LastProcessed"]))
    console.print(f"Before: {len(rows)} rows of table aicandidate, all pending")
    console.print(table)
    if len(rows) > _SHOWN_BEFORE:
        console.print(f" … and {len(rows) - _SHOWN_BEFORE} more\n")


def show_after(console: Console, rows: Sequence[Any]) -> None:
    """The same table with its columns filled."""
    table = _table("userid", "FullName", "Years", "Level", "Skills", wide="Skills")
    for row in rows:
        skills = ", ".join(json.loads(row["Skills"])) if row["Skills"] else None
        table.add_row(*_cells(row["userid"], row["FullName"], row["YearsExperience"], row["Level"], skills))
    done = sum(row["LastProcessed"] is not None for row in rows)
    console.print(f"\nAfter: {plural(done, 'row')} of {len(rows)} done")
    console.print(table)


def show_status(console: Console, batches: Sequence[Facts], tasks: Sequence[Facts]) -> None:
    """The batches, and the task they belong to."""
    table = _table("batch", "state", "vendor_batch_id", "rows", "applied", "tokens", "cost", wide="state")
    for batch in batches:
        tokens = batch["input_tokens"] + batch["output_tokens"]
        applied = batch["outcomes"].get("applied", 0)
        facts = (batch["batch"], batch["state"], _short(batch["vendor_batch_id"]), batch["requests"], applied)
        table.add_row(*_cells(*facts, tokens, dollars(batch["cost_usd"])))
    console.print("Status")
    console.print(table)
    for task in tasks:
        waiting = {name: number for name, number in task["rows"].items() if number}
        left = ", ".join(f"{number} {name}" for name, number in waiting.items()) or "no row left over"
        console.print(f" Task {task['task']}: {task['open_batches']} open batches, {left}")


def show_money(console: Console, tasks: Sequence[Facts], model: str) -> None:
    """Tokens, and what they would have cost with a vendor that takes money."""
    asked, said = (sum(task[name] for task in tasks) for name in ("input_tokens", "output_tokens"))
    cost = sum(task["cost_usd"] for task in tasks)
    console.print(f" Tokens: {asked:,} in, {said:,} out; with {model} at OpenAI's batch price {dollars(cost)}.")
    console.print(" Paid: nothing. The sandbox is free: it makes its answers up from the text.")


@contextlib.contextmanager
def following(console: Console) -> Iterator[Callable[[Sequence[Facts]], None]]:
    """Gives the function that shows where the batches are: bars on a terminal, lines elsewhere."""
    if not console.is_terminal:
        yield _Lines(console).show
        return
    columns = (TextColumn(" {task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console) as bars:
        yield _Bars(bars).show


class _Bars:
    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._known: dict[int, TaskID] = {}

    def show(self, batches: Sequence[Facts]) -> None:
        for batch in batches:
            if batch["batch"] not in self._known:
                self._known[batch["batch"]] = self._bars.add_task("", total=batch["requests"])
            place = f"batch {batch['batch']}: {_stand(batch):<22}"
            self._bars.update(self._known[batch["batch"]], description=place, completed=_done(batch))


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: dict[int, str] = {}

    def show(self, batches: Sequence[Facts]) -> None:
        for batch in batches:
            line = f"{_stand(batch)}, {_done(batch)} of {batch['requests']} rows"
            if self._said.get(batch["batch"]) != line:
                self._said[batch["batch"]] = line
                self._console.print(f" batch {batch['batch']}: {line}")


def _stand(batch: Facts) -> str:
    if batch["state"] == "submitted" and batch["vendor_status"]:
        return f"submitted, {batch['vendor_status'].replace('_', ' ')}"
    return str(batch["state"])


def _done(batch: Facts) -> int:
    answered = batch["vendor_counts"]["completed"] or 0
    return int(max(answered, sum(batch["outcomes"].values())))


def _table(*columns: str, wide: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, width=_WIDTH)
    for column in columns:
        table.add_column(column, no_wrap=True, overflow="ellipsis", ratio=1 if column == wide else None)
    return table


def _cells(*values: object) -> list[Text]:
    # Marks that turn the writing direction, and line breaks, would tear a table apart.
    return [Text(_CONTROL.sub(" ", shown(value)).strip()) for value in values]


def _short(vendor_id: str | None) -> str:
    return f"{vendor_id[:14]}…" if vendor_id and len(vendor_id) > 15 else vendor_id or ""  # noqa: PLR2004
