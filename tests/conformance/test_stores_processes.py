"""Which runs there are, on every database: each writes its own row, by the database's clock."""

from typing import Any

from batchd.store.overview import process_facts
from batchd.store.reading import ask
from tests.conformance.stores import Desk

ONE, OTHER = "web1/a/4711/9", "web1/A/4711/9"
DAY = 86_400.0


def act(desk: Desk, work: Any) -> None:
    desk.store.transact(lambda ledger: work(ledger.processes))


def runs(desk: Desk) -> dict[str, dict[str, Any]]:
    """What is told of each, by owner."""
    return {one["owner"]: one for one in ask(desk.database, process_facts)}


def test_a_run_is_there_from_its_first_word_to_its_last(desk: Desk) -> None:
    """Each further word moves on when it was seen, and leaves when it began; names differ by case as well."""
    act(desk, lambda processes: processes.show(ONE, "1.0", 60.0))
    act(desk, lambda processes: processes.show(OTHER, "1.0", 60.0))
    first = runs(desk)[ONE]
    act(desk, lambda processes: processes.show(ONE, "1.0", 600.0))
    second = runs(desk)[ONE]

    assert (first["version"], (first["expires_at"] - first["seen_at"]).total_seconds()) == ("1.0", 60.0)
    assert second["started_at"] == first["started_at"] <= first["seen_at"] <= second["seen_at"]
    assert (second["expires_at"] - second["seen_at"]).total_seconds() == 600.0

    act(desk, lambda processes: processes.leave(ONE))

    assert set(runs(desk)) == {OTHER}


def test_the_dead_and_the_long_silent_are_forgotten(desk: Desk) -> None:
    """Not oneself, and not one that was heard of an hour ago: it may be cut off on another machine."""
    for owner, silent_for in (("me", 2 * DAY), ("dead", -60.0), ("gone", DAY + 60.0), ("quiet", 3600.0)):
        act(desk, lambda processes, owner=owner, age=silent_for: processes.show(owner, "1.0", -age))
    desk.dead.add("dead")

    act(desk, lambda processes: processes.forget_others("me", DAY))

    assert set(runs(desk)) == {"me", "quiet"}
