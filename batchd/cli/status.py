"""``batchd status``: what is going on, in words and figures, on one screen."""

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from batchd.app.resolve import resolve_task
from batchd.cli import exit_codes
from batchd.cli.call import Call
from batchd.cli.checking import outcome_words
from batchd.cli.lines import say
from batchd.cli.out import dollars, plural, print_json, say_table, shown
from batchd.cli.place import Desk, opened_ledger
from batchd.config import mask_url
from batchd.errors import BatchdError
from batchd.ports import Ledger
from batchd.store.reading import ask, batch_facts, finding_facts, task_facts, waiting_facts

_PAUSE = 2.0
_MOST_BATCHES = 10
_WAITING_TIMES = ("waits_since", "not_before", "settle_by")
_CLEAR_SCREEN = "\x1b[H\x1b[2J"
Facts = dict[str, Any]


def status(call: Call, *, watch: bool, count: bool) -> int:
    """Prints tasks, open batches and findings; with ``watch`` again and again until it is interrupted."""
    with opened_ledger(call) as desk:
        if not watch:
            _show(call, desk, count=count)
            return exit_codes.DONE
        _repeat(lambda: _show(call, desk, count=count), clear=not call.as_json)
    return exit_codes.DONE


def _repeat(show: Callable[[], None], *, clear: bool) -> None:
    try:
        while True:
            if clear and sys.stdout.isatty():
                sys.stdout.write(_CLEAR_SCREEN)
            show()
            time.sleep(_PAUSE)
    except KeyboardInterrupt:
        # The only way to end it, and so no failure.
        return


def _show(call: Call, desk: Desk, *, count: bool) -> None:
    document = status_document(call, desk, count=count)
    if call.as_json:
        print_json(document)
    else:
        _say(document)


def status_document(call: Call, desk: Desk, *, count: bool) -> Facts:
    """Everything that ``status`` tells."""
    known = ask(desk.database, lambda connection: task_facts(connection, call.task))
    batches = ask(desk.database, partial(batch_facts, task=call.task, most=_MOST_BATCHES, only_open=True))
    findings = ask(desk.database, finding_facts)
    tasks = [_with_config(desk, facts) for facts in known]
    tasks += [_unknown(desk, name) for name in _not_in(known, desk, call)]
    if count:
        tasks = [task | _counted(desk, task) for task in tasks]
    return {
        "config": str(desk.config.path),
        "database": mask_url(desk.config.database_url()),
        "tasks": tasks,
        "open_batches": batches,
        "waiting": ask(desk.database, partial(waiting_facts, task=call.task)),
        "findings": findings,
    }


def _not_in(known: list[Facts], desk: Desk, call: Call) -> list[str]:
    names = {facts["task"] for facts in known}
    return [name for name in desk.config.tasks if name not in names and call.task in (None, name)]


def _with_config(desk: Desk, facts: Facts) -> Facts:
    configured = desk.config.tasks.get(facts["task"])
    return facts | {
        "configured": configured is not None,
        "table": configured.table if configured else None,
        "vendor": configured.vendor if configured else None,
    }


def _unknown(desk: Desk, name: str) -> Facts:
    """A task that is configured, and that no command has worked on yet."""
    nothing = {
        "task": name,
        "paused": False,
        "pause_reason": None,
        "backlog": None,
        "backlog_at": None,
        "rows": dict.fromkeys(("open", "retry", "failed", "held", "done"), 0),
        "outcomes": {},
        "cost_usd": 0.0,
        "last_apply_at": None,
    }
    figures = (
        "batches",
        "open_batches",
        "held_batches",
        "input_tokens",
        "output_tokens",
        "unpriced_requests",
    )
    return _with_config(desk, nothing | dict.fromkeys(figures, 0))


def _counted(desk: Desk, facts: Facts) -> Facts:
    """The backlog as it is now. A task that does not fit its table is said to, and stops nothing else."""
    if not facts["configured"]:
        return {}
    name = facts["task"]
    try:
        definition = resolve_task(desk.config, desk.database, name).definition

        def counted(ledger: Ledger) -> int:
            record = ledger.tasks.find(name)
            return ledger.rows(record.id if record else 0, definition).count_claimable()

        return {"backlog_now": desk.store.read(counted)}
    except BatchdError as error:
        return {"backlog_now": None, "backlog_error": str(error)}


def _say(document: Facts) -> None:
    if not document["tasks"]:
        say(f"No task is configured in {document['config']}.")
    for task in document["tasks"]:
        _say_task(task)
    if document["open_batches"]:
        say_table(
            ("batch", "task", "state", "rows", "vendor says", "sent"),
            [
                (one["batch"], one["task"], one["state"], one["requests"], _vendor(one), one["submitted_at"])
                for one in document["open_batches"]
            ],
        )
        say()
    if document["waiting"]:
        say_table(
            ("batch", "task", "waits for", "since", "next look or try", "held at the latest"),
            [
                (one["batch"], one["task"], one["waits_for"], *(one[name] for name in _WAITING_TIMES))
                for one in document["waiting"]
            ],
        )
        say()
    for finding in document["findings"]:
        detail = f" ({finding['detail']})" if finding["detail"] else ""
        say(f"! {finding['kind']} ({finding['subject']}): {finding['meaning']}{detail}")
        say(f"  next: {finding['next_command']}")


def _say_task(task: Facts) -> None:
    place = f"table {task['table']}, vendor {task['vendor']}" if task["configured"] else "not in the config"
    paused = f", paused: {task['pause_reason']}" if task["paused"] else ""
    say(f"{task['task']} ({place}{paused})")
    for label, words in _lines(task):
        say(f"  {label:<18} {words}")
    say()


def _lines(task: Facts) -> list[tuple[str, str]]:
    rows = task["rows"]
    lines = [
        ("backlog", _backlog(task)),
        (
            "in flight",
            f"{plural(rows['open'], 'row')} in {plural(task['open_batches'], 'open batch', 'open batches')}",
        ),
        ("waiting to retry", plural(rows["retry"], "row")),
        ("failed", _with_next(rows["failed"], f"batchd failures --task {task['task']}")),
        ("held", _held(task)),
        ("applied", plural(task["outcomes"].get("applied", 0), "row") + _last(task)),
    ]
    others = {name: number for name, number in task["outcomes"].items() if name != "applied"}
    if others:
        lines.append(("other outcomes", outcome_words(others)))
    if rows["done"]:
        lines.append(("done, remembered", _with_next(rows["done"], f"batchd failures --task {task['task']}")))
    return [
        *lines,
        ("tokens", f"{task['input_tokens']:,} in, {task['output_tokens']:,} out"),
        ("cost", _cost(task)),
    ]


def _backlog(task: Facts) -> str:
    if "backlog_error" in task:
        return f"cannot be counted: {task['backlog_error']}"
    if "backlog_now" in task:
        return f"{plural(task['backlog_now'], 'row')} now"
    if task["backlog_at"] is None:
        return "not counted yet: batchd status --count"
    return f"{plural(task['backlog'], 'row')} as of {shown(task['backlog_at'])}"


def _held(task: Facts) -> str:
    batches = task["held_batches"]
    held = f", {plural(batches, 'batch', 'batches')}" if batches else ""
    return f"{plural(task['rows']['held'], 'row')}{held}"


def _with_next(number: int, command: str) -> str:
    return plural(number, "row") + (f"   see: {command}" if number else "")


def _last(task: Facts) -> str:
    return f", last {shown(task['last_apply_at'])}" if task["last_apply_at"] else ""


def _cost(task: Facts) -> str:
    unpriced = task["unpriced_requests"]
    return dollars(task["cost_usd"]) + (f" and {plural(unpriced, 'request')} without a known price" if unpriced else "")


def _vendor(batch: Facts) -> str:
    counted = batch["vendor_counts"]
    done = f" {counted['completed']}/{counted['total']}" if counted["total"] else ""
    return (batch["vendor_status"] or "-") + done
