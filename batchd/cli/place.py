"""A workplace for one command: logs, progress, signals, and only what the command needs of the config."""

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from batchd import log
from batchd.app.accounts import connect_named
from batchd.app.workplace import open_workplace, opened_database, store_of, workplace
from batchd.cli.call import Call
from batchd.cli.memory import settle_memory
from batchd.cli.progress import TerminalProgress
from batchd.config import Config
from batchd.errors import UsageError
from batchd.ports import Workplace
from batchd.stop import Stop
from batchd.store.engine import SqlStore
from batchd.store.opening import Database


@dataclass(frozen=True, slots=True)
class Desk:
    """An opened ledger with its config, for commands that only look."""

    config: Config
    database: Database
    store: SqlStore


@contextlib.contextmanager
def opened_ledger(call: Call, stop: Stop | None = None, *, actor: str | None = None) -> Iterator[Desk]:
    """The ledger alone, without vendors or tables; ``actor`` is whose acts are written down, else this process's.

    Raises ConfigError, DatabaseError, UsageError.
    """
    config = call.config()
    quiet_logs(config, call)
    if call.task is not None and call.task not in config.tasks:
        known = ", ".join(config.tasks) or "none"
        raise UsageError(f"there is no task {call.task!r} in {config.path}", next_command=f"tasks here: {known}")
    with opened_database(config) as database:
        yield Desk(config, database, store_of(database, stop, actor=actor))


@contextlib.contextmanager
def opened_workplace(call: Call, config: Config, stop: Stop) -> Iterator[tuple[Workplace, TerminalProgress]]:
    """Everything the tasks in scope need. A signal lets the unit in hand finish."""
    quiet_logs(config, call)
    with (
        TerminalProgress(shown=call.is_watched) as progress,
        open_workplace(config, task=call.task, progress=progress, stop=stop) as place,
    ):
        settle_memory()
        yield place, progress


@contextlib.contextmanager
def workplace_for(
    call: Call, desk: Desk, accounts: Collection[str] | None, stop: Stop | None = None
) -> Iterator[Workplace]:
    """A workplace for batches that exist already: their own accounts, or all, and definitions; no configured task."""
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(TerminalProgress(shown=call.is_watched))
        connected = connect_named(desk.config, stack, set(desk.config.vendors if accounts is None else accounts))
        place = workplace(desk.config, desk.store, {}, connected, progress)
        yield replace(place, stopping=stop.asked) if stop is not None else place


def quiet_logs(config: Config, call: Call) -> None:
    """Logs as configured; on a terminal, where there is progress to look at, only what went wrong."""
    level = config.log.level
    if call.is_watched and level in {"debug", "info"}:
        level = "warning"
    log.configure(level, config.log.format)
