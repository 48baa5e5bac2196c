"""Transfers of several batches side by side, and one batch written while another is still on its way.

The vendor of these tests lets a call go on only in a state that comes about where things run side by side.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from batchd.core.model import VendorBatch
from batchd.errors import SpoolFullError
from batchd.pipeline import CHECKING, SENDING
from batchd.ports import Scope
from tests.fakes.answers import answered
from tests.fakes.vendor import FakeVendor, unclear
from tests.stages.bench import GOOD_ANSWER, Bench

POLL, COLLECT, APPLY = CHECKING[1:]
PATIENCE = 60.0


class WaitingVendor(FakeVendor):
    """Calls wait until the test's condition holds for them, and are counted while they do.

    Attributes:
        condition: whether a call of this method, the so-manieth, may go on.
        most: most calls of one method at once.
    """

    def __init__(self) -> None:
        super().__init__(answered(GOOD_ANSWER))
        self.condition: Callable[[str, int], bool] = lambda _method, _number: True
        self.most = 0
        self.in_hand = 0
        self._numbers_of: dict[str, int] = {}
        self._changed = threading.Condition()

    def upload(self, path: Path, filename: str) -> str:
        with self._waiting("upload"):
            return super().upload(path, filename)

    def download(self, file_id: str, sink: BinaryIO) -> None:
        with self._waiting("download"):
            super().download(file_id, sink)

    def retrieve_batch(self, batch_id: str) -> VendorBatch:
        with self._waiting("retrieve_batch"):
            return super().retrieve_batch(batch_id)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Waits for a state, of calls or of the ledger, which tells nobody of its changes."""
        deadline = time.monotonic() + PATIENCE
        with self._changed:
            while not condition():
                if time.monotonic() > deadline:
                    raise unclear("waited in vain")
                self._changed.wait(0.01)

    @contextmanager
    def _waiting(self, method: str) -> Iterator[None]:
        with self._changed:
            number = self._numbers_of[method] = self._numbers_of.get(method, 0) + 1
            self.in_hand += 1
            self.most = max(self.most, self.in_hand)
            self._changed.notify_all()
        try:
            self.wait_for(lambda: self.condition(method, number))
            yield
        finally:
            with self._changed:
                self.in_hand -= 1
                self._changed.notify_all()


@pytest.fixture
def vendor(bench: Bench) -> WaitingVendor:
    """The bench's vendor: up to three transfers at once, a row a batch."""
    vendor = WaitingVendor()
    vendor.now = bench.vendor.now
    bench.vendor = vendor
    bench.account(vendor=vendor)
    bench.configure(batch_size=1, max_open_batches=99)
    bench.place = replace(bench.place, transfers=3)
    return vendor


def send(bench: Bench, number: int) -> None:
    """So many batches of a row, ended at the vendor."""
    bench.add_people(*(f"person {one}" for one in range(number)))
    bench.run(*SENDING)
    bench.check_until(*["ended"] * number, stages=(POLL,))


def is_given_time(vendor: WaitingVendor) -> Callable[[str, int], bool]:
    """Holds the first call for a while, unless a second one has come: what must not meet would meet now."""
    looks = itertools.count()
    return lambda _, number: number > 1 or vendor.most > 1 or next(looks) > 30


def test_a_batch_is_written_while_another_one_is_on_its_way(bench: Bench, vendor: WaitingVendor) -> None:
    """The second file comes only once the first batch is closed."""
    send(bench, 2)
    bench.place = replace(bench.place, transfers=2)
    vendor.condition = lambda _, number: number == 1 or "closed" in bench.states()

    counts = bench.run(COLLECT, APPLY)

    assert (["closed", "closed"], set()) == (bench.states(), counts.causes)


def test_a_batch_is_sent_while_another_one_is_built(bench: Bench, vendor: WaitingVendor) -> None:
    """The second batch is built only once the first file is on its way, and that goes on only once it is built."""
    bench.add_people("one", "two")
    uids = iter(("1" * 32, "2" * 32, "3" * 32))

    def new_uid() -> str:
        uid = next(uids)
        if uid[0] == "2":
            vendor.wait_for(lambda: vendor.in_hand == 1)
        return uid

    bench.place = replace(bench.place, new_uid=new_uid)
    vendor.condition = lambda _, number: number > 1 or len(bench.states()) == 2

    counts = bench.run(*SENDING)

    assert (["submitted", "submitted"], set()) == (bench.states(), counts.causes)
    assert 2 == counts["batches_submitted"]


@pytest.mark.parametrize(("method", "left"), [("upload", "submitted"), ("download", "collected")])
def test_as_many_transfers_meet_as_are_allowed_and_no_more(
    bench: Bench, vendor: WaitingVendor, method: str, left: str
) -> None:
    """Each of the first three goes on only once there are three."""
    if method == "upload":
        bench.add_people(*(f"person {one}" for one in range(7)))
        bench.run(SENDING[1])
    else:
        send(bench, 7)
    vendor.most = 0
    vendor.condition = lambda name, number: name != method or number > 3 or vendor.most == 3

    counts = bench.run(SENDING[2] if method == "upload" else COLLECT)

    assert ([left] * 7, set()) == (bench.states(), counts.causes)
    assert 3 == vendor.most


def test_batches_that_are_asked_for_one_by_one_are_asked_for_side_by_side(bench: Bench, vendor: WaitingVendor) -> None:
    """A server without a list: a thousand open batches are no thousand waits in a row."""
    bench.account(lists=False)
    bench.add_people(*(f"person {one}" for one in range(6)))
    bench.run(*SENDING)
    vendor.most, vendor.statuses = 0, ("completed",)
    vendor.condition = lambda _, number: number > 3 or vendor.most == 3

    counts = bench.run(POLL)

    assert (6, set()) == (counts["batches_polled"], counts.causes)
    assert 3 == vendor.most


def test_files_that_are_as_large_as_one_may_be_are_uploaded_one_after_the_other(
    bench: Bench, vendor: WaitingVendor
) -> None:
    """Side by side each would take as long as all of them, and an upload has only so much time."""
    bench.add_people("x" * 500, "y" * 500, "z" * 500)
    bench.run(SENDING[1])
    bench.account(max_bytes=bench.batch()["input_bytes"] + 1)
    vendor.condition = is_given_time(vendor)

    counts = bench.run(SENDING[2])

    assert (3, 1) == (counts["batches_submitted"], vendor.most)


def test_one_transfer_that_fails_takes_nothing_from_the_others(bench: Bench, vendor: WaitingVendor) -> None:
    """The others are collected and applied in the same pass, and the failed one later."""
    send(bench, 5)
    vendor.fail_next("download", unclear())

    bench.run(COLLECT, APPLY)
    assert (1, 4) == (bench.states().count("ended"), bench.states().count("closed"))
    assert [None] * 5 == [owner for (owner,) in bench.execute("SELECT lease_owner FROM batchd_batch")]

    bench.run_until_quiet()
    assert ["closed"] * 5 == bench.states()
    assert {1} == set(vendor.paid.values())


def test_a_stop_in_the_middle_finishes_what_is_in_hand(bench: Bench, vendor: WaitingVendor) -> None:
    """Asked for while three files are on their way: these are collected, no other is begun, nothing stays leased."""
    send(bench, 9)
    bench.place = replace(bench.place, stopping=lambda: vendor.most == 3)
    vendor.most = 0
    vendor.condition = lambda _, number: number > 3 or vendor.most == 3

    counts = bench.run(COLLECT, APPLY)

    assert ["collected"] * 3 + ["ended"] * 6 == sorted(bench.states())
    assert (3, set()) == (counts["batches_collected"], counts.causes)
    assert [None] * 9 == [owner for (owner,) in bench.execute("SELECT lease_owner FROM batchd_batch")]


def test_an_error_that_ends_the_pass_leaves_the_others_in_order(
    bench: Bench, vendor: WaitingVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours in one unit: the files that were on their way are collected, nothing stays leased."""
    send(bench, 3)
    last = bench.batch(3)["output_file_id"]
    vendor.most = 0
    vendor.condition = lambda _, number: number > 2 or vendor.most == 2
    size_of = vendor.file_bytes
    monkeypatch.setattr(vendor, "file_bytes", lambda file_id: 1 // (file_id != last) and size_of(file_id))

    with pytest.raises(ZeroDivisionError):
        bench.run(COLLECT, APPLY)

    assert "ended" == bench.states()[2]
    assert "ended" not in bench.states()[:2]
    assert [None] * 3 == [owner for (owner,) in bench.execute("SELECT lease_owner FROM batchd_batch")]


def test_one_batch_asked_for_by_its_name_is_collected_and_applied_in_one_pass(
    bench: Bench, vendor: WaitingVendor
) -> None:
    """``batchd check ID``, as without anything beside it."""
    del vendor
    send(bench, 2)

    bench.run(*CHECKING, scope=Scope(batch_id=1))

    assert ["closed", "ended"] == bench.states()


class SmallDisk:
    """The spool's disk has so much room, less what its result files have."""

    def __init__(self, bench: Bench, room: int) -> None:
        self._folder, self._room = bench.folder / "spool", room

    def free(self) -> int:
        """Bytes that are free."""
        return self._room - sum(path.stat().st_size for path in self._folder.glob("*.output.jsonl"))


def test_files_on_their_way_count_each_others_room(
    bench: Bench, vendor: WaitingVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room for two of three files: two are fetched, the third is told to wait; the disk is never asked for more."""
    send(bench, 3)
    (size,) = {len(vendor.files[bench.batch(number)["output_file_id"]]) for number in (1, 2, 3)}
    disk = SmallDisk(bench, int(2.5 * size))
    monkeypatch.setattr(bench.spool, "free_bytes", disk.free)
    vendor.most = 0
    vendor.condition = lambda _, number: number > 2 or vendor.most == 2

    counts = bench.run(COLLECT)

    assert (["collected", "collected", "ended"], 2) == (sorted(bench.states()), vendor.most)
    assert {SpoolFullError.exit_code} == counts.causes
    assert 0 <= disk.free() < size


def test_a_file_that_fits_once_others_are_there_is_no_matter_for_a_person(
    bench: Bench, vendor: WaitingVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a download has written it needs no more: the one that waited fits, and nothing is found."""
    send(bench, 3)
    (size,) = {len(vendor.files[bench.batch(number)["output_file_id"]]) for number in (1, 2, 3)}
    monkeypatch.setattr(bench.spool, "free_bytes", lambda: int(1.5 * size))
    vendor.condition = is_given_time(vendor)

    counts = bench.run(COLLECT)

    assert (["collected"] * 3, set(), []) == (bench.states(), counts.causes, bench.findings())
    assert 1 == vendor.most
