"""What a scrape tells of what is known, and how it comes to know it without waiting."""

import datetime as dt
import threading
import time
from collections import defaultdict
from typing import TypeVar

from batchd.core.findings import KINDS
from batchd.core.outcomes import Outcome
from batchd.core.states import OPEN
from batchd.errors import DatabaseError
from batchd.metrics.catalog import METRICS
from batchd.metrics.paced import Paced, Reading
from batchd.metrics.samples import Known, families
from batchd.store.meters import LedgerMeter, TaskMeter

T = TypeVar("T")
EMPTY = LedgerMeter({}, {})
NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


def known(ledger: LedgerMeter | None, *configured: str, **oldest: dt.datetime | None) -> Known:
    return Known(
        ledger=ledger,
        ledger_at=None if ledger is None else 5.0,
        is_up=ledger is not None,
        oldest=oldest,
        configured=frozenset(configured),
        reloaded=True,
        reloaded_at=1.0,
        version=("1", "5"),
    )


def told(what: Known) -> dict[str, dict[tuple[str, ...], float]]:
    """Values by name and labels."""
    found: dict[str, dict[tuple[str, ...], float]] = defaultdict(dict)
    for family in families(what):
        for sample in family.samples:
            found[sample.name][tuple(sample.labels.values())] = sample.value
    return found


def test_a_task_that_was_never_claimed_for_has_its_zeros() -> None:
    """An alert on a rate needs a first value; it must not begin with the first failure."""
    samples = told(known(EMPTY, "people"))

    outcomes = set(Outcome) - {Outcome.UNRENDERABLE, Outcome.TOO_LARGE}
    assert {("people", outcome): 0 for outcome in outcomes} == samples["batchd_rows_total"]
    assert {("people", state): 0 for state in OPEN} == samples["batchd_batches"]
    assert {(kind,): 0 for kind in KINDS} == samples["batchd_findings"]
    assert {("people",): 0} == samples["batchd_cost_usd_total"]


def test_what_nobody_knows_is_not_told() -> None:
    """Before the ledger was read once nothing is said of it but that: a zero would be a claim."""
    samples = told(known(None, "people"))

    assert {"batchd_build_info", "batchd_ledger_up"} <= samples.keys()
    assert {(): 0} == samples["batchd_ledger_up"]
    assert not {name for name in samples if "{task}" in name or name in {"batchd_findings", "batchd_rows_total"}}


def test_a_finding_of_a_later_version_is_counted_too() -> None:
    """Of a kind that this batchd does not know."""
    samples = told(known(LedgerMeter({}, {"odd": 2, "overdue": 1})))

    assert (2, 1) == (samples["batchd_findings"]["odd",], samples["batchd_findings"]["overdue",])


def test_the_oldest_row_is_told_by_its_column_where_there_is_one() -> None:
    """Else since when there is a backlog; of a column that could not be read, nothing."""
    waits = TaskMeter(paused=False, backlog=3, backlog_at=NOON, backlog_since=NOON)
    later = NOON + dt.timedelta(hours=1)

    samples = told(
        known(LedgerMeter({"by_column": waits, "by_sweep": waits, "unread": waits}, {}), by_column=later, unread=None)
    )

    expected = {("by_column",): later.timestamp(), ("by_sweep",): NOON.timestamp()}
    assert expected == samples["batchd_oldest_pending_timestamp_seconds"]


def test_what_is_scraped_is_what_the_catalogue_says() -> None:
    """Names, types and labels, of all but what the process counts itself."""
    task = TaskMeter(paused=True, backlog=3, backlog_at=NOON, backlog_since=NOON, last_apply_at=NOON)
    scraped = {
        (sample.name, family.type, frozenset(sample.labels))
        for family in families(known(LedgerMeter({"people": task}, {})))
        for sample in family.samples
    }

    assert {(one.name, one.kind, frozenset(one.labels)) for one in METRICS if one.kind != "histogram"} == scraped


def test_a_reading_that_hangs_is_waited_for_once() -> None:
    """The first to ask waits for as long as is fair, the next ones not at all; it says so until it is over."""
    over = threading.Event()
    paced: Paced[bool] = Paced(lambda: over.wait(60), pause=0.0, patience=0.2)

    first_asked = time.monotonic()
    first = paced.latest()
    next_asked = time.monotonic()
    next_ones = [paced.latest() for _ in range(20)]
    done_asking = time.monotonic()
    over.set()

    assert next_asked - first_asked >= 0.2
    assert done_asking - next_asked < 0.2
    assert {Reading(None, None, "the database does not answer")} == {first, *next_ones}
    assert _other_than(first, paced).value is True


def test_a_reading_that_fails_leaves_what_was_known() -> None:
    """With the reason; a reason in foreign words is not told."""
    errors: list[Exception | None] = [None, DatabaseError("the server is away"), ValueError("a secret")]

    def read() -> int:
        error = errors.pop(0)
        if error is not None:
            raise error
        return 7

    paced = Paced(read, pause=0.0, patience=5.0)
    good = paced.latest()
    away = _other_than(good, paced)
    odd = _other_than(away, paced)

    assert (7, "") == (good.value, good.trouble)
    assert Reading(7, good.at, "the server is away") == away
    assert Reading(7, good.at, "reading it failed (ValueError)") == odd


def test_it_is_not_read_again_while_it_is_new_enough() -> None:
    """Two scrapes at once, or a person who reloads the page, cost the database nothing."""
    read: list[int] = []
    paced: Paced[None] = Paced(lambda: read.append(1), pause=60.0, patience=5.0)

    for _ in range(10):
        paced.latest()

    assert [1] == read


def test_a_slow_reading_is_made_less_often() -> None:
    """However often it is asked for, it takes up a twentieth of the time."""
    read: list[int] = []

    def slowly() -> None:
        read.append(1)
        time.sleep(0.1)

    paced = Paced(slowly, pause=0.0, patience=5.0)
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        paced.latest()
        time.sleep(0.01)

    assert [1] == read


def _other_than(last: Reading[T], paced: Paced[T]) -> Reading[T]:
    """The next reading that says something else."""
    deadline = time.monotonic() + 10.0
    while (found := paced.latest()) == last:
        assert time.monotonic() < deadline
    return found
