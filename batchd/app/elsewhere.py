"""A task's ``[write]`` table, held against its own: the same rows are named there, and can be written there."""

from collections.abc import Callable, Iterator
from functools import partial

from batchd.config.tasks import TaskConfig
from batchd.core.schema import ColumnInfo
from batchd.core.tasks import Target
from batchd.errors import ConfigError
from batchd.store.source import SourceTable

Check = tuple[tuple[str, ...], Callable[[], object]]


def target_of(task: TaskConfig, written: SourceTable) -> Target | None:
    """Where the answers go, resolved; None where that is the task's own table."""
    if task.write is None:
        return None
    return Target(
        table=task.write.table,
        table_schema=task.write.table_schema,
        key=tuple(written.key_columns(task.written_key)),
        mode=task.write.mode,
    )


def target_checks(task: TaskConfig, source: SourceTable, written: SourceTable) -> Iterator[Check]:
    """What is looked at, each behind the keys of the task's table that it is about; each raises ConfigError."""
    if task.write is None:
        return
    key = ("write", "key" if task.write.key else "table")
    yield key, partial(_check_key, task, source, written)
    if task.write.mode == "insert":
        yield ("write", "table"), partial(_check_new_row, task, source, written)


def _check_new_row(task: TaskConfig, source: SourceTable, written: SourceTable) -> None:
    columns = [*task.written_key, *(column for _, column in task.answer_columns), *task.on_success]
    for column in columns:
        written.column_named(column)
    for own, there in zip(task.key, task.written_key, strict=True):
        _check_room(own, source.column_named(own), there, written.column_named(there))
    written.check_filled(columns)
    # All at once: MariaDB would miss the others in a row of one column.
    written.check_addable(columns)


def _check_room(own: str, given: ColumnInfo, there: str, taking: ColumnInfo) -> None:
    if taking.max_length is None or taking.encoding != given.encoding:
        return
    if given.max_length is None or given.max_length > taking.max_length:
        longest = "text of any length" if given.max_length is None else f"up to {given.max_length}"
        raise ConfigError(
            f"column {there} takes texts of up to {taking.max_length}, but {own} of the task's key has {longest}: "
            "rows could not be added after their answers were paid for",
            next_command=f"make column {there} as long as {own}",
        )


def _check_key(task: TaskConfig, source: SourceTable, written: SourceTable) -> None:
    own, other = source.key_columns(task.key), written.key_columns(task.written_key)
    for one, there in zip(own, other, strict=True):
        if one.kind != there.kind:
            raise ConfigError(
                f"column {there.name} holds {there.kind} values, but {one.name} of the task's key {one.kind} values",
                next_command="name columns of the same type in key = [...]",
            )
        if one.equality != there.equality:
            raise ConfigError(
                f"column {there.name} compares text otherwise ({there.equality}) than {one.name} of the task's key "
                f"({one.equality}): two rows of one table could be one of the other",
                next_command="give both columns the same collation",
            )
    source.check_comparable(own, written, other)
    if not written.check_unique(task.written_key) and task.write is not None and task.write.mode == "insert":
        raise ConfigError(
            f"no unique index keeps {', '.join(task.written_key)} unique, so a row could be added twice",
            next_command="CREATE UNIQUE INDEX … over these columns",
        )
