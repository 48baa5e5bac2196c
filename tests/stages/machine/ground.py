"""The ground of one example: a database, a vendor, a clock, processes that work on them and die."""

import itertools
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from batchd.core.model import Lease
from batchd.core.tasks import TaskDefinition
from batchd.errors import (
    DatabaseBusyError,
    LeaseLostError,
    SpoolError,
    UsageError,
    VendorError,
)
from batchd.ports import Account, ConfiguredTask, Workplace
from batchd.store.engine import SqlStore
from tests.stages.bench import NoPrices, NoProgress
from tests.stages.machine.clock import Clock
from tests.stages.machine.mishaps import Act, Crash, Mishap, Trouble
from tests.stages.machine.process import Process, TroubledSpool, TroubledStore, TroubledVendor
from tests.stages.machine.table import connect, machine_task, open_copy
from tests.stages.machine.vendor import Sent, VendorModel

_SHM = Path("/dev/shm")  # noqa: S108 - the quickest disk there is, where there is one
_SHOWN = 30
# What a round of the daemon gets over, as in batchd/daemon/bounded.py.
_PASSING = (LeaseLostError, DatabaseBusyError, SpoolError, VendorError)


class PromiseBrokenError(AssertionError):
    """A promise of the design does not hold."""


class Ground:
    """What there is in one example, and what processes need of it.

    Args:
        guard_column: the task's, None for none.
        resubmit: what the account does about unknown creates.
        listing_lag: seconds after which the vendor's lists show a new batch.
        tells_sizes: the vendor tells the size of its files.
    """

    def __init__(
        self,
        *,
        guard_column: str | None = None,
        resubmit: Literal["hold", "fence"] = "hold",
        listing_lag: int = 0,
        tells_sizes: bool = True,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="batchd-machine-", dir=_SHM if _SHM.is_dir() else None))
        self.clock = Clock()
        self.database = open_copy(self.folder, self.clock)
        self.db = connect(self.folder / "machine.db", self.clock)
        self.vendor = VendorModel(self.clock)
        self.vendor.listing_lag, self.vendor.tells_sizes = listing_lag, tells_sizes
        self.said: list[str] = []
        self.rules_run = 0
        self.broken = False
        # Batches for which a person took the risk of paying twice, or of losing results.
        self.risked: set[str] = set()
        self.tampered = False
        # Ids that creates have told a process which lived on; the judge takes them from here.
        self.learned: list[str] = []
        self._guard_column, self._resubmit = guard_column, resubmit
        self._uids = (f"{number:032x}" for number in itertools.count(1))
        self._owners = itertools.count(1)
        self._texts = itertools.count(1)
        self._versions = itertools.count(1)
        self._provably_dead: set[str] = set()
        self._asleep = 0
        self._holds_lease = True
        self._prompt, self._max_attempts, self._batch_size = "p1", 2, 3
        self._processes = {name: self._new_process() for name in ("A", "B")}
        self._note_limits()

    def close(self) -> None:
        """Removes what the example left on the disk."""
        self.database.engine.dispose()
        self.db.close()
        shutil.rmtree(self.folder)

    # Looking.

    def rows(self, sql: str, *parameters: Any) -> list[sqlite3.Row]:
        """What a person at the database sees."""
        return self.db.execute(sql, parameters).fetchall()

    def one(self, sql: str, *parameters: Any) -> Any:
        """The first value of the first row, None where there is none."""
        row = self.db.execute(sql, parameters).fetchone()
        return None if row is None else row[0]

    def sent(self, vendor_batch_id: str | None) -> Sent | None:
        """A batch as the vendor has it."""
        return self.vendor.sent.get(vendor_batch_id or "")

    def say(self, text: str) -> None:
        """Adds a line to what is shown with a failure."""
        indent = "    " * self._asleep
        self.said.append(f"{indent}{text}")

    def broke(self, promise: str, text: str) -> PromiseBrokenError:
        """The failure, with what was done last."""
        self.broken = True
        last = "\n  ".join(self.said[-_SHOWN:])
        return PromiseBrokenError(f"{promise}: {text}\nthe last of {len(self.said)} lines of what was done:\n  {last}")

    # What processes ask of it.

    def meanwhile(self, acts: Sequence[Act]) -> None:
        """Somebody sleeps in the middle of something, others don't."""
        self._asleep += 1
        for act in acts:
            self.do(act)
        self._asleep -= 1

    def do(self, act: Act) -> None:
        """Carries out an act by its name."""
        self.say(str(act))
        getattr(self, act.name)(*act.arguments)

    def check_lease(self, lease: Lease, *, written: bool) -> None:
        """Fencing: what was committed under a lease was committed by its holder, who has it for a while longer."""
        now = self.rows(
            f"SELECT lease_owner, lease_epoch, lease_expires_at FROM batchd_{lease.kind} WHERE id = ?", lease.subject_id
        )[0]
        holds = (now["lease_owner"], now["lease_epoch"]) == (lease.owner, lease.epoch)
        if not written:
            self._holds_lease = holds
            return
        subject = f"{lease.owner} wrote under epoch {lease.epoch} of {lease.kind} {lease.subject_id}"
        if not self._holds_lease:
            raise self.broke("fencing", f"{subject}, which it did not hold: {dict(now)}")
        until = self.clock.text(lease.seconds)
        if now["lease_expires_at"] is not None and now["lease_expires_at"] < until:
            raise self.broke("fencing", f"{subject}, and its lease was not renewed: {dict(now)}")

    # Inside.

    def _person(self, work: Callable[[Workplace], object], mishaps: tuple[Mishap, ...] = ()) -> None:
        process = self._new_process()
        self._try(process, lambda: work(self._workplace(process)), mishaps, known_dead=True)

    def _try(
        self, process: Process, work: Callable[[], object], mishaps: tuple[Mishap, ...], *, known_dead: bool
    ) -> None:
        process.trouble = Trouble(mishaps)
        try:
            work()
        except Crash as crash:
            self.say(f"  {process.owner} died: {crash}")
            if known_dead:
                self._provably_dead.add(process.owner)
        except UsageError as error:
            self.say(f"  was told: {error.message}")
        except _PASSING as error:
            self.say(f"  ended by {type(error).__name__}: {error.message}")
        finally:
            process.trouble = None
        if process.alive:
            self.learned += process.learned
        process.learned.clear()

    def _new_process(self) -> Process:
        return Process(f"process-{next(self._owners)}", self)

    def _workplace(self, process: Process) -> Workplace:
        database, is_dead = self.database, self._provably_dead.__contains__
        store = SqlStore(database.engine, database.dialect, actor=process.owner, is_dead=is_dead)
        vendor = TroubledVendor(process, self.vendor)
        account = Account("model", vendor, "account-1", resubmit=self._resubmit)
        task = ConfiguredTask(self._task(), batch_size=self._batch_size, max_open_batches=4)
        return Workplace(
            store=TroubledStore(process, store),
            spool=TroubledSpool(process, self.folder / "spool"),
            accounts={"model": account},
            tasks={"people": task},
            prices=NoPrices(),
            progress=NoProgress(),
            owner=process.owner,
            new_uid=lambda: next(self._uids),
            chunk=2,
            configured=frozenset({"people"}),
        )

    def _task(self) -> TaskDefinition:
        return machine_task(self._prompt, self._max_attempts, guard_column=self._guard_column)

    def _note_limits(self) -> None:
        self.db.execute("INSERT INTO story (what, after) VALUES ('limits', ?)", (str(self._max_attempts),))
