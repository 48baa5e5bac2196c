"""Requests of batches that ended long ago, and their way out of the ledger."""

from collections.abc import Sequence
from typing import Protocol

from batchd.core.model import Batch, Moment
from batchd.ports.scope import Scope


class Retention(Protocol):
    """``batchd_retention``."""

    def enlist(self, batch: Batch) -> None:
        """From now on the requests of a batch that has ended may be removed once they are old enough."""

    def due(self, scope: Scope, seconds: float, most: int) -> list[Batch]:
        """Batches with requests to remove whose time of ``seconds`` is over, longest over first."""

    def removable(self, batch: Batch, after: int, most: int) -> list[int]:
        """Numbers, in order and after this one, of requests whose row nobody waits for any more."""

    def remove(self, batch: Batch, seqs: Sequence[int]) -> None:
        """Removes these requests and what is kept of their rows."""

    def remove_rest(self, batch: Batch, most: int) -> int:
        """Removes pieces that are kept of no request in particular; returns how many."""

    def has_requests(self, batch: Batch) -> bool:
        """True while a request of the batch is there."""

    def finish(self, batch: Batch) -> None:
        """Writes down that nothing of the batch is left to be removed."""

    def put_off(self, batch: Batch) -> None:
        """Lets the time begin again that what is left of the batch is kept."""

    def trimmed_at(self, batch_id: int) -> Moment | None:
        """When requests of the batch were removed last; None where all are there."""
