"""The ledger of enqueued tokens."""

from collections.abc import Collection, Sequence
from typing import Protocol

from batchd.core.model import Batch
from batchd.core.quota import Enqueued, Learnt, Sample, Standing
from batchd.ports.scope import Scope


class Quotas(Protocol):
    """``batchd_quota`` and ``batchd_enqueued``."""

    def samples(self, task_id: int, model: str) -> list[Sample]:
        """What the vendor counted for the task's last batches with this model."""

    def enqueue(self, batch: Batch, model: str, tokens: int) -> None:
        """Writes down what a new batch will be counted as; once."""

    def entries(self, batch_ids: Sequence[int]) -> dict[int, Enqueued]:
        """Of these batches, those that were written down, by id."""

    def standing(self, account: str, model: str, *, apart: int | None = None) -> Standing:
        """What is enqueued, leaving one batch out of the count."""

    def learnt(self, account: str, model: str) -> Learnt:
        """What refusals have taught of the limit."""

    def lock(self, account: str, model: str) -> None:
        """Nobody else sends anything to this account until the transaction ends. First statement of those that do."""

    def reserve(self, batch_id: int, tokens: int, beside: int) -> None:
        """The batch is sent and counts so many tokens, ``beside`` those of others.

        It counts as enqueued while it is worked on, and then until the vendor has reported its end.
        """

    def wait(self, batch_ids: Collection[int], turn: int | None) -> None:
        """These batches wait for the vendor's quota; ``turn`` names the one whose turn it is."""

    def learn(self, account: str, model: str, learnt: Learnt) -> None:
        """Writes down what is known of the limit now."""

    def are_wanted(self, account: str) -> bool:
        """True while a batch waits for tokens of this account, of whichever model."""

    def will_be_freed(self, scope: Scope) -> bool:
        """True where a batch in scope waits for tokens that batches have which somebody looks after."""
