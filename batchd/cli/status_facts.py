"""Everything that ``batchd status`` tells, as one document: what ``--json`` prints and the screen is made of."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from batchd.app.owner import is_provably_dead
from batchd.app.resolve import resolve_task
from batchd.cli.at_work import Signs, overdue, who_is_at_work
from batchd.cli.out import plural
from batchd.cli.pace import pace
from batchd.cli.place import Desk
from batchd.config import mask_url
from batchd.core.outcomes import RULES, Outcome
from batchd.errors import BatchdError
from batchd.ports import Ledger
from batchd.store.overview import (
    clock,
    in_flight_facts,
    last_move,
    lease_facts,
    process_facts,
    reason_facts,
    recent_facts,
)
from batchd.store.reading import ask, batch_facts, finding_facts, task_facts, waiting_facts

Facts = dict[str, Any]
_MOST_BATCHES = 10
_NOTHING_RECENT: Facts = {"cost_usd_today": 0.0, "applied": {}}
# Quiet hours, and a daily cron line, may keep a task from being looked at for so long.
_A_DAY = 86400.0


def status_document(desk: Desk, task: str | None, *, count: bool) -> Facts:
    """Tasks, work, failures, spend and findings, all on one view of the ledger. Raises DatabaseError."""
    told = ask(desk.database, partial(_ledger_facts, desk, task))
    now, recent = told["at"], told.pop("recent")
    known = told.pop("known")
    tasks = [_with_config(desk, facts) for facts in known]
    tasks += [_unknown(desk, name) for name in _not_in(known, desk, task)]
    if count:
        tasks = [one | _counted(desk, one) for one in tasks]
    tasks = [_with_pace(one, recent.get(one["task"], _NOTHING_RECENT), now) for one in tasks]
    at_work = who_is_at_work(_signs(desk, told, tasks), is_provably_dead)
    troubles = list(_troubles(at_work, tasks, told["findings"]))
    return {
        "at": now,
        "config": str(desk.config.path),
        "database": mask_url(desk.config.database_url()),
        "healthy": not troubles,
        "troubles": troubles,
        "at_work": at_work,
        "tasks": tasks,
        **{name: told[name] for name in ("in_flight", "open_batches", "waiting", "reasons", "findings")},
    }


def _ledger_facts(desk: Desk, task: str | None, connection: Any) -> Facts:
    now = clock(connection, desk.database.dialect)
    return {
        "at": now,
        "known": task_facts(connection, task),
        "recent": recent_facts(connection, now),
        "in_flight": in_flight_facts(connection, task),
        "open_batches": batch_facts(connection, task=task, most=_MOST_BATCHES, only_open=True),
        "waiting": waiting_facts(connection, task),
        "reasons": [_explained(one) for one in reason_facts(connection, task)],
        "findings": sorted(finding_facts(connection), key=lambda one: (one["priority"], one["since"])),
        "leases": lease_facts(connection),
        "processes": process_facts(connection),
        "last_move": last_move(connection),
    }


def _explained(reason: Facts) -> Facts:
    rule = RULES[Outcome(reason["outcome"])] if reason["outcome"] else None
    meaning = rule.meaning if rule else "held by a person"
    return reason | {"meaning": meaning, "next_command": f"batchd failures --task {reason['task']}"}


def _not_in(known: Sequence[Facts], desk: Desk, task: str | None) -> list[str]:
    names = {facts["task"] for facts in known}
    return [name for name in desk.config.tasks if name not in names and task in (None, name)]


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
    figures = ("batches", "open_batches", "held_batches", "input_tokens", "output_tokens", "unpriced_requests")
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


def _with_pace(task: Facts, recent: Mapping[str, Any], now: dt.datetime) -> Facts:
    # What batches that are still being written have cost is not in their own row yet.
    so_far = {name: task[name] + more for name, more in recent.get("open", {}).items()}
    return task | so_far | {"cost_usd_today": recent["cost_usd_today"], "pace": pace(task, recent["applied"], now)}


def _signs(desk: Desk, told: Facts, tasks: Sequence[Facts]) -> Signs:
    now, daemon = told["at"], desk.config.daemon
    looks = [one["last_look"] for one in told["in_flight"]]
    sweeps = [one["backlog_at"] for one in tasks]
    signs = [one for one in (*looks, *sweeps, told["last_move"]) if one is not None]
    due = [overdue(one["look_due"], now, daemon.check_interval) for one in told["in_flight"]]
    due += [_unswept(desk, one, now) for one in tasks]
    return Signs(
        now=now,
        leases=told["leases"],
        processes=told["processes"],
        lease_seconds=daemon.lease,
        last_sign=max(signs, default=None),
        due_since=min((one for one in due if one is not None), default=None),
        waits=any(one["open_batches"] or one["backlog"] or one["rows"]["retry"] for one in tasks),
    )


def _unswept(desk: Desk, task: Facts, now: dt.datetime) -> dt.datetime | None:
    """Since when rows wait that a daemon would have claimed by now."""
    configured = desk.config.tasks.get(task["task"])
    if configured is None or configured.cron or task["paused"] or task["open_batches"]:
        return None
    return overdue(task["backlog_at"], now, max(configured.every, _A_DAY)) if task["backlog"] else None


def _troubles(at_work: Facts, tasks: Sequence[Facts], findings: Sequence[Facts]) -> Iterator[Facts]:
    """What keeps a ledger from being called healthy, the worst first; each with the next command."""
    if at_work["next_command"]:
        yield {"what": at_work["sentence"].partition(":")[0], "next_command": at_work["next_command"]}
    if findings:
        first = findings[0]["next_command"]
        yield {"what": f"{plural(len(findings), 'finding needs', 'findings need')} a person", "next_command": first}
    for task in tasks:
        if "backlog_error" in task:
            command = f"batchd check-config --task {task['task']}"
            yield {"what": f"the backlog of {task['task']} cannot be counted", "next_command": command}
