"""What the Spool port promises, held against the folder and the fake."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from batchd.core.model import SpooledFile
from batchd.core.result_index import Place
from batchd.errors import SpoolError, SpoolFullError
from batchd.ports import Spool
from batchd.spool import FolderSpool
from tests.fakes.spool import FakeSpool


@pytest.fixture(params=["folder", "fake"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Spool:
    return FolderSpool(tmp_path / "spool") if request.param == "folder" else FakeSpool()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def write_lines(spool: Spool, uid: str, count: int) -> SpooledFile:
    with spool.write_input(uid) as writer:
        for seq in range(count):
            writer.write(b'{"custom_id": "%s-%d"}\n' % (uid.encode(), seq))
        return writer.finish()


def holding(content: bytes) -> Callable[[BinaryIO], None]:
    def fill(sink: BinaryIO) -> None:
        sink.write(content)

    return fill


def test_a_finished_input_file_is_as_it_was_measured(spool: Spool) -> None:
    """Size, hash and lines taken while writing are those of the file on disk."""
    finished = write_lines(spool, "u1", 3)

    assert finished == spool.measure_input("u1")
    assert finished.lines == 3


def test_an_unfinished_input_file_leaves_no_trace(spool: Spool) -> None:
    """Leaving the block without ``finish`` is as if nothing had been written."""
    with spool.write_input("u1") as writer:
        writer.write(b"{}\n")

    assert spool.measure_input("u1") is None


def test_a_rewrite_that_fails_keeps_the_file_there_was(spool: Spool) -> None:
    """The old file stays until the new one is complete."""
    before = write_lines(spool, "u1", 2)

    with spool.write_input("u1") as writer:
        writer.write(b"{}\n")

    assert before == spool.measure_input("u1")


def test_dropped_lines_are_gone_and_the_others_stay(spool: Spool) -> None:
    """Lines are found by the number at the end of their custom_id."""
    write_lines(spool, "ab-cd", 12)

    dropped = spool.drop_lines("ab-cd", frozenset({0, 11}))

    assert dropped == spool.measure_input("ab-cd")
    assert dropped.lines == 10


def test_removing_an_input_file_twice_is_no_error(spool: Spool) -> None:
    """What is to be gone may be gone already."""
    write_lines(spool, "u1", 1)

    spool.remove_input("u1")
    spool.remove_input("u1")

    assert spool.measure_input("u1") is None


def test_lines_are_split_at_newline_bytes_only(spool: Spool) -> None:
    """U+2028, U+2029, NEL and carriage returns inside a line don't end it."""
    first, second = "a\u2028b\u2029c\u0085d\re".encode(), b"second"
    spool.store_result("u1", "output", 1, holding(first + b"\n" + second + b"\n"))

    lines = list(spool.result_lines("u1", "output"))

    assert lines == [(0, first), (len(first) + 1, second)]


def test_blank_lines_are_passed_over_and_a_last_line_needs_no_newline(spool: Spool) -> None:
    """Offsets still count every byte."""
    spool.store_result("u1", "error", 1, holding(b"\n  \nab\n\r\n\ncd"))

    lines = list(spool.result_lines("u1", "error"))

    assert lines == [(4, b"ab"), (10, b"cd")]
    assert spool.measure_result("u1", "error") is not None
    assert len(lines) == spool.store_result("u1", "error", 2, holding(b"\n  \nab\n\r\n\ncd")).lines


def test_a_line_of_several_megabytes_is_one_line(spool: Spool) -> None:
    """A line may be longer than any block that is read."""
    long = b"x" * 3_500_000
    stored = spool.store_result("u1", "output", 1, holding(long + b"\n" + b"y"))

    lines = list(spool.result_lines("u1", "output"))

    assert lines == [(0, long), (len(long) + 1, b"y")]
    assert stored == spool.measure_result("u1", "output")


def test_a_line_is_found_again_by_its_offset(spool: Spool) -> None:
    """What the index remembers of a line is enough to read it."""
    spool.store_result("u1", "output", 1, holding(b"one\ntwo\n\nthree"))

    places = [Place("output", offset) for offset, _ in spool.result_lines("u1", "output")]
    found = spool.result_lines_at("u1", list(reversed(places)))
    again = [found[place] for place in places]

    assert again == [b"one", b"two", b"three"]


def test_a_result_that_fails_on_the_way_keeps_the_one_there_was(spool: Spool) -> None:
    """The vendor's error comes through, and no half a file is ever seen."""
    before = spool.store_result("u1", "output", 1, holding(b"whole\n"))

    def fail(sink: BinaryIO) -> None:
        sink.write(b"half")
        raise ConnectionError

    with pytest.raises(ConnectionError):
        spool.store_result("u1", "output", 2, fail)

    assert before == spool.measure_result("u1", "output")


def test_all_files_of_a_batch_are_removed_and_no_other(spool: Spool) -> None:
    """Input and results go; doing it again is no error."""
    for uid in ("u1", "u2"):
        write_lines(spool, uid, 1)
        spool.store_result(uid, "output", 1, holding(b"x"))
    spool.store_result("u1", "error", 1, holding(b"x"))

    spool.remove_files("u1")
    spool.remove_files("u1")

    measured = [
        (spool.measure_input(uid), spool.measure_result(uid, "output"), spool.measure_result(uid, "error"))
        for uid in ("u1", "u2")
    ]
    assert (None, None, None) == measured[0]
    assert measured[1][0] is not None
    assert measured[1][1] is not None


def test_old_input_files_are_named(spool: Spool) -> None:
    """By age; result files are not asked for."""
    write_lines(spool, "u1", 1)
    spool.store_result("u2", "output", 1, holding(b"x"))

    assert ["u1"] == spool.old_inputs(0)
    assert [] == spool.old_inputs(3600)


def test_an_empty_spool_has_room(spool: Spool) -> None:
    """Free room is told in bytes."""
    assert spool.free_bytes() > 0


def test_output_and_error_files_are_two_files(spool: Spool) -> None:
    """One batch has one of each."""
    spool.store_result("u1", "output", 1, holding(b"good\n"))
    spool.store_result("u1", "error", 1, holding(b""))

    assert [line for _, line in spool.result_lines("u1", "output")] == [b"good"]
    assert list(spool.result_lines("u1", "error")) == []
    assert (empty := spool.measure_result("u1", "error")) is not None
    assert (empty.bytes, empty.lines) == (0, 0)


def test_what_is_missing_measures_as_none_and_reads_as_an_error(spool: Spool) -> None:
    """A lost file is noticed, never taken for an empty one."""
    assert spool.measure_input("u9") is None
    assert spool.measure_result("u9", "output") is None

    with pytest.raises(SpoolError):
        list(spool.result_lines("u9", "output"))
    with pytest.raises(SpoolError):
        spool.result_lines_at("u9", [Place("output", 0)])
    with pytest.raises(SpoolError):
        spool.drop_lines("u9", frozenset())


# --- what only a folder can promise ---------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_folder_and_files_are_private_whatever_the_umask(folder: Path, umask: int) -> None:
    """0700 and 0600: requests and results are row content."""
    spool = FolderSpool(folder)
    before = os.umask(umask)
    try:
        write_lines(spool, "u1", 1)
        spool.store_result("u1", "output", 1, holding(b"x"))
    finally:
        os.umask(before)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.iterdir()]}
    assert modes == {"spool": 0o700, ".ledger.ledger": 0o600, "u1.input.jsonl": 0o600, "u1.output.jsonl": 0o600}


def test_a_folder_that_others_may_read_is_made_private(folder: Path) -> None:
    """A wider folder of our own is tightened at the first write."""
    folder.mkdir(mode=0o755)

    write_lines(FolderSpool(folder), "u1", 1)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_reading_makes_no_folder(folder: Path) -> None:
    """Looking at a spool leaves nothing behind."""
    assert FolderSpool(folder).measure_input("u1") is None
    assert not folder.exists()


def test_temporary_files_carry_the_epoch_and_are_gone_afterwards(folder: Path) -> None:
    """Two daemons that both believe to hold the lease don't write into one file."""
    during: list[str] = []

    def fill(sink: BinaryIO) -> None:
        sink.write(b"x")
        during.extend(path.name for path in folder.glob(".*.part"))

    FolderSpool(folder).store_result("u1", "output", 7, fill)

    assert during == [".u1.output.jsonl.7.part"]
    assert {path.name for path in folder.iterdir()} == {".ledger.ledger", "u1.output.jsonl"}


def test_what_a_crash_left_behind_long_ago_is_removed(folder: Path) -> None:
    """Old temporary files hold row content; young ones may be somebody's work in hand."""
    folder.mkdir()
    for name, age in (("old", 3 * 86_400), ("young", 60)):
        leftover = folder / f".{name}.input.jsonl.x.part"
        leftover.touch()
        moment = leftover.stat().st_mtime - age
        os.utime(leftover, (moment, moment))

    write_lines(FolderSpool(folder), "u1", 1)

    names = {path.name for path in folder.glob("*u1*")} | {path.name for path in folder.glob(".*.part")}
    assert names == {".young.input.jsonl.x.part", "u1.input.jsonl"}


def test_file_and_folder_are_on_the_disk_before_a_write_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is flushed before it gets its name, and the folder after."""
    spool = FolderSpool(folder)
    write_lines(spool, "u0", 1)
    seen: list[tuple[str, bool]] = []
    target = spool.input_path("u1")

    def fsync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        seen.append(("folder" if is_folder else "file", target.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_lines(spool, "u1", 1)

    assert seen == [("file", False), ("folder", True)]


def test_a_full_disk_is_explained(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What, where, why and what to do; and no half a file stays."""

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "any text", descriptor)

    spool = FolderSpool(folder)
    write_lines(spool, "u0", 1)
    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(SpoolFullError, match="no space is left") as caught:
        write_lines(spool, "u1", 1)

    assert str(spool.input_path("u1")) in caught.value.message
    assert "free some space" in caught.value.next_command
    assert {path.name for path in folder.iterdir()} == {".ledger.ledger", "u0.input.jsonl"}


def test_a_file_in_the_folders_place_is_explained(folder: Path) -> None:
    """Something else stands where the spool folder should be."""
    folder.write_text("not a folder")

    with pytest.raises(SpoolError, match="other than a folder"):
        write_lines(FolderSpool(folder), "u1", 1)


def test_files_of_another_ledger_are_none_of_ours(folder: Path) -> None:
    """Two ledgers with one spool folder: neither names files that could be the other's."""
    write_lines(FolderSpool(folder, "one"), "u1", 1)
    alone = FolderSpool(folder, "one").old_inputs(0)
    other = FolderSpool(folder, "two")
    write_lines(other, "u2", 1)

    assert ["u1"] == alone
    assert [] == other.old_inputs(0)
    assert [] == FolderSpool(folder, "one").old_inputs(0)


def test_a_changed_input_file_is_not_rewritten(folder: Path) -> None:
    """A line without our custom_id is refused with its place."""
    spool = FolderSpool(folder)
    write_lines(spool, "u1", 1)
    with spool.input_path("u1").open("ab") as file:
        file.write(b"somebody's line\n")

    with pytest.raises(SpoolError, match="byte 22"):
        spool.drop_lines("u1", frozenset({0}))
