"""What rights a task needs: from the config, and from the table where it can be looked at already."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from batchd.app.needs import has_word, needs_of
from batchd.app.workplace import database_of
from batchd.config import Config
from batchd.config.tasks import TaskConfig
from batchd.errors import ConfigError, DatabaseError
from batchd.store.grants import TaskTable
from batchd.store.opening import Database
from batchd.store.reading import ask
from batchd.store.source import SourceTable


@dataclass(frozen=True, slots=True)
class TaskRights:
    """A task's tables with the columns it needs, and sentences about what could not be known.

    ``target`` is the table that answers go to, where that is not the task's own.
    """

    table: TaskTable
    notes: tuple[str, ...]
    target: TaskTable | None = None


def rights_of(config: Config, name: str) -> TaskRights:
    """The columns a task reads and writes. Needs no rights on the table. Raises ConfigError."""
    if name not in config.tasks:
        known = ", ".join(config.tasks) or "none"
        raise ConfigError(f"there is no task {name!r} in {config.path}", next_command=f"tasks here: {known}")
    task = config.tasks[name]
    (columns, target_columns), notes = _looked_at(config, task) if task.pending else (((), ()), [])
    own, target = needs_of(config, name, columns, target_columns)
    if has_word(task.pending or "", "select"):
        notes.append("pending asks another table: GRANT SELECT on what it reads there too")
    return TaskRights(own, tuple(notes), target)


def _looked_at(config: Config, task: TaskConfig) -> tuple[tuple[Sequence[str], Sequence[str]], list[str]]:
    """The columns of the task's table and of the written one, or none and why: who has no rights yet asks here."""
    try:
        database = database_of(config)
        try:
            return ask(database, lambda connection: _columns(connection, database, task)), []
        finally:
            database.engine.dispose()
    except (ConfigError, DatabaseError) as error:
        remedy = "" if task.pending_columns else "; name them in pending_columns"
        missing = "SELECT may be missing on columns that only pending reads"
        return ((), ()), [f"the table could not be looked at ({error.message}), so {missing}{remedy}"]


def _columns(connection: Any, database: Database, task: TaskConfig) -> tuple[Sequence[str], Sequence[str]]:
    own = tuple(SourceTable(connection, database.dialect, task.table, task.table_schema).columns)
    if task.write is None:
        return own, own
    return own, tuple(SourceTable(connection, database.dialect, task.write.table, task.write.table_schema).columns)
