"""Which of the vendor's batches answers to a submit whose outcome nobody knows."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.core.model import VendorBatch
from batchd.core.reconcile import matches
from batchd.core.states import PROGRESS
from tests.unit.examples import a_batch

BATCH = a_batch(uid="u1", attempt=2, vendor_file_id="file-2")


def listed(status: str = "in_progress", file: str | None = None, **metadata: str) -> VendorBatch:
    return VendorBatch(id=status, status=status, input_file_id=file, metadata=metadata)


@pytest.mark.parametrize(
    ("one", "is_ours"),
    [
        (listed(file="file-2"), True),
        (listed(file="file-2", batchd_uid="u9"), True),
        (listed(batchd_uid="u1", batchd_try="2"), True),
        (listed(file="file-1", batchd_uid="u1", batchd_try="2"), True),
        (listed(file="file-1", batchd_uid="u1", batchd_try="1"), False),
        (listed(batchd_uid="u1"), False),
        (listed(batchd_try="2"), False),
        (listed(file="file-1"), False),
        (listed(), False),
    ],
)
def test_a_batch_is_ours_by_its_file_or_by_uid_and_try(one: VendorBatch, is_ours: bool) -> None:  # noqa: FBT001
    """An earlier try of the same batch is another submit."""
    assert ([one] if is_ours else []) == matches(BATCH, [one])


def test_no_file_matches_no_file() -> None:
    """A batch without a known file is not matched with vendors' batches without one."""
    assert matches(a_batch(uid="u1", vendor_file_id=None), [listed(file=None)]) == []


@given(st.randoms())
def test_the_most_advanced_comes_first(chance: random.Random) -> None:
    """In whatever order the vendor lists them; a failed one comes last."""
    found = [listed(status, file="file-2") for status in PROGRESS]
    chance.shuffle(found)

    assert list(reversed(PROGRESS)) == [one.status for one in matches(BATCH, found)]


def test_an_unknown_status_ranks_before_work_that_has_begun() -> None:
    """It beats what has ended without an answer, and loses to what is under way."""
    found = [listed(status, file="file-2") for status in ("failed", "new_status", "IN_PROGRESS")]

    assert [one.status for one in matches(BATCH, found)] == ["IN_PROGRESS", "new_status", "failed"]
