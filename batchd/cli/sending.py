"""``batchd submit``: one pass of claim and submit, for a person who waits."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from batchd.cli import exit_codes
from batchd.cli.call import Call
from batchd.cli.causes import explain
from batchd.cli.lines import complain, say
from batchd.cli.out import plural, print_json, say_table
from batchd.cli.place import Desk, opened_ledger, opened_workplace
from batchd.cli.stops import claiming_stops
from batchd.core.states import BatchState
from batchd.pipeline import SENDING, run_pass
from batchd.ports import ConfiguredTask, Counts, Orders, Scope, Workplace
from batchd.stop import Stop
from batchd.store.reading import ask, batch_facts, task_facts
from batchd.store.source import SourceTable

_MOST = 10_000


def submit(call: Call, batch_size: int | None) -> int:
    """Builds batches from what is due, sends them, and prints them."""
    stop = Stop()
    stop.on_signals()
    with opened_ledger(call, stop) as desk, opened_workplace(call, desk.config, stop) as (whole, _):
        place = with_batch_size(whole, batch_size)
        before = _unsent(place, call) | {0}
        newest = _newest(desk)
        counts = run_pass(SENDING, place, Scope(task=call.task), Orders(eager=True, first=True))
        batches = _touched(desk, newest, before)
        notes = [] if stop.asked() else _notes(desk, place, batches)
        left = sum(task["backlog"] or 0 for task in ask(desk.database, partial(task_facts, only=call.task)))
    causes = _causes(counts, notes)
    code = exit_codes.INTERRUPTED if stop.asked() else exit_codes.exit_code(causes)
    if call.as_json:
        document = {"batches": batches, "counts": counts.numbers, "backlog": left, "notes": notes}
        print_json(document | {"exit_code": code})
    else:
        _say(batches, notes, counts, left)
    if stop.asked():
        complain("interrupted; nothing is lost")
        complain("next: batchd submit")
    stopped = not counts["rows_failed"]
    explain(causes, {task.definition.vendor for task in place.tasks.values()}, stopped=stopped)
    return code


def with_batch_size(place: Workplace, size: int | None) -> Workplace:
    """The workplace, its tasks' batches made this large where a size was asked for."""
    if size is None:
        return place
    tasks = {
        name: replace(task, batch_size=size, min_batch_size=min(task.min_batch_size, size))
        for name, task in place.tasks.items()
    }
    return replace(place, tasks=tasks)


def _unsent(place: Workplace, call: Call) -> set[int]:
    scope = Scope(task=call.task)
    found = place.store.read(
        lambda ledger: [
            one
            for position in (BatchState.BUILT, BatchState.SUBMITTING)
            for one in ledger.batches.at(position, scope, due=False)
        ]
    )
    return {batch.id for batch in found}


def _newest(desk: Desk) -> int:
    newest = ask(desk.database, lambda connection: batch_facts(connection, most=1))
    return int(newest[0]["batch"]) if newest else 0


def _touched(desk: Desk, newest: int, before: set[int]) -> list[dict[str, Any]]:
    """Batches that this pass built, and those built earlier that it tried to send."""
    facts = ask(desk.database, lambda connection: batch_facts(connection, most=_MOST))
    return [one for one in reversed(facts) if one["batch"] > newest or one["batch"] in before]


def _causes(counts: Counts, notes: Sequence[dict[str, Any]]) -> set[int]:
    causes = set(counts.causes)
    if counts["batches_held"]:
        causes.add(exit_codes.HELD)
    if counts["rows_failed"] or counts["tasks_without_room"] or any(note["needs_person"] for note in notes):
        causes.add(exit_codes.ROWS_LEFT)
    return causes


def _notes(desk: Desk, place: Workplace, batches: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Why nothing was built for a task, one sentence each."""
    known = {one["task"]: one for one in ask(desk.database, task_facts)}
    built = {one["task"] for one in batches}
    return [
        {"task": name} | _why_nothing(desk, task, known.get(name, {}))
        for name, task in place.tasks.items()
        if name not in built
    ]


def _why_nothing(desk: Desk, task: ConfiguredTask, facts: dict[str, Any]) -> dict[str, Any]:
    name, table = task.definition.name, task.definition.full_table
    start = f"Nothing is due in {name}: "
    if facts.get("paused"):
        return _note(f"Task {name} is paused ({facts['pause_reason']}). Next: batchd resume {name}")
    stops = claiming_stops(desk, [task])
    if stops:
        kinds = ", ".join(dict.fromkeys(one["kind"] for one in stops))
        sentence = f"Nothing was claimed for {name}: it waits for a person ({kinds}). Next: batchd status"
        return _note(sentence, needs_person=True)
    if _is_capped(desk, task, facts):
        open_batches = plural(facts["open_batches"], "batch", "batches")
        left = f"; {plural(facts['backlog'], 'row')} more are due" if facts["backlog"] else ""
        return _note(
            f"Nothing was claimed for {name}: {open_batches} open, which is all that max_open_batches allows{left}. "
            "Next: batchd run"
        )
    if _is_empty(desk, task):
        return _note(f"{start}table {table} has no rows.")
    gates = {state: number for state, number in facts.get("rows", {}).items() if number}
    if not gates:
        return _note(f"{start}no row of table {table} is pending.")
    listed = ", ".join(f"{number:,} {state}" for state, number in gates.items())
    return _note(f"{start}every pending row of table {table} is in work or set aside ({listed}).")


def _is_capped(desk: Desk, task: ConfiguredTask, facts: dict[str, Any]) -> bool:
    record = desk.store.ask(lambda ledger: ledger.tasks.find(task.definition.name))
    return record is not None and facts["open_batches"] >= task.open_batches_allowed(record)


def _note(sentence: str, *, needs_person: bool = False) -> dict[str, Any]:
    return {"sentence": sentence, "needs_person": needs_person}


def _is_empty(desk: Desk, task: ConfiguredTask) -> bool:
    definition = task.definition

    def look(connection: Any) -> bool:
        source = SourceTable(connection, desk.database.dialect, definition.table, definition.table_schema)
        return source.sample(definition) is None

    return ask(desk.database, look)


def _say(batches: Sequence[dict[str, Any]], notes: Sequence[dict[str, Any]], counts: Counts, left: int) -> None:
    if batches:
        say_table(
            ("batch", "task", "rows", "state", "vendor id"),
            [(one["batch"], one["task"], one["requests"], _state(one), one["vendor_batch_id"]) for one in batches],
        )
        say(
            f"{plural(counts['batches_submitted'], 'batch', 'batches')} sent, "
            f"{plural(counts['rows_submitted'], 'row')}."
        )
    if counts["rows_failed"]:
        say(f"{plural(counts['rows_failed'], 'row')} could not be sent: batchd failures")
    if batches and counts["tasks_capped"] and left:
        say(f"{plural(left, 'row')} more are due; as many batches are open as max_open_batches allows.")
    if counts["batches_waiting"]:
        number = counts["batches_waiting"]
        say(f"{plural(number, 'batch', 'batches')} wait for the vendor's quota, and are sent as it frees: batchd run")
    for note in notes:
        say(note["sentence"])
    sent = [one for one in batches if one["vendor_batch_id"]]
    if sent:
        say(f"Next: batchd check {sent[-1]['vendor_batch_id']}")


def _state(batch: dict[str, Any]) -> str:
    waiting = batch["state"] in {"built", "submitting"}
    return f"{batch['state']} ({batch['error_text']})" if waiting and batch["error_text"] else batch["state"]
