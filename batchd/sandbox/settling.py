"""Ends batches whose time has come: runs the lines, writes both files, records all in one transaction."""

import random
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning
from dataclasses import dataclass

from batchd.sandbox.azure_lines import azure_style
from batchd.sandbox.batches import (
    END_STATUSES,
    BatchEnd,
    BatchRecord,
    find_batch,
    open_batches,
    record_end,
)
from batchd.sandbox.clock import VirtualClock
from batchd.sandbox.faults import Faults, read_faults
from batchd.sandbox.files import is_deleted
from batchd.sandbox.flavour import AZURE, Flavour, flavour_of
from batchd.sandbox.line_runs import run_lines
from batchd.sandbox.output_files import ResultFiles, Style
from batchd.sandbox.progress import Progress
from batchd.sandbox.standing import standing
from batchd.sandbox.state import State

PATIENCE = 3.0


@dataclass(frozen=True)
class Due:
    """A batch whose end has come, how it stands, the faults and time to end it with, and the style of its files."""

    batch: BatchRecord
    standing: Progress
    faults: Faults
    now: float
    style: Style


class Settler:
    """Ends each batch once, in one background thread, so that no caller waits long for a large one."""

    def __init__(self, state: State, clock: VirtualClock) -> None:
        """Work on the batches of ``state``."""
        self._state = state
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="settle")
        self._lock = threading.Lock()
        self._running: dict[str, Future[None]] = {}

    def settle(self, batch_id: str, patience: float | None = PATIENCE) -> None:
        """End the batch if its time has come; gives up waiting, not the work, after ``patience`` s."""
        due = self._due(batch_id)
        if due is None:
            return
        with self._lock:
            work = self._running.get(batch_id)
            if work is None or work.done():
                work = self._running[batch_id] = self._thread.submit(self._end, batch_id)
        try:
            work.result(timeout=patience)
        except StillRunning:
            return

    def settle_all(self, patience: float | None = PATIENCE) -> None:
        """End every batch whose end has come."""
        with self._state.transaction() as connection:
            ids = [batch.created.id for batch in open_batches(connection)]
        for batch_id in ids:
            self.settle(batch_id, patience)

    def close(self) -> None:
        """Finish the batch in hand and stop."""
        self._thread.shutdown(cancel_futures=True)

    def _due(self, batch_id: str) -> Due | None:
        with self._state.transaction() as connection:
            batch = find_batch(connection, batch_id)
            if batch is None or batch.end is not None:
                return None
            now = self._clock.now(connection)
            stands = standing(connection, batch, now)
            if stands.status not in END_STATUSES:
                return None
            return Due(batch, stands, read_faults(connection), now, _style(flavour_of(connection)))

    def _end(self, batch_id: str) -> None:
        due = self._due(batch_id)
        if due is None:
            return
        if due.batch.created.errors is not None:
            self._record_without_files(due)
        else:
            self._record_with_files(due)
        self._drop_deleted_input(due.batch)

    def _record_without_files(self, due: Due) -> None:
        with self._state.transaction() as connection:
            record_end(connection, due.batch.created.id, BatchEnd(due.standing.status, due.standing.since))

    def _record_with_files(self, due: Due) -> None:
        state, batch = self._state, due.batch
        files = ResultFiles(state.files, due.style)
        with files:
            totals = run_lines(state, batch, due.standing, due.faults, files)
        if due.faults.batches.shuffle_output:
            files.shuffle(random.Random(batch.created.id))  # noqa: S311, an order, not a secret
        with state.transaction() as connection:
            output, error = files.keep(connection, batch, due.standing.since)
            end = totals.end(due.standing, due.faults.batches, output, error)
            record_end(connection, batch.created.id, end)
            totals.bill(connection, batch.created.id)

    def _drop_deleted_input(self, batch: BatchRecord) -> None:
        state, file_id = self._state, batch.created.input_file_id
        with state.transaction() as connection:
            in_use = any(other.created.input_file_id == file_id for other in open_batches(connection))
            if is_deleted(connection, file_id) and not in_use:
                state.content(file_id).unlink(missing_ok=True)


def _style(flavour: Flavour) -> Style:
    return azure_style(flavour.deployments) if flavour.name == AZURE else Style()
