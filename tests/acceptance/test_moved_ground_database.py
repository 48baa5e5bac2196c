"""A database that moved: a backup restored, a copy started elsewhere. What was sent is never sent again by itself."""

from pathlib import Path

import pytest

from tests.acceptance.moving_ground import EACH, ROWS, Ground


def test_a_restored_backup_goes_on_where_it_stands_and_pays_nothing_twice(ground: Ground) -> None:
    """Backed up with a batch in every state, finished, restored: each batch is found again, whatever it has become."""
    backup = ground.back_up()
    assert ground.run().returncode == 0
    expected = ground.people()
    ground.restore(backup)

    again = ground.run()

    assert again.returncode == 0, again.stderr
    assert ground.people() == expected
    assert ground.states() == ["closed"] * 6
    assert ground.findings() == []
    assert ground.paid_twice() == 0


def test_what_a_restored_backup_has_forgotten_stops_claiming_until_a_person_looked(ground: Ground) -> None:
    """Its open batches are finished; the forgotten rows are sent again only on a person's word, which says so."""
    ground.add_rows(EACH)
    backup = ground.back_up()
    assert ground.run().returncode == 0
    forgotten = ground.vendor_id(7)
    orphans = set(ground.spooled())
    ground.restore(backup)

    stopped = ground.run()
    assert stopped.returncode == 3
    assert ground.findings() == [("stranger", f"vendor local batch {forgotten}")]
    assert ground.pending() == [ROWS + 1, ROWS + 2, ROWS + 3], "open batches were not finished"
    assert ground.states() == ["closed"] * 6, "something was claimed"
    assert ground.paid_twice() == 0

    status = ground.follow(stopped)
    dealt_with = ground.follow(status)
    assert dealt_with.returncode == 0, dealt_with.stderr
    assert "paid for, again" in dealt_with.stdout
    assert ground.run().returncode == 0
    assert ground.pending() == []
    assert ground.paid_twice() == EACH
    assert orphans < set(ground.spooled()), "a file of the forgotten batch was written over"


def test_a_forgotten_batch_that_still_runs_can_be_cancelled_before_it_costs(running: Ground) -> None:
    """`cancel` takes the vendor's id of a batch that bears this installation's id."""
    backup = running.back_up()
    running.add_rows(EACH)
    assert running.world.run("submit").returncode == 0
    forgotten = running.vendor_id(1)
    running.restore(backup)
    running.add_rows(EACH)

    stopped = running.world.run("submit")
    assert (stopped.returncode, "waits for a person (stranger)" in stopped.stdout) == (3, True)
    cancelled = running.world.run("cancel", forgotten)
    resolved = running.world.run("resolve", forgotten)
    running.world.write_config()
    finished = running.run()

    assert "is paid for, and claiming stays stopped until" in cancelled.stdout
    assert resolved.returncode == 0
    assert finished.returncode == 0, finished.stderr
    assert running.pending() == []
    assert running.paid_twice() == 0


def test_a_backup_whose_batches_the_vendor_has_forgotten_too_waits_for_a_person(ground: Ground) -> None:
    """What the vendor no longer knows is held, never an outcome; what is on disk is still applied."""
    backup = ground.back_up()
    ground.restore(backup)
    ground.forget_at_vendor()

    stopped = ground.run()
    assert stopped.returncode == 20
    assert ("batch-vanished", "batch 4") in ground.findings()
    assert set(range(4, 7)).isdisjoint(ground.pending()), "collected results were not applied"
    assert set(range(7, 19)) - set(ground.pending()) <= {16, 17, 18}, "rows were written without a result"

    given_up = ground.follow_finding("batch-vanished")
    assert given_up.returncode == 0, given_up.stderr
    assert "will be paid for again" in given_up.stdout


def test_a_moved_database_is_refused_until_a_person_says_so_and_then_goes_on(ground: Ground, tmp_path: Path) -> None:
    """`--moved`: the same installation in a new place; its open batches go on, and nothing is paid twice."""
    moved = ground.move_to(tmp_path / "moved")

    refused = moved.world.run("status")
    adopted = moved.world.run("db", "adopt", "--moved")
    finished = moved.run()

    assert refused.returncode == 11
    assert "next: batchd db adopt --moved" in refused.stderr
    assert adopted.returncode == 0
    assert finished.returncode == 0, finished.stderr
    assert moved.pending() == []
    assert moved.paid_twice() == 0


def test_a_copy_touches_no_batch_of_its_original_and_pays_only_when_told_to(ground: Ground, tmp_path: Path) -> None:
    """`--copied`: the original finishes as if nothing had been; the copy waits, and then does its own rows."""
    copy = ground.copy_to(tmp_path / "copy")

    adopted = copy.world.run("db", "adopt", "--copied")
    assert "5 open batches of the original ended here and went on there: 15 rows are due again" in adopted.stdout
    waiting = copy.run()
    assert waiting.returncode == 0, waiting.stderr
    assert copy.states() == ["closed", *["abandoned"] * 5]
    assert copy.pending() == list(range(4, ROWS + 1))

    finished = ground.run()
    assert finished.returncode == 0, finished.stderr
    assert (ground.pending(), ground.findings(), ground.paid_twice()) == ([], [], 0)

    assert copy.follow(adopted).returncode == 0
    done = copy.run()
    assert done.returncode == 0, done.stderr
    assert copy.pending() == []
    assert copy.paid_twice() == 5 * EACH


@pytest.mark.parametrize(
    ("version", "word", "way_out"),
    [(99, "newer than this batchd", "install the batchd"), (1, "this batchd needs", "batchd db upgrade")],
    ids=["newer", "older"],
)
def test_a_ledger_of_another_version_is_refused(ground: Ground, version: int, word: str, way_out: str) -> None:
    """Nothing is read or written by a program that may not understand it."""
    ground.world.sql("UPDATE batchd_installation SET ledger_version = ?", version)

    refused = ground.world.run("status")

    assert refused.returncode == 11
    assert word in refused.stderr
    assert f"next: {way_out}" in refused.stderr
    assert ground.states()[1:] == ["collected", "ended", "submitted", "submitting", "built"]


def test_a_schema_for_the_ledger_is_refused_where_the_database_has_none(ground: Ground) -> None:
    """SQLite has no schemas: a ledger that seems to have moved there is told of, not made anew."""
    ground.world.write_config(url='"sqlite:///people.db"\nledger_schema = "batchd"')

    refused = ground.world.run("status")

    assert refused.returncode == 10
    assert "database.ledger_schema = 'batchd': sqlite has no schemas" in refused.stderr
    assert "next: take ledger_schema out of [database]" in refused.stderr
