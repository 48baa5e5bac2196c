"""Which of the vendor's batches answer to a submit whose outcome nobody knows, and what to do about the others."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from batchd.core.model import Batch, Listing, Moment, UnknownCreate, VendorBatch
from batchd.core.states import PROGRESS, VendorPhase, phase_of

# By how much the vendor's clock and the database's may differ.
CLOCK_SKEW = timedelta(hours=1)

_COMES_TO_NOTHING = frozenset({"failed", "cancelled", "cancelling"})


def matches(batch: Batch, listed: Sequence[VendorBatch]) -> list[VendorBatch]:
    """Batches made from this submit's input file, or that carry its uid and try; the most advanced first."""
    return _most_advanced_first(
        [one for one in listed if _is_made_by(one, batch.uid, batch.attempt, batch.vendor_file_id)]
    )


def candidates(batch: Batch, creates: Sequence[UnknownCreate], listed: Sequence[VendorBatch]) -> list[VendorBatch]:
    """What may count as the batch's own while its create is in question; the most advanced first.

    That is what this submit made, and what earlier tries that were given up made late: its answers are paid for.
    """
    late = [one for one in others(batch, creates, listed) if can_be_adopted(one)]
    return _most_advanced_first([*matches(batch, listed), *late])


def others(batch: Batch, creates: Sequence[UnknownCreate], listed: Sequence[VendorBatch]) -> list[VendorBatch]:
    """What a batch's unknown creates made beside the batch that counts; the most advanced first.

    A failed one is left out: nothing of it ran or ever will, and a late one from a deleted file fails by intent.
    """
    return _most_advanced_first(
        [
            one
            for one in listed
            if one.id != batch.vendor_batch_id
            and one.status.lower() != "failed"
            and any(_is_made_by(one, batch.uid, create.attempt, create.file_id) for create in creates)
        ]
    )


def can_be_adopted(one: VendorBatch) -> bool:
    """True where answers are to come from a batch, or have come."""
    return one.status.lower() not in _COMES_TO_NOTHING


def proves_absence(listing: Listing, sent_at: Mapping[str, Moment]) -> bool:
    """True where what is not in a listing is not at the vendor, as far as a listing can say.

    It must be complete and show another batch of ours: an empty or foreign list may be another project's. That batch's
    two times must fit as well, or the listing was cut off in the wrong place by clocks that disagree.

    Args:
        listing: what the vendor listed.
        sent_at: those of its batches that the ledger knows, each with its intent to create.
    """
    return listing.complete and any(_clocks_agree(one, sent_at[one.id]) for one in listing.batches if one.id in sent_at)


def bill_of(one: VendorBatch) -> str:
    """A batch that nobody wanted, in words: how it stands, what of it is paid for, and where its results are."""
    words = f"{one.id} is {one.status}"
    if phase_of(one.status) is not VendorPhase.ENDED or one.completed == 0:
        return words
    ran = "what ran of it" if one.completed is None else f"{one.completed:,} of its requests"
    kept = f", their results stay at the vendor in {one.output_file_id}" if one.output_file_id else ""
    return f"{words}, {ran} paid for twice{kept}"


def _is_made_by(one: VendorBatch, uid: str, attempt: int, file_id: str | None) -> bool:
    if one.input_file_id is not None and one.input_file_id == file_id:
        return True
    return one.metadata.get("batchd_uid") == uid and one.metadata.get("batchd_try") == str(attempt)


def _most_advanced_first(found: Sequence[VendorBatch]) -> list[VendorBatch]:
    return sorted(found, key=_advance, reverse=True)


def _advance(one: VendorBatch) -> int:
    # A failed one comes last, an unknown status before everything that has begun.
    status = one.status.lower()
    return PROGRESS.index(status) if status in PROGRESS else PROGRESS.index("validating")


def _clocks_agree(one: VendorBatch, intent: Moment) -> bool:
    return one.created_at is None or one.created_at >= int((intent - CLOCK_SKEW).timestamp())
