"""The spool's disk: full, read-only, gone, tidied up by somebody. Claiming stops first, nothing is lost, it goes on."""

import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.drills.forking import Ended, Process
from tests.drills.slot import Slot
from tests.small_disk import SmallDisk

PATIENCE = 60.0
ROWS = 32
DONE = Ended(0, None)
ROWS_LEFT = Ended(3, None)
HELD = Ended(20, None)
RUN = ("run", "--until-idle")
SPOOL = "disk"
SMALL = f'spool = "{SPOOL}"\nspool_reserve = 0'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slot]:
    """One folder with one vendor for all drills."""
    with Slot(tmp_path_factory.mktemp("disk")) as slot:
        yield slot


@pytest.fixture
def slot(place: Slot) -> Iterator[Slot]:
    """The folder, put back, its spool empty."""
    yield place
    shutil.rmtree(place.folder / SPOOL, ignore_errors=True)
    place.vendor.control("DELETE", "faults")


@pytest.fixture
def disk(place: Slot) -> Iterator[SmallDisk]:
    """The spool is a disk of four megabytes."""
    shutil.rmtree(place.folder / SPOOL, ignore_errors=True)
    with SmallDisk(place.folder / SPOOL, 4_000_000) as small:
        yield small


def wait_for(slot: Slot, condition: str, daemon: Process | None = None) -> None:
    """Waits until the ledger shows the condition; a daemon must live until then."""
    deadline = time.monotonic() + PATIENCE
    while not slot.execute(f"SELECT 1 WHERE {condition}"):
        assert time.monotonic() < deadline, f"never came to: {condition}\n{slot.said()}"
        ended = daemon.ended() if daemon else None
        assert ended is None, f"the daemon ended with {ended}\n{slot.said()}"
        time.sleep(0.01)


def stop(daemon: Process) -> Ended:
    """SIGTERM, and how it ended."""
    daemon.send(signal.SIGTERM)
    return daemon.wait()


def findings(slot: Slot) -> list[Any]:
    """(kind, subject) of every open finding."""
    return slot.execute("SELECT kind, subject FROM batchd_finding WHERE closed_at IS NULL ORDER BY id")


def files(slot: Slot) -> set[str]:
    """What is in the spool, by ending: half-written files too, marks of ledgers not."""
    return {path.name.partition(".")[2] for path in (slot.folder / SPOOL).iterdir() if path.suffix != ".ledger"}


def assert_all_done(slot: Slot, rows: int = ROWS) -> None:
    """Every row is written once, paid for once, and nothing is left over."""
    assert [(rows, rows)] == slot.execute("SELECT count(*), count(name) FROM person"), slot.said()
    assert {1} == set(Counter(key for (key,) in slot.execute("SELECT id FROM audit")).values())
    assert [(0,)] == slot.execute("SELECT count(*) FROM batchd_gate")
    assert {"closed"} == {state for (state,) in slot.execute("SELECT state FROM batchd_batch")}
    assert [1] * rows == list(slot.vendor.paid().values())
    assert [] == findings(slot)


# --- full -----------------------------------------------------------------------------------------


def test_a_full_disk_stops_claiming_and_nothing_else(slot: Slot, disk: SmallDisk) -> None:
    """A daemon on a full disk goes on asking the vendor, keeps no half file, and finishes once there is room."""
    slot.begin(ROWS, daemon=SMALL)
    sent = slot.run("submit")
    disk.fill()
    daemon = slot.start("run")
    both = "kind = 'spool-full' AND subject IN ('spool', 'batch 2', 'batch 3')"
    wait_for(slot, f"(SELECT count(*) FROM batchd_finding WHERE {both}) = 3", daemon)
    states = slot.execute("SELECT state FROM batchd_batch WHERE id > 1")
    kept = files(slot)

    disk.make_room()
    wait_for(slot, f"(SELECT count(*) FROM person WHERE done_at IS NOT NULL) = {ROWS}", daemon)
    wait_for(slot, "NOT EXISTS (SELECT 1 FROM batchd_finding WHERE closed_at IS NULL)", daemon)
    wait_for(slot, "NOT EXISTS (SELECT 1 FROM batchd_batch WHERE state <> 'closed')", daemon)

    assert sent == DONE
    assert [("ended",), ("ended",)] == states
    assert {"input.jsonl", ""} == kept | {""}
    assert stop(daemon) == DONE
    assert_all_done(slot)


def test_submit_on_a_full_disk_says_so_and_does_nothing(slot: Slot, disk: SmallDisk) -> None:
    """It ends with 3 and names the finding; with room again, the same command sends."""
    slot.begin(10, daemon=SMALL)
    disk.fill()

    refused = slot.run("submit")
    told, found, gates = slot.said(), findings(slot), slot.execute("SELECT count(*) FROM batchd_gate")
    disk.make_room()
    sent = slot.run("submit")

    assert (ROWS_LEFT, [("spool-full", "spool")], [(0,)]) == (refused, found, gates)
    assert "spool-full" in told
    assert sent == DONE, slot.said()
    assert [] == findings(slot)


def test_batches_leave_room_for_their_results(slot: Slot, disk: SmallDisk) -> None:
    """Claiming stops while what is free still holds the reserve and a result as large as each input."""
    reserve = 600_000
    slot.begin(0, daemon=SMALL.replace("= 0", f"= {reserve}"), batch_size=5, max_open_batches=99, batch_duration="1h")
    add_long_rows(slot, 60)

    ended = slot.run("submit")

    ((built, on_the_way),) = slot.execute(
        "SELECT count(*), sum(input_bytes) FROM batchd_batch WHERE state = 'submitted'"
    )
    left = disk.free() - on_the_way - reserve
    assert (ended, [("spool-full", "spool")]) == (ROWS_LEFT, findings(slot))
    assert built > 1
    assert 0 <= left < 1_000_000, f"{left:,} bytes are left for more; {built} batches of {on_the_way:,} bytes"


@pytest.mark.usefixtures("disk")
def test_more_rows_than_the_disk_holds_pass_through_it(slot: Slot) -> None:
    """Five megabytes of prompts through four of disk: files that are not kept make room, and claiming goes on."""
    slot.begin(0, daemon=f'{SMALL}\nkeep_files = "0s"', batch_size=10, max_open_batches=99)
    add_long_rows(slot, 125)

    ended = slot.run(*RUN)

    sent = slot.execute("SELECT sum(input_bytes) FROM batchd_batch WHERE id > 1")[0][0]
    assert sent > 4_500_000
    assert ended == DONE, slot.said()
    assert_all_done(slot, 125)
    assert set() == files(slot)


def add_long_rows(slot: Slot, number: int) -> None:
    """Rows of forty kilobytes."""
    slot.execute(
        "WITH RECURSIVE one(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM one WHERE id < ?)"
        " INSERT INTO person (id, resume) SELECT id, 'Ada Number' || id || printf('%.*c', 40000, 'x') FROM one",
        number,
    )


# --- unusable, gone -------------------------------------------------------------------------------


def test_a_read_only_disk_stops_what_writes_and_is_got_over(slot: Slot, disk: SmallDisk) -> None:
    """Results wait at the vendor, rows in their table; mended, the daemon goes on by itself."""
    slot.begin(ROWS, daemon=SMALL)
    sent = slot.run("submit")
    disk.make(writable=False)
    daemon = slot.start("run")
    wait_for(slot, "(SELECT count(*) FROM batchd_finding WHERE kind = 'spool-unusable') = 3", daemon)
    found = findings(slot)

    disk.make(writable=True)
    wait_for(slot, f"(SELECT count(*) FROM person WHERE done_at IS NOT NULL) = {ROWS}", daemon)
    wait_for(slot, "NOT EXISTS (SELECT 1 FROM batchd_finding WHERE closed_at IS NULL)", daemon)
    wait_for(slot, "NOT EXISTS (SELECT 1 FROM batchd_batch WHERE state <> 'closed')", daemon)

    assert sent == DONE
    assert {"spool", "batch 2", "batch 3"} == {subject for _, subject in found}
    assert stop(daemon) == DONE
    assert_all_done(slot)


def test_a_file_where_the_folder_should_be_is_explained(slot: Slot) -> None:
    """Submit ends with 3 and says what stands there; without it the same command sends."""
    slot.begin(10, daemon=SMALL)
    (slot.folder / SPOOL).write_text("not a folder", encoding="utf-8")

    refused = slot.run("submit")
    told, found = slot.said(), findings(slot)
    (slot.folder / SPOOL).unlink()
    sent = slot.run(*RUN)

    assert (ROWS_LEFT, [("spool-unusable", "spool")]) == (refused, found)
    assert "something other than a folder" in told
    assert sent == DONE, slot.said()
    assert_all_done(slot, 10)


def test_a_folder_that_is_removed_under_a_daemon_is_made_again(slot: Slot) -> None:
    """Whatever stood in it is fetched or built again."""
    slot.begin(ROWS, daemon=SMALL, batch_duration="500ms")
    daemon = slot.start("run")
    wait_for(slot, "(SELECT count(*) FROM batchd_batch WHERE state = 'submitted') = 2", daemon)

    shutil.rmtree(slot.folder / SPOOL)
    wait_for(slot, f"(SELECT count(*) FROM person WHERE done_at IS NOT NULL) = {ROWS}", daemon)
    wait_for(slot, "NOT EXISTS (SELECT 1 FROM batchd_batch WHERE state <> 'closed')", daemon)

    assert stop(daemon) == DONE
    assert_all_done(slot)


# --- files lost or altered by hand ----------------------------------------------------------------


def test_a_result_that_is_lost_here_and_at_the_vendor_holds_its_batch(slot: Slot) -> None:
    """It is never quietly missing: a person is asked, and no row is asked again."""
    slot.begin(10, daemon=SMALL)
    collect_and_pause(slot)
    (file_id,) = slot.execute("SELECT output_file_id FROM batchd_batch WHERE id = 2")[0]
    (result,) = (slot.folder / SPOOL).glob("*.output.jsonl")
    result.unlink()
    slot.vendor.call("DELETE", f"/files/{file_id}")
    slot.run("resume", "people")

    ended = slot.run(*RUN)

    assert ended == HELD, slot.said()
    assert [("held", "ended")] == slot.execute("SELECT state, held_from FROM batchd_batch WHERE id = 2")
    assert [("short-results", "batch 2")] == findings(slot)
    assert [(10,)] == slot.execute("SELECT count(*) FROM batchd_request WHERE batch_id = 2 AND outcome IS NULL")
    assert 1 == slot.vendor.batches()


def test_a_result_file_that_is_altered_between_two_chunks_is_fetched_again(slot: Slot) -> None:
    """Where another row's answer stands now, no row gets it: what is read is held against what was found."""
    slot.begin(10, daemon=SMALL)
    wanted = ends_undisturbed(slot, 10)
    shutil.rmtree(slot.folder / SPOOL)
    slot.begin(10, daemon=SMALL)
    collect_and_pause(slot)
    slot.run("resume", "people")
    daemon = slot.start(*RUN, failpoint="apply.after_chunk:1:STOP")
    wait_until_stopped(daemon)
    (result,) = (slot.folder / SPOOL).glob("*.output.jsonl")
    result.write_bytes(with_ids_turned_round(result.read_bytes()))

    daemon.send(signal.SIGCONT)
    ended = daemon.wait()

    assert ended == DONE, slot.said()
    assert wanted == slot.execute("SELECT id, name FROM person ORDER BY id")
    assert_all_done(slot, 10)


def collect_and_pause(slot: Slot) -> None:
    """One batch whose results are on disk, and whose task is paused."""
    slot.run("submit")
    slot.run("pause", "people")
    slot.run(*RUN)
    assert [("collected",)] == slot.execute("SELECT state FROM batchd_batch WHERE id = 2"), slot.said()


def ends_undisturbed(slot: Slot, rows: int) -> list[Any]:
    """Ids and names as a run without any trouble leaves them."""
    assert slot.run(*RUN) == DONE, slot.said()
    names = slot.execute("SELECT id, name FROM person ORDER BY id")
    assert rows == len({name for _, name in names}), "the drill needs answers that differ"
    return names


def with_ids_turned_round(content: bytes) -> bytes:
    """The same lines, of the same lengths, each with the answer of another request."""
    lines = content.splitlines()
    ids = [line.split(b'"custom_id":')[1].split(b'"')[1] for line in lines]
    turned = [line.replace(one, other) for line, one, other in zip(lines, ids, reversed(ids), strict=True)]
    return b"".join(line + b"\n" for line in turned)


def wait_until_stopped(process: Process) -> None:
    """Waits for SIGSTOP to have come through."""
    deadline = time.monotonic() + PATIENCE
    stat = Path(f"/proc/{process.pid}/stat")
    while stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < deadline, "the process was never stopped"
        time.sleep(0.005)


# --- tidying up -----------------------------------------------------------------------------------


def test_files_of_ended_batches_go_when_their_time_has_come(slot: Slot) -> None:
    """Kept for a week unless the config says otherwise; the ledger says which are gone, nothing goes at the vendor."""
    slot.begin(10, daemon=SMALL)
    slot.run(*RUN)
    kept, marked = files(slot), slot.execute("SELECT count(files_removed_at) FROM batchd_batch WHERE id > 1")
    slot.configure(daemon=f'{SMALL}\nkeep_files = "0s"')

    ended = slot.run(*RUN)

    assert {"input.jsonl", "output.jsonl"} == kept
    assert [(0,)] == marked
    assert ended == DONE, slot.said()
    assert set() == files(slot)
    assert [(0,)] == slot.execute("SELECT count(*) FROM batchd_batch WHERE files_removed_at IS NULL")
    (file_id,) = slot.execute("SELECT output_file_id FROM batchd_batch WHERE id = 2")[0]
    assert file_id == slot.vendor.call("GET", f"/files/{file_id}")["id"]


def test_an_input_file_that_no_batch_has_goes_after_two_days(slot: Slot) -> None:
    """A crash before the record leaves one, with row content in it; a batch that waits keeps its own."""
    slot.begin(10, daemon=SMALL)
    slot.run("submit", failpoint="submit.before_upload:1:TERM")
    slot.run("pause", "people")
    (mine,) = (slot.folder / SPOOL).glob("*.input.jsonl")
    old, young = (mine.with_name(f"{uid}.input.jsonl") for uid in ("0" * 32, "1" * 32))
    for path, age in ((mine, 3), (old, 3), (young, 1)):
        path.touch()
        os.utime(path, (time.time() - age * 86_400,) * 2)

    slot.run(*RUN)

    assert {mine.name, young.name} == {path.name for path in (slot.folder / SPOOL).glob("*.input.jsonl")}
