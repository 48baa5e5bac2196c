"""A run that a person waits for: one pass after another, until nothing is left to do or its bounds are reached."""

import time
from collections.abc import Callable
from dataclasses import replace

import structlog

from batchd import events
from batchd.daemon.passes import Passes
from batchd.daemon.plan import SHORTEST_PAUSE, Plan
from batchd.daemon.presence import Presence
from batchd.errors import BatchdError, LeaseLostError, VendorAuthError
from batchd.pipeline import SENDING, WORKING, StageMaker
from batchd.ports import Counts, Ledger, Orders, Workplace
from batchd.side_by_side import apart
from batchd.stop import Stop

log = structlog.get_logger("batchd")

_LONGEST_PAUSE = 1.0
# So many passes in a row without a move, with work that is due, are a standstill.
_STANDSTILL = 3
# Counts that tell of something in the way, and not of work.
_STANDING = frozenset(
    {
        "tasks_blocked",
        "tasks_capped",
        "tasks_put_off",
        "tasks_unfit",
        "tasks_without_room",
        "accounts_moved",
        "lists_unread",
    }
)


class BoundedRun:
    """Does everything that is due in its scope, and what comes due by that; then it ends.

    Args:
        place: the workplace.
        plan: what the run is to do.
        stop: ends the run before that.
        report: told what each pass did.
    """

    def __init__(self, place: Workplace, plan: Plan, stop: Stop, report: Callable[[Counts], None]) -> None:
        self._place = replace(place, stopping=stop.asked)
        self._tasks = plan.tasks
        self._scope = plan.scope
        self._most = plan.bounds.batches
        self._stop = stop
        self._passes = Passes(report)
        self._presence = Presence(place.store, place.owner)
        self._is_first = True
        self._claims_due = True
        self._claim_after = 0.0
        self._is_short_of_room = False
        self._standstill = 0

    def run(self) -> Counts:
        """Blocks until the end; returns what was done in all. Raises what no pass can get over."""
        log.info(events.DAEMON_STARTED, owner=self._place.owner, tasks=sorted(self._tasks))
        apart(self._go_on_until_done)
        log.info(events.DAEMON_STOPPED, counts=dict(self._passes.total.numbers))
        return self._passes.total

    def _go_on_until_done(self) -> None:
        pause = min(max(self._place.check_interval, SHORTEST_PAUSE), _LONGEST_PAUSE)
        try:
            while not self._stop.asked() and not self._is_done():
                self._stop.wait(pause)
        finally:
            self._presence.leave()

    def _is_done(self) -> bool:
        """One pass; True where it was the last one."""
        try:
            is_done = self._work()
        except BatchdError as error:
            self._passes.went_wrong("pass", error)
            self._standstill += 1
            if self._standstill >= _STANDSTILL:
                # A person waits for this run, and hears of what keeps it.
                raise
            return False
        self._passes.went_well("pass")
        return is_done

    def _work(self) -> bool:
        self._show_presence()
        done, was_due = Counts(), self._is_due()
        if self._may_claim():
            done.merge(self._claim_all())
        done.merge(self._pass(WORKING, Orders()))
        if VendorAuthError.exit_code in self._passes.total.causes:
            # No waiting mends a key, and a person waits for this run.
            return True
        # Asked once, and the batches first: another process may close the last one at any time, which makes room that
        # two looks would see differently, and may leave a retry.
        batches, retry = self._place.store.read(
            lambda ledger: (ledger.batches.next_due(self._scope), self._next_retry(ledger))
        )
        self._claims_due = self._has_more_to_claim(done, batches, retry)
        # A batch that is not due yet is no standstill, though nothing moves.
        self._standstill = self._standstill + 1 if was_due and not _has_moved(done) else 0
        return self._is_over(batches, retry)

    def _show_presence(self) -> None:
        if self._presence.is_due():
            try:
                self._presence.show()
            except BatchdError as error:
                # The work does not depend on it.
                self._passes.went_wrong("presence", error)

    def _may_claim(self) -> bool:
        return self._claims_due and not self._has_built_all() and time.monotonic() >= self._claim_after

    def _claim_all(self) -> Counts:
        left = None if self._most is None else self._most - self._passes.total["batches_built"]
        done = self._pass(SENDING, Orders(eager=True, batches=left))
        self._is_short_of_room = done["tasks_capped"] + done["tasks_without_room"] > 0
        # While it waits for open batches, what stands in the way is not looked at with each pass: that reads tables.
        pause = self._place.check_interval if _STANDING & done.numbers.keys() else 0.0
        self._claim_after = time.monotonic() + pause
        return done

    def _has_more_to_claim(self, done: Counts, batches: float | None, retry: float | None) -> bool:
        is_waiting = batches is not None
        if done["batches_closed"] or not is_waiting:
            self._claim_after = 0.0
        # What was not claimed for want of the vendor's list, of the lease or of the database is still due.
        put_off = self._is_first or done["tasks_claimed_elsewhere"] + done["tasks_put_off"] > 0
        # The batches that were in the way may have been closed by another process.
        is_free = self._is_short_of_room and not is_waiting
        return bool(done["batches_closed"]) or _is_now(retry) or put_off or is_free

    def _has_built_all(self) -> bool:
        return self._most is not None and self._passes.total["batches_built"] >= self._most

    def _is_over(self, batches: float | None, retry: float | None) -> bool:
        if self._standstill >= _STANDSTILL:
            # Something is due and stays undone, as with a paused task: it waits for a person, not for this run.
            return True
        if batches is not None:
            return False
        if self._has_built_all():
            return True
        if self._claims_due:
            return False
        # A retry that is near is part of the work; one that is hours away is the next run's.
        return retry is None or retry > self._place.sweep_interval

    def _is_due(self) -> bool:
        """True where a pass made now has something to do, and nothing will come by waiting."""
        batches = self._place.store.ask(lambda ledger: ledger.batches.next_due(self._scope))
        if batches is None:
            return self._claims_due or _is_now(self._place.store.read(self._next_retry))
        return _is_now(batches) and not self._place.store.read(self._waits_for_others)

    def _waits_for_others(self, ledger: Ledger) -> bool:
        """True where rows or batches may go on once an open batch has come to its end, if it be another task's."""
        return ledger.batches.any_later(self._scope) or ledger.quotas.will_be_freed(self._scope)

    def _next_retry(self, ledger: Ledger) -> float | None:
        tasks = [ledger.tasks.find(name) for name in self._tasks]
        waits = [ledger.gates.next_retry(task.id) for task in tasks if task is not None and not task.paused]
        return min((wait for wait in waits if wait is not None), default=None)

    def _pass(self, lane: tuple[StageMaker, ...], orders: Orders) -> Counts:
        counts = self._passes.run(lane, self._place, self._scope, replace(orders, first=self._is_first))
        # A vendor whose list could not be read is asked for it again, before anything is sent there.
        self._is_first = self._is_first and counts["lists_unread"] > 0
        return counts


def _is_now(wait: float | None) -> bool:
    return wait is not None and wait <= 0


def _has_moved(done: Counts) -> bool:
    """True where a pass did something, or another process may be doing it."""
    return LeaseLostError.exit_code in done.causes or bool(done.numbers.keys() - _STANDING)
