"""A large backlog on a simulated clock and vendor: the quota is used, nobody is starved, and all rows come through."""

from dataclasses import replace
from typing import Any

import pytest

from tests.simulation.client import Machine, SimClient
from tests.simulation.measures import Result, simulated
from tests.simulation.vendor import Habits, SimVendor
from tests.simulation.workload import SimTask, drawn

HOUR = 3600.0
LIMIT = 170_000
ROWS = 300_000
TASKS = (
    SimTask("long", ROWS // 5, row_bytes=900, rate=0.24, noise=0.05),
    SimTask("middle", ROWS // 2, row_bytes=500, rate=0.28, weight=2.0, noise=0.05),
    SimTask("short", ROWS * 3 // 10, row_bytes=250, rate=0.20, noise=0.05),
)


# What needs no long backlog to be seen.
FEWER = tuple(replace(task, rows=task.rows // 3) for task in TASKS)


def play(seed: int, configured: int | None, *tasks: SimTask, machine: Machine | None = None, **habits: Any) -> Result:
    """One run."""
    vendor = SimVendor(Habits(LIMIT, **habits), drawn(seed, "vendor"))
    machine = machine or Machine(configured=configured)
    return simulated(SimClient(list(tasks or TASKS), vendor, machine, seed), vendor)


def test_the_quota_is_in_use_and_the_backlog_is_done_in_the_time_that_takes() -> None:
    """At least 95 % in use, at most 5 % above the bound, no task starved, no refusal, shares by weight."""
    # What dawdles for hours at the very end is long beside a backlog of days.
    result = play(1, LIMIT, slow_factor=2.0, stuck=0.0)
    held = result.shares.held

    assert [] == result.faults(longest_wait=0.5 * HOUR)
    assert (ROWS, 0) == (result.rows, result.over_limit)
    assert pytest.approx(0.5, abs=0.03) == held["middle"] / sum(held.values())


def test_a_limit_that_nobody_told_is_learnt_from_a_few_refusals() -> None:
    """Each batch that was sent before it was known is refused once; then the quota is used as if it had been known."""
    result = play(2, None, *FEWER)

    assert ROWS // 3 == result.rows
    assert result.in_use >= 0.95
    assert 0 < result.over_limit <= sum(task.max_open_batches for task in TASKS)


def test_a_vendor_at_its_worst_starves_no_task() -> None:
    """Batches that fail, dawdle, and expire after a day with half of their lines: nothing is lost."""
    result = play(3, LIMIT, *FEWER, slow=0.05, stuck=0.02, file_not_found=0.05, bad_line=0.02)

    assert ROWS // 3 == result.rows
    assert result.expired > 10
    assert result.in_use >= 0.95
    assert max(result.shares.waited.values(), default=0.0) <= HOUR


def test_no_more_batches_an_hour_are_created_than_the_vendor_allows() -> None:
    """Rows of a few tokens in batches of one: the hour is what holds them back."""
    tiny = SimTask("tiny", 300, row_bytes=200, rate=0.2, batch_size=1, max_open_batches=100)
    result = play(1, LIMIT, tiny, machine=Machine(configured=LIMIT, max_batches_per_hour=40), median_minutes=2.0)

    assert 300 == result.rows
    assert 40 == result.most_created


def test_the_same_seed_plays_the_same_run() -> None:
    """Otherwise a figure could not be looked into."""
    tasks = [SimTask("one", 3_000, row_bytes=400, rate=0.25)]

    assert play(5, LIMIT, *tasks) == play(5, LIMIT, *tasks)
    assert play(5, LIMIT, *tasks) != play(6, LIMIT, *tasks)
