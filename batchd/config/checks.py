"""What the shape of a config file can't say: names that must exist, columns that must not meet."""

import ipaddress
import re
from collections.abc import Iterator
from itertools import combinations

from batchd.config.file import ConfigFile
from batchd.config.locator import KeyPath
from batchd.config.problems import Problem, suggestion
from batchd.config.task_checks import task_problems, written_columns
from batchd.config.tasks import TaskConfig
from batchd.config.vendor_checks import endpoint_problem, entra_problems, vendor_problems, vendor_warnings

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check(file: ConfigFile) -> list[Problem]:
    """Everything that is wrong with a config of the right shape."""
    return [
        *_bad_names(file),
        *_logins(file),
        *_unclear_creates(file),
        *_listening_for_nobody(file),
        *(problem for name, vendor in file.vendors.items() for problem in vendor_problems(name, vendor)),
        *_vendors_of_tasks(file),
        *_renamed_tasks(file),
        *(problem for name, task in file.tasks.items() for problem in task_problems(name, task)),
        *_columns_written_twice(file),
        *_nobody_told(file),
    ]


def warnings(file: ConfigFile) -> list[Problem]:
    """What is allowed, and probably not meant."""
    return [
        *_rows_that_stay_pending(file),
        *_limits_of_nothing(file),
        *_metrics_for_all(file),
        *_secrets_of_nothing(file),
        *(problem for name, vendor in file.vendors.items() for problem in vendor_warnings(name, vendor)),
    ]


def _bad_names(file: ConfigFile) -> Iterator[Problem]:
    for section, names in (("vendors", file.vendors), ("tasks", file.tasks)):
        for name in names:
            if not _NAME.fullmatch(name):
                yield Problem((section, name), "a name is 1 to 64 letters A-Z a-z, digits, - or _")


def _logins(file: ConfigFile) -> Iterator[Problem]:
    """What the database's login says twice, or says half."""
    if file.database.entra is not None:
        yield from entra_problems(("database", "entra"), file.database.entra)
        if file.database.password is not None:
            yield Problem(("database", "entra"), "password is there too; keep one of them")


def _nobody_told(file: ConfigFile) -> Iterator[Problem]:
    if file.notify is not None and file.notify.webhook is None and file.notify.command is None:
        yield Problem(("notify",), "it needs webhook, or command, or both")


def _unclear_creates(file: ConfigFile) -> Iterator[Problem]:
    """A create that is still under way must neither outlive its lease nor be given up as lost."""
    for name, vendor in file.vendors.items():
        if vendor.create_timeout >= file.daemon.lease:
            yield Problem(
                ("vendors", name, "create_timeout"),
                f"must be shorter than daemon.lease ({file.daemon.lease:g} s)",
            )
        if vendor.resubmit == "fence" and vendor.submit_grace <= vendor.create_timeout:
            yield Problem(
                ("vendors", name, "submit_grace"),
                f"must be longer than create_timeout ({vendor.create_timeout:g} s)",
            )


def _listening_for_nobody(file: ConfigFile) -> Iterator[Problem]:
    if file.webhooks is not None and not any(vendor.webhook_secret for vendor in file.vendors.values()):
        yield Problem(
            ("webhooks",), "no vendor has a webhook_secret, and without one nothing is believed; write it there"
        )


def _secrets_of_nothing(file: ConfigFile) -> Iterator[Problem]:
    for name, vendor in file.vendors.items():
        if vendor.webhook_secret and file.webhooks is None:
            yield Problem(("vendors", name, "webhook_secret"), "nothing listens without [webhooks] and its port")


def _vendors_of_tasks(file: ConfigFile) -> Iterator[Problem]:
    for name, task in file.tasks.items():
        vendor = file.vendors.get(task.vendor)
        if vendor is None:
            near = suggestion(task.vendor, list(file.vendors))
            yield Problem(("tasks", name, "vendor"), f"there is no [vendors.{task.vendor}]{near}")
            continue
        if sentence := endpoint_problem(task.vendor, vendor, task.endpoint):
            yield Problem(("tasks", name, "endpoint"), sentence)
        if task.batch_size > vendor.max_requests:
            yield Problem(
                ("tasks", name, "batch_size"),
                f"is {task.batch_size}, but max_requests of vendors.{task.vendor} is {vendor.max_requests}",
            )


def _renamed_tasks(file: ConfigFile) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name, task in file.tasks.items():
        if task.formerly is None:
            continue
        path = ("tasks", name, "formerly")
        if task.formerly in file.tasks:
            yield Problem(path, f"there still is a task {task.formerly}; a former name is one no longer used")
        elif task.formerly in seen:
            yield Problem(path, f"task {seen[task.formerly]} says the same")
        seen[task.formerly] = name


def _columns_written_twice(file: ConfigFile) -> Iterator[Problem]:
    for (one, first), (other, second) in combinations(file.tasks.items(), 2):
        if _may_be_same_table(first, second):
            taken = {column.casefold() for _, column in _all_written(first)}
            for keys, column in _all_written(second):
                if column.casefold() in taken:
                    yield Problem(("tasks", other, *keys), _meeting(one, column, first, second))


def _all_written(task: TaskConfig) -> Iterator[tuple[KeyPath, str]]:
    """Each column the task writes; where it adds rows, those of their key too."""
    yield from written_columns(task)
    if task.write is not None and task.write.mode == "insert":
        yield from ((("write", "key" if task.write.key else "table"), column) for column in task.written_key)


def _may_be_same_table(first: TaskConfig, second: TaskConfig) -> bool:
    """Without a schema the database picks one, so a table without may be any of its name."""
    places = first.written_table, second.written_table
    if len({table.casefold() for _, table in places}) > 1:
        return False
    return len({schema.casefold() for schema, _ in places if schema is not None}) < 2  # noqa: PLR2004 - two schemas


def _meeting(one: str, column: str, first: TaskConfig, second: TaskConfig) -> str:
    (first_schema, _), (second_schema, table) = first.written_table, second.written_table
    sentence = f"task {one} writes column {column} of table {table} too; only one task may"
    if first_schema == second_schema:
        return sentence
    return f"{sentence}. If these are two tables, give both tasks their schema"


def _rows_that_stay_pending(file: ConfigFile) -> Iterator[Problem]:
    for name, task in file.tasks.items():
        if task.pending is not None and _reads_what_is_written(task) and not _clears_pending(task):
            yield Problem(
                ("tasks", name, "pending"),
                "the task writes no column that this condition names, so its rows stay pending: they are "
                "processed once and then remembered as done; write such a column with on_success, "
                "or name it in pending_columns",
            )


def _reads_what_is_written(task: TaskConfig) -> bool:
    """A condition over the source alone can't be ended by what is written elsewhere, and need not be."""
    return task.write is None or _has_word((task.pending or "").casefold(), task.write.table.casefold())


def _clears_pending(task: TaskConfig) -> bool:
    read = {column.casefold() for column in task.pending_columns}
    condition = (task.pending or "").casefold()
    written = [column.casefold() for _, column in _all_written(task)]
    return any(column in read or _has_word(condition, column) for column in written)


def _has_word(text: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def _limits_of_nothing(file: ConfigFile) -> Iterator[Problem]:
    used = {(task.vendor, task.model) for task in file.tasks.values()}
    for name, vendor in file.vendors.items():
        for model in vendor.enqueued_tokens:
            if (name, model) not in used:
                path: KeyPath = ("vendors", name, "enqueued_tokens", model)
                yield Problem(path, "no task of this vendor asks for that model, so the limit holds nothing back")


def _metrics_for_all(file: ConfigFile) -> Iterator[Problem]:
    host = file.metrics.host
    if file.metrics.port is not None and not _is_own(host):
        yield Problem(
            ("metrics", "host"),
            f"whoever can reach {host} sees names of tasks, counts and costs, for nobody is asked for a password; "
            'keep to "127.0.0.1", or let only the machine that scrapes reach this port',
        )


def _is_own(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
