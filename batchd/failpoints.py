"""Fault points: named moments at which a drill kills, stops or signals this process. Unarmed, they do nothing.

Every effect on the outside and every commit is a step with a name, and every step has two points, such as
``submit.before_create`` and ``submit.after_create``. A point before a commit lies inside its transaction, behind its
last statement; a point after one lies where the database has answered.

Armed by the environment, for drills alone:

``BATCHD_FAILPOINT=submit.after_create``
    SIGKILLs this process when it passes that point for the first time; ``submit.after_create:3`` at the third passing,
    ``submit.after_create:3:STOP`` with another signal.
``BATCHD_FAILPOINT_LOG=file``
    appends the name of every point that is passed, a line each.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ARMED = "BATCHD_FAILPOINT"
LOGGED = "BATCHD_FAILPOINT_LOG"

STEPS: dict[str, str] = {
    "migrate.script": "a numbered script and the version it brings are committed",
    "claim.unfit": "that a task does not fit its table is reported",
    "claim.register": "the task is made known, and whether it may be claimed for",
    "claim.lease": "the lease for claiming is taken",
    "claim.version": "the task's definition is written down",
    "claim.forget": "gates of retries whose row is no longer pending are dropped",
    "claim.unusable": "rows without a usable key are reported",
    "claim.file": "a batch's input file is finished: fsync, rename, fsync of the folder",
    "claim.drop_lines": "an input file is rewritten without rows that are no longer pending",
    "claim.record": "batch, requests and gates are committed",
    "claim.remove_file": "the input file of a batch without rows is removed",
    "claim.failures": "rows that cannot be sent get their gates",
    "claim.sweep": "what a full sweep left unclaimed is written down",
    "claim.release": "the lease for claiming is given back",
    "lease.take": "the lease of a batch is taken",
    "lease.release": "the lease of a batch is given back",
    "submit.reserve": "a batch is let through by the vendor's quota, and counts from then on",
    "submit.wait": "batches that the vendor's quota has no room for are marked as waiting",
    "submit.upload": "the input file is uploaded",
    "submit.intent": "file id and intent are committed",
    "submit.create": "the POST that creates the batch",
    "submit.record": "the vendor's id is committed",
    "submit.record_late": "a vendor's id that was learned without the lease is committed",
    "submit.unknown": "a create that was not answered is noted",
    "submit.refusal": "a batch that is known not to be created goes back to built",
    "submit.lost_input": "a batch whose file is lost or altered is given up",
    "poll.list": "the vendor's list is read for all open batches of an account",
    "poll.retrieve": "one batch is asked for",
    "poll.record": "what the vendor says is committed",
    "poll.vanished": "a batch that the vendor does not know is held",
    "poll.postpone": "batches that could not be looked at wait",
    "collect.retrieve": "a batch is asked for again, for files and counts that came late",
    "collect.note": "files and counts that came late are committed",
    "collect.download": "a result file is brought to disk",
    "collect.record": "sizes and hashes of the result files are committed",
    "collect.short": "a shortfall is written down",
    "collect.refused": "a batch that the vendor refused whole is sent back, split up or held",
    "collect.postpone": "results that could not be fetched, or found no room, wait",
    "spool.fsync": "a finished file is flushed to the disk",
    "spool.rename": "a finished file gets its name",
    "spool.sync_folder": "the folder of a finished file is flushed to the disk",
    "apply.chunk": "rows, outcomes, gates and before-images of a chunk are committed",
    "apply.close": "a batch is closed",
    "apply.fetch_again": "a batch whose result file is lost goes back to be fetched",
    "apply.hold": "a batch that cannot be applied is held",
    "room.report": "that the spool is full or cannot be used, or no longer is, is written down",
    "cleanup.remove_files": "the spool files of a batch that ended long ago, or of none, are removed",
    "cleanup.record": "that a batch's files are removed is committed",
    "retention.remove": "a few requests of a batch that ended long ago, and what is kept of their rows, are removed",
    "retention.remove_rest": "what is kept of such a batch, and of no request in particular, is removed",
    "retention.finish": "that nothing of it is left, or that what is left waits for a person, is committed",
    "notify.take": "a finding that people are to be told of is left to this process",
    "notify.tell": "people are told of a finding, by one way",
    "notify.record": "that people were told of a finding is committed",
    "vendor_files.delete": "the files of a batch that ended long ago are deleted at the vendor",
    "vendor_files.record": "that they are deleted, or are not ours to delete, is committed",
    "vendor_files.put_off": "that they stay for a while is committed",
    "recover.accounts": "accounts that changed while batches are open there are reported",
    "recover.list": "the vendor's list is read for batches that the ledger has forgotten",
    "recover.unread": "a list that cannot be read is reported",
    "recover.read": "a list that was read ends its finding",
    "recover.strangers": "batches that the ledger has forgotten are reported",
    "recover.look": "the vendor is asked for a batch whose create is unknown",
    "recover.wait": "an unknown create that could not be looked for waits",
    "recover.adopt": "a batch that was found at the vendor is committed",
    "recover.absent": "a look that did not show the batch is committed",
    "recover.delete_file": "the input file of a create that did not happen is deleted",
    "recover.fence": "the batch of a create that did not happen goes back to built",
    "recover.watch": "the vendor's list is read for extra batches and late arrivals",
    "recover.take_late": "a late arrival takes the place of a batch that was to be sent anew",
    "recover.cancel_late": "an extra batch or a late arrival is cancelled",
    "recover.report_late": "an extra batch or a late arrival is reported",
    # What people do.
    "operate.retry": "rows that failed or are held are made due again",
    "operate.pause": "a task is paused",
    "operate.resume": "a task goes on",
    "operate.cancel": "a batch that was not sent is cancelled",
    "operate.cancel_meant": "that a person wants a batch cancelled at the vendor is committed",
    "operate.cancel_batch": "the vendor is asked to cancel a batch",
    "operate.cancel_asked": "that the vendor was asked to cancel is committed",
    "operate.give_up": "a held batch is given up",
    "operate.resolve": "a held batch goes on",
    "operate.mark_seen": "findings that only report are marked as seen",
    "operate.adopt": "the vendor's batch that a person named is committed",
    "operate.delete_file": "the input file of a create that a person denies is deleted",
    "operate.send_again": "the batch of a create that a person denies goes back to built",
    "reapply.order": "that a person wants kept answers written is committed",
    "reapply.version": "the definition that kept answers are written with is written down",
    "reapply.chunk": "rows, outcomes, gates and before-images of kept answers are committed",
}


def _point(step: str, when: str) -> str:
    stage, _, act = step.partition(".")
    return f"{stage}.{when}_{act}"


POINTS: tuple[str, ...] = tuple(_point(step, when) for step in STEPS for when in ("before", "after"))


@dataclass(slots=True)
class _Armed:
    """What a drill asked for, and how often that point has been passed."""

    point: str
    passing: int
    signal: signal.Signals
    log: Path | None
    passed: int = field(default=0)
    # Threads that pass a point at once are counted one by one, and the signal strikes within.
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reach(self, name: str) -> None:
        if name not in POINTS:
            raise ValueError(f"{name!r} is no fault point; they are in batchd/failpoints.py")
        with self.lock:
            if self.log is not None:
                with self.log.open("a", encoding="ascii") as log:
                    log.write(f"{name}\n")
            self.passed += name == self.point
            if name == self.point and self.passed == self.passing:
                _strike(self.signal)


def _strike(number: signal.Signals) -> None:
    if number == signal.SIGSTOP:
        # To this thread: sent to the process, it would reach another one first, and this one would run on a little.
        signal.pthread_kill(threading.get_ident(), number)
    else:
        os.kill(os.getpid(), number)


def before(step: str) -> None:
    """The point before a step, where a drill may strike; nothing happens unless one is armed."""
    if _armed is not None:
        _armed.reach(_point(step, "before"))


def after(step: str) -> None:
    """The point after a step that went well."""
    if _armed is not None:
        _armed.reach(_point(step, "after"))


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """The block is one step; a step that fails has no point after it."""
    before(name)
    yield
    after(name)


def arm(environment: Mapping[str, str]) -> None:
    """Arms or disarms this process as its environment says. Raises ValueError for a point that does not exist."""
    global _armed  # noqa: PLW0603 - one process has one armed point
    _armed = _read(environment)


def _read(environment: Mapping[str, str]) -> _Armed | None:
    asked, log = environment.get(ARMED, ""), environment.get(LOGGED)
    if not asked and not log:
        return None
    point, _, rest = asked.partition(":")
    if point and point not in POINTS:
        raise ValueError(f"{ARMED}: {point!r} is no fault point; they are in batchd/failpoints.py")
    passing, _, name = rest.partition(":")
    return _Armed(point, int(passing or 1), signal.Signals[f"SIG{name or 'KILL'}"], Path(log) if log else None)


_armed = _read(os.environ)
