"""The way of a row, on one screen. Every stage finds its work in the ledger, so a restart is just the next pass.

    stage     batch: takes → leaves          what happens
    recover   submitting → submitted, held   settles by looking what nobody knows
    claim     (rows)     → built             reads pending rows, renders, packs a file, records it
    submit    built      → submitted         uploads, writes the intent down, creates once
    poll      submitted  → ended             asks the vendor
    collect   ended      → collected         brings the result files to disk, complete
    apply     collected  → closed, failed    writes answers to rows, each at most once
    vendor_files (ended) → (none there)      deletes files at the vendor long after that, where it is told to
    cleanup   (ended)    → (no files)        removes spool files some days after a batch's end
    retention (ended)    → (no requests)     removes requests from the ledger long after that, where it is told to
    notify    (findings) → (told)            tells people of what needs them, where the config says how

Submit sends a batch while claim still builds the next one, and apply writes one while collect still fetches the next
one; submit, collect and poll call the vendor for several batches at once (``side_by_side.py``).

The states and moves themselves are data in ``core/states.py``; what becomes of a request is in ``core/outcomes.py``.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import structlog

from batchd import events
from batchd.log_ids import about_pass
from batchd.ports import EVERYTHING, Counts, Orders, Scope, Stage, Workplace
from batchd.side_by_side import Pair
from batchd.stages.apply import Apply
from batchd.stages.claim import Claim
from batchd.stages.cleanup import Cleanup
from batchd.stages.collect import Collect
from batchd.stages.notify import Notify
from batchd.stages.poll import Poll
from batchd.stages.recover import Recover
from batchd.stages.retention import Retention
from batchd.stages.submit import Submit
from batchd.stages.vendor_files import VendorFiles

log = structlog.get_logger("batchd")

StageMaker = Callable[[Workplace, Scope, Orders], Stage]


def _recover(place: Workplace, scope: Scope, orders: Orders) -> Stage:
    return Recover(place, scope, strangers=orders.first)


def _claim(place: Workplace, scope: Scope, orders: Orders) -> Stage:
    return Claim(place, scope, orders)


def _submit(place: Workplace, scope: Scope, _: Orders) -> Stage:
    return Submit(place, scope)


def _submit_beside_others(place: Workplace, scope: Scope, _: Orders) -> Stage:
    return Submit(place, scope, beside=EVERYTHING)


def _poll(place: Workplace, scope: Scope, _: Orders) -> Stage:
    return Poll(place, scope)


def _collect(place: Workplace, scope: Scope, _: Orders) -> Stage:
    return Collect(place, scope)


def _apply(place: Workplace, scope: Scope, _: Orders) -> Stage:
    return Apply(place, scope)


def _vendor_files(place: Workplace, scope: Scope, _: Orders) -> Stage:
    return VendorFiles(place, scope)


def _cleanup(place: Workplace, scope: Scope, _: Orders) -> Stage:
    return Cleanup(place, scope)


def _retention(place: Workplace, scope: Scope, _: Orders) -> Stage:
    return Retention(place, scope)


def _notify(place: Workplace, _: Scope, __: Orders) -> Stage:
    return Notify(place)


# What happens to batches that have ended: files of the spool go first, those at the vendor with the next pass.
_TIDYING: tuple[StageMaker, ...] = (_vendor_files, _cleanup, _retention)
BATCH_LANE: tuple[StageMaker, ...] = (_recover, _claim, _submit, _poll, _collect, _apply, *_TIDYING)
SENDING: tuple[StageMaker, ...] = (_recover, _claim, _submit)
HOUSEKEEPING: tuple[StageMaker, ...] = (*_TIDYING, _notify)
# What a batch's end frees of the vendor's quota is used before its results are fetched.
WORKING: tuple[StageMaker, ...] = (_recover, _poll, _submit, _collect, _apply, *HOUSEKEEPING)
CHECKING: tuple[StageMaker, ...] = (_recover, _poll, _collect, _apply)
# Continuous mode does each of these as a job of its own, side by side: for each vendor account, and for each task.
# Nothing is worked on by two jobs: a batch's state belongs to one stage, and the batch to one account and one task.
BY_ACCOUNT: Mapping[str, tuple[StageMaker, ...]] = {"recover": (_recover,), "poll": (_poll,)}
BY_TASK: Mapping[str, tuple[StageMaker, ...]] = {
    "claim": (_claim,),
    "submit": (_submit_beside_others,),
    "collect": (_collect,),
    "apply": (_apply,),
}
# What a pass counts → the stages whose next pass it brings forward.
NEWS: Mapping[str, tuple[str, ...]] = {
    "batches_built": ("submit",),
    "submits_settled": ("poll", "submit"),
    "batches_ended": ("collect", "submit"),
    "batches_sent_back": ("submit",),
    "batches_collected": ("apply",),
    "batches_closed": ("submit",),
}
# Counts of a pass that only looked, or found something in its way: it moved nothing on.
IDLE: frozenset[str] = frozenset(
    {
        "accounts_moved",
        "batches_polled",
        "batches_postponed",
        "batches_waiting",
        "collects_postponed",
        "lists_unread",
        "polls_postponed",
        "submits_looked_for",
        "submits_unknown",
        "tasks_blocked",
        "tasks_capped",
        "tasks_claimed_elsewhere",
        "tasks_put_off",
        "tasks_quiet",
        "tasks_unfit",
        "tasks_without_room",
    }
)
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
            counts.merge(_run(make, place, scope, orders))
    return counts


def _run(make: StageMaker, place: Workplace, scope: Scope, orders: Orders) -> Counts:
    stage, begun = make(place, scope, orders), time.monotonic()
    # As its file is called.
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(stage).__name__).lower()
    with about_pass(name, scope):
        counts = stage.run_once()
        seconds = time.monotonic() - begun
        place.ran(name, seconds, counts)
        _tell(counts, seconds)
    return counts


def _tell(counts: Counts, seconds: float) -> None:
    """One line for a pass that moved something on; one that only looked leaves it to those who look for more."""
    if not counts and not counts.causes:
        return
    causes = {"causes": sorted(counts.causes)} if counts.causes else {}
    say = log.info if counts.numbers.keys() - IDLE else log.debug
    say(events.STAGE_FINISHED, counts=dict(counts.numbers), seconds=round(seconds, 3), **causes)


def _run_pair(lead: StageMaker, follow: StageMaker, place: Workplace, scope: Scope, orders: Orders) -> Counts:
    counts, pair = Counts(), Pair()
    place = replace(place, passed_on=pair.tell, stopping=_either(place.stopping, pair.is_broken))
    pair.run(
        lambda: counts.merge(_run(lead, place, scope, orders)),
        lambda: counts.merge(_run(follow, place, scope, orders)),
    )
    return counts


def _either(one: Callable[[], bool], other: Callable[[], bool]) -> Callable[[], bool]:
    return lambda: one() or other()
