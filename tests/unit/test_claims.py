"""Claims that something kept are made up for, whatever config they began with."""

from batchd.daemon.claims import Claims
from batchd.ports import Counts


def counted(name: str) -> Counts:
    counts = Counts()
    counts.add(name)
    return counts


def test_a_claim_that_was_kept_across_a_reload_is_made_up_for() -> None:
    """It began before the new config was there, and is a night away from its next turn."""
    claims = Claims()

    claims.end("nightly", counted("tasks_quiet"), 0)
    kept = claims.due(lambda _: 0)
    claims.begin("nightly")
    claims.end("nightly", counted("batches_built"), 1)

    assert ({"nightly"}, set()) == (kept, claims.due(lambda _: 0))


def test_a_claim_that_does_not_come_to_its_end_is_made_up_for() -> None:
    """The database went away in the middle of it."""
    claims = Claims()

    claims.begin("nightly")

    assert {"nightly"} == claims.due(lambda _: 0)
