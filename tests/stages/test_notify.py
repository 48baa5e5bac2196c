"""notify: people are told of what needs them, each finding once, and nothing else waits for that."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from structlog.testing import capture_logs

from batchd import events
from batchd.core.notices import Notice
from batchd.pipeline import BATCH_LANE, HOUSEKEEPING
from batchd.ports import UntoldError
from batchd.stages import notify
from tests.stages.bench import Bench
from tests.stages.lost_commits import BrokenCommit, Fault


@dataclass
class Telling:
    """A way to tell people; ``fails`` says how, for so long as it is set, and ``meanwhile`` happens in each call."""

    told: list[tuple[str, str]] = field(default_factory=list)
    fails: str = ""
    meanwhile: Callable[[], object] = bool

    def tell(self, notice: Notice) -> None:
        self.told.append((notice.kind, notice.subject))
        self.meanwhile()
        if self.fails:
            raise UntoldError(self.fails)


@pytest.fixture
def way(bench: Bench) -> Telling:
    """The bench's only way to tell people."""
    way = Telling()
    bench.place = replace(bench.place, messengers={"webhook": way})
    return way


def find(bench: Bench, *found: tuple[str, str]) -> None:
    for kind, subject in found:
        bench.place.store.transact(lambda ledger, of=(kind, subject): ledger.findings.open(*of))  # type: ignore[misc]


def end(bench: Bench, kind: str, subject: str) -> None:
    bench.place.store.transact(lambda ledger: ledger.findings.close(kind, subject))


def keep_house(bench: Bench) -> int:
    """One pass of the housekeeping; returns how many findings were told."""
    return bench.run(*HOUSEKEEPING)["findings_told"]


def wait_long(bench: Bench) -> None:
    """The wait after a try that failed is over."""
    bench.execute("UPDATE batchd_finding SET notify_after = '2026-01-01 00:00:00.000' WHERE notify_after IS NOT NULL")


def test_each_finding_is_told_once_and_the_most_urgent_first(bench: Bench, way: Telling) -> None:
    """However often it is looked; what only is worth knowing is not told by itself."""
    find(bench, ("overdue", "batch 1"), ("strange-lines", "batch 1"), ("unknown-submit", "batch 2"))

    told = [keep_house(bench) for _ in range(3)]

    assert [2, 0, 0] == told
    assert [("unknown-submit", "batch 2"), ("overdue", "batch 1")] == way.told
    assert 2 == len(bench.execute("SELECT 1 FROM batchd_finding WHERE notified_at IS NOT NULL"))


def test_each_try_is_a_sign_of_life(bench: Bench, way: Telling) -> None:
    """Many slow ones in one pass take longer than a standstill, for which the service would be started anew."""
    beats, heard = [0], list[int]()

    def beat() -> None:
        beats[0] += 1

    bench.place = replace(bench.place, beat=beat)
    way.meanwhile = lambda: heard.append(beats[0])
    find(bench, ("overdue", "batch 1"), ("overdue", "batch 2"), ("overdue", "batch 3"))
    keep_house(bench)

    assert 3 == len(set(heard))


@pytest.mark.parametrize(("least_urgent", "expected"), [(1, 1), (2, 2), (3, 3)])
def test_the_config_says_how_urgent_a_finding_must_be(
    bench: Bench, way: Telling, least_urgent: int, expected: int
) -> None:
    """1 is the most urgent."""
    bench.place = replace(bench.place, notify_priority=least_urgent)
    find(bench, ("overdue", "batch 1"), ("strange-lines", "batch 1"), ("unknown-submit", "batch 2"))

    assert expected == keep_house(bench)
    assert expected == len(way.told)


def test_a_finding_that_has_ended_is_not_told(bench: Bench, way: Telling) -> None:
    """Nobody is woken for what is over; what comes again is a new one."""
    find(bench, ("overdue", "batch 1"), ("overdue", "batch 2"))
    end(bench, "overdue", "batch 1")
    # The second one ends while the first is told.
    find(bench, ("unknown-submit", "batch 3"))
    way.meanwhile = lambda: end(bench, "overdue", "batch 2")

    keep_house(bench)
    way.meanwhile = bool
    find(bench, ("overdue", "batch 1"))
    keep_house(bench)

    assert [("unknown-submit", "batch 3"), ("overdue", "batch 1")] == way.told


def test_a_try_that_failed_is_repeated_after_growing_waits(bench: Bench, way: Telling) -> None:
    """It is logged each time with a code and the wait, and told once it works; the next finding waits."""
    find(bench, ("overdue", "batch 1"), ("overdue", "batch 2"))
    way.fails = "http_503"

    with capture_logs() as said:
        for _ in range(3):
            keep_house(bench)
            bench.execute("UPDATE batchd_finding SET notify_after = '2999-01-01 00:00:00.000' WHERE id = 2")
            keep_house(bench)
            wait_long(bench)
            bench.execute("UPDATE batchd_finding SET notify_after = '2999-01-01 00:00:00.000' WHERE id = 2")
    way.fails = ""
    wait_long(bench)
    told = keep_house(bench)

    failed = [one for one in said if one["event"] == events.NOTIFY_FAILED]
    assert [("http_503", 1, 120), ("http_503", 2, 240), ("http_503", 3, 480)] == [
        (one["code"], one["tries"], one["next_try_in_seconds"]) for one in failed
    ]
    assert 2 == told


def test_only_the_way_that_failed_is_tried_again(bench: Bench, way: Telling) -> None:
    """Whoever was told is not told again because somebody else could not be."""
    other = Telling(fails="exit_1")
    bench.place = replace(bench.place, messengers={"webhook": way, "command": other})
    find(bench, ("overdue", "batch 1"))

    first = keep_house(bench)
    other.fails = ""
    wait_long(bench)
    second = keep_house(bench)
    wait_long(bench)
    keep_house(bench)

    assert (0, 1) == (first, second)
    assert (1, 2) == (len(way.told), len(other.told))


def test_rows_go_on_while_nobody_can_be_told(bench: Bench, way: Telling) -> None:
    """A way that is broken keeps no row from its answer, and no other housekeeping from being done."""
    way.fails = "timeout"
    find(bench, ("overdue", "batch 99"))
    bench.add_people("text")

    for _ in range(6):
        bench.run(*BATCH_LANE, *HOUSEKEEPING)

    assert ["closed"] == bench.states()
    assert 1 == len(way.told)


def test_of_two_processes_one_tells_it(bench: Bench, way: Telling) -> None:
    """The second one looks while the first is at it, and after it was killed before it could write that down."""
    second = replace(bench.workplace("second"), messengers={"webhook": way})
    find(bench, ("overdue", "batch 1"))
    way.meanwhile = lambda: way.told.extend([("again", "")] * bench.run(*HOUSEKEEPING, place=second)["findings_told"])

    keep_house(bench)

    assert [("overdue", "batch 1")] == way.told


def test_a_crash_before_it_is_written_down_tells_it_again(bench: Bench, way: Telling) -> None:
    """At least once: not at once, but when the time of the try is over."""

    class CrashError(Exception):
        """The process ends here."""

    def crash() -> None:
        raise CrashError

    find(bench, ("overdue", "batch 1"))
    way.meanwhile = crash
    with pytest.raises(CrashError):
        keep_house(bench)
    way.meanwhile = bool

    soon = keep_house(bench)
    wait_long(bench)
    later = keep_house(bench)

    assert (0, 1) == (soon, later)
    assert 2 == len(way.told)


@pytest.mark.parametrize("fault", ["answer lost", "connection lost", "busy"])
@pytest.mark.parametrize("step", ["notify.take", "notify.record"])
def test_a_broken_commit_tells_nothing_twice(
    bench: Bench, way: Telling, monkeypatch: pytest.MonkeyPatch, step: str, fault: Fault
) -> None:
    """It may be told later, when the time of the try is over."""
    find(bench, ("overdue", "batch 1"))
    broken = BrokenCommit(step, fault=fault)
    broken.arm(monkeypatch, bench.database.engine)

    keep_house(bench)
    wait_long(bench)
    keep_house(bench)

    assert broken.struck
    assert [("overdue", "batch 1")] == way.told


def test_a_flood_is_told_in_several_passes(bench: Bench, way: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the rest of the housekeeping has its turn; nothing of it is lost."""
    monkeypatch.setattr(notify, "_MOST", 2)
    find(bench, *[("overdue", f"batch {number}") for number in range(5)])

    told = [keep_house(bench) for _ in range(4)]

    assert [2, 2, 1, 0] == told
    assert 5 == len(set(way.told))


def test_nothing_is_looked_for_where_nobody_is_to_be_told(bench: Bench) -> None:
    """Nothing is marked: who configures it later is told of what is open then."""
    find(bench, ("overdue", "batch 1"))
    bench.place = replace(bench.place, messengers={})

    before = keep_house(bench)
    way = Telling()
    bench.place = replace(bench.place, messengers={"webhook": way})
    after = keep_house(bench)

    assert (0, 1) == (before, after)
    assert [("overdue", "batch 1")] == way.told
