"""A disk that fills up in the middle of a file, as when somebody else writes to it as well."""

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from batchd.errors import SpoolFullError
from batchd.pipeline import SENDING
from batchd.room import kept_for_input
from batchd.spool import FolderSpool
from batchd.stages.poll import Poll
from tests.small_disk import SmallDisk
from tests.stages.bench import Bench

LONG = "x" * 50_000


class TrustingSpool(FolderSpool):
    """Sees more room than there is."""

    def free_bytes(self) -> int:
        return 1_000_000_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of two megabytes."""
    with SmallDisk(tmp_path / "small", 2_000_000) as small:
        yield small


@pytest.fixture
def crowded(bench: Bench, disk: SmallDisk) -> Bench:
    """A workplace whose spool is on the small disk."""
    bench.spool = TrustingSpool(disk.folder)
    bench.place = replace(bench.place, spool=bench.spool)
    return bench


def written(disk: SmallDisk) -> list[str]:
    """Files of batches, half-written ones as well."""
    return [path.name for path in disk.folder.iterdir() if path.name != "filler" and path.suffix != ".ledger"]


def test_a_batch_file_that_finds_no_room_is_thrown_away(crowded: Bench, disk: SmallDisk) -> None:
    """No half file, no batch, no gate; other stages are reached; with room its rows are claimed as if nothing was."""
    crowded.add_people(*[LONG] * 60)

    counts = crowded.run()
    found, states, gates, kept = crowded.findings(), crowded.states(), crowded.gates(), written(disk)
    disk.enlarge(20_000_000)
    crowded.run_until_quiet()

    assert (1, {}, []) == (counts["tasks_without_room"], gates, states)
    assert [] == kept
    # The pass looks again at its end, and believes to see room.
    assert [] == found
    assert [(60,)] == crowded.execute("SELECT count(*) FROM person WHERE done_at IS NOT NULL")
    assert [(1, "spool")] == crowded.execute("SELECT count(*), subject FROM batchd_finding WHERE kind = 'spool-full'")


def test_results_that_find_no_room_stay_at_the_vendor(crowded: Bench, disk: SmallDisk) -> None:
    """Their batch stays ended and waits, its finding stays open, claiming stops; with room all goes on."""
    crowded.configure(batch_size=1)
    crowded.add_people("one")
    crowded.run()
    crowded.check_until("ended", stages=(lambda place, scope, _: Poll(place, scope),))
    disk.fill()
    crowded.add_people("two", first=2)

    crowded.run()
    found, states, kept = crowded.findings(), crowded.states(), written(disk)
    disk.make_room()
    crowded.run_until_quiet()

    assert [("spool-full", "batch 1")] == found
    assert ["ended"] == states
    assert ["input.jsonl"] == [name.partition(".")[2] for name in kept]
    assert ["closed", "closed"] == crowded.states()
    assert [] == crowded.findings()


def test_a_quota_is_a_full_disk_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operating system has two words for it."""

    def refuse(_: int) -> None:
        raise OSError(errno.EDQUOT, "any text")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(SpoolFullError, match="quota"), bench.spool.write_input("u1") as writer:
        writer.finish()


def test_a_row_larger_than_the_room_for_now_is_said_to_wait(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fits into a file another time: a claim that takes nothing says why."""
    bench.add_people("x" * 800_000)
    with monkeypatch.context() as crowded:
        crowded.setattr(bench.spool, "free_bytes", lambda: 1_200_000)
        counts = bench.run(SENDING[1])
    assert (1, []) == (counts["tasks_without_room"], bench.states())

    bench.run_until_quiet()
    assert [(1, "applied")] == bench.outcomes()


def test_claiming_stops_while_open_batches_may_need_the_room(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reserve and the results to come are kept free: nothing is built, a finding says so, and both pass."""
    bench.place = replace(bench.place, spool_reserve=50_000_000)
    bench.add_people("one")
    with monkeypatch.context() as crowded:
        crowded.setattr(bench.spool, "free_bytes", lambda: 50_500_000)
        bench.run(*SENDING)
        stopped = bench.states(), bench.findings(), bench.gates()
    bench.run_until_quiet()

    assert ([], [("spool-full", "spool")], {}) == stopped
    assert (["closed"], []) == (bench.states(), bench.findings())


def test_tasks_that_build_side_by_side_leave_the_reserve_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room that one may fill is not given to another one too: it takes what is left, or waits for its next turn."""
    free, reserve, largest = 150_000_000, 50_000_000, 30_000_000
    place = replace(bench.place, spool_reserve=reserve)
    monkeypatch.setattr(bench.spool, "free_bytes", lambda: free)

    with kept_for_input(place, largest) as first:
        with kept_for_input(place, largest) as second, kept_for_input(place, largest) as third:
            together = first + second + third
        with kept_for_input(place, largest) as fourth:
            pass

    assert (largest, largest - 10_000_000, 0) == (first, second, third)
    # As much again is for their results.
    assert 2 * together <= free - reserve
    assert second == fourth, "what is not needed any more was not given back"
    assert ([], 0) == (bench.findings(), place.inputs_coming.bytes)
