"""The states of a batch and its legal moves, as data. The ledger repeats the states in CHECK constraints."""

from enum import StrEnum


class BatchState(StrEnum):
    """Where a batch stands. ``HELD`` remembers where from; the last three are ends."""

    BUILT = "built"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    ENDED = "ended"
    COLLECTED = "collected"
    HELD = "held"
    CLOSED = "closed"
    FAILED = "failed"
    ABANDONED = "abandoned"


_B = BatchState

MOVES: dict[tuple[BatchState, BatchState], str] = {
    (_B.BUILT, _B.SUBMITTING): "input file uploaded, intent to create written down",
    (_B.BUILT, _B.HELD): "the vendor refuses it for good, or a person is asked",
    (_B.BUILT, _B.ABANDONED): "input file lost before it was sent, or given up by a person",
    (_B.SUBMITTING, _B.SUBMITTED): "the vendor's id is known",
    (_B.SUBMITTING, _B.BUILT): "known not to have been created",
    (_B.SUBMITTING, _B.HELD): "the outcome of the create cannot be settled by looking",
    (_B.SUBMITTED, _B.ENDED): "the vendor reports an end",
    (_B.SUBMITTED, _B.HELD): "the vendor no longer knows it",
    (_B.ENDED, _B.COLLECTED): "result files are on disk, complete",
    (_B.ENDED, _B.BUILT): "refused whole for a passing reason; sent again later",
    (_B.ENDED, _B.HELD): "result files fall short, or the whole batch was refused",
    (_B.COLLECTED, _B.CLOSED): "every request and gate is settled",
    (_B.COLLECTED, _B.FAILED): "the vendor refused the batch; every request and gate is settled",
    (_B.COLLECTED, _B.ENDED): "a result file is lost or altered; fetched again",
    (_B.COLLECTED, _B.HELD): "the results do not fit the rows, or the database refuses the write",
    (_B.HELD, _B.BUILT): "a person lets it go on",
    (_B.HELD, _B.SUBMITTING): "a person lets it go on",
    (_B.HELD, _B.SUBMITTED): "a person lets it go on, or the vendor's batch was found",
    (_B.HELD, _B.ENDED): "a person lets it go on",
    (_B.HELD, _B.COLLECTED): "a person lets it go on",
    (_B.HELD, _B.ABANDONED): "given up by a person",
}

ENDS = frozenset({_B.CLOSED, _B.FAILED, _B.ABANDONED})
OPEN = frozenset(BatchState) - ENDS
# Everything that the vendor had of it is in the ledger. One that was given up may still run there.
ENDED_AT_VENDOR = frozenset({_B.CLOSED, _B.FAILED})

# What a hold may come from. Polling and collecting go on while held: the vendor's copy expires.
HOLDABLE = frozenset(source for source, target in MOVES if target is _B.HELD)


def check_move(source: BatchState, target: BatchState) -> None:
    """Refuses a move that is not in :data:`MOVES`; a programming error, hence ``ValueError``."""
    if (source, target) not in MOVES:
        msg = f"a batch cannot go from {source} to {target}"
        raise ValueError(msg)


class VendorPhase(StrEnum):
    """What a vendor's status means to batchd."""

    OPEN = "open"
    ENDED = "ended"
    UNKNOWN = "unknown"


_PHASES: dict[str, VendorPhase] = {
    "validating": VendorPhase.OPEN,
    "in_progress": VendorPhase.OPEN,
    "finalizing": VendorPhase.OPEN,
    "cancelling": VendorPhase.OPEN,
    "failed": VendorPhase.ENDED,
    "completed": VendorPhase.ENDED,
    "expired": VendorPhase.ENDED,
    "cancelled": VendorPhase.ENDED,
}

# How far along a vendor's batch is, for choosing among several that answer to one intent.
PROGRESS = (
    "failed",
    "cancelled",
    "cancelling",
    "expired",
    "validating",
    "in_progress",
    "finalizing",
    "completed",
)


def phase_of(status: str) -> VendorPhase:
    """The phase of a vendor's status. An unknown status is never an end: the batch stays open."""
    return _PHASES.get(status.lower(), VendorPhase.UNKNOWN)
