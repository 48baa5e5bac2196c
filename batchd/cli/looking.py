"""``batchd batches``, ``show`` and ``failures``: the ledger, read for people."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from batchd.cli import exit_codes
from batchd.cli.batch_words import next_command, state_words
from batchd.cli.call import Call
from batchd.cli.checking import find_batch, outcome_words
from batchd.cli.lines import say
from batchd.cli.out import dollars, plural, print_json, say_table
from batchd.cli.place import Desk, opened_ledger
from batchd.cli.screen import WIDE, Column, screen_size, table, table_width
from batchd.cli.show_screen import show_lines
from batchd.cli.since import ago, lasting
from batchd.store.overview import clock
from batchd.store.reading import ask, batch_detail, batch_facts, failure_facts

Facts = Mapping[str, Any]
_COLUMNS = [
    Column("batch", right=True),
    Column("task", least=8, name=True),
    Column("state", least=14),
    Column("rows", right=True),
    Column("applied", right=True),
    Column("cost", right=True),
    Column("built", right=True),
    Column("took", right=True),
]
_MORE_COLUMNS = [Column("other outcomes", least=14), Column("vendor id", least=20, name=True)]


def batches(call: Call, *, only_open: bool, limit: int) -> int:
    """Lists batches, newest first."""
    with opened_ledger(call) as desk:

        def question(connection: Any) -> tuple[dt.datetime, list[dict[str, Any]]]:
            found = batch_facts(connection, task=call.task, most=limit, only_open=only_open)
            return clock(connection, desk.database.dialect), found

        now, found = ask(desk.database, question)
    if call.as_json:
        print_json({"at": now, "batches": found})
        return exit_codes.DONE
    if not found:
        say("There is no open batch." if only_open else "There is no batch yet. Next: batchd submit")
        return exit_codes.DONE
    _say_batches(found, now)
    if len(found) == limit:
        say(f"The newest {plural(limit, 'batch', 'batches')}; --limit shows more.")
    return exit_codes.DONE


def _say_batches(found: list[dict[str, Any]], now: dt.datetime) -> None:
    columns, rows = list(_COLUMNS), [_cells(one, now) for one in found]
    width = table_width()
    if width >= WIDE:
        columns += _MORE_COLUMNS
        rows = [row + _more_cells(one) for row, one in zip(rows, found, strict=True)]
    for line in table(columns, rows, width):
        say(line)


def _cells(one: Facts, now: dt.datetime) -> list[str]:
    took = None if one["closed_at"] is None else (one["closed_at"] - one["created_at"]).total_seconds()
    return [
        str(one["batch"]),
        one["task"],
        state_words(one),
        f"{one['requests']:,}",
        f"{one['outcomes'].get('applied', 0):,}",
        dollars(one["cost_usd"]),
        ago(one["created_at"], now),
        "-" if took is None else lasting(took),
    ]


def _more_cells(one: Facts) -> list[str]:
    others = {name: number for name, number in one["outcomes"].items() if name != "applied"}
    return [outcome_words(others) if others else "-", one["vendor_batch_id"] or "-"]


def show(call: Call, reference: str) -> int:
    """Shows one batch: its counts and its timeline."""
    with opened_ledger(call) as desk:
        now, facts = _detail(desk, reference)
    if call.as_json:
        print_json({"at": now, "batch": facts})
        return exit_codes.DONE
    for line in show_lines(facts, now, screen_size()[0]):
        say(line)
    return exit_codes.DONE


def _detail(desk: Desk, reference: str) -> tuple[dt.datetime, dict[str, Any]]:
    batch = find_batch(desk, reference)

    def question(connection: Any) -> tuple[dt.datetime, dict[str, Any]]:
        return clock(connection, desk.database.dialect), batch_detail(connection, batch.id)

    now, facts = ask(desk.database, question)
    return now, facts | {"next_command": next_command(facts)}


def failures(call: Call, *, limit: int) -> int:
    """Lists the rows that need a person, with the next step for each."""
    with opened_ledger(call) as desk:
        found = ask(desk.database, lambda connection: failure_facts(connection, task=call.task, most=limit))
    if call.as_json:
        print_json({"failures": found})
        return exit_codes.DONE
    if not found:
        say("No row needs a person.")
        return exit_codes.DONE
    say_table(
        ("task", "key", "state", "outcome", "batch", "reason", "next"),
        [
            (
                one["task"],
                one["key"],
                one["state"],
                one["outcome"],
                one["batch"],
                one["reason"] or one["code"],
                one["next_step"],
            )
            for one in found
        ],
    )
    if len(found) == limit:
        say(f"The first {plural(limit, 'row')}; --limit shows more.")
    return exit_codes.DONE
