"""Jobs: each done again and again, never twice at once, on a thread of its own; news brings its next turn forward."""

import contextlib
import datetime as dt
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import structlog
from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_EXECUTED,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_SUBMITTED,
    JobExecutionEvent,
    JobSubmissionEvent,
)
from apscheduler.executors.pool import BasePoolExecutor
from apscheduler.job import Job
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from batchd import events

log = structlog.get_logger("batchd")

Work = Callable[[], object]
# More than any config has jobs. Threads are made as they are needed, and no job waits for another's.
_THREADS = 10_000
# The job that this thread is at, also in the threads that its work starts.
_JOB: ContextVar[str] = ContextVar("batchd_job")
# What is no drift of the clock any more, in seconds.
_CLOCK_JUMP = 1.0


class _Executor(BasePoolExecutor):  # type: ignore[misc] # APScheduler 3 has no types
    """Runs the scheduler's jobs in threads that are not its own."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        super().__init__(threads)


class Jobs:
    """Work by name, on schedules. News that comes while a job is at work is not lost: it has another turn after it."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="batchd")
        self._scheduler = BackgroundScheduler(
            executors={"default": _Executor(self._threads)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        self._scheduler.add_listener(self._submitted, EVENT_JOB_SUBMITTED)
        self._scheduler.add_listener(self._over, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
        self._scheduler.add_listener(self._passed_over, EVENT_JOB_MAX_INSTANCES)
        self._lock = threading.Lock()
        # Held while the scheduler is called, as the other one must never be: the scheduler calls the listeners, which
        # take that one, while it holds its own.
        self._adding = threading.Lock()
        self._news: set[str] = set()
        # Counted, for the end of a short turn may be told before its beginning.
        self._turns: Counter[str] = Counter()
        # How many turns each job has begun; and of those at work, when they were last heard of, by the clock that
        # nobody can set.
        self._begun: Counter[str] = Counter()
        self._heard: dict[str, float] = {}
        self._ahead = _wall_ahead()
        self._has_ended = False

    def start(self) -> None:
        """Begins. Jobs may be added before and after."""
        self._scheduler.start()

    def end(self, *, finishes: bool) -> None:
        """No further turn; with ``finishes`` it waits for those that have begun."""
        with self._adding:
            # A turn that is still at work may add jobs.
            self._has_ended = True
        self._scheduler.remove_all_jobs()
        # Not by the scheduler: it would hold its lock meanwhile, which the end of a turn may need.
        self._threads.shutdown(wait=finishes, cancel_futures=True)
        self._scheduler.shutdown(wait=False)

    def add(self, name: str, trigger: BaseTrigger, work: Work) -> None:
        """A job in place of the one of this name, if there is one. Its first turn comes when the trigger says."""
        with self._adding:
            if not self._has_ended:
                self._scheduler.add_job(self._turn, trigger, args=[name, work], id=name, replace_existing=True)

    def remove(self, name: str) -> None:
        """No further turn of this job; one that has begun comes to its end."""
        with contextlib.suppress(JobLookupError):
            self._scheduler.remove_job(name)

    def names(self) -> Collection[str]:
        """Of all jobs there are."""
        return {job.id for job in self._scheduler.get_jobs()}

    def wake(self, name: str) -> None:
        """There is news for this job: it has a turn now, or right after the one it is at. One that is gone has none."""
        if not self._is_kept_for_later(name):
            self._due_now(name)

    def beat(self) -> None:
        """The job that this thread works for goes on."""
        name = _JOB.get(None)
        if name is not None:
            with self._lock:
                if name in self._heard:
                    self._heard[name] = time.monotonic()

    def in_hand(self) -> set[tuple[str, int]]:
        """The turns that are at work now."""
        with self._lock:
            return {(name, self._begun[name]) for name in self._heard}

    def ill(self, patience: float) -> str | None:
        """What shows that nothing goes on here any more; None where all is well.

        Args:
            patience: seconds that a turn may say nothing, or be late.
        """
        earliest = time.monotonic() - patience
        with self._lock:
            at_work = {name for name, turns in self._turns.items() if turns > 0}
            silent = [name for name, heard in self._heard.items() if heard < earliest]
        if silent:
            return f"no progress for {patience:,.0f} s: {', '.join(sorted(silent))}"
        due = _now() - dt.timedelta(seconds=patience)
        late = [
            job.id
            for job in self._scheduler.get_jobs()
            if job.id not in at_work and job.next_run_time is not None and job.next_run_time < due
        ]
        return f"not begun for {patience:,.0f} s: {', '.join(sorted(late))}" if late else None

    def mind_the_clock(self) -> None:
        """Set back an hour, it would leave every job waiting for that hour; to be called every few seconds."""
        jump = _wall_ahead() - self._ahead
        if abs(jump) > _CLOCK_JUMP:
            self._ahead += jump
            log.warning(events.DAEMON_CLOCK_JUMPED, seconds=round(jump))
        for job in self._scheduler.get_jobs():
            # Asked of the jobs, not of the clock: two jumps between two looks would not be seen there.
            if abs(jump) > _CLOCK_JUMP or _is_set_too_late(job):
                is_due = job.next_run_time is not None and job.next_run_time <= _now()
                # A cron line's moment that the jump has passed over is made up for.
                self._set(job.id, _now() if is_due else _next_after_jump(job.trigger))

    def _turn(self, name: str, work: Work) -> None:
        with self._lock:
            # What came before this turn is seen by it.
            self._news.discard(name)
            self._begun[name] += 1
            self._heard[name] = time.monotonic()
        _JOB.set(name)
        try:
            work()
        finally:
            with self._lock:
                del self._heard[name]

    def _submitted(self, event: JobSubmissionEvent) -> None:
        with self._lock:
            self._turns[event.job_id] += 1

    def _over(self, event: JobExecutionEvent) -> None:
        """Told once the scheduler counts the turn as over: sooner, it would pass over the next one."""
        with self._lock:
            self._turns[event.job_id] -= 1
            has_news = event.job_id in self._news
            self._news.discard(event.job_id)
        if has_news:
            self._due_now(event.job_id)

    def _passed_over(self, event: JobSubmissionEvent) -> None:
        """It was due while it was at work: what it was woken for may have come after it had looked."""
        self.wake(event.job_id)

    def _is_kept_for_later(self, name: str) -> bool:
        with self._lock:
            is_at_work = self._turns[name] > 0
            if is_at_work:
                self._news.add(name)
            return is_at_work

    def _due_now(self, name: str) -> None:
        self._set(name, _now())

    def _set(self, name: str, moment: dt.datetime | None) -> None:
        with contextlib.suppress(JobLookupError):
            self._scheduler.modify_job(name, next_run_time=moment)


def _is_set_too_late(job: Job) -> bool:
    """True where a job's next run is further away than its trigger would ever set it."""
    if job.next_run_time is None:
        return False
    regular = job.trigger.interval if isinstance(job.trigger, IntervalTrigger) else dt.timedelta()
    latest = (_next_after_jump(job.trigger) or job.next_run_time) + regular
    slack = _CLOCK_JUMP + (job.trigger.jitter or 0)
    return bool((job.next_run_time - latest).total_seconds() > slack)


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
