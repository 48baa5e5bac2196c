"""The way of a row, on one screen. Every stage finds its work in the ledger, so a restart is just the next pass.

    stage     batch: takes → leaves          what happens
    recover   submitting → submitted, held   settles by looking what nobody knows
    claim     (rows)     → built             reads pending rows, renders, packs a file, records it
    submit    built      → submitted         uploads, writes the intent down, creates once
    poll      submitted  → ended             asks the vendor
    collect   ended      → collected         brings the result files to disk, complete
    apply     collected  → closed, failed    writes answers to rows, each at most once
    cleanup   (ended)    → (no files)        removes spool files some days after a batch's end
    retention (ended)    → (no requests)     removes requests from the ledger long after that, where it is told to

Submit sends a batch while claim still builds the next one, and apply writes one while collect still fetches the next
one; submit, collect and poll call the vendor for several batches at once (``side_by_side.py``).

The states and moves themselves are data in ``core/states.py``; what becomes of a request is in ``core/outcomes.py``.
"""

from collections.abc import Callable
from dataclasses import replace

from batchd.ports import Counts, Orders, Scope, Stage, Workplace
from batchd.side_by_side import Pair
from batchd.stages.apply import Apply
from batchd.stages.claim import Claim
from batchd.stages.cleanup import Cleanup
from batchd.stages.collect import Collect
from batchd.stages.poll import Poll
from batchd.stages.recover import Recover
from batchd.stages.retention import Retention
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


def _retention(place: Workplace, scope: Scope, _: Orders) -> Stage:
    return Retention(place, scope)


BATCH_LANE: tuple[StageMaker, ...] = (_recover, _claim, _submit, _poll, _collect, _apply, _cleanup, _retention)
SENDING: tuple[StageMaker, ...] = (_recover, _claim, _submit)
# What a batch's end frees of the vendor's quota is used before its results are fetched.
WORKING: tuple[StageMaker, ...] = (_recover, _poll, _submit, _collect, _apply, _cleanup, _retention)
CHECKING: tuple[StageMaker, ...] = (_recover, _poll, _collect, _apply)
# The second of these takes on what the first leaves while that one still works.
PAIRS: frozenset[tuple[StageMaker, StageMaker]] = frozenset({(_claim, _submit), (_collect, _apply)})


def run_pass(lane: tuple[StageMaker, ...], place: Workplace, scope: Scope, orders: Orders) -> Counts:
    """One pass of a lane's stages, in order; returns what they did together."""
    counts, ahead = Counts(), list(lane)
    while ahead:
        make = ahead.pop(0)
        if place.transfers > 1 and ahead and (make, ahead[0]) in PAIRS:
            counts.merge(_run_pair(make, ahead.pop(0), place, scope, orders))
        else:
            counts.merge(make(place, scope, orders).run_once())
    return counts


def _run_pair(lead: StageMaker, follow: StageMaker, place: Workplace, scope: Scope, orders: Orders) -> Counts:
    counts, pair = Counts(), Pair()
    place = replace(place, passed_on=pair.tell, stopping=_either(place.stopping, pair.is_broken))
    pair.run(
        lambda: counts.merge(lead(place, scope, orders).run_once()),
        lambda: counts.merge(follow(place, scope, orders).run_once()),
    )
    return counts


def _either(one: Callable[[], bool], other: Callable[[], bool]) -> Callable[[], bool]:
    return lambda: one() or other()
