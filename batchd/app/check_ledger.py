"""Holds a config against what its ledger has in work: what must not change before that is done."""

from collections.abc import Iterator
from functools import partial

from batchd.app.accounts import fingerprint_of
from batchd.app.owner import is_provably_dead, this_owner
from batchd.config import Config
from batchd.core.tasks import TaskDefinition
from batchd.moved_tasks import moved_from
from batchd.ports import Ledger
from batchd.store.opening import Database


def moved_accounts(config: Config, database: Database) -> Iterator[tuple[str, str]]:
    """Vendors that open batches were sent to and that the config lacks or has otherwise: a name and a sentence."""
    store = database.store(actor=this_owner(), is_dead=is_provably_dead)
    for name, fingerprint in sorted(store.read(lambda ledger: ledger.batches.open_accounts())):
        vendor = config.vendors.get(name)
        if vendor is None:
            yield name, f"batches are open there, but the config has no [vendors.{name}]; put it back until they ended"
        elif fingerprint_of(vendor) != fingerprint:
            back = f"put kind, URL and project of [vendors.{name}] back until they ended"
            yield name, f"batches are open at another account of this name; {back}; a new account is a new name"


def moved_task(config: Config, database: Database, definition: TaskDefinition) -> str:
    """Why a task may not be claimed for as it is configured now, and the way out; empty where it may."""
    store = database.store(actor=this_owner(), is_dead=is_provably_dead)
    return store.read(partial(_moved, config=config, definition=definition))


def _moved(ledger: Ledger, *, config: Config, definition: TaskDefinition) -> str:
    task = config.tasks[definition.name]
    record = ledger.tasks.find(definition.name)
    if record is None and task.formerly is not None:
        record = ledger.tasks.find(task.formerly)
    return moved_from(ledger, record, definition, config.tasks)
