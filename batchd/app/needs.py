"""Which columns a task reads and writes, by its config alone."""

import re
from collections.abc import Sequence

from batchd.config import Config
from batchd.config.tasks import TaskConfig
from batchd.config.write import WriteConfig
from batchd.core.rendering import template_columns
from batchd.store.grants import TaskTable


def needs_of(
    config: Config, name: str, columns: Sequence[str], target_columns: Sequence[str]
) -> tuple[TaskTable, TaskTable | None]:
    """The task's table, and the one that its answers go to where that is another, with the columns it needs.

    Args:
        config: with the task.
        name: of the task.
        columns: those of the task's table, for which ``pending`` is looked through; none where they are not known.
        target_columns: the same of the table that the answers go to.

    Raises:
        ConfigError: the prompt cannot be read.
    """
    task = config.tasks[name]
    written = tuple(dict.fromkeys([*(column for _, column in task.answer_columns), *task.on_success]))
    read = dict.fromkeys(
        [
            *task.key,
            *template_columns(config.prompt(name), task.system),
            *(column for column in (task.guard_column, task.created_column) if column),
            *task.pending_columns,
            *_named(task, columns),
            # What was there is compared before it is overwritten, and kept.
            *(() if task.write else written),
        ]
    )
    own = TaskTable(task.table, task.table_schema, tuple(read), () if task.write else written)
    return own, _target(task.write, (*task.written_key, *_named(task, target_columns)), task.written_key, written)


def _named(task: TaskConfig, columns: Sequence[str]) -> list[str]:
    return [column for column in columns if has_word(task.pending or "", column)]


def has_word(text: str, word: str) -> bool:
    """Whether a word stands in SQL, however it is quoted there."""
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


def _target(
    write: WriteConfig | None, read: Sequence[str], key: tuple[str, ...], written: tuple[str, ...]
) -> TaskTable | None:
    if write is None:
        return None
    if write.mode == "insert":
        return TaskTable(write.table, write.table_schema, tuple(dict.fromkeys(read)), (*key, *written), "INSERT")
    return TaskTable(write.table, write.table_schema, tuple(dict.fromkeys([*read, *written])), written)
