"""The doctor's round: which parts there are, in which order, and what each of them needs."""

from collections.abc import Callable, Iterator
from functools import partial

from batchd.app.check_config import config_problems, unpriced
from batchd.app.doctor.config_files import look_at_config
from batchd.app.doctor.database import look_at_clock, look_at_ledger, look_at_server
from batchd.app.doctor.findings import look_at_findings
from batchd.app.doctor.part import Part
from batchd.app.doctor.python import look_at_python
from batchd.app.doctor.rights import look_at_ledger_rights, look_at_task
from batchd.app.doctor.service import look_at_service
from batchd.app.doctor.spool import look_at_spool
from batchd.app.doctor.vendors import look_at_vendor
from batchd.app.remarks import Remark
from batchd.app.resolve import resolve_task
from batchd.app.workplace import database_of, store_of
from batchd.config import Config
from batchd.errors import ConfigError, DatabaseError, VendorError
from batchd.store.engine import SqlStore
from batchd.store.opening import Database

_DATABASE_SECONDS = 30.0
_VENDOR_SECONDS = 30.0
_AFTERWARDS = "mend that first, then: batchd doctor"


def examine(config: Config, only: str | None) -> Iterator[Remark]:
    """Everything, for all tasks or one: each remark as soon as its part is done. Raises nothing of its own."""
    yield from Part("config", partial(look_at_config, config)).remarks()
    opened = _Opened(config)
    try:
        yield from opened.open()
        for part in _parts(config, only, opened):
            yield from part.remarks()
    finally:
        opened.close()


def examine_without(error: ConfigError) -> Iterator[Remark]:
    """What can be looked at where the config can't be read."""
    yield from config_problems(error).remarks
    yield Remark("warning", "the rest", "not looked at, for the config cannot be used", _AFTERWARDS)
    yield from Part("python", partial(look_at_python, None)).remarks()


class _Opened:
    """The database and its ledger, as far as they could be opened."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.database: Database | None = None
        self.store: SqlStore | None = None

    def open(self) -> Iterator[Remark]:
        yield from _of_database("database", self._open_database).remarks()
        if self.database is None:
            untold = "grants, ledger version, clock, findings and tasks"
            yield Remark("warning", untold, "not looked at, for the database cannot be opened", _AFTERWARDS)

    def _open_database(self) -> Iterator[Remark]:
        self.database = database_of(self._config)
        yield from look_at_server(self._config, self.database)

    def look_at_ledger(self, database: Database) -> Iterator[Remark]:
        yield from look_at_ledger(database)
        self.store = store_of(database)

    def close(self) -> None:
        if self.database is not None:
            self.database.engine.dispose()


def _parts(config: Config, only: str | None, opened: _Opened) -> Iterator[Part]:
    """One after the other: what a part may look at hangs on what those before it could open."""
    database = opened.database
    tasks = [name for name in config.tasks if only in (None, name)]
    if database is not None:
        yield _of_database("ledger", partial(opened.look_at_ledger, database))
        if opened.store is not None:
            yield _of_database("grants", partial(look_at_ledger_rights, database))
        for name in tasks:
            yield _of_database(f"task {name}", partial(_look_at_task, config, database, name))
        yield _of_database("clock", partial(look_at_clock, database))
    yield Part("spool", partial(look_at_spool, config, opened.store))
    for name in _vendors(config, tasks, opened.store):
        look = partial(look_at_vendor, config, name, database)
        yield Part(f"vendor {name}", look, _VENDOR_SECONDS, VendorError.exit_code, "check base_url and the network")
    if database is not None and opened.store is not None:
        yield _of_database("findings", partial(look_at_findings, database, only))
    yield Part("service", partial(look_at_service, config))
    yield Part("python", partial(look_at_python, config))


def _of_database(subject: str, look: Callable[[], Iterator[Remark]]) -> Part:
    return Part(subject, look, _DATABASE_SECONDS, DatabaseError.exit_code, "see what the database server is at")


def _look_at_task(config: Config, database: Database, name: str) -> Iterator[Remark]:
    yield from look_at_task(config, database, name)
    try:
        definition = resolve_task(config, database, name).definition
    except (ConfigError, DatabaseError):
        # That it does not fit has been said.
        return
    yield from unpriced(config, definition)


def _vendors(config: Config, tasks: list[str], store: SqlStore | None) -> list[str]:
    """Those of the tasks, and those that open batches were sent to."""
    used = dict.fromkeys(config.tasks[name].vendor for name in tasks)
    if store is not None:
        used |= dict.fromkeys(name for name, _ in sorted(store.read(lambda ledger: ledger.batches.open_accounts())))
    return [name for name in used if name in config.vendors]
