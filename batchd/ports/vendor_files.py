"""Files at vendors of batches that ended long ago, and their way out."""

from collections.abc import Sequence
from typing import Protocol

from batchd.core.model import Batch, Moment
from batchd.ports.scope import Scope


class VendorFiles(Protocol):
    """``batchd_vendor_files``."""

    def enlist(self, batch: Batch) -> None:
        """From now on the files of a batch that has ended may be deleted once they are old enough."""

    def due(self, scope: Scope, account: tuple[str, str], seconds: float, most: int) -> Sequence[Batch]:
        """Batches of an account, by name and fingerprint, whose time of ``seconds`` is over, longest over first."""

    def put_off(self, batches: Sequence[Batch], seconds: float) -> None:
        """Counts their time from ``seconds`` ago on; those that are done with stay so."""

    def let_go(self, batch: Batch) -> None:
        """Writes down that the files are not ours to delete."""

    def let_go_of_all(self) -> None:
        """The same of all batches there are: they are the original's of which this ledger is a copy."""

    def note_deleted(self, batch: Batch) -> bool:
        """Writes down that the files are deleted; False where another process has done so."""

    def deleted_at(self, batch_id: int) -> Moment | None:
        """When the files of the batch were deleted; None where they were not."""
