"""Before a person's act: what it would do, for a dry run; and the question, on a terminal only."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from batchd.cli.call import Call
from batchd.cli.lines import complain, say
from batchd.cli.out import dollars, plural, print_json, say_table
from batchd.operations import Prospect, RowAhead

NOTHING_CHANGED = "Dry run: nothing was changed."
_BILLION = 1_000_000_000
# On a screen; --json names more of them.
_MOST_ROWS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Wish:
    """How an act was asked for.

    Attributes:
        reason: why, for those who look later; one line.
        dry_run: only tell what would be done.
        yes: nothing is asked.
    """

    reason: str = ""
    dry_run: bool = False
    yes: bool = False


def wish(reason: str, *, dry_run: bool = False, yes: bool = False) -> Wish:
    """A wish as it was typed: its reason on one line, and of characters that every database takes."""
    return Wish(" ".join(reason.encode("utf-8", "replace").decode("utf-8").split()), dry_run, yes)


def may_ask(call: Call, asked: Wish) -> bool:
    """True where there is a person to ask. A script is never waited for."""
    return not (asked.yes or call.as_json) and sys.stdin.isatty() and sys.stderr.isatty()


def agrees(prospects: Sequence[Prospect]) -> bool:
    """Tells what would be done and asks; ``n``, the end of the input and Ctrl-C all mean no."""
    if not any(one.asks for one in prospects):
        return True
    for one in prospects:
        complain(f"{one.sentence[0].upper()}{one.sentence[1:]}.{_cost_words(one)}")
    sys.stderr.write("Go on? [y/N] ")
    sys.stderr.flush()
    try:
        answer = sys.stdin.readline()
    except KeyboardInterrupt:
        answer = ""
    if not answer.endswith("\n"):
        complain("")
    if answer.strip().lower() in {"y", "yes"}:
        return True
    complain("nothing was done")
    return False


def tell_prospects(call: Call, prospects: Sequence[Prospect]) -> None:
    """A dry run's whole answer: nothing was changed."""
    if call.as_json:
        print_json(document(prospects))
        return
    for one in prospects:
        say(f"{one.sentence[0].upper()}{one.sentence[1:]}.{_cost_words(one)}")
        say_rows(one.rows, one.all_rows)
    say(NOTHING_CHANGED)


def document(prospects: Sequence[Prospect]) -> dict[str, object]:
    """The same as ``--json`` shows it."""
    costs = [one.cost for one in prospects if one.may_cost]
    return {
        "done": "; ".join(one.sentence for one in prospects),
        "number": sum(one.number for one in prospects),
        "dry_run": True,
        "asks": any(one.asks for one in prospects),
        "tasks": list(dict.fromkeys(name for one in prospects for name in one.tasks)),
        "batches": [
            {
                "batch": batch.id,
                "task": batch.task,
                "state": batch.state.value,
                "vendor_batch_id": batch.vendor_batch_id,
                "requests": batch.requests,
            }
            for one in prospects
            for batch in one.batches
        ],
        "rows": [{"key": row.key, "outcome": row.outcome, "batch": row.batch} for one in prospects for row in one.rows],
        "rows_in_all": sum(one.all_rows for one in prospects),
        "may_cost": bool(costs),
        "cost_at_most_usd": sum(cost or 0 for cost in costs) / _BILLION if None not in costs else None,
    }


def _cost_words(one: Prospect) -> str:
    if not one.may_cost:
        return ""
    if one.cost is None:
        return " What that costs at most cannot be told: it takes a price, and a token limit in params."
    return f" That costs {dollars(one.cost / _BILLION)} at most, with every try and the longest answers."


def say_rows(rows: Sequence[RowAhead], in_all: int) -> None:
    """The first rows that an act is about, and how many more there are."""
    shown = rows[:_MOST_ROWS_SHOWN]
    if any(row.outcome for row in shown):
        say_table(("key", "outcome", "batch"), [(row.key, row.outcome, row.batch) for row in shown])
    elif shown:
        say(f"Rows: {', '.join(row.key for row in shown)}")
    if in_all > len(shown):
        say(f"and {plural(in_all - len(shown), 'row')} more")
