"""Checks of one task by itself: its prompt, its schedule, its answer, and the columns it writes."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from batchd.config.answer_checks import answer_problems
from batchd.config.locator import KeyPath
from batchd.config.problems import Problem
from batchd.config.tasks import TaskConfig


def task_problems(name: str, task: TaskConfig) -> Iterator[Problem]:
    """What is wrong with a task, whatever the rest of the config says."""
    for problem in _all_checks(task):
        yield Problem(("tasks", name, *problem.path), problem.sentence)


def written_columns(task: TaskConfig) -> tuple[tuple[tuple[str, ...], str], ...]:
    """Each column the task writes, behind the keys of its table that name it."""
    return (*task.answer_columns, *((("on_success", column), column) for column in task.on_success))


def _all_checks(task: TaskConfig) -> Iterator[Problem]:
    yield from _prompt(task)
    yield from _params(task)
    yield from _schedule(task)
    yield from _sizes(task)
    yield from _answer(task)
    yield from _written(task)
    yield from _elsewhere(task)


def _prompt(task: TaskConfig) -> Iterator[Problem]:
    if task.prompt is None and task.prompt_file is None:
        yield Problem((), "says no prompt; write prompt = … or prompt_file = …")
    if task.prompt is not None and task.prompt_file is not None:
        yield Problem(("prompt_file",), "prompt is there too; keep one of them")
    yield from _file_is_there("prompt_file", task.prompt_file)


def _file_is_there(key: str, path: Path | None) -> Iterator[Problem]:
    if path is not None and not path.is_file():
        yield Problem((key,), f"there is no file {path}")


def _params(task: TaskConfig) -> Iterator[Problem]:
    for key, value in task.params.items():
        if not _is_json(value):
            yield Problem(("params", key), "can't be sent as JSON: dates, inf and nan are not part of it")


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_json, value.values()))
    if isinstance(value, list):
        return all(map(_is_json, value))
    return math.isfinite(value) if isinstance(value, float) else isinstance(value, str | int)


def _schedule(task: TaskConfig) -> Iterator[Problem]:
    if task.cron is not None and "every" in task.model_fields_set:
        yield Problem(("cron",), "every is there too; keep one of them")


def _sizes(task: TaskConfig) -> Iterator[Problem]:
    if task.min_batch_size > task.batch_size:
        yield Problem(("min_batch_size",), f"is more than batch_size ({task.batch_size})")
    if task.min_batch_size > 1 and task.max_wait is None:
        yield Problem(("min_batch_size",), 'needs max_wait, such as "1h", or the last few rows would wait for ever')
    if task.min_batch_size == 1 and task.max_wait is not None:
        yield Problem(("max_wait",), "has no effect without min_batch_size")


def _answer(task: TaskConfig) -> Iterator[Problem]:
    yield from answer_problems(task)
    yield from _file_is_there("schema_file", task.schema_file)


def _written(task: TaskConfig) -> Iterator[Problem]:
    first: dict[str, KeyPath] = {}
    for keys, column in written_columns(task):
        folded = column.casefold()
        if folded in first:
            yield Problem(keys, f"column {column} is written twice by this task")
        first[folded] = keys
        if folded in {key.casefold() for key in task.written_key}:
            yield Problem(keys, f"column {column} is part of the key, which may not change")
        if task.write is None and task.guard_column is not None and folded == task.guard_column.casefold():
            yield Problem(keys, f"column {column} is the guard_column, which the database changes by itself")


def _elsewhere(task: TaskConfig) -> Iterator[Problem]:
    if task.write is None:
        return
    if task.written_table == (task.table_schema, task.table):
        yield Problem(("write", "table"), "is the task's own table; leave [write] out")
    if task.write.key is not None and len(task.write.key) != len(task.key):
        yield Problem(("write", "key"), f"names {len(task.write.key)} columns, but the task's key has {len(task.key)}")
    if task.guard_column is not None:
        yield Problem(("guard_column",), "saves nothing where answers go to another table; leave it out")
