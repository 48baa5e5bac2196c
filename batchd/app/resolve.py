"""A configured task, resolved against its table: names checked, key kinds and column lengths read."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from batchd.config import Config
from batchd.config.tasks import TaskConfig
from batchd.core import schema
from batchd.core.bodies import RequestBuilder
from batchd.core.rendering import check_columns, template_columns
from batchd.core.strict_schema import lint
from batchd.core.tasks import AnswerSpec, KeyColumn, TaskDefinition
from batchd.errors import ConfigError
from batchd.ports import ConfiguredTask
from batchd.store.opening import Database
from batchd.store.source import SourceTable

T = TypeVar("T")


def resolve_tasks(config: Config, database: Database, only: str | None) -> dict[str, ConfiguredTask]:
    """The tasks of the config, or the one asked for. Raises ConfigError with the place in the file."""
    if only is not None and only not in config.tasks:
        known = ", ".join(config.tasks) or "none"
        raise ConfigError(f"there is no task {only!r} in {config.path}", next_command=f"tasks here: {known}")
    return {name: resolve_task(config, database, name) for name in config.tasks if only in (None, name)}


def resolve_task(config: Config, database: Database, name: str) -> ConfiguredTask:
    """One task. Raises ConfigError with the place in the file."""
    task = config.tasks[name]
    with database.engine.connect() as connection:
        source = _at(
            config,
            name,
            "table",
            lambda: SourceTable(connection, database.dialect, task.table, task.table_schema),
        )
        key = _at(config, name, "key", lambda: source.key_columns(task.key))
        _at(config, name, "key", lambda: source.check_unique(task.key))
        _at(config, name, "pending", lambda: source.check_pending(task.pending))
        for column in _plain_columns(task):
            _at(config, name, column[0], partial(source.column_named, column[1]))
        answer = _at(config, name, _answer_setting(task), lambda: _answer(config, name, source))
        definition = _definition(config, name, key, _inputs(config, name, source), answer)
    _at(config, name, "params", lambda: RequestBuilder(definition))
    return ConfiguredTask(
        definition,
        formerly=task.formerly,
        batch_size=task.batch_size,
        max_open_batches=task.max_open_batches,
        min_batch_size=task.min_batch_size,
        max_wait=task.max_wait,
    )


def check_schema(config: Config, name: str, answer: AnswerSpec) -> None:
    """Holds an answer's schema against the vendor's strict rules. Raises ConfigError naming each path."""
    problems = lint(answer.json_schema, answer.name) if answer.json_schema is not None else []
    if problems:
        listed = "; ".join(f"{one.path or '/'}: {one.message}" for one in problems)
        setting = _answer_setting(config.tasks[name])
        raise config.error(f"the vendor would refuse this schema: {listed}", "tasks", name, setting)


def _at(config: Config, task: str, setting: str, look: Callable[[], T]) -> T:
    """Runs a check, and gives its error the place in the config that it is about."""
    try:
        return look()
    except ConfigError as error:
        if error.where:
            raise
        raise config.error(error.message, "tasks", task, setting, next_command=error.next_command) from error


def _plain_columns(task: TaskConfig) -> Iterable[tuple[str, str]]:
    yield from (("pending_columns", column) for column in task.pending_columns)
    yield from (("on_success", column) for column in task.on_success)
    if task.guard_column is not None:
        yield "guard_column", task.guard_column


def _answer_setting(task: TaskConfig) -> str:
    return "fields" if task.fields is not None else "columns" if task.columns is not None else "text_column"


def _answer(config: Config, name: str, source: SourceTable) -> AnswerSpec:
    task = config.tasks[name]
    if task.fields is not None:
        answer = schema.answer_from_fields(task.fields)
    elif task.columns is not None:
        answer = schema.answer_from_schema(config.answer_schema(name) or {}, task.columns)
    elif task.text_column is not None:
        answer = schema.plain_text_answer(task.text_column.column, too_long=task.text_column.too_long)
    else:
        raise ConfigError("a task needs fields, schema_file with columns, or text_column")
    for write in answer.columns:
        source.column_named(write.column)
    check_schema(config, name, answer)
    return schema.with_columns(answer, source.columns)


def _inputs(config: Config, name: str, source: SourceTable) -> tuple[str, ...]:
    task = config.tasks[name]
    setting = "prompt" if task.prompt_file is None else "prompt_file"
    used = _at(config, name, setting, lambda: template_columns(config.prompt(name), task.system))
    _at(config, name, setting, lambda: check_columns(used, source.columns))
    return used


def _definition(
    config: Config, name: str, key: list[KeyColumn], inputs: tuple[str, ...], answer: AnswerSpec
) -> TaskDefinition:
    task = config.tasks[name]
    return TaskDefinition(
        name=name,
        vendor=task.vendor,
        table=task.table,
        table_schema=task.table_schema,
        key=tuple(key),
        pending=task.pending,
        pending_columns=task.pending_columns,
        guard_column=task.guard_column,
        inputs=inputs,
        endpoint=task.endpoint,
        model=task.model,
        params=task.params,
        system=task.system,
        prompt=config.prompt(name),
        null_input=task.null_input,
        answer=answer,
        on_success=task.on_success,
        max_attempts=task.max_attempts,
        max_resends=task.max_resends,
        retry_delay=task.retry_delay,
    )
