"""Everything a stage may reach."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from batchd.core.model import Batch, TaskRecord
from batchd.core.tasks import TaskDefinition
from batchd.core.verdicts import Usage
from batchd.ports.spool import Spool
from batchd.ports.store import Store
from batchd.ports.vendor import Account


class Prices(Protocol):
    """What a line costs at the vendor's batch rate."""

    def cost(self, model: str, usage: Usage) -> int | None:
        """Billionths of a dollar; None where no batch price is known."""


class Progress(Protocol):
    """Shows long work to a person on a terminal; silent elsewhere."""

    def step(self, what: str, done: int, total: int | None) -> None:
        """``done`` of ``total`` units of ``what``; total None where it is not known."""


@dataclass(frozen=True, slots=True)
class ConfiguredTask:
    """A task as configured now, resolved against its table."""

    definition: TaskDefinition
    formerly: str | None = None
    batch_size: int = 200
    max_open_batches: int = 10
    min_batch_size: int = 1
    max_wait: float | None = None
    weight: float = 1.0

    def open_batches_allowed(self, record: TaskRecord) -> int:
        """How many batches may be open at once; what a DBA has written in the ledger wins."""
        return self.max_open_batches if record.max_open_batches is None else record.max_open_batches


@dataclass(frozen=True, slots=True)
class Workplace:
    """Everything a stage may reach. Assembled in one place, ``batchd.app``.

    Attributes:
        owner: names this process in leases and events.
        new_uid: makes a batch's 128 random bits, in hex.
        lease_seconds: how long this process may be silent before another takes over.
        check_interval: shortest pause between two looks at the vendor, in seconds.
        sweep_interval: longest time between two full reads of a table, in seconds.
        chunk: requests applied in one transaction.
        transfers: how many uploads or downloads run at once at most; with 1 nothing runs side by side.
        spool_reserve: bytes that batch files leave free on the spool's disk.
        keep_files: how long the files of a batch are kept after it has ended, in seconds.
        keep_ledger: how long the requests of a batch are kept after it has ended, in seconds; None: for ever.
        configured: names of all tasks in the config, also of those this command leaves alone.
        vendors: name and fingerprint of all vendor accounts in the config, also of those that it does not need.
        stopping: True once this process should end after the units of work in hand.
        passed_on: called where a unit was left in the ledger that the next stage may take on.
    """

    store: Store
    spool: Spool
    accounts: Mapping[str, Account]
    tasks: Mapping[str, ConfiguredTask]
    prices: Prices
    progress: Progress
    owner: str
    new_uid: Callable[[], str]
    lease_seconds: float = 300.0
    check_interval: float = 60.0
    sweep_interval: float = 600.0
    chunk: int = 2000
    transfers: int = 1
    spool_reserve: int = 0
    keep_files: float = 604_800.0
    keep_ledger: float | None = None
    configured: frozenset[str] = frozenset()
    vendors: Mapping[str, str] = field(default_factory=dict)
    stopping: Callable[[], bool] = bool
    passed_on: Callable[[], object] = bool

    def is_paused(self, batch: Batch) -> bool:
        """True while a person, or a billing stop, holds the batch's task."""
        return self.store.ask(lambda ledger: ledger.tasks.is_paused(batch.task_id))

    def account_of(self, batch: Batch) -> Account | None:
        """The account a batch was sent to; None where the config no longer has it, or has another by its name."""
        account = self.accounts.get(batch.account)
        return account if account is not None and account.fingerprint == batch.account_fingerprint else None
