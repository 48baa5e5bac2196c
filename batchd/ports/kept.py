"""Paid answers that were kept and not written."""

from collections.abc import Sequence
from typing import Protocol

from batchd.core.keys import RowKey
from batchd.core.model import Amendment, KeptResult
from batchd.core.outcomes import Outcome


class KeptResults(Protocol):
    """Requests that ended with a kept answer, each its row's last, whose gate is ``retry`` or ``failed``."""

    def find(
        self,
        task_id: int,
        outcomes: Sequence[Outcome],
        *,
        keys: Sequence[RowKey] | None = None,
        batch_id: int | None = None,
    ) -> list[tuple[int, int]]:
        """Batch and number of each, in order: of all rows, or of those named, or of one batch."""

    def lines(self, batch_id: int, seqs: Sequence[int]) -> dict[int, str]:
        """The kept line of each of these requests."""

    def lock(self, batch_id: int, seqs: Sequence[int]) -> list[KeptResult]:
        """Locks these requests and their rows' gates; leaves out those that no longer wait."""

    def written_among(self, batch_id: int, seqs: Sequence[int]) -> frozenset[int]:
        """Those of these requests that are applied."""

    def amend(self, batch_id: int, amendments: Sequence[Amendment]) -> None:
        """Gives finished requests another outcome or another reason, and their gates that reason."""
