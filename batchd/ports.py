"""What the stages need from the outside, as protocols; the adapters and the fakes implement them."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol, TypeVar

from batchd.core.keys import RowKey
from batchd.core.model import (
    Batch,
    FinishedRequest,
    Kept,
    KeyPage,
    Lease,
    Listing,
    Moment,
    NewBatch,
    NewRequest,
    OpenRequest,
    RowNow,
    SettledGate,
    SourceRow,
    SpooledFile,
    TaskRecord,
    VendorBatch,
)
from batchd.core.outcomes import Outcome
from batchd.core.result_index import Place, ResultKind
from batchd.core.states import BatchState
from batchd.core.tasks import TaskDefinition
from batchd.core.verdicts import Usage

T = TypeVar("T")


class Vendor(Protocol):
    """A server that speaks the Batch API. Every method raises members of the VendorError tree only."""

    def upload(self, path: Path, filename: str) -> str:
        """Uploads a batch input file; returns the vendor's file id. A repeat costs nothing."""

    def create_batch(self, file_id: str, endpoint: str, metadata: Mapping[str, str]) -> VendorBatch:
        """Creates a batch, with one single POST: a repeated POST is a second paid batch."""

    def retrieve_batch(self, batch_id: str) -> VendorBatch:
        """The batch as it is now. Raises VendorNotFoundError for an id the vendor does not know."""

    def list_batches(self, since: int) -> Listing:
        """Batches created at or after ``since`` (Unix seconds), as many pages as it takes."""

    def cancel_batch(self, batch_id: str) -> VendorBatch:
        """Asks the vendor to cancel; one that has ended already is returned as it is."""

    def file_bytes(self, file_id: str) -> int | None:
        """The size of a file in bytes, None where the vendor does not tell."""

    def download(self, file_id: str, sink: BinaryIO) -> None:
        """Streams a file's bytes. Raises VendorUnclearError where the stream ends early."""

    def delete_file(self, file_id: str) -> None:
        """Deletes a file; one that is gone already is no error."""

    def close(self) -> None:
        """Lets go of the connections."""


@dataclass(frozen=True, slots=True)
class Account:
    """A configured vendor account.

    Attributes:
        fingerprint: over kind, URL and project: what must not move while batches are open.
        max_requests: lines a file may have.
        max_bytes: bytes a file may have.
        upload_seconds: longest an upload may take; leases are made longer than that.
        create_seconds: longest a create may take.
        resubmit: what to do when an unknown create cannot be found: wait for a person, or fence it off.
        lists: the vendor can list its batches.
    """

    name: str
    vendor: Vendor
    fingerprint: str
    max_requests: int = 50_000
    max_bytes: int = 200_000_000
    upload_seconds: float = 600.0
    create_seconds: float = 60.0
    resubmit: Literal["hold", "fence"] = "hold"
    submit_grace: float = 900.0
    lists: bool = True


@dataclass(frozen=True, slots=True)
class ConfiguredTask:
    """A task as configured now, resolved against its table."""

    definition: TaskDefinition
    formerly: str | None = None
    batch_size: int = 200
    max_open_batches: int = 10
    min_batch_size: int = 1
    max_wait: float | None = None


class InputWriter(Protocol):
    """Writes one batch's input file under a temporary name."""

    def write(self, line: bytes) -> None:
        """Adds one line, its newline included."""

    def finish(self) -> SpooledFile:
        """Flushes to the disk, renames, and makes the rename durable."""


class Spool(Protocol):
    """The folder of request and result files. Raises SpoolError."""

    def write_input(self, uid: str) -> contextlib.AbstractContextManager[InputWriter]:
        """Opens a batch's input file; a file that was not finished leaves no trace."""

    def input_path(self, uid: str) -> Path:
        """Where a batch's input file is."""

    def drop_lines(self, uid: str, seqs: frozenset[int]) -> SpooledFile:
        """Rewrites an input file that was not sent yet without these requests."""

    def measure_input(self, uid: str) -> SpooledFile | None:
        """Size and hash of the input file as it is on disk; None where it is missing."""

    def remove_input(self, uid: str) -> None:
        """Removes an input file that no batch in the ledger knows."""

    def store_result(
        self, uid: str, kind: ResultKind, epoch: int, fill: Callable[[BinaryIO], None]
    ) -> SpooledFile:
        """Writes a result file through ``fill`` under a temporary name that carries the lease's epoch."""

    def measure_result(self, uid: str, kind: ResultKind) -> SpooledFile | None:
        """Size and hash of a result file as it is on disk; None where it is missing."""

    def result_lines(self, uid: str, kind: ResultKind) -> Iterator[tuple[int, bytes]]:
        """Offset and bytes of each line, split on newline bytes only; blank lines are passed over."""

    def result_lines_at(self, uid: str, places: Sequence[Place]) -> dict[Place, bytes]:
        """The lines that start at these places, each file opened once."""


class Tasks(Protocol):
    """``batchd_task`` and ``batchd_task_version``."""

    def find(self, name: str) -> TaskRecord | None:
        """The task, None where the ledger does not know it."""

    def add(self, name: str, fingerprint: str) -> TaskRecord:
        """Adds a task."""

    def rename(self, task_id: int, name: str) -> None:
        """Gives a task its new name."""

    def set_fingerprint(self, task_id: int, fingerprint: str) -> None:
        """Binds the task to another table or key, and forgets its resume point."""

    def has_open_work(self, task_id: int) -> bool:
        """True while a gate or a batch of the task is open."""

    def take_lease(self, task_id: int, owner: str, seconds: float) -> Lease | None:
        """Takes the lease for claiming; None while another holds it."""

    def release(self, lease: Lease) -> None:
        """Gives the lease back."""

    def save_version(self, task_id: int, definition: TaskDefinition) -> int:
        """Writes the definition down, once; returns its version id."""

    def definition(self, version_id: int) -> TaskDefinition:
        """A definition that was written down."""

    def set_resume_key(self, task_id: int, key: int | None) -> None:
        """Moves the point where the next claim starts."""

    def record_sweep(self, task_id: int, backlog: int) -> None:
        """Writes down what a full sweep left unclaimed, with the time."""

    def pause(self, task_id: int, reason: str) -> None:
        """Stops claiming, submitting and applying of a task."""

    def unpause(self, task_id: int, reason: str) -> None:
        """Lets a paused task go on."""

    def is_paused(self, task_id: int) -> bool:
        """True while a person, or a billing stop, holds the task."""

    def seconds_since_sweep(self, task_id: int) -> float | None:
        """Seconds since the last full sweep, by the database's clock."""

    def seconds_since_batch(self, task_id: int) -> float | None:
        """Seconds since the task's last batch was built, None where it never had one."""


class Batches(Protocol):
    """``batchd_batch``. Every move is recorded as an event in the same transaction."""

    def add(self, batch: NewBatch) -> int:
        """Records a built batch; returns its id."""

    def get(self, batch_id: int) -> Batch:
        """The batch as it is now."""

    def find(self, reference: str) -> Batch | None:
        """The batch with this vendor id, uid or row id."""

    def at(self, position: BatchState, scope: "Scope", *, due: bool = True) -> list[Batch]:
        """Batches at a position (held ones too), oldest first; ``due`` leaves out those told to wait."""

    def open_count(self, task_id: int) -> int:
        """Batches of a task that have not come to an end."""

    def take_lease(self, batch_id: int, owner: str, seconds: float) -> Lease | None:
        """Takes the lease of a batch; None while another holds it."""

    def release(self, lease: Lease) -> None:
        """Gives the lease back."""

    def move(self, batch: Batch, to: BatchState, reason: str, **changes: Any) -> Batch:
        """Moves a batch on, keeping it held where it is held; raises LeaseLostError where it has moved already."""

    def hold(self, batch: Batch, reason: str, code: str = "") -> Batch:
        """Makes a batch wait for a person."""

    def resume(self, batch: Batch, reason: str, **changes: Any) -> Batch:
        """Lets a held batch go on from where it stands."""

    def abandon(self, batch: Batch, reason: str) -> Batch:
        """Ends a batch that was never sent, or that a person gives up."""

    def note(self, batch: Batch, **changes: Any) -> None:
        """Writes down facts that do not move the batch."""

    def note_polled(self, batch: Batch, **changes: Any) -> None:
        """The same, with the time of the look."""

    def note_applied(self, batch: Batch) -> None:
        """Stamps the last chunk that was applied."""

    def wait(self, batch: Batch, seconds: float) -> None:
        """Leaves the batch alone for a while."""

    def seconds_waiting(self, batch: Batch) -> float:
        """Seconds since the intent to create was written down."""

    def seconds_since_submit(self, batch: Batch) -> float:
        """The batch's age at the vendor."""

    def seconds_past_window(self, batch: Batch) -> float:
        """Seconds since the vendor's window ended; negative while it is open or not known."""

    def tally(self, batch: Batch) -> dict[Outcome, int]:
        """Counts the requests per outcome and writes counts, tokens and cost to the batch."""

    def has_open_requests(self, batch: Batch) -> bool:
        """True while a request or a gate of the batch is open."""

    def known_vendor_ids(self, account: str, ids: Sequence[str]) -> frozenset[str]:
        """Which of these vendor batch ids the ledger knows."""

    def known_uids(self, uids: Sequence[str]) -> frozenset[str]:
        """Which of these uids the ledger knows."""

    def fenced(self, account: str) -> list[tuple[int, str]]:
        """Row id and deleted file id of batches whose late creation must be watched for."""

    def next_due(self, scope: "Scope") -> float | None:
        """Seconds until the next open batch is due; None where no batch is open."""


class Requests(Protocol):
    """``batchd_request``."""

    def add(self, batch_id: int, requests: Sequence[NewRequest]) -> None:
        """Records a batch's requests, each with its row's tries so far."""

    def seqs(self, batch_id: int) -> frozenset[int]:
        """Numbers of all requests of a batch."""

    def open_after(self, batch_id: int, seq: int, limit: int) -> list[int]:
        """Numbers of requests without an outcome, in order."""

    def lock_open(self, batch_id: int, seqs: Sequence[int]) -> list[OpenRequest]:
        """Locks these requests and returns those still without an outcome."""

    def finish(self, batch_id: int, finished: Sequence[FinishedRequest]) -> None:
        """Gives each its one outcome."""


class Gates(Protocol):
    """``batchd_gate``: batchd's memory of rows it must not claim now."""

    def due_retries(self, task_id: int, limit: int) -> list[RowKey]:
        """Rows whose wait is over, in key order."""

    def next_retry(self, task_id: int) -> float | None:
        """Seconds until the next retry is due; None where none waits."""

    def open(self, task_id: int, batch_id: int, requests: Sequence[NewRequest]) -> frozenset[int]:
        """Opens a gate for each row; returns the numbers of those it could open, the others are gated already."""

    def drop(self, task_id: int, keys: Sequence[RowKey]) -> None:
        """Removes the gates of rows that are no longer pending."""

    def fail(self, task_id: int, failures: Sequence[tuple[RowKey, Outcome, str, str]]) -> None:
        """Marks rows that cannot be sent: key, outcome, code, sentence."""

    def free(self, task_id: int, keys: Sequence[RowKey] | None) -> int:
        """Makes failed and held rows due again with fresh tries; the rows named, or all. Returns how many."""

    def settle(self, task_id: int, batch_id: int, settled: Sequence[SettledGate]) -> None:
        """Moves or removes the gates of finished requests."""


class Rows(Protocol):
    """The task's own table. Everything is compared and ordered by the database."""

    def claimable(self, after: tuple[Any, ...] | None, limit: int) -> KeyPage:
        """Pending rows without a gate, in key order."""

    def count_claimable(self) -> int:
        """How many pending rows have no gate, or one that is waiting for a retry."""

    def read(self, keys: Sequence[RowKey]) -> list[SourceRow]:
        """The rows, in the order given; those that vanished are left out."""

    def pending_among(self, keys: Sequence[RowKey]) -> frozenset[tuple[int, str]]:
        """Identities of those keys whose row is pending now."""

    def lock(self, requests: Sequence[OpenRequest]) -> dict[tuple[int, str], RowNow]:
        """Reads the rows under the lock, by identity; the guard is None where the guard column spared it."""

    def write(self, values: Sequence[tuple[RowKey, Mapping[str, Any]]]) -> None:
        """Writes answers and markers, all or none. Raises DataRefusedError, DatabaseError."""


class Contents(Protocol):
    """``batchd_content``: the only ledger table that holds row content."""

    def keep(self, batch_id: int, pieces: Sequence[Kept]) -> None:
        """Keeps pieces of row content."""

    def read(self, batch_id: int, kind: str) -> list[Kept]:
        """The pieces of one kind, in order."""


class Findings(Protocol):
    """``batchd_finding``: what needs a person."""

    def open(self, kind: str, subject: str, detail: str = "") -> bool:
        """Raises a finding once; True where it is new."""

    def close(self, kind: str, subject: str) -> bool:
        """Ends a finding; True where there was one."""

    def close_all(self, subject: str, kinds: Sequence[str]) -> int:
        """Ends the findings of these kinds about one subject; returns how many there were."""

    def is_open(self, kind: str, prefix: str) -> bool:
        """True while a finding of this kind is open whose subject starts with ``prefix``."""


class Ledger(Protocol):
    """One transaction's view of the database."""

    @property
    def tasks(self) -> Tasks:
        """Tasks and their versions."""

    @property
    def batches(self) -> Batches:
        """Batches and their moves."""

    @property
    def requests(self) -> Requests:
        """Requests and their outcomes."""

    @property
    def gates(self) -> Gates:
        """Rows not to be claimed now."""

    @property
    def contents(self) -> Contents:
        """Row content that is kept."""

    @property
    def findings(self) -> Findings:
        """What needs a person."""

    def rows(self, task_id: int, definition: TaskDefinition) -> Rows:
        """The task's table."""

    def installation_id(self) -> str:
        """Names this ledger towards vendors."""

    def last_activity(self) -> Moment:
        """When the ledger was last written, by its own events."""


class Store(Protocol):
    """The database: hands out transactions and repeats them whole where the database asks for it."""

    def transact(self, work: Callable[[Ledger], T], *, lease: Lease | None = None) -> T:
        """Runs ``work`` in one transaction; with a lease, its first statement checks and renews it.

        ``work`` may run more than once (deadlocks, lost connections). Raises LeaseLostError, DatabaseError.
        """

    def read(self, work: Callable[[Ledger], T]) -> T:
        """Runs ``work`` in a transaction that writes nothing."""


class Prices(Protocol):
    """What a line costs at the vendor's batch rate."""

    def cost(self, model: str, usage: Usage) -> int | None:
        """Billionths of a dollar; None where no batch price is known."""


class Progress(Protocol):
    """Shows long work to a person on a terminal; silent elsewhere."""

    def step(self, what: str, done: int, total: int | None) -> None:
        """``done`` of ``total`` units of ``what``; total None where it is not known."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which part of the ledger a command works on: everything, one task, or one batch."""

    task: str | None = None
    batch_id: int | None = None


EVERYTHING = Scope()


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
        stopping: True once this process should end after the unit of work in hand.
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
    chunk: int = 1000
    stopping: Callable[[], bool] = bool

    def account_of(self, batch: Batch) -> Account | None:
        """The account a batch was sent to; None where the config no longer has it, or has another by its name."""
        account = self.accounts.get(batch.account)
        return account if account is not None and account.fingerprint == batch.account_fingerprint else None


@dataclass(frozen=True, slots=True)
class Orders:
    """How eager a pass is.

    Attributes:
        eager: a person waits for it: sweep the whole table, do not wait for fuller batches.
        batches: how many batches may be built at most, None for as many as the tasks allow.
        first: this process has not looked yet for batches the ledger may have forgotten.
    """

    eager: bool = False
    batches: int | None = None
    first: bool = False


@dataclass(slots=True)
class Counts:
    """What one pass of a stage did: names to numbers, empty where nothing happened.

    ``causes`` are exit codes of what went wrong without stopping the pass.
    """

    numbers: dict[str, int] = field(default_factory=dict)
    causes: set[int] = field(default_factory=set)

    def add(self, name: str, number: int = 1) -> None:
        """Counts ``number`` more of ``name``."""
        if number:
            self.numbers[name] = self.numbers.get(name, 0) + number

    def cause(self, exit_code: int) -> None:
        """Remembers something that went wrong."""
        self.causes.add(exit_code)

    def merge(self, other: "Counts") -> "Counts":
        """Adds what another pass did."""
        for name, number in other.numbers.items():
            self.add(name, number)
        self.causes |= other.causes
        return self

    def __getitem__(self, name: str) -> int:
        return self.numbers.get(name, 0)

    def __bool__(self) -> bool:
        return bool(self.numbers)


class Stage(Protocol):
    """One verb of the pipeline."""

    def run_once(self) -> Counts:
        """Finds its work in the ledger, does one pass over it, and says what it did."""
