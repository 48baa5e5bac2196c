"""``batchd status`` on a screen: health first, then work, backlog, failures, cost and findings."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from rich.cells import cell_len

from batchd.cli.out import dollars, plural
from batchd.cli.pace import pace_words
from batchd.cli.screen import WIDE, Column, cut, padded, plain, table, wrapped
from batchd.cli.since import ago, lasting

Facts = Mapping[str, Any]
T = TypeVar("T")
# So many lines a section has at most, the first number with which all sections fit the screen; else the last.
_MOST = (20, 12, 8, 6, 5, 4, 3, 2)
_MOST_PAUSED = 2
# So many lines the sentence of a finding has at most: its end says why, so it is cut only where there is no room.
_SENTENCE = 12
_SHORT_SENTENCE = 2


def status_lines(document: Facts, width: int, height: int | None) -> list[str]:
    """The lines of the screen, none wider than ``width``.

    Args:
        document: what ``status`` tells.
        width: of the screen, in cells.
        height: its lines; None where there is no end of them, so that nothing is left out.
    """
    if height is None:
        return _spaced(_sections(document, width, None, _SENTENCE))
    lines: list[str] = []
    for most, sentence in ((_MOST[0], _SENTENCE), *((most, _SHORT_SENTENCE) for most in _MOST)):
        sections = _sections(document, width, most, sentence)
        # Headings hold the sections apart too, where there is no room for blank lines.
        for lines in (_spaced(sections), [line for section in sections for line in section]):
            if len(lines) <= height:
                return lines
    return lines


def _sections(document: Facts, width: int, most: int | None, sentence: int) -> list[list[str]]:
    return [
        _head(document, width),
        _in_flight(document, width, most),
        _backlog(document, width, most),
        _failed(document, width, most),
        _cost(document, width, most),
        _findings(document, width, None if most is None else most // 2 + 1, sentence),
    ]


def _spaced(sections: Sequence[Sequence[str]]) -> list[str]:
    return [line for section in sections if section for line in ("", *section)][1:]


def _head(document: Facts, width: int) -> list[str]:
    clock = f"{document['at'].astimezone(dt.UTC):%H:%M:%S} UTC"
    room = width - cell_len(clock) - 2
    headline = f"{padded(cut(_headline(document), room), room)}  {clock}"
    at_work = document["at_work"]
    # What the headline has said already is not said twice.
    said, _, why = at_work["sentence"].partition(": ")
    sentence = why if any(one["what"] == said for one in document["troubles"]) else at_work["sentence"]
    lines = [headline, *wrapped(sentence, width, "  ", 2)]
    lines += [f"  next: {at_work['next_command']}"] if at_work["next_command"] else []
    told = _subjects(document)
    # A finding says of itself what to do.
    paused = [one for one in document["tasks"] if one["paused"] and f"task {one['task']}" not in told]
    for task in paused[:_MOST_PAUSED]:
        name = task["task"]
        lines += wrapped(f"{name} is paused: {task['pause_reason']}; next: batchd resume {name}", width, "  ", 2)
    return lines


def _headline(document: Facts) -> str:
    if document["troubles"]:
        return "Not healthy: " + "; ".join(one["what"] for one in document["troubles"])
    if not document["tasks"]:
        return f"No task is configured in {document['config']}"
    if not any(one["batches"] for one in document["tasks"]):
        return "Nothing has been sent yet; next: batchd submit, or batchd run"
    failed = sum(one["rows"]["failed"] + one["rows"]["held"] for one in document["tasks"])
    paused = sum(one["paused"] for one in document["tasks"])
    notes = [f"{plural(failed, 'row waits', 'rows wait')} for a person"] if failed else []
    notes += [f"{plural(paused, 'task is', 'tasks are')} paused"] if paused else []
    return "Healthy" + (", but " + " and ".join(notes) if notes else "")


def _in_flight(document: Facts, width: int, most: int | None) -> list[str]:
    open_work: dict[str, list[Facts]] = {}
    for one in document["in_flight"]:
        open_work.setdefault(one["task"], []).append(one)
    if not open_work:
        return ["IN FLIGHT  nothing"]
    oldest_first = sorted(open_work.items(), key=lambda item: min(one["oldest"] for one in item[1]))
    shown, more = _first(oldest_first, most, "task", "tasks", "batchd batches --open")
    columns = [
        Column("IN FLIGHT", least=12, name=True),
        Column("rows", right=True),
        Column("batches", least=14),
        Column("oldest", right=True),
        Column("vendor answered", right=True),
    ]
    rows = [[_label(name, width), *_flight(states, document["at"])] for name, states in shown]
    if width >= WIDE:
        columns.append(Column("looked at", right=True))
        for row, (_, states) in zip(rows, shown, strict=True):
            looks = [one["last_look"] for one in states if one["last_look"] is not None]
            row.append(ago(max(looks, default=None), document["at"]))
    told = _subjects(document)
    untold = [one for one in document["waiting"] if f"batch {one['batch']}" not in told]
    waiting, others = _first(untold, most, "batch", "batches", "batchd batches --open")
    waits = [line for one in waiting for line in wrapped(_wait(one, document["at"]), width, "  ", 2)]
    return [*table(columns, rows, width), *more, *waits, *others]


def _flight(states: Sequence[Facts], now: dt.datetime) -> list[str]:
    answered, asked = (sum(one[part] for one in states) for part in ("vendor_completed", "vendor_total"))
    return [
        f"{sum(one['rows'] for one in states):,}",
        ", ".join(f"{one['batches']:,} {one['state']}" for one in states),
        lasting((now - min(one["oldest"] for one in states)).total_seconds()),
        f"{answered:,} of {asked:,}" if asked else "-",
    ]


def _wait(one: Facts, now: dt.datetime) -> str:
    words = f"batch {one['batch']} waits for {one['waits_for']}"
    if one["waits_since"] is not None:
        words += f", for {lasting((now - one['waits_since']).total_seconds())}"
    if one["settle_by"] is not None:
        left = (one["settle_by"] - now).total_seconds()
        words += f"; held in {lasting(left)} at the latest" if left > 0 else "; about to be held"
    elif one["not_before"] is not None and one["not_before"] > now:
        words += f"; next try in {lasting((one['not_before'] - now).total_seconds())}"
    return words


def _backlog(document: Facts, width: int, most: int | None) -> list[str]:
    largest_first = sorted(document["tasks"], key=lambda one: -(one["pace"]["rows_left"] or 0))
    shown, more = _first(largest_first, most, "task", "tasks", "batchd status --task NAME")
    columns = [
        Column("BACKLOG", least=12, name=True),
        Column("rows", right=True),
        Column("counted", right=True),
        Column("rows/hour", right=True),
        Column("done at this pace", least=20),
    ]
    rows = [
        [_label(one["task"], width), *_counted(one, document["at"]), _rate(one), _ahead(one, document["at"])]
        for one in shown
    ]
    if width >= WIDE:
        columns += [Column("measured over", right=True), Column("in flight", right=True), Column("retries", right=True)]
        rows = [[*row, *_measured(one)] for row, one in zip(rows, shown, strict=True)]
    return [*table(columns, rows, width), *more] if rows else []


def _rate(task: Facts) -> str:
    rate = task["pace"]["rows_per_hour"]
    return "-" if rate is None else f"{rate:,.0f}"


def _measured(task: Facts) -> tuple[str, str, str]:
    seconds, rows = task["pace"]["measured_seconds"], task["rows"]
    return "-" if seconds is None else lasting(seconds), f"{rows['open']:,}", f"{rows['retry']:,}"


def _counted(task: Facts, now: dt.datetime) -> tuple[str, str]:
    if task.get("backlog_now") is not None:
        return f"{task['backlog_now']:,}", "now"
    if task["backlog"] is None:
        return "?", "never"
    return f"{task['backlog']:,}", ago(task["backlog_at"], now)


def _ahead(task: Facts, now: dt.datetime) -> str:
    if task.get("backlog_error"):
        return f"cannot be counted: {task['backlog_error']}"
    return pace_words(task["pace"], now)


def _failed(document: Facts, width: int, most: int | None) -> list[str]:
    reasons = document["reasons"]
    if not reasons:
        return ["FAILED     no row waits for a person"]
    shown, more = _first(reasons, most, "reason", "reasons", "batchd failures")
    columns = [
        Column("FAILED", least=12, name=True),
        Column("rows", right=True),
        Column("why", least=20),
        Column("code", least=10, name=True),
    ]
    rows = [
        [
            _label(one["task"], width),
            f"{one['rows']:,}{'' if one['counted_all'] else '+'}",
            _why(one),
            one["code"] or "-",
        ]
        for one in shown
    ]
    tasks = {one["task"] for one in reasons}
    only = f" --task {tasks.pop()}" if len(tasks) == 1 else ""
    return [*table(columns, rows, width), *more, f"  next: batchd failures{only}"]


def _why(reason: Facts) -> str:
    return f"{reason['outcome']}: {reason['meaning']}" if reason["outcome"] else str(reason["meaning"])


def _cost(document: Facts, width: int, most: int | None) -> list[str]:
    tasks = document["tasks"]
    if not tasks:
        return []
    dearest_first = sorted(tasks, key=lambda one: (-one["cost_usd_today"], -one["cost_usd"]))
    shown, more = _first(dearest_first, most, "task", "tasks", "batchd status --task NAME")
    columns = [
        Column("COST", least=12, name=True),
        Column(f"today ({document['at'].astimezone(dt.UTC):%Y-%m-%d} UTC)", right=True),
        Column("in all", right=True),
        Column("rows written", right=True),
    ]
    if width >= WIDE:
        columns += [Column("last", right=True), Column("tokens in", right=True), Column("tokens out", right=True)]
    rows = [[_label(one["task"], width), *_spent(one, document["at"])] for one in shown]
    rows.append(["together", *_together(tasks)])
    lines = table(columns, [row[: len(columns)] for row in rows], width)
    together = lines.pop()
    unpriced = sum(one["unpriced_requests"] for one in tasks)
    note = [f"  without {plural(unpriced, 'request')} whose price is not known"] if unpriced else []
    return [*lines, *more, *([together] if len(tasks) > 1 else []), *note]


def _spent(task: Facts, now: dt.datetime) -> list[str]:
    return [
        dollars(task["cost_usd_today"]),
        dollars(task["cost_usd"]),
        f"{task['outcomes'].get('applied', 0):,}",
        ago(task["last_apply_at"], now),
        f"{task['input_tokens']:,}",
        f"{task['output_tokens']:,}",
    ]


def _together(tasks: Sequence[Facts]) -> list[str]:
    def summed(figure: Callable[[Facts], Any]) -> Any:
        return sum(figure(one) for one in tasks)

    return [
        dollars(summed(lambda one: one["cost_usd_today"])),
        dollars(summed(lambda one: one["cost_usd"])),
        f"{summed(lambda one: one['outcomes'].get('applied', 0)):,}",
        "",
        f"{summed(lambda one: one['input_tokens']):,}",
        f"{summed(lambda one: one['output_tokens']):,}",
    ]


def _findings(document: Facts, width: int, most: int | None, sentence: int) -> list[str]:
    if not document["findings"]:
        return ["FINDINGS   none"]
    shown, more = _first(document["findings"], most, "finding", "findings", "batchd status | more")
    lines = ["FINDINGS"]
    for one in shown:
        for_long = lasting((document["at"] - one["since"]).total_seconds())
        lines.append(cut(f"! {one['kind']}: {one['subject']}, for {for_long}", width))
        detail = f" ({one['detail']})" if one["detail"] else ""
        lines += wrapped(f"{one['meaning']}{detail}", width, "  ", sentence)
        lines += wrapped(f"next: {one['next_command']}", width, "  ", 2)
    return [*lines, *more]


def _label(task: str, width: int) -> str:
    """A task's name, cut alike in all sections."""
    return cut(plain(task), width * 3 // 10, name=True)


def _subjects(document: Facts) -> set[str]:
    return {one["subject"] for one in document["findings"]}


def _first(found: Sequence[T], most: int | None, one: str, many: str, command: str) -> tuple[Sequence[T], list[str]]:
    """The first of them, and a line about the others where there are some."""
    # A single one takes no more room than the line that would stand for it.
    if most is None or len(found) <= most + 1:
        return found, []
    left = len(found) - most
    return found[:most], [f"  … and {plural(left, one, many)} more: {command}"]
