"""What keeps tasks from being claimed for until a person has looked."""

from collections.abc import Collection
from functools import partial

from batchd.cli.place import Desk
from batchd.core.findings import CLAIMING_STOPS
from batchd.ports import ConfiguredTask, Ledger
from batchd.store.reading import Facts, ask, finding_facts


def claiming_stops(desk: Desk, tasks: Collection[ConfiguredTask]) -> list[Facts]:
    """The open findings about these tasks, their vendors or the spool that stop claiming."""
    subjects = [f"task {task.definition.name}" for task in tasks]
    subjects += ["spool", "batch"]
    subjects += [f"vendor {task.definition.vendor}" for task in tasks]
    return [
        one
        for one in ask(desk.database, finding_facts)
        if one["kind"] in CLAIMING_STOPS
        and any(f"{one['subject']} ".startswith(f"{about} ") for about in subjects)
        and not desk.store.read(partial(_goes_on_by_sql, one))
    ]


def _goes_on_by_sql(finding: Facts, ledger: Ledger) -> bool:
    """A billing stop whose pause was ended by an UPDATE: the finding lasts until the vendor takes a batch again."""
    task = ledger.tasks.find(finding["subject"].removeprefix("task ")) if finding["kind"] == "billing-stop" else None
    return task is not None and not task.paused
