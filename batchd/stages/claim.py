"""claim: pending rows become a batch file on disk and, in one transaction, its batch, requests and gates."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import structlog

from batchd import events
from batchd.core.bodies import RequestBuilder
from batchd.core.model import Lease, NewBatch, SpooledFile, TaskRecord
from batchd.core.new_requests import NewRequests
from batchd.core.packing import FileLimits, Full, Packing
from batchd.due_rows import Due, DueRows
from batchd.enqueueing import count_tokens, fair_bytes
from batchd.errors import ConfigError, DatabaseBusyError, LeaseLostError, SpoolError
from batchd.failpoints import step
from batchd.log_ids import about_task
from batchd.moved_tasks import moved_from
from batchd.ports import Account, ConfiguredTask, Counts, InputWriter, Ledger, Orders, Scope, Workplace
from batchd.room import kept_for_input, report_trouble

log = structlog.get_logger("batchd")

# So many rows go by between two looks at the progress.
_SHOWN = 100
_GATED_AT_ONCE = 5000


@dataclass(slots=True)
class _Filling:
    """A batch file being filled, and the key a later claim may start after."""

    packing: Packing
    resume_key: int | None = None


@dataclass(slots=True)
class _InputFile:
    """A batch file that is on disk: the requests whose lines it has, and its size and hash."""

    requests: NewRequests
    spooled: SpooledFile


class Claim:
    """Builds batches for every task in scope, until nothing is due or enough batches are open."""

    def __init__(self, place: Workplace, scope: Scope, orders: Orders) -> None:
        self._place = place
        self._scope = scope
        self._orders = orders

    def run_once(self) -> Counts:
        """One pass over the tasks. Counts ``batches_built``, ``rows_claimed``, ``rows_failed``."""
        counts = Counts()
        if self._scope.batch_id is not None:
            return counts
        for name, misfit in self._place.unfit.items():
            if self._scope.task in (None, name):
                self._report_unfit(name, misfit, counts)
        for task in self._place.tasks.values():
            if self._scope.task in (None, task.definition.name):
                left = None if self._orders.batches is None else self._orders.batches - counts["batches_built"]
                with about_task(task.definition.name):
                    counts.merge(_TaskClaim(self._place, task, replace(self._orders, batches=left)).run())
        return counts

    def _report_unfit(self, name: str, misfit: ConfigError, counts: Counts) -> None:
        def written(ledger: Ledger) -> bool:
            return ledger.findings.open("task-unfit", f"task {name}", misfit.message)

        if self._place.store.transact(written, step="claim.unfit"):
            log.error(events.TASK_UNFIT, task=name, reason=misfit.message)
        counts.add("tasks_unfit")
        counts.cause(misfit.exit_code)


class _TaskClaim:
    """One pass over one task."""

    def __init__(self, place: Workplace, task: ConfiguredTask, orders: Orders) -> None:
        self._place = place
        self._task = task
        self._definition = task.definition
        self._account: Account = place.accounts[task.definition.vendor]
        self._orders = orders
        self._builder = RequestBuilder(task.definition)
        self._counts = Counts()
        self._rest: Due | None = None

    def run(self) -> Counts:
        if self._place.is_quiet(self._definition.name):
            self._counts.add("tasks_quiet")
            return self._counts
        record, reason = self._place.store.transact(self._register, step="claim.register")
        is_news = self._place.told.is_news(self._definition.name, reason)
        if record is None or reason:
            # Paused for a weekend, it would be said every minute.
            say = log.warning if is_news else log.debug
            say(events.CLAIM_BLOCKED, reason=reason)
            self._counts.add("tasks_blocked")
            return self._counts
        lease = self._place.store.transact(
            lambda ledger: ledger.tasks.take_lease(record.id, self._place.owner, self._place.lease_seconds),
            step="claim.lease",
        )
        if lease is None:
            self._counts.add("tasks_claimed_elsewhere")
            self._counts.cause(LeaseLostError.exit_code)
            return self._counts
        try:
            self._claim_leased(record, lease)
        except (LeaseLostError, DatabaseBusyError) as error:
            # It passes. What was built until then is built, and other tasks and stages go on.
            log.warning(events.CLAIM_BLOCKED, reason=error.message)
            self._counts.add("tasks_put_off")
            self._counts.cause(error.exit_code)
        return self._counts

    def _claim_leased(self, record: TaskRecord, lease: Lease) -> None:
        try:
            self._claim_all(record, lease)
        except SpoolError as error:
            # Its rows have no gates, so they are due as they were.
            report_trouble(self._place, error)
            self._without_room(error.message)
        finally:
            self._place.store.transact(lambda ledger: ledger.tasks.release(lease), step="claim.release")
        if not self._counts["tasks_without_room"]:
            self._place.told.is_news(self._about_room, "")

    def _register(self, ledger: Ledger) -> tuple[TaskRecord | None, str]:
        """Makes the task known, and says why it must not be claimed for, if there is a reason."""
        name, fingerprint = self._definition.name, self._definition.fingerprint
        record = ledger.tasks.find(name) or self._renamed(ledger)
        moved = moved_from(ledger, record, self._definition, self._place.configured)
        if moved:
            # Not made known yet: a person may still say that it is the former one, under this very name.
            ledger.findings.open("task-moved", f"task {name}", moved)
            return None, moved
        record = record or ledger.tasks.add(name, fingerprint)
        if record.fingerprint != fingerprint:
            ledger.tasks.set_fingerprint(record.id, fingerprint)
        ledger.findings.close_all(f"task {name}", ("task-moved", "task-unfit"))
        return record, self._blocked(ledger, record)

    def _blocked(self, ledger: Ledger, record: TaskRecord) -> str:
        if record.paused:
            return f"it is paused: {record.pause_reason}"
        if ledger.findings.is_open("stranger", f"vendor {self._account.name}"):
            return "the vendor holds batches this ledger has forgotten; see: batchd status"
        if ledger.findings.is_open("list-unread", f"vendor {self._account.name}"):
            return "the vendor's list of batches could not be read yet; see: batchd status"
        if ledger.findings.is_open("account-moved", f"vendor {self._account.name}"):
            return "its vendor account changed while batches are open there; see: batchd status"
        return ""

    def _renamed(self, ledger: Ledger) -> TaskRecord | None:
        former = ledger.tasks.find(self._task.formerly) if self._task.formerly else None
        if former is not None:
            ledger.tasks.rename(former.id, self._definition.name)
        return ledger.tasks.find(self._definition.name)

    def _claim_all(self, record: TaskRecord, lease: Lease) -> None:
        version_id = self._place.store.transact(
            lambda ledger: ledger.tasks.save_version(record.id, self._definition), lease=lease, step="claim.version"
        )
        due = DueRows(self._place, self._definition, record, lease, eager=self._orders.eager)
        taken = iter(due)
        while self._may_build(record):
            if not self._build(record, lease, version_id, taken):
                break
        self._record_sweep(record, lease, due)

    def _may_build(self, record: TaskRecord) -> bool:
        if self._place.stopping():
            return False
        if self._orders.batches is not None and self._counts["batches_built"] >= self._orders.batches:
            return False
        allowed = self._task.open_batches_allowed(record)
        if self._place.store.ask(lambda ledger: ledger.batches.open_count(record.id)) < allowed:
            return True
        self._counts.add("tasks_capped")
        return False

    def _build(self, record: TaskRecord, lease: Lease, version_id: int, due: Iterator[Due]) -> bool:
        """Fills and records one batch; False where nothing more is due."""
        with kept_for_input(self._place, self._account.max_bytes) as room:
            if room:
                return self._build_within(room, record, lease, version_id, due)
        self._without_room("the spool has no room for more; see: batchd status")
        return False

    def _build_within(self, room: int, record: TaskRecord, lease: Lease, version_id: int, due: Iterator[Due]) -> bool:
        size = min(record.batch_size or self._task.batch_size, self._account.max_requests)
        fair = fair_bytes(self._place, self._account, record, self._task)
        limits = FileLimits(size, self._account.max_bytes, room, fair)
        filling = _Filling(Packing(self._place.new_uid(), self._builder, limits))
        packing = filling.packing
        with self._place.spool.write_input(packing.uid) as writer:
            self._fill(filling, writer, due)
            if self._rest is not None and not packing.requests:
                self._without_room("the next row is larger than the room that the spool has; see: batchd status")
            if not packing.requests or self._waits_for_more(record, packing):
                self._record_failures(record, lease, packing)
                return False
            with step("claim.file"):
                file = _InputFile(packing.requests, writer.finish())
        try:
            kept = self._place.store.transact(
                lambda ledger: self._record(ledger, record, version_id, filling, file),
                lease=lease,
                step="claim.record",
            )
        except SpoolError:
            # It was rolled back, so no batch has this file.
            self._place.spool.remove_input(packing.uid)
            raise
        self._report(packing, kept)
        self._place.passed_on()
        return True

    def _without_room(self, reason: str) -> None:
        # A disk may be full for a night.
        say = log.warning if self._place.told.is_news(self._about_room, reason) else log.debug
        say(events.CLAIM_BLOCKED, reason=reason)
        self._counts.add("tasks_without_room")

    @property
    def _about_room(self) -> str:
        return f"room for {self._definition.name}"

    def _report(self, packing: Packing, kept: int) -> None:
        if not kept:
            with step("claim.remove_file"):
                self._place.spool.remove_input(packing.uid)
        self._counts.add("batches_built", 1 if kept else 0)
        self._counts.add("rows_claimed", kept)
        self._counts.add("rows_failed", len(packing.failures))
        log.debug(events.CLAIM_BATCH_BUILT, uid=packing.uid, rows=kept, failed=len(packing.failures))

    def _fill(self, filling: _Filling, writer: InputWriter, due: Iterator[Due]) -> None:
        packing = filling.packing
        while not packing.is_full:
            one = self._rest or next(due, None)
            self._rest = None
            if one is None:
                return
            packed = packing.add(one.row, retried=one.retried)
            if packed is Full.FULL:
                # It opens the next file.
                self._rest = one
                return
            if isinstance(packed, bytes):
                writer.write(packed)
            if one.moves_resume:
                filling.resume_key = one.row.key.integer
            if len(packing.requests) % _SHOWN == 0:
                self._place.beat()
                self._place.progress.step("claiming rows", self._counts["rows_claimed"] + len(packing.requests), None)

    def _waits_for_more(self, record: TaskRecord, packing: Packing) -> bool:
        if self._orders.eager or len(packing.requests) >= self._task.min_batch_size or self._task.max_wait is None:
            return False
        if self._rest is not None:
            # It is full by its bytes: no row more would fit.
            return False
        since = self._place.store.ask(lambda ledger: ledger.tasks.seconds_since_batch(record.id))
        return since is not None and since < self._task.max_wait

    def _record(self, ledger: Ledger, record: TaskRecord, version_id: int, filling: _Filling, file: _InputFile) -> int:
        """Batch, gates and requests in one transaction; returns how many requests it holds.

        The gates go in first and the predicate is asked after: a row that somebody finished or gated meanwhile
        drops out of the file before it is sent.
        """
        packing, account = filling.packing, self._account
        known = ledger.batches.find(packing.uid)
        if known is not None:
            # The COMMIT had come through; only its answer was lost.
            return known.requests
        batch_id = ledger.batches.add(
            NewBatch(
                packing.uid,
                record.id,
                version_id,
                account.name,
                account.fingerprint,
                file.spooled.bytes,
                file.spooled.sha256,
            )
        )
        self._drop(self._not_ours(ledger, record, batch_id, file.requests), packing.uid, file)
        kept = len(file.requests)
        ledger.requests.add(batch_id, file.requests)
        ledger.gates.fail(record.id, packing.failures)
        batch = ledger.batches.get(batch_id)
        ledger.batches.note(batch, requests=kept, input_bytes=file.spooled.bytes, input_sha256=file.spooled.sha256)
        count_tokens(ledger, replace(batch, input_bytes=file.spooled.bytes), self._definition)
        if not kept:
            ledger.batches.abandon(batch, "no row of it is pending any more")
        if filling.resume_key is not None:
            ledger.tasks.set_resume_key(record.id, filling.resume_key)
        return kept

    def _drop(self, seqs: frozenset[int], uid: str, file: _InputFile) -> None:
        """What was dropped from the file once stays dropped: a transaction that is repeated brings no line back."""
        if seqs:
            with step("claim.drop_lines"):
                file.spooled = self._place.spool.drop_lines(uid, seqs)
            file.requests = file.requests.without(seqs)

    def _not_ours(self, ledger: Ledger, record: TaskRecord, batch_id: int, requests: NewRequests) -> frozenset[int]:
        """Gates the rows; numbers of those that could not be gated, or are pending no more.

        A run at a time, which bounds the memory.
        """
        rows = ledger.rows(record.id, self._definition)
        dropped: set[int] = set()
        for some in requests.runs(_GATED_AT_ONCE):
            opened = ledger.gates.open(record.id, batch_id, some)
            ours = [one for one in some if one.seq in opened]
            pending = rows.pending_among([one.key for one in ours])
            late = [one for one in ours if one.key.identity not in pending]
            ledger.gates.drop(record.id, [one.key for one in late])
            dropped |= {one.seq for one in some} - opened | {one.seq for one in late}
        return frozenset(dropped)

    def _record_failures(self, record: TaskRecord, lease: Lease, packing: Packing) -> None:
        if packing.failures:
            self._place.store.transact(
                lambda ledger: ledger.gates.fail(record.id, packing.failures), lease=lease, step="claim.failures"
            )
            self._counts.add("rows_failed", len(packing.failures))

    def _record_sweep(self, record: TaskRecord, lease: Lease, due: DueRows) -> None:
        """What is left unclaimed: nothing where the table is exhausted, else it is counted, now and then."""
        if not due.exhausted and not due.sweeps():
            return
        # Counted first: the count may take long, and nobody should have to wait for the ledger's locks meanwhile.
        left = 0 if due.exhausted else self._place.store.read(self._count(record))
        self._place.store.transact(
            lambda ledger: ledger.tasks.record_sweep(record.id, left), lease=lease, step="claim.sweep"
        )

    def _count(self, record: TaskRecord) -> Callable[[Ledger], int]:
        return lambda ledger: ledger.rows(record.id, self._definition).count_claimable()
