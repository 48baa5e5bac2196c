"""Everything a stage may reach."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from batchd.core.findings import AT_A_STAND
from batchd.core.model import Batch, TaskRecord
from batchd.core.tasks import TaskDefinition
from batchd.core.verdicts import Usage
from batchd.errors import ConfigError
from batchd.ports.in_hand import InHand
from batchd.ports.notices import Messenger
from batchd.ports.scope import Counts
from batchd.ports.spool import Coming, Spool
from batchd.ports.store import Store
from batchd.ports.told import Told
from batchd.ports.vendor import Account


class Prices(Protocol):
    """What a line costs at the vendor's batch rate."""

    def cost(self, model: str, usage: Usage) -> int | None:
        """Billionths of a dollar; None where no batch price is known."""


class Progress(Protocol):
    """Shows long work to a person on a terminal; silent elsewhere."""

    def step(self, what: str, done: int, total: int | None) -> None:
        """``done`` of ``total`` units of ``what``; total None where it is not known."""


def _never(_: str) -> bool:
    return False


def _untold(_stage: str, _seconds: float, _counts: Counts) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class ConfiguredTask:
    """A task as configured now, resolved against its table.

    ``created_column`` says when a row came; it is looked at for the metrics only.
    """

    definition: TaskDefinition
    formerly: str | None = None
    batch_size: int = 200
    max_open_batches: int = 10
    min_batch_size: int = 1
    max_wait: float | None = None
    weight: float = 1.0
    created_column: str | None = None

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
        keep_vendor_files: how long files at vendors are kept after the end of their batch, in seconds; None: for ever.
        configured: names of all tasks in the config, also of those this command leaves alone.
        vendors: name and fingerprint of all vendor accounts in the config, also of those that it does not need.
        unfit: tasks of the config that do not fit their tables as these are now, and why.
        in_hand: batches that threads of this process are at; the same for all who work at this place.
        messengers: ways to tell people of findings, by name; none where nobody is to be told.
        notify_priority: findings of this priority, and of more urgent ones, are told.
        inputs_coming: room that batch files being written may take; the same for all who work at this place.
        results_coming: result files on their way to the spool; the same for all who work at this place.
        told: what was said of each task last; the same for all who work at this place.
        is_quiet: whether a task has its quiet hours: nothing is claimed, sent or written for it then.
        stopping: True once this process should end after the units of work in hand.
        beat: called with each unit of work: so one without an end can be told from one that is long.
        ran: told of each pass of a stage: the stage's name, how many seconds it took, what it did.
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
    keep_vendor_files: float | None = None
    configured: frozenset[str] = frozenset()
    vendors: Mapping[str, str] = field(default_factory=dict)
    unfit: Mapping[str, ConfigError] = field(default_factory=dict)
    in_hand: InHand = field(default_factory=InHand)
    messengers: Mapping[str, Messenger] = field(default_factory=dict)
    notify_priority: int = AT_A_STAND
    inputs_coming: Coming = field(default_factory=Coming)
    results_coming: Coming = field(default_factory=Coming)
    told: Told = field(default_factory=Told)
    is_quiet: Callable[[str], bool] = _never
    stopping: Callable[[], bool] = bool
    beat: Callable[[], object] = bool
    ran: Callable[[str, float, Counts], object] = _untold
    passed_on: Callable[[], object] = bool

    def is_paused(self, batch: Batch) -> bool:
        """True while a person, a billing stop or its quiet hours hold the batch's task."""
        return self.is_quiet(batch.task) or self.store.ask(lambda ledger: ledger.tasks.is_paused(batch.task_id))

    def account_of(self, batch: Batch) -> Account | None:
        """The account a batch was sent to; None where the config no longer has it, or has another by its name."""
        account = self.accounts.get(batch.account)
        return account if account is not None and account.fingerprint == batch.account_fingerprint else None
