"""A configured task, resolved against its table: names checked, key kinds and column lengths read."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from batchd.app.elsewhere import target_checks, target_of
from batchd.app.needs import needs_of
from batchd.config import Config
from batchd.config.tasks import TaskConfig
from batchd.core import schema
from batchd.core.bodies import RequestBuilder
from batchd.core.markers import check_marker
from batchd.core.rendering import check_columns, template_columns
from batchd.core.strict_schema import lint
from batchd.core.tasks import AnswerSpec, TaskDefinition
from batchd.errors import ConfigError, DatabaseError
from batchd.ports import ConfiguredTask
from batchd.store.opening import Database
from batchd.store.reading import ask
from batchd.store.source import SourceTable

T = TypeVar("T")
# SQLAlchemy's connection, which only the store knows by name.
Connection = Any
_ANSWER_SETTINGS = ("fields", "columns", "vector_column", "text_column")


def resolve_tasks(
    config: Config, database: Database, only: str | None
) -> tuple[dict[str, ConfiguredTask], dict[str, ConfigError]]:
    """The tasks of the config that fit their tables, or the one asked for; and why the others don't.

    Raises:
        ConfigError: with the place in the file, where none of them fits.
    """
    if only is not None and only not in config.tasks:
        known = ", ".join(config.tasks) or "none"
        raise ConfigError(f"there is no task {only!r} in {config.path}", next_command=f"tasks here: {known}")
    tasks, unfit = {}, {}
    for name in config.tasks if only is None else (only,):
        try:
            tasks[name] = resolve_task(config, database, name)
        except ConfigError as error:
            unfit[name] = error
    if unfit and not tasks:
        raise next(iter(unfit.values()))
    return tasks, unfit


def resolve_task(config: Config, database: Database, name: str) -> ConfiguredTask:
    """One task. Raises ConfigError with the place in the file, DatabaseError."""
    task = config.tasks[name]
    definition = ask(database, lambda connection: _resolved(config, database, connection, name))
    _at(config, name, ("params",), lambda: RequestBuilder(definition))
    return ConfiguredTask(
        definition,
        formerly=task.formerly,
        batch_size=task.batch_size,
        max_open_batches=task.max_open_batches,
        min_batch_size=task.min_batch_size,
        max_wait=task.max_wait,
        weight=task.weight,
        created_column=task.created_column,
    )


def task_problems(config: Config, database: Database, name: str) -> list[ConfigError | DatabaseError]:
    """Everything about a task that does not fit its table, where :func:`resolve_task` stops at the first."""

    def look(connection: Connection) -> list[ConfigError | DatabaseError]:
        try:
            source = _source(config, database, connection, name)
            written = _written_to(config, database, connection, name, source)
            _check_tables(config, name, source, written)
        except (ConfigError, DatabaseError) as error:
            return [error]
        found = (_error_of(check) for check in _checks(config, name, source, written))
        return [problem for problem in found if problem is not None]

    return ask(database, look)


def _resolved(config: Config, database: Database, connection: Connection, name: str) -> TaskDefinition:
    source = _source(config, database, connection, name)
    written = _written_to(config, database, connection, name, source)
    _check_tables(config, name, source, written)
    for check in _checks(config, name, source, written):
        check()
    answer = _at(
        config,
        name,
        (_answer_setting(config.tasks[name]),),
        lambda: schema.with_columns(_answer(config, name), written.columns),
    )
    return _definition(config, name, source, written, answer)


def _source(config: Config, database: Database, connection: Connection, name: str) -> SourceTable:
    task = config.tasks[name]
    return _at(
        config,
        name,
        ("table",),
        lambda: SourceTable(connection, database.dialect, task.table, task.table_schema),
    )


def _written_to(
    config: Config, database: Database, connection: Connection, name: str, source: SourceTable
) -> SourceTable:
    """The table that answers go to; the task's own where it says no other."""
    write = config.tasks[name].write
    if write is None:
        return source
    return _at(
        config,
        name,
        ("write", "table"),
        lambda: SourceTable(connection, database.dialect, write.table, write.table_schema),
    )


def _check_tables(config: Config, name: str, source: SourceTable, written: SourceTable) -> None:
    """What the tables themselves must allow. Without it, whatever else is asked would be refused for that reason."""
    _at(config, name, ("table",), source.check_usable)
    if written is not source:
        _at(config, name, ("write", "table"), written.check_usable)
    own, target = needs_of(config, name, tuple(source.columns), tuple(written.columns))
    for table, needed in ((source, own), (written, target)):
        if needed is not None:
            table.check_rights({"SELECT": needed.read, needed.verb: needed.written})


def _error_of(check: Callable[[], object]) -> ConfigError | DatabaseError | None:
    try:
        check()
    except (ConfigError, DatabaseError) as error:
        return error
    return None


def _checks(config: Config, name: str, source: SourceTable, written: SourceTable) -> Iterator[Callable[[], object]]:
    """What is looked at, one thing after another; each raises ConfigError with its place."""
    task = config.tasks[name]
    yield partial(_at, config, name, ("key",), partial(_check_key, source, task.key))
    yield partial(_at, config, name, ("pending",), partial(source.check_pending, task.pending))
    yield from (partial(_at, config, name, path, check) for path, check in _plain_columns(task, source))
    for path, column in _written(task):
        yield partial(_at, config, name, path, partial(written.column_named, column))
    for column, marker in task.on_success.items():
        if column in written.columns:
            look = partial(check_marker, column, marker, written.columns[column])
            yield partial(_at, config, name, ("on_success", column), look)
    updated = [(path, column) for path, column in _written(task) if column in written.columns]
    if (task.write is None or task.write.mode == "update") and not _takes_all(written, [name for _, name in updated]):
        for path, column in updated:
            yield partial(_at, config, name, path, partial(written.check_writable, [column]))
    yield from (partial(_at, config, name, path, check) for path, check in target_checks(task, source, written))
    yield partial(_check_answer, config, name)
    used: list[str] = []
    yield lambda: used.extend(_inputs(config, name))
    # Filled by now: each check is run before the next is asked for.
    for column in used:
        yield partial(_at, config, name, (_prompt_setting(task),), partial(_check_input, source, column))


def _takes_all(written: SourceTable, columns: Sequence[str]) -> bool:
    """One question where every column can be written."""
    return _error_of(partial(written.check_writable, columns)) is None


def _check_input(source: SourceTable, column: str) -> None:
    check_columns([column], source.columns)
    source.column_named(column)


def _check_key(source: SourceTable, names: Sequence[str]) -> None:
    source.key_columns(names)
    source.check_unique(names)


def _check_answer(config: Config, name: str) -> None:
    setting = _answer_setting(config.tasks[name])
    check_schema(config, name, _at(config, name, (setting,), lambda: _answer(config, name)))


def check_schema(config: Config, name: str, answer: AnswerSpec) -> None:
    """Holds an answer's schema against the vendor's strict rules. Raises ConfigError naming each path."""
    problems = lint(answer.json_schema, answer.name) if answer.json_schema is not None else []
    if problems:
        listed = "; ".join(f"{one.path or '/'}: {one.message}" for one in problems)
        setting = _answer_setting(config.tasks[name])
        raise config.error(f"the vendor would refuse this schema: {listed}", "tasks", name, setting)


def _at(config: Config, task: str, path: Sequence[str], look: Callable[[], T]) -> T:
    """Runs a check, and gives its error the place in the config that it is about."""
    try:
        return look()
    except ConfigError as error:
        if error.where:
            raise
        raise config.error(error.message, "tasks", task, *path, next_command=error.next_command) from error


def _plain_columns(task: TaskConfig, source: SourceTable) -> Iterator[tuple[tuple[str, ...], Callable[[], object]]]:
    """Columns of the task's table that are only read, each with how it is looked at."""
    yield from ((("pending_columns",), partial(source.column_named, column)) for column in task.pending_columns)
    if task.guard_column is not None:
        yield ("guard_column",), partial(source.column_named, task.guard_column)
    if task.created_column is not None:
        yield ("created_column",), partial(source.check_time, task.created_column)


def _written(task: TaskConfig) -> Iterator[tuple[tuple[str, ...], str]]:
    yield from ((("on_success", column), column) for column in task.on_success)
    yield from task.answer_columns


def _answer_setting(task: TaskConfig) -> str:
    return next(key for key in _ANSWER_SETTINGS if getattr(task, key) is not None)


def _prompt_setting(task: TaskConfig) -> str:
    return "prompt" if task.prompt_file is None else "prompt_file"


def _answer(config: Config, name: str) -> AnswerSpec:
    """What is asked for, before the columns' own lengths and kinds are known."""
    task = config.tasks[name]
    if task.fields is not None:
        return schema.answer_from_fields(task.fields)
    if task.vector_column is not None:
        expected = task.vector_column.dimensions or task.params.get("dimensions")
        return schema.vector_answer(task.vector_column.column, expected)
    if task.columns is not None and task.endpoint == "/v1/moderations":
        return schema.moderation_answer(task.columns)
    if task.columns is not None:
        return schema.answer_from_schema(config.answer_schema(name) or {}, task.columns)
    if task.text_column is not None:
        return schema.plain_text_answer(task.text_column.column, too_long=task.text_column.too_long)
    raise ConfigError("a task needs fields, schema_file with columns, text_column, or vector_column")


def _inputs(config: Config, name: str) -> tuple[str, ...]:
    task = config.tasks[name]
    return _at(
        config,
        name,
        (_prompt_setting(task),),
        lambda: template_columns(config.prompt(name), task.system),
    )


def _definition(
    config: Config, name: str, source: SourceTable, written: SourceTable, answer: AnswerSpec
) -> TaskDefinition:
    task = config.tasks[name]
    markers = {
        column: marker.model_copy(update={"zoned": written.columns[column].zoned})
        for column, marker in task.on_success.items()
    }
    return TaskDefinition(
        name=name,
        vendor=task.vendor,
        table=task.table,
        table_schema=task.table_schema,
        key=tuple(source.key_columns(task.key)),
        pending=task.pending,
        pending_columns=task.pending_columns,
        guard_column=task.guard_column,
        target=target_of(task, written),
        inputs=_inputs(config, name),
        endpoint=task.endpoint,
        model=task.model,
        params=task.params,
        system=task.system,
        prompt=config.prompt(name),
        null_input=task.null_input,
        answer=answer,
        on_success=markers,
        max_attempts=task.max_attempts,
        max_resends=task.max_resends,
        retry_delay=task.retry_delay,
    )
