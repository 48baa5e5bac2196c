"""A config that moved while batches are open: tasks and vendors renamed, changed, taken out and put back."""

import shutil

from tests.acceptance.moving_ground import EACH, ROWS, Ground, held_sandbox

_NEW = [ROWS + 1, ROWS + 2, ROWS + 3]


def test_a_task_that_was_taken_out_is_finished_and_claims_nothing(ground: Ground) -> None:
    """Its open batches are sent, polled, collected and applied from the ledger's own definition."""
    ground.add_rows(EACH)
    with_task = ground.world.text
    ground.write(with_task.partition("[tasks.people]")[0])

    without = ground.run()
    assert without.returncode == 0, without.stderr
    assert ground.states() == ["closed"] * 6
    assert ground.pending() == _NEW

    ground.write(with_task)
    assert ground.run().returncode == 0
    assert (ground.pending(), ground.findings(), ground.paid_twice()) == ([], [], 0)


def test_a_task_renamed_without_a_word_is_not_claimed_for_until_its_old_name_is_said(ground: Ground) -> None:
    """Rows in work under the old name are not sent again; the finding tells what to write into the config."""
    ground.add_rows(EACH)
    renamed = ground.world.text.replace("[tasks.people", "[tasks.candidates")
    ground.write(renamed)

    stopped = ground.world.run("submit")
    checked = ground.follow_finding("task-moved")
    assert stopped.returncode == 3
    assert (checked.returncode, 'say formerly = "people" in [tasks.candidates]' in checked.stdout) == (10, True)
    assert ground.pending()[-EACH:] == _NEW

    ground.write(renamed.replace("batch_size =", 'formerly = "people"\nbatch_size ='))
    finished = ground.run()
    assert finished.returncode == 0, finished.stderr
    assert (ground.pending(), ground.findings(), ground.paid_twice()) == ([], [], 0)


def test_a_table_renamed_under_open_batches_blames_no_row(ground: Ground) -> None:
    """What cannot be written is held; renamed back, the told command lets it go on, and nothing is paid again."""
    ground.world.sql("ALTER TABLE people RENAME TO persons")

    checked = ground.world.run("check", "2")
    assert checked.returncode == 11, checked.stderr
    assert ground.findings() == [("apply-failed", "batch 2")]
    assert ground.world.sql("SELECT count(*) FROM batchd_request WHERE batch_id = 2 AND outcome IS NOT NULL") == [(0,)]

    ground.world.sql("ALTER TABLE persons RENAME TO people")
    assert ground.follow_finding("apply-failed").returncode == 0
    finished = ground.run()
    assert finished.returncode == 0, finished.stderr
    assert (ground.pending(), ground.findings(), ground.paid_twice()) == ([], [], 0)


def test_a_vendor_that_moved_keeps_its_batches_waiting_until_it_is_put_back(ground: Ground) -> None:
    """Only what is on disk is applied, nothing goes to the new account; put back, everything goes on by itself."""
    ground.add_rows(EACH)
    right = ground.world.text
    ground.write(right.replace("sandbox.db", "another.db"))

    stopped = ground.run()
    checked = ground.follow_finding("account-moved")
    assert stopped.returncode == 3
    assert ground.findings() == [("account-moved", "vendor local")]
    assert (checked.returncode, "[vendors.local]" in checked.stdout) == (10, True)
    assert ground.states() == ["closed", "closed", "ended", "submitted", "submitting", "built"]

    ground.write(right)
    finished = ground.run()
    assert finished.returncode == 0, finished.stderr
    assert (ground.pending(), ground.findings(), ground.paid_twice()) == ([], [], 0)


def test_with_another_projects_key_nothing_is_taken_for_lost(unheld: Ground) -> None:
    """It knows none of the batches: they wait; with the right key they go on by themselves, paid for once."""
    right = unheld.folder / "right"
    shutil.copytree(unheld.folder, right)
    for path in [*unheld.folder.glob("sandbox.db"), *unheld.folder.glob("sandbox.db-*")]:
        path.unlink()
    shutil.rmtree(unheld.folder / "sandbox.db.files")
    with held_sandbox(unheld.folder):
        wrong = unheld.run()
    assert wrong.returncode == 20
    assert {("batch-vanished", "batch 4"), ("unknown-submit", "batch 5")} <= set(unheld.findings())
    assert unheld.states() == ["closed", "closed", "held", "held", "held", "closed"]

    for path in [*right.glob("sandbox.db"), *right.glob("sandbox.db-*")]:
        shutil.copy(path, unheld.folder)
    shutil.copytree(right / "sandbox.db.files", unheld.folder / "sandbox.db.files", dirs_exist_ok=True)
    unheld.world.sql("UPDATE batchd_batch SET not_before = NULL")
    with held_sandbox(unheld.folder):
        finished = unheld.run()
        assert finished.returncode == 0, finished.stderr
        assert (unheld.pending(), unheld.findings(), unheld.paid_twice()) == ([], [], 0)
