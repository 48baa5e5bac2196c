"""Holds a config against its database and tables, all of it, without sending anything."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from batchd.app.accounts import connection_of
from batchd.app.check_ledger import moved_accounts, moved_task
from batchd.app.check_webhooks import webhook_remarks
from batchd.app.messengers import check_command, messengers_of
from batchd.app.remarks import Remark, Report, problem
from batchd.app.resolve import resolve_task, task_problems
from batchd.app.schedules import schedules_of
from batchd.app.workplace import opened_database, prices_of
from batchd.config import AzureVendorConfig, Config, ConfigProblemsError, mask_url
from batchd.core.bodies import RequestBuilder
from batchd.core.rendering import UnrenderableError, compile_prompt
from batchd.core.tasks import TaskDefinition
from batchd.core.verdicts import Usage
from batchd.errors import BatchdError, ConfigError, DatabaseError
from batchd.store import installation, migrate
from batchd.store.missing_rights import missing_on_ledger
from batchd.store.opening import Database
from batchd.store.reading import ask
from batchd.store.source import SourceTable

# SQLAlchemy's connection, which only the store knows by name.
Connection = Any
_SHOWN = 500
_ONE_TOKEN_EACH = Usage(input=1, output=1)


def check_config(config: Config, only: str | None) -> Report:
    """Looks at everything a run would need, of all tasks or of one."""
    report = Report([Remark("ok", "config", f"{config.path} is well formed")])
    report.remarks += [Remark("warning", "config", f"{one.where}: {one.message}") for one in config.warnings]
    names = [name for name in config.tasks if only in (None, name)]
    report.remarks += _vendors(config, names)
    report.remarks += _notify(config)
    report.remarks += webhook_remarks(config)
    with contextlib.ExitStack() as stack:
        try:
            database = stack.enter_context(opened_database(config))
        except BatchdError as error:
            report.remarks.append(problem("database", error))
            return report
        report.remarks += _ledger(config, database)
        for name in names:
            _check_task(config, database, name, report)
    if not names:
        report.remarks.append(Remark("warning", "tasks", "no task is configured", "batchd init --help"))
    return report


def config_problems(error: ConfigError) -> Report:
    """The report on a config that could not be loaded at all."""
    if not isinstance(error, ConfigProblemsError):
        return Report([problem("config", error)])
    return Report([Remark("problem", "config", line, error.next_command, error.exit_code) for line in error.problems])


def _vendors(config: Config, names: list[str]) -> Iterator[Remark]:
    """The keys of vendors that a task uses: whether they can be read, not whether the vendor takes them."""
    for name in dict.fromkeys(config.tasks[task].vendor for task in names):
        vendor = config.vendors[name]
        if vendor.kind == "sandbox":
            continue
        try:
            connection_of(config, name, vendor)
        except ConfigError as error:
            yield problem(f"vendor {name}", error)


def _notify(config: Config) -> Iterator[Remark]:
    """Whether people could be told of findings; nobody is told by this."""
    try:
        ways = messengers_of(config)
        check_command(config)
    except ConfigError as error:
        yield problem("notify", error)
    else:
        if config.notify is not None:
            most = config.notify.min_priority
            which = f"1 to {most}" if most > 1 else "1"
            yield Remark("ok", "notify", f"findings of priority {which} are told by {' and '.join(ways)}")


def _ledger(config: Config, database: Database) -> Iterator[Remark]:
    where = mask_url(config.database_url())
    yield Remark("ok", "database", f"{where} can be opened")
    try:
        version = ask(database, migrate.installed_version)
        if version is None:
            yield Remark("warning", "ledger", "the database has no ledger yet", "batchd db upgrade")
            return
        migrate.check_version(database.engine, database.dialect, database.url)
        installation.check_binding(database.engine, database.dialect, database.url)
    except BatchdError as error:
        yield problem("ledger", error)
    else:
        yield Remark("ok", "ledger", f"version {version}, as this batchd needs it")
        yield from _ledger_rights(database)
        for name, sentence in moved_accounts(config, database):
            yield _moved(f"vendor {name}", sentence)


def _ledger_rights(database: Database) -> Iterator[Remark]:
    missing = ask(database, lambda connection: missing_on_ledger(connection, database.dialect))
    if missing:
        sentence = "the login lacks rights on batchd's own tables"
        yield problem("ledger", DatabaseError(sentence, next_command=f"have a DBA run: {' '.join(missing)}"))


def _check_task(config: Config, database: Database, name: str, report: Report) -> None:
    subject = f"task {name}"
    try:
        trouble = [*task_problems(config, database, name), *_schedule_problems(config, name)]
        report.remarks += [problem(subject, error) for error in trouble]
        if not trouble:
            definition = resolve_task(config, database, name).definition
            _look_at_ledger(config, database, definition, report)
            _look_at_rows(config, database, definition, report)
            report.remarks += unpriced(config, definition)
    except BatchdError as error:
        report.remarks.append(problem(subject, error))


def _look_at_ledger(config: Config, database: Database, definition: TaskDefinition, report: Report) -> None:
    """Without a ledger of the right version nothing is in work that could be told of."""
    if any(remark.subject == "ledger" and remark.level == "ok" for remark in report.remarks):
        moved = moved_task(config, database, definition)
        report.remarks += [_moved(f"task {definition.name}", moved)] if moved else []


def _moved(subject: str, sentence: str) -> Remark:
    return Remark("problem", subject, sentence, "batchd status", ConfigError.exit_code)


def _schedule_problems(config: Config, name: str) -> Iterator[ConfigError]:
    try:
        schedules_of(config, [name])
    except ConfigError as error:
        yield error


def _look_at_rows(config: Config, database: Database, definition: TaskDefinition, report: Report) -> None:
    """Renders one real row, and looks at keys; both read a few rows only."""
    subject = f"task {definition.name}"

    def look(connection: Connection) -> tuple[Mapping[str, Any] | None, list[Remark], int]:
        source = SourceTable(connection, database.dialect, definition.table, definition.table_schema)
        sample, unusable = source.sample(definition), source.unusable_keys(definition)
        return sample, list(_uniqueness(connection, database, definition, source)), unusable

    row, about_keys, unusable = ask(database, look)
    tables = dict.fromkeys([definition.full_table, definition.written_table])
    report.remarks.append(Remark("ok", subject, f"fits table {' and table '.join(tables)}"))
    report.remarks += about_keys
    if unusable:
        sentence = f"{unusable} of the first rows have a key that is NULL or of the wrong type; they are passed over"
        report.remarks.append(Remark("warning", subject, sentence, "name another key, or mend these rows"))
    if row is None:
        report.remarks.append(
            Remark("warning", subject, f"table {definition.full_table} has no rows, so no prompt was rendered")
        )
        return
    _render(config, definition, row, report)


def _uniqueness(
    connection: Connection, database: Database, definition: TaskDefinition, source: SourceTable
) -> Iterator[Remark]:
    """What keeps the key unique is not there."""
    subject = f"task {definition.name}"
    if not source.check_unique(definition.key_columns):
        columns = ", ".join(definition.key_columns)
        mend = "CREATE UNIQUE INDEX … over the key columns; of a view, on its table"
        yield Remark("warning", subject, f"key {columns} is unique now, but no unique index keeps it so", mend)
    if definition.target is not None:
        written = SourceTable(connection, database.dialect, definition.target.table, definition.target.table_schema)
        columns = ", ".join(column.name for column in definition.target.key)
        if not written.check_unique([column.name for column in definition.target.key]):
            sentence = f"key {columns} of {definition.written_table} is unique now, but no unique index keeps it so"
            yield Remark("warning", subject, sentence, "CREATE UNIQUE INDEX … over these columns")


def _render(config: Config, definition: TaskDefinition, row: Mapping[str, Any], report: Report) -> None:
    subject = f"task {definition.name}"
    try:
        line = RequestBuilder(definition).line("check-1", row)
    except UnrenderableError as error:
        report.remarks.append(
            Remark("warning", subject, f"a row could not be rendered: {error.sentence}", "mend the prompt")
        )
        return
    most = config.vendors[definition.vendor].max_bytes
    if len(line) > most:
        sentence = f"a request has {len(line):,} bytes; {definition.vendor} takes files up to {most:,}"
        report.remarks.append(Remark("warning", subject, sentence, "shorten the prompt"))
    report.prompts[definition.name] = compile_prompt(definition).render(row).user[:_SHOWN]


def unpriced(config: Config, definition: TaskDefinition) -> Iterator[Remark]:
    """A model whose price is not known, so that nobody will count what it costs."""
    if isinstance(config.vendors[definition.vendor], AzureVendorConfig):
        # A deployment has any name; what is priced is the model that its answers name.
        return
    if prices_of(config).cost(definition.model, _ONE_TOKEN_EACH) is None and not definition.is_free:
        yield Remark(
            "warning",
            f"task {definition.name}",
            f"no batch price is known for {definition.model}, so its cost will not be counted",
            f'[prices."{definition.model}"] with input and output, in USD per million tokens',
        )
