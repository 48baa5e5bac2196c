"""What rights a task needs: from the config, and from the table where it can be looked at already."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from batchd.app.workplace import database_of
from batchd.config import Config
from batchd.config.tasks import TaskConfig
from batchd.core.rendering import template_columns
from batchd.errors import ConfigError, DatabaseError
from batchd.store.grants import TaskTable
from batchd.store.opening import Database
from batchd.store.reading import ask
from batchd.store.source import SourceTable


@dataclass(frozen=True, slots=True)
class TaskRights:
    """A task's table with the columns it needs, and sentences about what could not be known."""

    table: TaskTable
    notes: tuple[str, ...]


def rights_of(config: Config, name: str) -> TaskRights:
    """The columns a task reads and writes. Needs no rights on the table. Raises ConfigError."""
    if name not in config.tasks:
        known = ", ".join(config.tasks) or "none"
        raise ConfigError(f"there is no task {name!r} in {config.path}", next_command=f"tasks here: {known}")
    task = config.tasks[name]
    written = dict.fromkeys([*(column for _, column in task.answer_columns), *task.on_success])
    columns, notes = _looked_at(config, task) if task.pending else ((), [])
    read = dict.fromkeys(
        [
            *task.key,
            *template_columns(config.prompt(name), task.system),
            *([task.guard_column] if task.guard_column else []),
            *task.pending_columns,
            *(column for column in columns if _has_word(task.pending or "", column)),
            # What was there is compared before it is overwritten, and kept.
            *written,
        ]
    )
    if _has_word(task.pending or "", "select"):
        notes.append("pending asks another table: GRANT SELECT on what it reads there too")
    return TaskRights(TaskTable(task.table, task.table_schema, tuple(read), tuple(written)), tuple(notes))


def _looked_at(config: Config, task: TaskConfig) -> tuple[Sequence[str], list[str]]:
    """The table's columns, or none and why: whoever has no rights yet asks for them here."""
    try:
        database = database_of(config)
        try:
            return ask(database, lambda connection: _columns(connection, database, task)), []
        finally:
            database.engine.dispose()
    except (ConfigError, DatabaseError) as error:
        remedy = "" if task.pending_columns else "; name them in pending_columns"
        missing = "SELECT may be missing on columns that only pending reads"
        return (), [f"the table could not be looked at ({error.message}), so {missing}{remedy}"]


def _columns(connection: Any, database: Database, task: TaskConfig) -> tuple[str, ...]:
    return tuple(SourceTable(connection, database.dialect, task.table, task.table_schema).columns)


def _has_word(text: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None
