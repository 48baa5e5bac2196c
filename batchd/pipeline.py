"""The way of a row, on one screen. Every stage finds its work in the ledger, so a restart is just the next pass.

    stage     batch: takes → leaves          what happens
    recover   submitting → submitted, held   settles by looking what nobody knows
    claim     (rows)     → built             reads pending rows, renders, packs a file, records it
    submit    built      → submitted         uploads, writes the intent down, creates once
    poll      submitted  → ended             asks the vendor
    collect   ended      → collected         brings the result files to disk, complete
    apply     collected  → closed, failed    writes answers to rows, each at most once
    cleanup   (ended)    → (no files)        removes spool files some days after a batch's end

The states and moves themselves are data in ``core/states.py``; what becomes of a request is in ``core/outcomes.py``.
"""

from collections.abc import Callable

from batchd.ports import Counts, Orders, Scope, Stage, Workplace
from batchd.stages.apply import Apply
from batchd.stages.claim import Claim
from batchd.stages.cleanup import Cleanup
from batchd.stages.collect import Collect
from batchd.stages.poll import Poll
from batchd.stages.recover import Recover
from batchd.stages.submit import Submit

StageMaker = Callable[[Workplace, Scope, Orders], Stage]


def _recover(place: Workplace, scope: Scope, orders: Orders) -> Stage:
    return Recover(place, scope, strangers=orders.first)


def _claim(place: Workplace, scope: Scope, orders: Orders) -> Stage:
    return Claim(place, scope, orders)


def _submit(place: Workplace, scope: Scope, _: Orders) -> Stage:
    return Submit(place, scope)


def _poll(place: Workplace, scope: Scope, _: Orders) -> Stage:
    return Poll(place, scope)


def _collect(place: Workplace, scope: Scope, _: Orders) -> Stage:
    return Collect(place, scope)


def _apply(place: Workplace, scope: Scope, _: Orders) -> Stage:
    return Apply(place, scope)


def _cleanup(place: Workplace, scope: Scope, _: Orders) -> Stage:
    return Cleanup(place, scope)


BATCH_LANE: tuple[StageMaker, ...] = (_recover, _claim, _submit, _poll, _collect, _apply, _cleanup)
SENDING: tuple[StageMaker, ...] = (_recover, _claim, _submit)
WORKING: tuple[StageMaker, ...] = (_recover, _submit, _poll, _collect, _apply, _cleanup)
CHECKING: tuple[StageMaker, ...] = (_recover, _poll, _collect, _apply)


def run_pass(lane: tuple[StageMaker, ...], place: Workplace, scope: Scope, orders: Orders) -> Counts:
    """One pass of a lane's stages, in order; returns what they did together."""
    counts = Counts()
    for make in lane:
        counts.merge(make(place, scope, orders).run_once())
    return counts
