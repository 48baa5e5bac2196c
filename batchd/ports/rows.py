"""The ledger's requests, gates, kept content and findings, and the rows of the task's own table."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from batchd.core.keys import RowKey
from batchd.core.model import (
    FinishedRequest,
    Kept,
    KeyPage,
    NewRequest,
    OpenRequest,
    RowNow,
    SettledGate,
    SourceRow,
    StuckRow,
    StuckRows,
)
from batchd.core.outcomes import Outcome
from batchd.core.packing import Failure


class Requests(Protocol):
    """``batchd_request``."""

    def add(self, batch_id: int, requests: Iterable[NewRequest]) -> None:
        """Records a batch's requests, each with its row's tries so far."""

    def seqs(self, batch_id: int) -> Collection[int]:
        """Numbers of all requests of a batch."""

    def open_after(self, batch_id: int, seq: int, limit: int) -> Sequence[int]:
        """Numbers of requests without an outcome, in order."""

    def open_keys(self, batch_id: int, most: int) -> list[RowKey]:
        """The rows of the first requests without an outcome."""

    def lock_open(self, batch_id: int, seqs: Sequence[int]) -> list[OpenRequest]:
        """Locks these requests and returns those still without an outcome."""

    def finish(self, batch_id: int, finished: Sequence[FinishedRequest]) -> None:
        """Gives each its one outcome."""


class Gates(Protocol):
    """``batchd_gate``: batchd's memory of rows it must not claim now."""

    def due_retries(self, task_id: int, limit: int) -> list[RowKey]:
        """Rows whose wait is over, longest over first."""

    def next_retry(self, task_id: int) -> float | None:
        """Seconds until the next retry is due; None where none waits."""

    def open(self, task_id: int, batch_id: int, requests: Sequence[NewRequest]) -> frozenset[int]:
        """Opens a gate for each row; returns the numbers of those it could open, the others are gated already."""

    def drop(self, task_id: int, keys: Sequence[RowKey]) -> None:
        """Removes the gates of rows that are no longer pending."""

    def fail(self, task_id: int, failures: Sequence[Failure]) -> None:
        """Marks rows that cannot be sent."""

    def free(self, task_id: int, keys: Sequence[RowKey] | None, only: Sequence[Outcome] = ()) -> int:
        """Makes rows due again with fresh tries: those named, or all that failed or are held; of some outcomes only.

        Returns how many.
        """

    def stuck(self, task_id: int, keys: Sequence[RowKey] | None, only: Sequence[Outcome] = ()) -> list[StuckRows]:
        """How many rows :meth:`free` would free, by their outcome."""

    def stuck_rows(
        self, task_id: int, keys: Sequence[RowKey] | None, only: Sequence[Outcome], most: int
    ) -> list[StuckRow]:
        """The first of them."""

    def settle(self, task_id: int, batch_id: int, settled: Sequence[SettledGate]) -> None:
        """Moves or removes the gates of finished requests."""

    def any_failed(self, task_id: int, outcome: Outcome) -> bool:
        """True while a row has failed, for good, with this outcome."""


class Rows(Protocol):
    """The task's own table. Everything is compared and ordered by the database."""

    def claimable(self, after: tuple[Any, ...] | None, limit: int) -> KeyPage:
        """Pending rows without a gate, in key order."""

    def claimable_rows(self, after: tuple[Any, ...] | None, limit: int) -> tuple[KeyPage, list[SourceRow]]:
        """The same with the rows themselves, as :meth:`read` gives them."""

    def count_claimable(self) -> int:
        """How many pending rows have no gate, or one that is waiting for a retry."""

    def read(self, keys: Sequence[RowKey]) -> list[SourceRow]:
        """The rows, in the order given; those that vanished are left out."""

    def pending_among(self, keys: Sequence[RowKey]) -> frozenset[tuple[int, str]]:
        """Identities of those keys whose row is pending now, and can be written."""

    def pending_after(self, keys: Sequence[RowKey]) -> frozenset[tuple[int, str]]:
        """Identities of those keys whose row, just written, is still pending by the task's own condition."""

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
        """Raises a finding once; True where it is new. Of one that is open the last detail counts."""

    def close(self, kind: str, subject: str) -> bool:
        """Ends a finding; True where there was one."""

    def close_all(self, subject: str, kinds: Sequence[str]) -> int:
        """Ends the findings of these kinds about one subject; returns how many there were."""

    def was_told(self, kind: str, subject: str, detail: str) -> bool:
        """True where a finding, open or closed, has said this very detail."""

    def was_closed(self, kind: str, subject: str) -> bool:
        """True where a finding was raised once and has been dealt with."""

    def subjects(self, *kinds: str) -> list[str]:
        """What open findings of these kinds are about."""

    def is_any_open(self, subject: str) -> bool:
        """True while a finding of any kind is open about this subject."""

    def is_open(self, kind: str, subject: str) -> bool:
        """True while one of this kind is open about ``subject``, or about a thing of it (``vendor x batch y``)."""

    def is_open_among(self, kinds: Sequence[str], subject: str) -> bool:
        """The same of any of these kinds."""
