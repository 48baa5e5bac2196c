"""Continuous mode: each stage of each task and vendor account is a job of its own, so that nothing slow keeps others.

What a job leaves for another brings that one's turn forward; the ledger alone says what there is to do.
"""

import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import partial
from itertools import product

import structlog
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger

from batchd import events
from batchd.daemon.claims import Claims
from batchd.daemon.herald import STATUS_EACH, Herald
from batchd.daemon.jobs import Jobs
from batchd.daemon.passes import Passes
from batchd.daemon.plan import every, turn_of
from batchd.daemon.presence import SHOWN_EACH, Presence
from batchd.daemon.setup import NoReloads, Reloads, Setup
from batchd.errors import BatchdError, ConfigError, DatabaseBusyError, DatabaseError
from batchd.pipeline import BY_ACCOUNT, BY_TASK, HOUSEKEEPING, NEWS
from batchd.ports import Account, ConfiguredTask, Counts, Ledger, Orders, Scope, Workplace
from batchd.stop import Stop

log = structlog.get_logger("batchd")

# How often signals and the clock are looked at, in seconds.
_LOOK = 1.0
# A claim leaves word with each batch it builds, and a collect with each one it has fetched.
_FOLLOWERS = {"claim": "submit", "collect": "apply"}


class Service:
    """Runs until it is told to stop.

    Args:
        setup: what to do.
        stop: ends it.
        report: told what each pass did.
        reloads: where a new setup comes from while it runs.
        herald: who is told how it goes; nobody, without one.
    """

    def __init__(
        self,
        setup: Setup,
        stop: Stop,
        report: Callable[[Counts], None],
        reloads: Reloads | None = None,
        herald: Herald | None = None,
    ) -> None:
        self._stop = stop
        self._passes = Passes(report)
        self._jobs = Jobs()
        self._reloads = reloads or NoReloads()
        self._herald = herald or Herald()
        self._presence = Presence(setup.place.store, setup.place.owner)
        self._lock = threading.Lock()
        self._planning = threading.Lock()
        self._failure: BaseException | None = None
        self._claims = Claims()
        # Accounts, by name and fingerprint, that were looked at for batches which the ledger has forgotten.
        self._looked_at: set[tuple[str, str]] = set()
        # Of each job, when it is due as it was last planned.
        self._turns: dict[str, str] = {}
        # Setups that another has taken the place of, with the turns that still work with them.
        self._former: list[tuple[Setup, set[tuple[str, int]]]] = []
        self._setup = self._ours(setup)

    def run(self) -> Counts:
        """Blocks until the end; returns what was done in all. Raises what no pass can get over."""
        log.info(events.DAEMON_STARTED, owner=self._setup.place.owner, tasks=sorted(self._setup.schedules))
        self._jobs.start()
        self._plan_jobs()
        self._herald.ready()
        finishes = False
        try:
            while not self._stop.wait(_LOOK):
                self._look_around()
            self._herald.stopping()
            finishes = True
        finally:
            # Interrupted, it does not wait for the units in hand, which may wait for the vendor.
            self._jobs.end(finishes=finishes)
        self._presence.leave()
        log.info(events.DAEMON_STOPPED, counts=dict(self._passes.total.numbers))
        if self._failure is not None:
            raise self._failure
        return self._passes.total

    def ill(self) -> str | None:
        """What shows that nothing goes on here any more; None where all is well."""
        return self._jobs.ill(_patience(self._setup.place))

    def wake_account(self, account: str) -> None:
        """There is news of batches at this vendor account: they are looked at now."""
        self._jobs.wake(f"poll {account}")

    def _look_around(self) -> None:
        self._jobs.mind_the_clock()
        if self._reloads.is_wanted():
            # Not here: it reads tables, and whoever watches this service watches this thread.
            self._jobs.wake("reload")
        self._let_go_of_former()
        self._herald.beat(self.ill())

    def _ours(self, setup: Setup) -> Setup:
        return replace(setup, place=replace(setup.place, stopping=self._stop.asked, beat=self._jobs.beat))

    def _reload(self) -> None:
        if not self._reloads.is_wanted():
            return
        self._herald.reloading()
        try:
            self._take_over(self._reloads.load())
        except BatchdError as error:
            # What was, goes on. The message is our own; a traceback could quote secrets.
            log.error(events.DAEMON_CONFIG_REFUSED, reason=str(error), next_command=error.next_command)  # noqa: TRY400
            self._herald.refused(error)
        else:
            log.info(events.DAEMON_CONFIG_LOADED, tasks=sorted(self._setup.schedules))
            self._herald.ready()
        self._jobs.wake("herald")

    def _take_over(self, setup: Setup) -> None:
        """Turns that are at work finish with what they have begun with; each one after that works with this."""
        with self._lock:
            former, self._setup = self._setup, self._ours(setup)
            self._former.append((former, self._jobs.in_hand()))
            # What kept a task may be what was mended. The others wait for their turns, a cron line's for its moment.
            waiting = self._claims.waiting() | former.place.unfit.keys()
            self._claims = Claims(waiting & setup.schedules.keys())
        try:
            self._plan_jobs()
            self._claim_again()
        except BatchdError as error:
            # The new setup is at work all the same; what is to be done when is asked of the ledger again.
            self._passes.went_wrong("reload", error)
            self._jobs.wake("housekeeping")

    def _let_go_of_former(self) -> None:
        with self._lock:
            over = [one for one in self._former if not one[1] & self._jobs.in_hand()]
            self._former = [one for one in self._former if one not in over]
        for setup, _ in over:
            setup.let_go()

    def _plan_jobs(self) -> None:
        """Leaves the jobs that config and ledger ask for, and no other. One that goes on keeps its next turn."""
        with self._planning:
            # Read in here: a plan of the former setup must not come after that of its successor.
            jobs = dict(self._wanted_jobs())
            for name in self._turns.keys() - jobs.keys():
                del self._turns[name]
                self._jobs.remove(name)
            for name, (turn, work) in jobs.items():
                planned = f"{turn} {self._setup.timezone}"
                if self._turns.get(name) != planned:
                    self._turns[name] = planned
                    self._jobs.add(name, turn, partial(self._guarded, name, work))
                    if isinstance(turn, IntervalTrigger):
                        self._jobs.wake(name)

    def _wanted_jobs(self) -> Iterator[tuple[str, tuple[BaseTrigger, Callable[[], None]]]]:
        pause = every(self._setup.place.check_interval)
        for stage, account in product(BY_ACCOUNT, self._accounts()):
            yield f"{stage} {account}", (pause, partial(self._work_on_account, stage, account))
        for stage, task in product(BY_TASK.keys() - {"claim"}, self._tasks()):
            yield f"{stage} {task}", (pause, partial(self._work_on_task, stage, task))
        for task, schedule in self._setup.schedules.items():
            yield f"claim {task}", (turn_of(schedule, self._setup.timezone), partial(self._claim, task))
        yield "claim again", (pause, self._claim_again)
        yield "housekeeping", (pause, self._keep_house)
        yield "reload", (pause, self._reload)
        yield "herald", (every(STATUS_EACH), self._herald.tell)
        yield "presence", (every(SHOWN_EACH), self._presence.show)

    def _accounts(self) -> set[str]:
        """Configured ones, and those that open batches belong to: one that has gone from the config is missed there."""

        def read(ledger: Ledger) -> set[str]:
            missed = {subject.removeprefix("vendor ") for subject in ledger.findings.subjects("account-moved")}
            return missed | {name for name, _ in ledger.batches.open_accounts()}

        return set(self._setup.place.accounts) | self._setup.place.store.read(read)

    def _tasks(self) -> set[str]:
        """Configured ones, and those of open batches, for these are finished whatever the config says."""
        if self._setup.only is not None:
            return {self._setup.only}
        open_there = self._setup.place.store.read(lambda ledger: ledger.batches.open_tasks())
        return set(self._setup.schedules) | open_there

    def _guarded(self, name: str, work: Callable[[], None]) -> None:
        """What a turn can't get over now may pass by itself; what isn't ours to judge ends the run."""
        if self._stop.asked():
            return
        try:
            work()
        except BatchdError as error:
            self._passes.went_wrong(name, error)
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self._failure = error
            self._stop.ask()
        else:
            self._passes.went_well(name)

    def _work_on_account(self, stage: str, account: str) -> None:
        place = self._setup.place
        first = stage == "recover" and not self._was_looked_at(place, account)
        counts = self._passes.run(
            BY_ACCOUNT[stage], place, Scope(task=self._setup.only, account=account), Orders(first=first)
        )
        # A vendor whose list could not be read is asked for it again, before anything is sent there.
        if first and account in place.accounts and not counts["lists_unread"]:
            self._note_look(place.accounts[account])
        if counts:
            self._tell(counts, self._tasks())

    def _work_on_task(self, stage: str, task: str) -> None:
        place = self._place_for(stage, task)
        # Before the pass: what is closed during it has made room.
        open_before = self._open_batches(task) if stage == "claim" else 0
        counts = self._passes.run(BY_TASK[stage], place, Scope(task=task), Orders())
        if stage == "claim":
            self._claims.end(task, counts, open_before + counts["batches_built"])
        self._tell(counts, {task})

    def _claim(self, task: str) -> None:
        setup = self._setup
        if task not in setup.schedules:
            # The config that was read again no longer has it, and its job is about to go.
            return
        self._claims.begin(task)
        if task not in setup.place.tasks:
            self._look_at_table(task, setup)
        place = self._setup.place
        configured = place.tasks.get(task)
        if configured is not None and not self._was_looked_at(place, configured.definition.vendor):
            return
        try:
            self._work_on_task("claim", task)
        except DatabaseBusyError:
            raise
        except (ConfigError, DatabaseError):
            # Its table may be another one by now: the next turn looks at it first.
            self._put_in_place(task, None, asked_of=setup)
            raise

    def _place_for(self, stage: str, task: str) -> Workplace:
        place = self._setup.place
        if stage in _FOLLOWERS:
            place = replace(place, passed_on=partial(self._jobs.wake, f"{_FOLLOWERS[stage]} {task}"))
        if stage == "submit":
            # Nothing is sent to an account before the look for what the ledger has forgotten there.
            known = {name: one for name, one in place.accounts.items() if self._was_looked_at(place, name)}
            place = replace(place, accounts=known)
        return place

    def _tell(self, counts: Counts, tasks: Collection[str]) -> None:
        """What a pass has left for others brings their turns forward."""
        for count in NEWS.keys() & counts.numbers.keys():
            for stage in NEWS[count]:
                for subject in self._accounts() if stage in BY_ACCOUNT else tasks:
                    self._jobs.wake(f"{stage} {subject}")
        if counts["batches_closed"]:
            self._claim_again()

    def _claim_again(self) -> None:
        """Room was made, or what kept a claim may be over."""
        for task in self._claims.due(self._open_batches):
            self._jobs.wake(f"claim {task}")

    def _keep_house(self) -> None:
        self._passes.run(HOUSEKEEPING, self._setup.place, Scope(task=self._setup.only), Orders())
        # Another process may have renamed a task, or left batches of one that this config does not have.
        self._plan_jobs()

    def _open_batches(self, task: str) -> int:
        def count(ledger: Ledger) -> int:
            record = ledger.tasks.find(task)
            return 0 if record is None else ledger.batches.open_count(record.id)

        return self._setup.place.store.read(count)

    def _look_at_table(self, task: str, setup: Setup) -> None:
        try:
            found: ConfiguredTask | ConfigError = setup.resolve(task)
        except ConfigError as error:
            # Kept for long; what it was raised in has this setup, with the error before this one, and so on.
            error.__traceback__ = error.__cause__ = error.__context__ = None
            found = error
        self._put_in_place(task, found, asked_of=setup)

    def _put_in_place(self, task: str, found: ConfiguredTask | ConfigError | None, *, asked_of: Setup) -> None:
        """The task as it fits its table, or why it does not; None where that has to be found out."""
        with self._lock:
            if self._setup.resolve is not asked_of.resolve:
                # The config was read again meanwhile, and says something else by now.
                return
            place = self._setup.place
            tasks = {name: one for name, one in place.tasks.items() if name != task}
            unfit = {name: one for name, one in place.unfit.items() if name != task}
            if isinstance(found, ConfiguredTask):
                tasks[task] = found
            elif found is not None:
                unfit[task] = found
            self._setup = replace(self._setup, place=replace(place, tasks=tasks, unfit=unfit))

    def _was_looked_at(self, place: Workplace, account: str) -> bool:
        found = place.accounts.get(account)
        with self._lock:
            return found is not None and (found.name, found.fingerprint) in self._looked_at

    def _note_look(self, account: Account) -> None:
        with self._lock:
            self._looked_at.add((account.name, account.fingerprint))
        for task in self._tasks():
            self._jobs.wake(f"submit {task}")
        self._claim_again()


def _patience(place: Workplace) -> float:
    """Seconds that the longest single wait of a unit may take, doubled: for a vendor's answer, and under a lease."""
    calls = (one.upload_seconds + one.create_seconds for one in place.accounts.values())
    return 2 * (max(calls, default=0.0) + place.lease_seconds)
