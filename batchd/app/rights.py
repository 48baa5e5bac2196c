"""What rights a task needs: from the config, and from the table where it can be looked at already."""

from dataclasses import dataclass
from typing import Any

from batchd.app.needs import has_word, needs_of
from batchd.app.workplace import opened_database
from batchd.config import Config
from batchd.config.tasks import TaskConfig
from batchd.errors import ConfigError, DatabaseError, UsageError
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


_Needed = tuple[TaskTable, TaskTable | None]


def rights_of(config: Config, name: str) -> TaskRights:
    """The columns a task reads and writes. Needs no rights on the table. Raises UsageError."""
    if name not in config.tasks:
        known = ", ".join(config.tasks) or "none"
        raise UsageError(f"there is no task {name!r} in {config.path}", next_command=f"tasks here: {known}")
    (own, target), notes = _looked_at(config, name)
    if has_word(config.tasks[name].pending or "", "select"):
        notes.append("pending asks another table: GRANT SELECT on what it reads there too")
    return TaskRights(own, tuple(notes), target)


def _looked_at(config: Config, name: str) -> tuple[_Needed, list[str]]:
    """What the task needs, by the tables themselves where they may be seen, and what stays unknown otherwise.

    Who has no rights yet asks here.
    """
    try:
        with opened_database(config) as database:
            return ask(database, lambda connection: _needed(config, name, database, connection)), []
    except (ConfigError, DatabaseError) as error:
        return needs_of(config, name, (), ()), _unknown(config.tasks[name], error)


def _needed(config: Config, name: str, database: Database, connection: Any) -> _Needed:
    task = config.tasks[name]
    source = SourceTable(connection, database.dialect, task.table, task.table_schema)
    if task.write is None:
        own, _ = needs_of(config, name, tuple(source.columns), ())
        return source.with_masks(own), None
    written = SourceTable(connection, database.dialect, task.write.table, task.write.table_schema)
    own, target = needs_of(config, name, tuple(source.columns), tuple(written.columns))
    return source.with_masks(own), target and written.with_masks(target)


def _unknown(task: TaskConfig, error: ConfigError | DatabaseError) -> list[str]:
    if not task.pending:
        return []
    remedy = "" if task.pending_columns else "; name them in pending_columns"
    missing = "SELECT may be missing on columns that only pending reads"
    return [f"the table could not be looked at ({error.message}), so {missing}{remedy}"]
