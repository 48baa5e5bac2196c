"""A process at work: the real stages' workplace, with mishaps around its database, its spool and its vendor."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

from batchd.core.model import Lease, Listing, SpooledFile, VendorBatch
from batchd.core.result_index import ResultKind
from batchd.ports import InputWriter, Ledger, Store
from batchd.spool import FolderSpool
from tests.stages.machine.mishaps import ERRORS, Act, Crash, Mishap, Trouble, error_of
from tests.stages.machine.vendor import VendorModel

T = TypeVar("T")


class Surroundings(Protocol):
    """What goes on around a process."""

    def meanwhile(self, acts: Sequence[Act]) -> None:
        """Things happen while this process sleeps."""

    def check_lease(self, lease: Lease, *, written: bool) -> None:
        """Judges a transaction under a lease: called before it, and after it was committed."""


@dataclass(slots=True)
class Process:
    """Whether it lives, what strikes it in its present pass, and the ids that creates have told it."""

    owner: str
    around: Surroundings
    alive: bool = True
    is_first: bool = True
    trouble: Trouble | None = None
    learned: list[str] = field(default_factory=list)

    def strike(self, mishap: Mishap | None, when: str) -> None:
        """Carries out a mishap that is meant for now."""
        if mishap is None or mishap.when != when:
            return
        if mishap.what == "crash":
            self.alive = False
            raise Crash(str(mishap))
        if mishap.what == "meanwhile":
            self.around.meanwhile(mishap.acts)
        elif mishap.what in ERRORS:
            raise error_of(mishap.what)

    def passing(self, point: str) -> Mishap | None:
        """Passes a point; a dead process gets nowhere any more."""
        if not self.alive:
            raise Crash("dead already")
        return self.trouble.at(point) if self.trouble else None

    @contextlib.contextmanager
    def doing(self, point: str) -> Iterator[Mishap | None]:
        """The block is one effect on the outside."""
        mishap = self.passing(point)
        self.strike(mishap, "before")
        yield mishap
        self.strike(mishap, "after")


class TroubledStore:
    """The real store, with crashes on either side of a COMMIT, and COMMITs whose answer is lost."""

    def __init__(self, process: Process, store: Store) -> None:
        self._process = process
        self._store = store

    @property
    def is_served(self) -> bool:
        return self._store.is_served

    def transact(self, work: Callable[[Ledger], T], *, lease: Lease | None = None, **more: str) -> T:
        # By number any commit can be struck, by the name of its step one that matters.
        mishap = self._process.passing("commit") or self._process.passing(more.get("step", ""))
        if mishap and mishap.what != "crash":
            self._process.strike(mishap, "before")
        if lease is not None:
            self._process.around.check_lease(lease, written=False)

        def struck(ledger: Ledger) -> T:
            done = work(ledger)
            self._process.strike(mishap, "before")
            return done

        crashes = mishap is not None and mishap.what == "crash"
        done = self._store.transact(struck if crashes else work, lease=lease, **more)
        if mishap and mishap.what == "repeat":
            # The COMMIT came through, its answer did not: the store runs the whole transaction again.
            done = self._store.transact(work, lease=lease, **more)
        if lease is not None:
            self._process.around.check_lease(lease, written=True)
        self._process.strike(mishap, "after")
        return done

    def read(self, work: Callable[[Ledger], T]) -> T:
        self._process.passing("read")
        return self._store.read(work)

    def ask(self, work: Callable[[Ledger], T]) -> T:
        self._process.passing("read")
        return self._store.ask(work)


class TroubledSpool(FolderSpool):
    """The real spool, with mishaps on either side of a file's finishing."""

    def __init__(self, process: Process, folder: Path) -> None:
        super().__init__(folder)
        self._process = process
        self._in_transaction = False

    @contextlib.contextmanager
    def write_input(self, uid: str) -> Iterator[InputWriter]:
        with super().write_input(uid) as writer:
            yield writer if self._in_transaction else _TroubledWriter(self._process, writer)

    def drop_lines(self, uid: str, seqs: frozenset[int]) -> SpooledFile:
        # Within a transaction, where nobody else can do anything: a crash is all that fits here.
        self._in_transaction = True
        with self._process.doing("drop_lines"):
            done = super().drop_lines(uid, seqs)
        self._in_transaction = False
        return done

    def remove_input(self, uid: str) -> None:
        with self._process.doing("spool"):
            super().remove_input(uid)

    def store_result(self, uid: str, kind: ResultKind, epoch: int, fill: Callable[[BinaryIO], None]) -> SpooledFile:
        with self._process.doing("spool"):
            return super().store_result(uid, kind, epoch, fill)


class _TroubledWriter:
    def __init__(self, process: Process, writer: InputWriter) -> None:
        self._process = process
        self._writer = writer

    def write(self, line: bytes) -> None:
        self._writer.write(line)

    def finish(self) -> SpooledFile:
        with self._process.doing("spool"):
            return self._writer.finish()


class TroubledVendor:
    """The vendor as one process reaches it: calls fail before or after their effect, or never come back."""

    def __init__(self, process: Process, vendor: VendorModel) -> None:
        self._process = process
        self._vendor = vendor

    def upload(self, path: Path, filename: str) -> str:
        with self._process.doing("upload"):
            return self._vendor.upload(path, filename)

    def create_batch(self, file_id: str, endpoint: str, metadata: Mapping[str, str]) -> VendorBatch:
        with self._process.doing("create_batch") as mishap:
            if mishap and mishap.what == "late":
                self._vendor.create_later(file_id, metadata)
                raise error_of("unclear")
            created = self._vendor.create_batch(file_id, endpoint, metadata)
        # From here on this process knows the id, and whoever knows it must write it down.
        self._process.learned.append(created.id)
        return created

    def retrieve_batch(self, batch_id: str) -> VendorBatch:
        with self._process.doing("retrieve_batch"):
            return self._vendor.retrieve_batch(batch_id)

    def list_batches(self, since: int) -> Listing:
        with self._process.doing("list_batches") as mishap:
            found = self._vendor.list_batches(since)
            # A page is missing; what was on it is anybody's guess.
            incomplete = mishap is not None and mishap.what == "incomplete"
            return Listing(found.batches[1:], complete=False) if incomplete else found

    def cancel_batch(self, batch_id: str) -> VendorBatch:
        with self._process.doing("cancel_batch"):
            return self._vendor.cancel_batch(batch_id)

    def file_bytes(self, file_id: str) -> int | None:
        with self._process.doing("file_bytes"):
            return self._vendor.file_bytes(file_id)

    def download(self, file_id: str, sink: BinaryIO) -> None:
        with self._process.doing("download") as mishap:
            if mishap and mishap.what == "cut":
                sink.write(self._vendor.files[file_id][:-7])
                return
            self._vendor.download(file_id, sink)

    def delete_file(self, file_id: str) -> None:
        with self._process.doing("delete_file"):
            self._vendor.delete_file(file_id)

    def close(self) -> None:
        """Nothing to let go of."""
