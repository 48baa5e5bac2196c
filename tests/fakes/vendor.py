"""A Batch API vendor in memory: answers by script, ends after as many looks as told, fails on demand."""

import itertools
import json
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from batchd.core.model import Listing, VendorBatch, VendorFault
from batchd.core.states import VendorPhase, phase_of
from batchd.errors import VendorError, VendorNotFoundError, VendorUnclearError
from tests.fakes.answers import Script, answered

_DAY = 86_400


@dataclass(slots=True)
class _Run:
    batch: VendorBatch
    ahead: deque[str]
    unseen: int
    requests: list[bytes] = field(default_factory=list)


class FakeVendor:
    """Implements the ``Vendor`` port, as the real one behaves where both are tested alike.

    Knobs, to be set at any time:
        script: how each request is answered.
        statuses: what the looks at a batch see, one after the other, the last one for ever.
        faults: what a batch that ends as ``failed`` reports.
        listing_lag: number of listings in which a new batch doesn't show yet.
        now: Unix seconds.

    What happened, for tests to look at:
        files, filenames: by file id.
        calls: method names in order.
        paid: custom_id to the number of times its answer was billed.
        deleted: ids of deleted files.
    """

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or answered("{}")
        self.statuses: tuple[str, ...] = ("validating", "in_progress", "completed")
        self.faults: tuple[VendorFault, ...] = ()
        self.listing_lag = 0
        self.now: Callable[[], int] = lambda: 1_795_132_800
        self.files: dict[str, bytes] = {}
        self.filenames: dict[str, str] = {}
        self.calls: list[str] = []
        self.paid: Counter[str] = Counter()
        self.deleted: list[str] = []
        self._runs: dict[str, _Run] = {}
        self._numbers = itertools.count(1)
        self._failures: dict[str, deque[tuple[VendorError, bool]]] = defaultdict(deque)

    def fail_next(self, method: str, error: VendorError, *, after: bool = False) -> None:
        """The next call of a method raises; ``after`` its effect took place, the orphan case."""
        self._failures[method].append((error, after))

    def batches(self) -> list[VendorBatch]:
        """All batches ever created, oldest first, as they are now."""
        return [run.batch for run in self._runs.values()]

    def forget(self, batch_id: str) -> None:
        """The batch is gone from the vendor."""
        del self._runs[batch_id]

    def add_file(self, content: bytes, filename: str = "") -> str:
        """A file that is at the vendor already."""
        file_id = f"file-{next(self._numbers)}"
        self.files[file_id], self.filenames[file_id] = content, filename
        return file_id

    def upload(self, path: Path, filename: str) -> str:
        with self._calling("upload"):
            return self.add_file(path.read_bytes(), filename)

    def create_batch(self, file_id: str, endpoint: str, metadata: Mapping[str, str]) -> VendorBatch:
        with self._calling("create_batch"):
            del endpoint
            batch = VendorBatch(
                id=f"batch_{next(self._numbers)}",
                status=self.statuses[0],
                input_file_id=file_id,
                created_at=self.now(),
                expires_at=self.now() + _DAY,
                total=0,
                completed=0,
                failed=0,
                metadata=dict(metadata),
            )
            requests = self.files.get(file_id, b"").splitlines()
            self._runs[batch.id] = _Run(batch, deque(self.statuses[1:]), self.listing_lag, requests)
            return batch

    def retrieve_batch(self, batch_id: str) -> VendorBatch:
        with self._calling("retrieve_batch"):
            return self._step(self._run(batch_id))

    def list_batches(self, since: int) -> Listing:
        with self._calling("list_batches"):
            shown = [run for run in reversed(self._runs.values()) if not self._still_unseen(run)]
            batches = tuple(self._step(run) for run in shown)
            wanted = tuple(batch for batch in batches if (batch.created_at or since) >= since)
            return Listing(wanted, complete=True)

    def cancel_batch(self, batch_id: str) -> VendorBatch:
        with self._calling("cancel_batch"):
            run = self._run(batch_id)
            if phase_of(run.batch.status) is not VendorPhase.ENDED:
                run.batch = replace(run.batch, status="cancelling")
                run.ahead = deque(["cancelled"])
            return run.batch

    def file_bytes(self, file_id: str) -> int | None:
        with self._calling("file_bytes"):
            return len(self.files[file_id]) if file_id in self.files else None

    def download(self, file_id: str, sink: BinaryIO) -> None:
        with self._calling("download"):
            if file_id not in self.files:
                raise VendorNotFoundError("no such file", code="http_404")
            sink.write(self.files[file_id])

    def download_cut_short(self, file_id: str, missing: int) -> None:
        """From now on a file ends too early, and nobody says so."""
        self.files[file_id] = self.files[file_id][:-missing]

    def delete_file(self, file_id: str) -> None:
        with self._calling("delete_file"):
            self.deleted.append(file_id)
            self.files.pop(file_id, None)

    def close(self) -> None:
        """Nothing to let go of."""

    @contextmanager
    def _calling(self, method: str) -> Iterator[None]:
        self.calls.append(method)
        error, after = self._failures[method].popleft() if self._failures[method] else (None, False)
        if error and not after:
            raise error
        yield
        if error:
            raise error

    def _run(self, batch_id: str) -> _Run:
        if batch_id not in self._runs:
            raise VendorNotFoundError("no such batch", code="http_404")
        return self._runs[batch_id]

    def _still_unseen(self, run: _Run) -> bool:
        run.unseen -= 1
        return run.unseen >= 0

    def _step(self, run: _Run) -> VendorBatch:
        """One look: the batch moves on to its next status, and works off its requests at an end."""
        if run.ahead:
            run.batch = replace(run.batch, status=run.ahead.popleft())
            if run.batch.status == "failed":
                run.batch = replace(run.batch, faults=self.faults)
            elif phase_of(run.batch.status) is VendorPhase.ENDED:
                self._work_off(run)
        return run.batch

    def _work_off(self, run: _Run) -> None:
        requests = [json.loads(line) for line in run.requests]
        lines = [line for request in requests for line in self.script(request)]
        self.paid.update(json.loads(line.raw)["custom_id"] for line in lines if line.billed)
        output = [line.raw for line in lines if line.kind == "output"]
        errors = [line.raw for line in lines if line.kind == "error"]
        run.batch = replace(
            run.batch,
            output_file_id=self._result_file(output),
            error_file_id=self._result_file(errors),
            total=len(requests),
            completed=len(output),
            failed=len(errors),
        )

    def _result_file(self, lines: list[bytes]) -> str | None:
        return self.add_file(b"".join(line + b"\n" for line in lines)) if lines else None


def unclear(code: str = "timeout") -> VendorUnclearError:
    """An error after which nobody knows what happened."""
    return VendorUnclearError("no whole reply", code=code)
