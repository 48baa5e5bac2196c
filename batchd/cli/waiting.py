"""Waiting for batches to end at the vendor, and bringing home what they have."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from batchd.cli import exit_codes
from batchd.core.model import Batch
from batchd.core.states import ENDS, BatchState
from batchd.pipeline import CHECKING, run_pass
from batchd.ports import Orders, Scope, Workplace
from batchd.stop import Stop

_FIRST_PAUSE = 0.5
_GROWTH = 1.5
# A vendor is given this many looks in a row that tell nothing.
_PATIENCE = 5
_UNTOLD = frozenset({exit_codes.VENDOR_UNREACHABLE, exit_codes.DATABASE})


@dataclass(frozen=True, slots=True)
class Waited:
    """How a wait ended: what went wrong at last, and the batches that wait for their task to go on."""

    causes: frozenset[int] = frozenset()
    paused: tuple[Batch, ...] = ()


@dataclass(slots=True)
class _Look:
    """What one look at all of them found."""

    open: list[Batch] = field(default_factory=list)
    paused: list[Batch] = field(default_factory=list)
    causes: set[int] = field(default_factory=set)


def wait_for_ends(place: Workplace, batches: Sequence[int], stop: Stop) -> Waited:
    """Polls, collects and applies until each batch has ended, is held, or waits for its paused task; or a stop.

    A daemon may do the same meanwhile: what it works on is looked at again. Looks come ever more slowly, up to the
    configured ``check_interval``.
    """
    pause, fruitless = _FIRST_PAUSE, 0
    while True:
        look = _look(place, batches)
        place.progress.step("cancelling at the vendor", len(batches) - len(look.open), len(batches))
        fruitless = fruitless + 1 if look.causes & _UNTOLD else 0
        is_over = not look.open or fruitless >= _PATIENCE or exit_codes.VENDOR_AUTH in look.causes
        if is_over or stop.wait(pause):
            # Whoever holds the lease, or did not answer, was got over where nothing is left open.
            causes = look.causes if look.open else set()
            return Waited(frozenset(causes - {exit_codes.HELD, exit_codes.LEASE}), tuple(look.paused))
        pause = min(pause * _GROWTH, max(place.check_interval, _FIRST_PAUSE))


def _look(place: Workplace, batches: Sequence[int]) -> _Look:
    look = _Look()
    for number in batches:
        batch = place.store.read(lambda ledger, one=number: ledger.batches.get(one))  # type: ignore[misc]
        if batch.state not in ENDS and not place.stopping():
            look.causes |= run_pass(CHECKING, place, Scope(batch_id=number), Orders(eager=True)).causes
            batch = place.store.read(lambda ledger, one=number: ledger.batches.get(one))  # type: ignore[misc]
        if batch.state is BatchState.COLLECTED and place.is_paused(batch):
            look.paused.append(batch)
        elif batch.state not in {*ENDS, BatchState.HELD}:
            look.open.append(batch)
    return look
