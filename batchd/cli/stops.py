"""What keeps tasks from being claimed for until a person has looked."""

from collections.abc import Collection

from batchd.cli.place import Desk
from batchd.core.findings import CLAIMING_STOPS
from batchd.ports import ConfiguredTask
from batchd.store.reading import Facts, ask, finding_facts


def claiming_stops(desk: Desk, tasks: Collection[ConfiguredTask]) -> list[Facts]:
    """The open findings about these tasks, their vendors or the spool that stop claiming."""
    subjects = [f"task {task.definition.name}" for task in tasks]
    subjects += ["spool", "batch"]
    subjects += [f"vendor {task.definition.vendor}" for task in tasks]
    return [
        one
        for one in ask(desk.database, finding_facts)
        if one["kind"] in CLAIMING_STOPS and any(f"{one['subject']} ".startswith(f"{about} ") for about in subjects)
    ]
