"""The ledger's tasks and batches."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from batchd.core.model import Batch, Lease, Moment, NewBatch, TaskRecord, UnknownCreate
from batchd.core.outcomes import Outcome
from batchd.core.states import BatchState
from batchd.core.tasks import TaskDefinition
from batchd.ports.scope import EVERYTHING, Scope


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

    def all(self) -> list[TaskRecord]:
        """Every task that the ledger knows, configured or not."""

    def definitions(self, task: TaskRecord) -> list[TaskDefinition]:
        """Every definition it had over the table and key that it has now; else the one that was written down last."""

    def has_open_work(self, task_id: int) -> bool:
        """True while a gate or a batch of the task is open."""

    def remembers_rows(self, task_id: int) -> bool:
        """True while a gate of the task is there, open or done: rows that must not be asked about again unasked."""

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

    def pause(self, task_id: int, reason: str, *, action: str = "paused") -> None:
        """Stops claiming, submitting and applying of a task; ``action`` is what the trail calls it."""

    def unpause(self, task_id: int, reason: str, *, action: str = "resumed") -> None:
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

    def open_accounts(self, scope: "Scope" = EVERYTHING) -> set[tuple[str, str]]:
        """Name and fingerprint of each vendor account that open batches belong to."""

    def open_tasks(self) -> set[str]:
        """Names of the tasks that have batches which have not come to an end."""

    def open_count(self, task_id: int) -> int:
        """Batches of a task that have not come to an end."""

    def bytes_on_the_way(self) -> int:
        """Input bytes of all batches whose results are not on disk yet: about what those will need."""

    def with_old_files(self, scope: "Scope", seconds: float, most: int) -> list[Batch]:
        """Batches that ended at least so long ago and whose files are not marked as removed, oldest end first."""

    def note_files_removed(self, batch: Batch) -> None:
        """Marks a batch whose spool files are gone."""

    def take_lease(self, batch_id: int, owner: str, seconds: float) -> Lease | None:
        """Takes the lease of a batch; None while another holds it."""

    def release(self, lease: Lease) -> None:
        """Gives the lease back."""

    def move(self, batch: Batch, to: BatchState, reason: str, **changes: Any) -> Batch:
        """Moves a batch on, keeping it held where it is held; a waiver of its checks ends with the step.

        Raises LeaseLostError where it has moved already.
        """

    def hold(self, batch: Batch, reason: str, code: str = "") -> Batch:
        """Makes a batch wait for a person."""

    def resume(self, batch: Batch, reason: str, **changes: Any) -> Batch:
        """Lets a held batch go on from where it stands."""

    def abandon(self, batch: Batch, reason: str) -> Batch:
        """Ends a batch that was never sent, or that a person gives up."""

    def record(
        self, batch: Batch, action: str, reason: str, move: tuple[str | None, str | None] = (None, None)
    ) -> None:
        """Adds to the batch's timeline what does not move it."""

    def note(self, batch: Batch, **changes: Any) -> None:
        """Writes down facts that do not move the batch."""

    def note_polled(self, batch: Batch, **changes: Any) -> None:
        """The same, with the time of the look."""

    def note_applied(self, batch: Batch) -> None:
        """Stamps the last chunk that was applied."""

    def wait(self, batch: Batch, seconds: float) -> None:
        """Leaves the batch alone for a while."""

    def bring_forward(self, account: str, vendor_ids: Sequence[str]) -> frozenset[str]:
        """Makes those of an account's batches due now that are at the vendor and have not ended as far as we know.

        Returns their vendor ids. One that is held, has ended or is not ours stays as it is.
        """

    def settle_within(self, batch: Batch, seconds: float) -> None:
        """Says how long an unknown create is looked for at most, from now on."""

    def seconds_unsettled(self, batch: Batch) -> float:
        """Seconds since an unknown create should have been settled; negative before."""

    def note_absent(self, batch: Batch) -> None:
        """Writes down that a listing has proved that the vendor does not show the batch."""

    def seconds_absent(self, batch: Batch) -> float:
        """Seconds since the first such listing."""

    def seconds_since_submit(self, batch: Batch) -> float:
        """The batch's age at the vendor."""

    def seconds_since_end(self, batch: Batch) -> float:
        """Seconds since the vendor reported its end."""

    def seconds_past_window(self, batch: Batch) -> float:
        """Seconds since the vendor's window ended; negative while it is open or not known."""

    def tally(self, batch: Batch) -> dict[Outcome, int]:
        """Counts the requests per outcome and writes counts, tokens and cost to the batch."""

    def count_reapplied(self, batch: Batch, was: Outcome, number: int) -> None:
        """Moves so many of a closed batch's requests from the count of one outcome to that of ``applied``."""

    def has_open_requests(self, batch: Batch) -> bool:
        """True while a request or a gate of the batch is open."""

    def sent_at(self, account: str, ids: Sequence[str]) -> Mapping[str, Moment]:
        """Those of these vendor batch ids that the ledger knows, each with the time of its intent to create."""

    def newest_at(self, account: str) -> Moment | None:
        """When the newest batch of an account was built, None where it never had one."""

    def known_uids(self, uids: Sequence[str]) -> frozenset[str]:
        """Which of these uids the ledger knows."""

    def watch(self, batch: Batch) -> None:
        """Puts the batch's last try to be created on watch, once."""

    def watched(self, account: str, seconds: float) -> list[UnknownCreate]:
        """What was put on watch in the last so many seconds, by batch and try."""

    def next_due(self, scope: "Scope") -> float | None:
        """Seconds until the next open batch is due; None where no batch is open."""

    def any_later(self, scope: "Scope") -> bool:
        """True where an open batch is not due yet. Held ones wait for a person, and don't count."""
