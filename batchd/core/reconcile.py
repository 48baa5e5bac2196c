"""Which of the vendor's batches answers to a submit whose outcome nobody knows."""

from collections.abc import Sequence

from batchd.core.model import Batch, VendorBatch
from batchd.core.states import PROGRESS


def matches(batch: Batch, listed: Sequence[VendorBatch]) -> list[VendorBatch]:
    """Batches made from this submit's input file, or that carry its uid and try; the most advanced first."""
    found = [one for one in listed if _is_ours(batch, one)]
    return sorted(found, key=_advance, reverse=True)


def _is_ours(batch: Batch, one: VendorBatch) -> bool:
    if one.input_file_id is not None and one.input_file_id == batch.vendor_file_id:
        return True
    tagged = one.metadata.get("batchd_uid") == batch.uid
    return tagged and one.metadata.get("batchd_try") == str(batch.attempt)


def _advance(one: VendorBatch) -> int:
    # A failed one comes last, an unknown status before everything that has begun.
    status = one.status.lower()
    return PROGRESS.index(status) if status in PROGRESS else PROGRESS.index("validating")
