"""Prints what large backlogs come to at a vendor's quota: ``python -m tests.simulation``."""

import argparse
import logging
import sys
import time
from dataclasses import replace

import structlog

from tests.simulation.client import Machine, SimClient
from tests.simulation.measures import HOUR, Result, simulated
from tests.simulation.paper import measured, pages
from tests.simulation.vendor import Habits, SimVendor
from tests.simulation.workload import SimTask, drawn

# Rows of very different sizes; what a byte counts differs too.
TASKS = (
    SimTask("resumes", rows=2_000_000, row_bytes=6_000, rate=0.24, weight=1.0),
    SimTask("tickets", rows=5_000_000, row_bytes=1_000, rate=0.28, weight=2.0),
    SimTask("titles", rows=3_000_000, row_bytes=350, rate=0.20, weight=1.0),
)
ROWS = sum(task.rows for task in TASKS)
LIMIT = 5_000_000
MEASURED = 10_000
# Nothing of a task at the vendor, though it has rows to send: until a batch of another one ends.
LONGEST_WAIT = 1.0 * HOUR


def backlog(rows: int) -> list[SimTask]:
    """The tasks, so many rows of them together."""
    return [replace(task, rows=max(task.rows * rows // ROWS, 1)) for task in TASKS]


def run(rows: int, limit: int, seed: int, configured: int | None) -> Result:
    """One simulation; the same seed gives the same figures."""
    vendor = SimVendor(Habits(limit), drawn(seed, "vendor"))
    return simulated(SimClient(backlog(rows), vendor, Machine(configured=configured), seed), vendor)


def most_over_bound(configured: int | None) -> float:
    """To look for a limit that nobody has told costs some of it."""
    return 1.1 if configured is None else 1.05


def say(line: str = "") -> None:
    """Prints a line."""
    sys.stdout.write(f"{line}\n")


def report(result: Result, limit: int, configured: int | None, seconds: float) -> None:
    """The table."""
    known = "known" if configured is not None else "not known, learnt from refusals"
    say(f"{result.rows:,} rows, limit {limit:,} enqueued tokens ({known}); simulated in {seconds:.0f} s")
    say(f"  quota in use, until nothing waits any more   {result.in_use:7.1%}   (≥ 95 %)")
    say(f"  time with the quota at least 90 % full       {result.full:7.1%}")
    say(f"  makespan                                     {result.makespan / HOUR:7,.1f} h")
    say(f"  bound (token hours / limit)                  {result.bound / HOUR:7,.1f} h")
    say(f"  makespan / bound                             {result.over_bound:7.3f}   (≤ {most_over_bound(configured)})")
    say(f"  batches created                              {result.batches:7,}")
    say(f"    most in one hour                           {result.most_created:7,}   (< 2,000)")
    say(f"    refused for the limit                      {result.over_limit:7,}")
    say(f"    failed in validation otherwise             {result.failed:7,}")
    say(f"    expired, rows sent again                   {result.expired:7,}")
    say("  task        weight   wanted   share   longest wait with nothing at the vendor")
    held = sum(result.shares.held.values()) or 1.0
    for name, weight in result.weights.items():
        wanted, share = weight / sum(result.weights.values()), result.shares.held.get(name, 0.0) / held
        waited = result.shares.waited.get(name, 0.0)
        say(f"  {name:10} {weight:7.1f} {wanted:8.1%} {share:7.1%}   {waited / 60:,.0f} min")
    days = result.shares.by_day
    say(f"  share by day, {' / '.join(result.weights)}:")
    for number in sorted({0, *range(0, len(days), max(len(days) // 8, 1)), len(days) - 1}):
        total = sum(days[number].values()) or 1.0
        say(
            f"    day {number + 1:3}   "
            + " / ".join(f"{days[number].get(n, 0.0) / total:4.0%}" for n in result.weights)
        )


def on_paper() -> int:
    """A hundred million rows, reckoned up."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for cycle in measured(MEASURED):
        for line in pages(cycle, 10 * ROWS):
            say(line)
        say()
    return 0


def main() -> int:
    """Runs what is asked for; 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="scripts/simulate", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--limit", type=int, default=LIMIT, help="tokens that the vendor lets wait")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--paper", action="store_true", help="100 million rows on paper, from a small cycle measured")
    asked = parser.parse_args()
    if asked.paper:
        return on_paper()
    faults: list[str] = []
    for configured in (asked.limit, None):
        started = time.monotonic()
        result = run(asked.rows, asked.limit, asked.seed, configured)
        report(result, asked.limit, configured, time.monotonic() - started)
        say()
        faults += result.faults(longest_wait=LONGEST_WAIT, over_bound=most_over_bound(configured))
    for fault in faults:
        say(f"MISSED: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
