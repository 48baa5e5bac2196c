"""The states of a batch: the moves between them, and what a vendor's status means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.core.states import (
    ENDS,
    HOLDABLE,
    MOVES,
    OPEN,
    PROGRESS,
    BatchState,
    VendorPhase,
    check_move,
    phase_of,
)


def reachable(starts: set[BatchState]) -> set[BatchState]:
    found = set(starts)
    while more := {target for source, target in MOVES if source in found} - found:
        found |= more
    return found


def test_every_state_can_be_reached() -> None:
    """From a batch that was built; a state nobody can come to would be dead."""
    assert set(BatchState) == reachable({BatchState.BUILT})


def test_an_end_is_an_end() -> None:
    """No move leads out of closed, failed and abandoned; every other state has one."""
    assert {source for source, _ in MOVES} == set(BatchState) - ENDS == OPEN
    assert {BatchState.CLOSED, BatchState.FAILED, BatchState.ABANDONED} == ENDS


@pytest.mark.parametrize("state", sorted(OPEN))
def test_every_open_batch_can_come_to_an_end(state: BatchState) -> None:
    """Nothing is stuck: from each open state some end is in reach."""
    assert reachable({state}) & ENDS


def test_whatever_is_held_can_go_on_where_it_was() -> None:
    """A hold may come from every open state, and each of them can be gone back to."""
    back = {target for source, target in MOVES if source is BatchState.HELD}

    assert OPEN - {BatchState.HELD} == HOLDABLE
    assert back - ENDS == HOLDABLE


def test_what_was_sent_is_never_abandoned_unseen() -> None:
    """Only a batch that was never sent, or one that a person looks at, is given up."""
    given_up = {source for source, target in MOVES if target is BatchState.ABANDONED}

    assert {BatchState.BUILT, BatchState.HELD} == given_up


@given(st.sampled_from(BatchState), st.sampled_from(BatchState))
def test_a_move_that_is_not_in_the_table_is_refused(source: BatchState, target: BatchState) -> None:
    """The table is all there is."""
    if (source, target) in MOVES:
        check_move(source, target)
        return
    with pytest.raises(ValueError, match=f"from {source} to {target}"):
        check_move(source, target)


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("validating", VendorPhase.OPEN),
        ("in_progress", VendorPhase.OPEN),
        ("finalizing", VendorPhase.OPEN),
        ("cancelling", VendorPhase.OPEN),
        ("completed", VendorPhase.ENDED),
        ("failed", VendorPhase.ENDED),
        ("expired", VendorPhase.ENDED),
        ("cancelled", VendorPhase.ENDED),
        ("COMPLETED", VendorPhase.ENDED),
        ("", VendorPhase.UNKNOWN),
        ("pre_processing", VendorPhase.UNKNOWN),
    ],
)
def test_the_phase_of_a_status(status: str, phase: VendorPhase) -> None:
    """The eight statuses of the API, in whatever case, and those of others."""
    assert phase == phase_of(status)


@given(st.text())
def test_a_status_nobody_knows_is_never_an_end(status: str) -> None:
    """An unknown word from the vendor leaves the batch open."""
    ended = {"completed", "failed", "expired", "cancelled"}

    assert (phase_of(status) is VendorPhase.ENDED) == (status.lower() in ended)


def test_progress_ranks_every_known_status_once() -> None:
    """Of several batches for one submit the most advanced is taken; a failed one comes last."""
    assert len(set(PROGRESS)) == len(PROGRESS) == 8
    assert all(phase_of(status) is not VendorPhase.UNKNOWN for status in PROGRESS)
    assert (PROGRESS[0], PROGRESS[-1]) == ("failed", "completed")
