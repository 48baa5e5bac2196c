"""Continuous mode: who runs when. The only place that schedules, and the only one that waits.

One worker thread runs one pass after another, so no two passes of this process ever meet (within one, several batches
may be on their way: ``side_by_side.py``); other processes are kept apart by leases. Signals finish what is in hand.
"""

import datetime as dt
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from batchd import events
from batchd.errors import BatchdError, ConfigError, LeaseLostError, VendorAuthError
from batchd.pipeline import SENDING, WORKING, StageMaker, run_pass
from batchd.ports import EVERYTHING, Counts, Ledger, Orders, Scope, Workplace
from batchd.stop import Stop

log = structlog.get_logger("batchd")

_SHORTEST_PAUSE = 0.2
# How often the clock is compared, and what is no drift any more, in seconds.
_CLOCK_LOOK = 2.0
_CLOCK_JUMP = 1.0
# So many passes in a row without a move, with work that is due, are a standstill.
_STANDSTILL = 3
# Counts that tell of something in the way, and not of work.
_STANDING = frozenset(
    {"tasks_blocked", "tasks_capped", "tasks_put_off", "tasks_without_room", "accounts_moved", "lists_unread"}
)
# Counts of a claim that something kept, and not for long.
_KEPT = frozenset({"tasks_claimed_elsewhere", "tasks_put_off", "tasks_without_room", "lists_unread"})


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a task is claimed for: every so many seconds, or by a cron line of five fields."""

    every: float = 600.0
    cron: str | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """When a run ends by itself: with nothing left to do, or once so many batches were built and finished."""

    until_idle: bool = False
    batches: int | None = None

    @property
    def ends(self) -> bool:
        """True for a run that a person waits for."""
        return self.until_idle or self.batches is not None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is to do: for which tasks, when to claim for each, and when it ends."""

    schedules: Mapping[str, Schedule]
    scope: Scope = EVERYTHING
    bounds: Bounds = Bounds()


class Daemon:
    """Runs the lanes on their schedules until it is told to stop, or has come to its bounds.

    Args:
        place: the workplace.
        plan: what the run is to do.
        stop: ends the run.
        report: told what each pass did.
    """

    def __init__(self, place: Workplace, plan: Plan, stop: Stop, report: Callable[[Counts], None]) -> None:
        self._place = replace(place, stopping=stop.asked)
        self._schedules = plan.schedules
        self._scope = plan.scope
        self._bounds = plan.bounds
        self._stop = stop
        self._report = report
        self._total = Counts()
        self._failure: BaseException | None = None
        self._is_first = True
        # Tasks with more rows than room, and how many batches were open then.
        self._capped: dict[str, int] = {}
        self._kept: set[str] = set()
        self._claims_due = True
        self._claim_after = 0.0
        self._is_short_of_room = False
        self._standstill = 0
        # What was told of each kind of pass that fails, until one comes to its end.
        self._told: dict[tuple[str, ...], str] = {}

    def run(self) -> Counts:
        """Blocks until the end; returns what was done in all. Raises what no pass can get over."""
        log.info(events.DAEMON_STARTED, tasks=sorted(self._schedules))
        scheduler = self._scheduler()
        scheduler.start()
        finishes = False
        try:
            self._wait_for_the_end(scheduler)
            finishes = True
        finally:
            # Interrupted, it does not wait for the unit in hand, which may wait for the vendor.
            scheduler.shutdown(wait=finishes)
        log.info(events.DAEMON_STOPPED, **self._total.numbers)
        if self._failure is not None:
            raise self._failure
        return self._total

    def _wait_for_the_end(self, scheduler: BackgroundScheduler) -> None:
        """Until then the clock is minded: set back an hour, it would leave the scheduler waiting for that hour."""
        ahead = _wall_ahead()
        while not self._stop.wait(_CLOCK_LOOK):
            jump = _wall_ahead() - ahead
            if abs(jump) > _CLOCK_JUMP:
                ahead += jump
                log.warning(events.DAEMON_CLOCK_JUMPED, seconds=round(jump))
            for job in scheduler.get_jobs():
                # Asked of the jobs, not of the clock: two jumps between two looks would not be seen there.
                if abs(jump) > _CLOCK_JUMP or _is_set_too_late(job):
                    scheduler.modify_job(job.id, next_run_time=_next_after_jump(job.trigger))

    def _scheduler(self) -> BackgroundScheduler:
        scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        pause = max(self._place.check_interval, _SHORTEST_PAUSE)
        if self._bounds.ends:
            scheduler.add_job(self._bounded_pass, IntervalTrigger(seconds=min(pause, 1.0)), id="run")
            scheduler.modify_job("run", next_run_time=_now())
            return scheduler
        for task, schedule in self._schedules.items():
            scheduler.add_job(self._guarded, trigger_of(schedule), args=[self._claim_pass, task], id=f"claim {task}")
            if schedule.cron is None:
                scheduler.modify_job(f"claim {task}", next_run_time=_now())
        scheduler.add_job(self._guarded, IntervalTrigger(seconds=pause), args=[self._work_pass], id="work")
        return scheduler

    def _guarded(self, work: Callable[..., None], *arguments: str) -> BatchdError | None:
        """What a pass can't get over now may pass by itself, and is returned; what isn't ours to judge ends the run."""
        if self._stop.asked():
            return None
        kind = (work.__name__, *arguments)
        try:
            work(*arguments)
            self._told.pop(kind, None)
        except BatchdError as error:
            self._total.cause(error.exit_code)
            self._tell(kind, error)
            return error
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self._failure = error
            self._stop.ask()
        return None

    def _tell(self, kind: tuple[str, ...], error: BatchdError) -> None:
        """Once: what lasts for hours is not told with every pass."""
        if error.message not in self._told.values():
            # The message is our own; a traceback could quote row content.
            log.error(events.DAEMON_ROUND_FAILED, reason=error.message, next_command=error.next_command)
        self._told[kind] = error.message

    def _claim_pass(self, task: str) -> None:
        # Also where the pass does not come to its end.
        self._kept.add(task)
        counts = self._pass(SENDING, Scope(task=task), Orders())
        if not _KEPT & counts.numbers.keys():
            self._kept.discard(task)
        if counts["tasks_capped"]:
            self._capped[task] = self._open_batches(task)

    def _work_pass(self) -> None:
        self._pass(WORKING, self._scope, Orders())
        # Room was made, by whichever process, or what kept a claim may be over: the next turn may be a night away.
        freed = {task for task, open_then in self._capped.items() if self._open_batches(task) < max(open_then, 1)}
        for task in sorted(self._kept | freed):
            self._capped.pop(task, None)
            self._claim_pass(task)

    def _open_batches(self, task: str) -> int:
        def count(ledger: Ledger) -> int:
            record = ledger.tasks.find(task)
            return 0 if record is None else ledger.batches.open_count(record.id)

        return self._place.store.read(count)

    def _bounded_pass(self) -> None:
        error = self._guarded(self._bounded_work)
        if error is not None:
            self._standstill += 1
            if self._standstill >= _STANDSTILL:
                # A person waits for this run, and hears of what keeps it.
                self._failure = error
                self._stop.ask()

    def _bounded_work(self) -> None:
        done, was_due = Counts(), self._is_due()
        if self._may_claim():
            done.merge(self._claim_all())
        done.merge(self._pass(WORKING, self._scope, Orders()))
        if VendorAuthError.exit_code in self._total.causes:
            # No waiting mends a key, and a person waits for this run.
            self._stop.ask()
            return
        # Asked once, and the batches first: another process may close the last one at any time, which makes room that
        # two looks would see differently, and may leave a retry.
        batches, retry = self._place.store.read(
            lambda ledger: (ledger.batches.next_due(self._scope), self._next_retry(ledger))
        )
        self._claims_due = self._has_more_to_claim(done, batches, retry)
        # A batch that is not due yet is no standstill, though nothing moves.
        self._standstill = self._standstill + 1 if was_due and not _has_moved(done) else 0
        if self._is_over(batches, retry):
            self._stop.ask()

    def _may_claim(self) -> bool:
        return self._claims_due and not self._has_built_all() and time.monotonic() >= self._claim_after

    def _claim_all(self) -> Counts:
        left = None if self._bounds.batches is None else self._bounds.batches - self._total["batches_built"]
        done = self._pass(SENDING, self._scope, Orders(eager=True, batches=left))
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
        return self._bounds.batches is not None and self._total["batches_built"] >= self._bounds.batches

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
        tasks = [ledger.tasks.find(name) for name in self._schedules]
        waits = [ledger.gates.next_retry(task.id) for task in tasks if task is not None and not task.paused]
        return min((wait for wait in waits if wait is not None), default=None)

    def _pass(self, lane: tuple[StageMaker, ...], scope: Scope, orders: Orders) -> Counts:
        counts = run_pass(lane, self._place, scope, replace(orders, first=self._is_first))
        # A vendor whose list could not be read is asked for it again, before anything is sent there.
        self._is_first = self._is_first and counts["lists_unread"] > 0
        self._total.merge(counts)
        if counts:
            self._report(counts)
        return counts


def _is_now(wait: float | None) -> bool:
    return wait is not None and wait <= 0


def _has_moved(done: Counts) -> bool:
    """True where a pass did something, or another process may be doing it."""
    return LeaseLostError.exit_code in done.causes or bool(done.numbers.keys() - _STANDING)


def trigger_of(schedule: Schedule) -> BaseTrigger:
    """The scheduler's trigger. Raises ConfigError for a cron line it does not understand."""
    if schedule.cron is None:
        return IntervalTrigger(seconds=max(schedule.every, _SHORTEST_PAUSE))
    try:
        return CronTrigger.from_crontab(schedule.cron, timezone="UTC")
    except ValueError as error:
        raise ConfigError(
            f"cron {schedule.cron!r} is not a cron line of five fields: {error}",
            next_command='write it like "0 2 * * *": minute, hour, day, month, weekday, in UTC',
        ) from error


def _is_set_too_late(job: Job) -> bool:
    """True where a job's next run is further away than its trigger would ever set it."""
    if job.next_run_time is None:
        return False
    regular = job.trigger.interval if isinstance(job.trigger, IntervalTrigger) else dt.timedelta()
    latest = (_next_after_jump(job.trigger) or job.next_run_time) + regular
    return bool((job.next_run_time - latest).total_seconds() > _CLOCK_JUMP)


def _next_after_jump(trigger: BaseTrigger) -> dt.datetime | None:
    if isinstance(trigger, CronTrigger):
        found: dt.datetime | None = trigger.get_next_fire_time(None, _now())
        return found
    return _now()


def _wall_ahead() -> float:
    """Seconds that the wall clock is ahead of the one that nobody can set."""
    return time.time() - time.monotonic()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
