"""What a config makes of a continuous run; and the config read again while that run goes on."""

import contextlib
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Self

from batchd.app.accounts import connect_each
from batchd.app.messengers import messengers_of
from batchd.app.resolve import resolve_task, resolve_tasks
from batchd.app.schedules import schedules_of
from batchd.app.workplace import tasks_with_accounts, vendors_needed, workplace
from batchd.config import Config, load_config
from batchd.config.time_zones import time_zone
from batchd.config.vendors import SandboxVendorConfig
from batchd.core.quiet import quiet_hours
from batchd.daemon import Setup
from batchd.errors import BatchdError, ConfigError
from batchd.ports import Account, ConfiguredTask, Link, Workplace
from batchd.store.engine import SqlStore
from batchd.store.opening import Database


class Wish:
    """That the config be read again. A signal handler may say so, also before there is anybody to read it."""

    def __init__(self) -> None:
        # Without a lock, which a second signal would wait for in the thread that has it.
        self.is_open = False

    def ask(self) -> None:
        """It is to be read again."""
        self.is_open = True


@dataclass(frozen=True, slots=True)
class Call:
    """What the command line says, whatever the config says by then.

    Attributes:
        only: the one task that the run is for.
        adjusted: makes of a workplace what was asked for otherwise than the config has it.
        loaded: told of each config that has taken the place of the last one, and what it made of the workplace.
        refused: called for each one that could not be used.
        reload: whether the config is to be read again.
    """

    only: str | None = None
    adjusted: Callable[[Workplace], Workplace] = lambda place: place
    loaded: Callable[[Config, Workplace], object] = lambda _, __: None
    refused: Callable[[], object] = bool
    reload: Wish = field(default_factory=Wish)


class ConfigReloads:
    """Reads the config file again when it is asked to. As a context manager it lets go of the last one in the end.

    Args:
        config: what the run was started with.
        place: the workplace it was started with, of that config and what the command line says.
        database: stays the same.
        store: stays the same.
        call: what the command line says.
    """

    def __init__(self, config: Config, place: Workplace, database: Database, store: SqlStore, call: Call) -> None:
        self._config, self._place = config, place
        self._database, self._store, self._call = database, store, call
        self._connections = contextlib.ExitStack()
        # A sandbox ends with whoever started it: these last as long as the run.
        self._lasting = contextlib.ExitStack()
        self._sandboxes = {name: account for name, account in place.accounts.items() if _is_sandbox(config, name)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connections.close()
        self._lasting.close()

    def is_wanted(self) -> bool:
        """True from when somebody asks until it is loaded."""
        return self._call.reload.is_open

    def first(self) -> Setup:
        """What the run begins with."""
        served = [one for name, one in self._place.accounts.items() if name not in self._sandboxes]
        return self._setup(partial(_close, served))

    def load(self) -> Setup:
        """What the config makes of the run now.

        Raises:
            ConfigError: it can't be used, or asks for what only a restart can do; nothing has changed then.
            DatabaseError: a task's table could not be looked at.
        """
        # Before it is read: who asks from now on may have changed it meanwhile.
        self._call.reload.is_open = False
        try:
            return self._loaded()
        except BatchdError:
            self._call.refused()
            raise

    def _loaded(self) -> Setup:
        config = load_config(self._config.path)
        self._refuse_what_needs_a_restart(config)
        schedules_of(config, config.tasks)
        with contextlib.ExitStack() as stack:
            place = self._call.adjusted(self._workplace(config, stack))
            self._connections = stack.pop_all()
        self._config, self._place = config, place
        self._call.loaded(config, place)
        return self._setup(self._connections.close)

    def _setup(self, let_go: Callable[[], object]) -> Setup:
        config, place = self._config, self._place
        return Setup(
            replace(place, is_quiet=_quiet(config)),
            schedules_of(config, (*place.tasks, *place.unfit)),
            partial(self._resolved, config, place),
            only=self._call.only,
            timezone=config.daemon.timezone,
            let_go=let_go,
        )

    def _resolved(self, config: Config, place: Workplace, name: str) -> ConfiguredTask:
        """The task, looked at again. Raises ConfigError, DatabaseError."""
        if config.tasks[name].vendor not in place.accounts:
            # Its key could not be read when the config was; that is done again with the config alone.
            raise place.unfit[name]
        found = resolve_task(config, self._database, name)
        return self._call.adjusted(replace(place, tasks={name: found})).tasks[name]

    def _refuse_what_needs_a_restart(self, config: Config) -> None:
        moved = {
            ("database",): config.database != self._config.database,
            ("daemon", "spool"): config.daemon.spool != self._config.daemon.spool,
        } | {("vendors", name): self._is_another_sandbox(config, name) for name in self._sandboxes}
        for path, has_moved in moved.items():
            if has_moved:
                raise config.error(
                    "a run that goes on can't change this", *path, next_command="end batchd run, and start it again"
                )

    def _is_another_sandbox(self, config: Config, name: str) -> bool:
        return name in config.vendors and config.vendors[name] != self._config.vendors.get(name)

    def _workplace(self, config: Config, stack: contextlib.ExitStack) -> Workplace:
        tasks, unfit = resolve_tasks(config, self._database, self._call.only)
        accounts, failed = self._accounts(config, stack, vendors_needed(config, self._store, {*tasks, *unfit}))
        tasks, unfit = tasks_with_accounts(config, tasks, unfit, failed)
        place = workplace(config, self._store, tasks, accounts, self._place.progress)
        # Shared by all that is at work, also by what began with the former config.
        former = self._place
        return replace(
            place,
            unfit=unfit,
            messengers=messengers_of(config),
            spool=former.spool,
            in_hand=former.in_hand,
            inputs_coming=former.inputs_coming,
            results_coming=former.results_coming,
        )

    def _accounts(
        self, config: Config, stack: contextlib.ExitStack, names: set[str]
    ) -> tuple[dict[str, Account], dict[str, ConfigError]]:
        """All connected anew, for a key may be another one by now; sandboxes are as they were."""
        local = {name for name in names if _is_sandbox(config, name)}
        link = Link(config.daemon.transfers)
        kept = {name: replace(self._sandboxes[name], link=link) for name in local & self._sandboxes.keys()}
        started, failed = connect_each(config, self._lasting, local - kept.keys())
        self._sandboxes |= started
        served, refused = connect_each(config, stack, names - local)
        return kept | started | served, failed | refused


def _is_sandbox(config: Config, name: str) -> bool:
    return isinstance(config.vendors.get(name), SandboxVendorConfig)


def _quiet(config: Config) -> Callable[[str], bool]:
    zone = time_zone(config.daemon.timezone)
    hours = {name: quiet_hours(task.quiet) for name, task in config.tasks.items() if task.quiet is not None}
    return lambda task: task in hours and hours[task].covers(dt.datetime.now(zone))


def _close(accounts: list[Account]) -> None:
    for account in accounts:
        account.vendor.close()
