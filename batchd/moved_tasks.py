"""Rows in work, or done, that a task, as it is configured now, would not know for its own, and would pay for again."""

from collections.abc import Collection

from batchd.core.model import TaskRecord
from batchd.core.tasks import TaskDefinition
from batchd.ports import Ledger


def moved_from(
    ledger: Ledger, record: TaskRecord | None, definition: TaskDefinition, configured: Collection[str]
) -> str:
    """What must not be claimed over, and the way out, as a sentence; empty where there is nothing.

    Args:
        ledger: where the rows in work are.
        record: the task as the ledger knows it, None where it does not.
        definition: the task as it is configured.
        configured: names of all tasks in the config.
    """
    if record is not None and record.fingerprint != definition.fingerprint and ledger.tasks.has_open_work(record.id):
        return (
            "its table, its key or the table it writes to changed while rows are in work; put them back in the config "
            "until batchd status shows no row of it in flight, waiting, failed or held"
        )
    known = {*configured, definition.name, *([record.name] if record is not None else [])}
    for other in ledger.tasks.all():
        if other.name in known or not _same_job(ledger, other, definition):
            continue
        way_out = f'say formerly = "{other.name}" in [tasks.{definition.name}]'
        if ledger.tasks.has_open_work(other.id):
            return f"rows are in work for task {other.name}, which the config lacks; {way_out}"
        if ledger.tasks.remembers_rows(other.id):
            return f"rows that task {other.name} is done with would be asked, and paid for, again; {way_out}"
    return ""


def _same_job(ledger: Ledger, other: TaskRecord, definition: TaskDefinition) -> bool:
    """Under another key too: it is the same rows that would be written."""
    return any(
        former.written_table.lower() == definition.written_table.lower()
        and set(former.outputs) & set(definition.outputs)
        for former in ledger.tasks.definitions(other)
    )
