"""Which of the vendor's batches answers to a submit whose outcome nobody knows."""

import datetime as dt
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.core.model import Listing, UnknownCreate, VendorBatch
from batchd.core.reconcile import bill_of, candidates, matches, others, proves_absence
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


EARLIER = [UnknownCreate(1, 1, "file-1")]


def test_what_counts_while_the_create_is_in_question() -> None:
    """Its own batches, and those of earlier tries that were given up; the most advanced first, then its own."""
    own, late = listed("in_progress", file="file-2"), listed("in_progress", batchd_uid="u1", batchd_try="1")
    done, ended = listed("completed", file="file-1"), listed("cancelled", file="file-1")

    assert [done, own, late] == candidates(BATCH, EARLIER, [late, ended, own, done])
    assert candidates(BATCH, [], [late, done]) == []
    assert [done, listed("failed", file="file-2")] == candidates(
        BATCH, EARLIER, [listed("failed", file="file-2"), done]
    )


def test_what_else_was_made_is_everything_but_the_batch_that_counts_and_failures() -> None:
    """A failed one costs nothing and never will."""
    counts = a_batch(uid="u1", attempt=2, vendor_file_id="file-2", vendor_batch_id="completed")
    found = [listed(status, file="file-1") for status in ("completed", "failed", "cancelled", "validating")]

    assert ["validating", "cancelled"] == [one.status for one in others(counts, EARLIER, found)]


NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def seen(minutes: int | None) -> VendorBatch:
    """A batch that the vendor made so many minutes after noon by its clock."""
    created_at = None if minutes is None else int(NOON.timestamp()) + minutes * 60
    return VendorBatch(id="known", status="in_progress", created_at=created_at)


@pytest.mark.parametrize(("minutes", "proves"), [(0, True), (-60, True), (-61, False), (90, True), (None, True)])
def test_an_absence_needs_a_known_batch_whose_times_fit(minutes: int | None, proves: bool) -> None:  # noqa: FBT001
    """A vendor whose clock is more than an hour behind may have had ours cut off from the list."""
    assert proves is proves_absence(Listing((seen(minutes),), complete=True), {"known": NOON})


def test_an_absence_needs_a_complete_list_with_a_known_batch() -> None:
    """An empty one, another project's, or one that was cut says nothing."""
    assert not proves_absence(Listing((seen(0),), complete=False), {"known": NOON})
    assert not proves_absence(Listing((seen(0),), complete=True), {})
    assert not proves_absence(Listing((), complete=True), {})


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (VendorBatch("b", "in_progress", completed=3), "b is in_progress"),
        (VendorBatch("b", "cancelled", completed=0), "b is cancelled"),
        (VendorBatch("b", "cancelled", completed=1200), "b is cancelled, 1,200 of its requests paid for twice"),
        (VendorBatch("b", "expired"), "b is expired, what ran of it paid for twice"),
        (
            VendorBatch("b", "completed", completed=3, output_file_id="f"),
            "b is completed, 3 of its requests paid for twice, their results stay at the vendor in f",
        ),
    ],
)
def test_a_batch_that_nobody_wanted_is_told_with_its_bill(one: VendorBatch, words: str) -> None:
    """How it stands, what of it was paid, where its results are."""
    assert words == bill_of(one)
