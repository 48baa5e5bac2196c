"""The things the stages speak of: batches, requests, leases, what the vendor says.

What is made once for every row is a named tuple, which takes half the time of a frozen dataclass.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from batchd.core.keys import RowKey
from batchd.core.outcomes import GateState, Outcome, Tries
from batchd.core.states import BatchState
from batchd.core.verdicts import Usage

Moment = dt.datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one task or batch until it expires by the database's clock.

    ``epoch`` grows at each takeover, so a process that lost its lease can be told apart for ever.
    """

    kind: Literal["task", "batch"]
    subject_id: int
    owner: str
    epoch: int
    seconds: float


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A task as the ledger knows it. Limits a DBA has set there win over the config's."""

    id: int
    name: str
    paused: bool
    pause_reason: str
    fingerprint: str
    resume_key: int | None
    last_sweep_at: Moment | None
    batch_size: int | None
    max_open_batches: int | None


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch as the ledger knows it. Times are UTC, by the database's clock."""

    id: int
    uid: str
    task_id: int
    task: str
    version_id: int
    state: BatchState
    held_from: BatchState | None
    attempt: int
    account: str
    account_fingerprint: str
    requests: int
    input_bytes: int
    input_sha256: str
    vendor_file_id: str | None
    vendor_batch_id: str | None
    vendor_status: str | None
    output_file_id: str | None
    error_file_id: str | None
    counted_completed: int | None
    counted_failed: int | None
    output_sha256: str | None
    error_sha256: str | None
    looks: int
    checks_waived: bool
    error_code: str | None
    created_at: Moment
    intent_at: Moment | None
    submitted_at: Moment | None
    expires_at: Moment | None
    absent_since: Moment | None
    output_bytes: int | None = None
    error_bytes: int | None = None

    @property
    def was_refused(self) -> bool:
        """The vendor refused the whole batch in its validation: no line of it ran."""
        return (self.vendor_status or "").lower() == "failed"

    @property
    def was_cancelled(self) -> bool:
        """The vendor has cancelled it, on a person's word."""
        return (self.vendor_status or "").lower() == "cancelled"

    @property
    def position(self) -> BatchState:
        """Where the batch stands on its way, also while it is held."""
        return self.held_from or self.state


@dataclass(frozen=True, slots=True)
class UnknownCreate:
    """A batch's try whose outcome was unknown: what else it made, or makes late, is looked for."""

    batch_id: int
    attempt: int
    file_id: str


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch to be recorded: its file is on disk, nothing is sent."""

    uid: str
    task_id: int
    version_id: int
    account: str
    account_fingerprint: str
    input_bytes: int
    input_sha256: str


class NewRequest(NamedTuple):
    """One row's one try, as it goes into a batch. ``retried`` says that the row has a gate already."""

    seq: int
    key: RowKey
    guard: str
    guard_value: str | None
    retried: bool = False


class OpenRequest(NamedTuple):
    """A request without an outcome, with its row's tries so far (this one not counted)."""

    seq: int
    key: RowKey
    guard: str
    guard_value: str | None
    tries: Tries


class FinishedRequest(NamedTuple):
    """A request's outcome, as the ledger keeps it: no row content. ``cost`` is in billionths of a dollar."""

    seq: int
    outcome: Outcome
    usage: Usage
    finish_reason: str
    code: str
    sentence: str
    cost: int | None


class SettledGate(NamedTuple):
    """What becomes of the gate of a finished request's row; ``state`` None removes it."""

    seq: int
    key: RowKey
    state: GateState | None
    delay: float
    tries: Tries
    outcome: Outcome
    code: str
    sentence: str


class StuckRow(NamedTuple):
    """A row that a person may free: its key, the state of its gate, and what became of its last request."""

    key: RowKey
    state: GateState
    outcome: Outcome | None
    batch_id: int | None


class StuckRows(NamedTuple):
    """How many rows may be freed with one outcome; ``sent`` of them were in a batch, in ``bytes`` of its file."""

    outcome: Outcome | None
    rows: int
    sent: int
    bytes: int


class Kept(NamedTuple):
    """A piece of row content to keep in ``batchd_content``; ``part`` tells several of a kind apart."""

    seq: int
    kind: Literal["before", "line", "stranger", "vendor_errors"]
    body: str
    part: int = 0


@dataclass(frozen=True, slots=True)
class KeptResult:
    """A request whose paid answer was kept and not written; its row waits for a retry or for a person."""

    request: OpenRequest
    outcome: Outcome
    gate: GateState


@dataclass(frozen=True, slots=True)
class Amendment:
    """A finished request's new outcome, or only a new reason for the one that it ``was``.

    ``version_id`` is the definition that a kept result was written with; None where it was not written.
    """

    seq: int
    was: Outcome
    outcome: Outcome
    code: str
    sentence: str
    version_id: int | None = None


class SourceRow(NamedTuple):
    """A row as it was read for a prompt."""

    key: RowKey
    inputs: Mapping[str, Any]
    guard: str
    guard_value: str | None


class RowNow(NamedTuple):
    """A row as it is under the lock, before batchd writes it; ``before`` is None where it is yet to be added."""

    key: RowKey
    pending: bool
    guard: str | None
    guard_value: str | None
    before: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class KeyPage:
    """Keys of rows that may be claimed, in the database's order.

    ``last`` is where the next page starts after; None where the table is exhausted.
    """

    keys: tuple[RowKey, ...]
    last: tuple[Any, ...] | None
    unusable: int = 0


@dataclass(frozen=True, slots=True)
class VendorFault:
    """One entry of a refused batch's ``errors.data``: ``line`` counts from 1."""

    code: str
    param: str | None = None
    line: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class VendorBatch:
    """A batch as the vendor reports it. Unix seconds; None where the vendor says nothing."""

    id: str
    status: str
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    created_at: int | None = None
    expires_at: int | None = None
    total: int | None = None
    completed: int | None = None
    failed: int | None = None
    faults: tuple[VendorFault, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listing:
    """A vendor's list of batches, as far back as asked. ``complete`` says that no page was missed."""

    batches: tuple[VendorBatch, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class SpooledFile:
    """A finished file in the spool: its size, SHA-256 in hex, and number of lines."""

    bytes: int
    sha256: str
    lines: int
