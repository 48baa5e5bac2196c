"""Puts a workplace together: config, database, vendors, spool, prices."""

import contextlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from batchd.app.accounts import connect_named, entra_identity, fingerprint_of
from batchd.app.owner import is_provably_dead, this_owner
from batchd.app.resolve import resolve_tasks
from batchd.config import Config, find_config, load_config
from batchd.config.entra import EntraConfig
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


def _tokens(config: Config, entra: EntraConfig) -> Callable[[], str]:
    """Gives tokens by which the database is logged in to."""
    try:
        return tokens_for(entra_identity(config, entra, SQL_SCOPE, "database", "entra"))
    except ConfigError as error:
        if error.where:
            raise
        raise config.error(error.message, "database", "entra", next_command=error.next_command) from None


def store_of(database: Database, stop: Stop | None = None) -> SqlStore:
    """The ledger in a database; a stop ends its waiting. Raises LedgerVersionError, DatabaseError."""
    return database.store(actor=this_owner(), is_dead=is_provably_dead, stop=stop)


@contextlib.contextmanager
def open_workplace(
    config: Config, *, task: str | None = None, progress: Progress | None = None, stop: Stop | None = None
) -> Iterator[Workplace]:
    """Everything the stages need, for all tasks or one; lets go of it at the end."""
    with contextlib.ExitStack() as stack:
        database = database_of(config)
        store = store_of(database, stop)
        stack.callback(store.dispose)
        tasks = resolve_tasks(config, database, task)
        accounts = connect_named(config, stack, _vendors_needed(store, tasks))
        place = workplace(config, store, tasks, accounts, progress or NoProgress())
        yield place if stop is None else replace(place, stopping=stop.asked)


def _vendors_needed(store: SqlStore, tasks: Mapping[str, ConfiguredTask]) -> set[str]:
    """Vendors of the tasks and of open batches: one that nobody uses need not have its key here."""
    open_there = {name for name, _ in store.read(lambda ledger: ledger.batches.open_accounts())}
    return {task.definition.vendor for task in tasks.values()} | open_there


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
        configured=frozenset(config.tasks),
        vendors={name: fingerprint_of(vendor) for name, vendor in config.vendors.items()},
    )


def prices_of(config: Config) -> BatchPrices:
    """The price list, with what the config says otherwise."""
    return BatchPrices(
        {
            model: PriceOverride(input=price.input, output=price.output, cached_input=price.cached_input)
            for model, price in config.prices.items()
        }
    )
