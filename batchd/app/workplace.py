"""Puts a workplace together: config, database, vendors, spool, prices."""

import contextlib
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from batchd.app.accounts import connect_each, entra_identity, fingerprint_of
from batchd.app.messengers import messengers_of
from batchd.app.owner import is_provably_dead, this_owner
from batchd.app.resolve import resolve_tasks
from batchd.config import Config, find_config, load_config
from batchd.config.entra import EntraConfig
from batchd.core.findings import AT_A_STAND
from batchd.entra import SQL_SCOPE, tokens_for
from batchd.errors import ConfigError
from batchd.ports import Account, ConfiguredTask, Progress, Workplace
from batchd.prices import BatchPrices, PriceOverride
from batchd.spool.folder import FolderSpool
from batchd.stop import Stop
from batchd.store.engine import SqlStore
from batchd.store.opening import Database, open_database


class NoProgress:
    """Shows nothing."""

    def step(self, what: str, done: int, total: int | None) -> None:
        """Says nothing."""


def read_config(option: Path | None, environ: Mapping[str, str], cwd: Path) -> Config:
    """Finds and loads the config. Raises ConfigError."""
    return load_config(find_config(option, environ, cwd))


def database_of(config: Config, *, create: bool = False) -> Database:
    """Opens the config's database. Raises ConfigError, DatabaseError."""
    entra = config.database.entra
    return open_database(
        config.database_url(),
        password=config.database_password(),
        ledger_schema=config.database.ledger_schema,
        create=create,
        token=None if entra is None else _tokens(config, entra),
    )


@contextlib.contextmanager
def opened_database(config: Config, *, create: bool = False) -> Iterator[Database]:
    """The config's database; its connections are closed at the end, also where nothing came of it.

    Raises ConfigError, DatabaseError.
    """
    database = database_of(config, create=create)
    try:
        yield database
    finally:
        database.engine.dispose()


def _tokens(config: Config, entra: EntraConfig) -> Callable[[], str]:
    """Gives tokens by which the database is logged in to."""
    try:
        return tokens_for(entra_identity(config, entra, SQL_SCOPE, "database", "entra"))
    except ConfigError as error:
        if error.where:
            raise
        raise config.error(error.message, "database", "entra", next_command=error.next_command) from None


def store_of(database: Database, stop: Stop | None = None, *, actor: str | None = None) -> SqlStore:
    """The ledger in a database; a stop ends its waiting. Raises LedgerVersionError, DatabaseError.

    ``actor`` is who is named in the trail: this process, where nobody else is meant. Leases are the process's own.
    """
    return database.store(actor=actor or this_owner(), is_dead=is_provably_dead, stop=stop)


@contextlib.contextmanager
def open_workplace(
    config: Config, *, task: str | None = None, progress: Progress | None = None, stop: Stop | None = None
) -> Iterator[Workplace]:
    """Everything the stages need, for all tasks or one; lets go of it at the end."""
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(opened_database(config))
        store = store_of(database, stop)
        tasks, unfit = resolve_tasks(config, database, task)
        accounts, failed = connect_each(config, stack, vendors_needed(config, store, {*tasks, *unfit}))
        tasks, unfit = tasks_with_accounts(config, tasks, unfit, failed)
        place = replace(workplace(config, store, tasks, accounts, progress or NoProgress()), unfit=unfit)
        place = replace(place, messengers=messengers_of(config))
        yield place if stop is None else replace(place, stopping=stop.asked)


def tasks_with_accounts(
    config: Config,
    tasks: Mapping[str, ConfiguredTask],
    unfit: Mapping[str, ConfigError],
    failed: Mapping[str, ConfigError],
) -> tuple[dict[str, ConfiguredTask], dict[str, ConfigError]]:
    """The tasks whose vendor accounts are connected; and the others, with the reason.

    Raises:
        ConfigError: an account can't be connected, and no task is left.
    """
    vendors = {name: config.tasks[name].vendor for name in (*tasks, *unfit)}
    without = {name: failed[vendor] for name, vendor in vendors.items() if vendor in failed}
    left = {name: task for name, task in tasks.items() if name not in without}
    if failed and not left:
        raise next(iter(failed.values()))
    return left, {**unfit, **without}


def vendors_needed(config: Config, store: SqlStore, tasks: Collection[str]) -> set[str]:
    """Vendors of the tasks and of open batches: one that nobody uses need not have its key here."""
    open_there = {name for name, _ in store.read(lambda ledger: ledger.batches.open_accounts())}
    return {config.tasks[task].vendor for task in tasks} | open_there


def workplace(
    config: Config,
    store: SqlStore,
    tasks: Mapping[str, ConfiguredTask],
    accounts: Mapping[str, Account],
    progress: Progress,
) -> Workplace:
    """A workplace from its parts."""
    return Workplace(
        store=store,
        spool=FolderSpool(config.daemon.spool, store.ask(lambda ledger: ledger.installation_id())),
        accounts=accounts,
        tasks=tasks,
        prices=prices_of(config),
        progress=progress,
        owner=this_owner(),
        new_uid=lambda: uuid.uuid4().hex,
        lease_seconds=config.daemon.lease,
        check_interval=config.daemon.check_interval,
        sweep_interval=config.daemon.sweep_interval,
        chunk=config.daemon.apply_rows,
        transfers=config.daemon.transfers,
        spool_reserve=config.daemon.spool_reserve,
        keep_files=config.daemon.keep_files,
        keep_ledger=config.daemon.keep_ledger,
        keep_vendor_files=config.daemon.keep_vendor_files,
        configured=frozenset(config.tasks),
        vendors={name: fingerprint_of(vendor) for name, vendor in config.vendors.items()},
        notify_priority=config.notify.min_priority if config.notify else AT_A_STAND,
    )


def prices_of(config: Config) -> BatchPrices:
    """The price list, with what the config says otherwise."""
    return BatchPrices(
        {
            model: PriceOverride(input=price.input, output=price.output, cached_input=price.cached_input)
            for model, price in config.prices.items()
        }
    )
