"""A spool that is lost, or on another machine: results are fetched again, what was never sent is built again."""

from tests.acceptance.moving_ground import Ground


def test_without_its_spool_nothing_is_lost_and_nothing_paid_twice(ground: Ground) -> None:
    """A batch in every state ends well; the one whose file was never sent is reported, and its rows are due again."""
    left = ground.spooled()
    ground.write(ground.world.text.replace("[daemon]", '[daemon]\nspool = "another"'))

    finished = ground.run()

    assert finished.returncode == 0, finished.stderr
    assert ground.states() == [*["closed"] * 5, "abandoned", "closed"]
    assert (ground.pending(), ground.paid_twice()) == ([], 0)
    assert ground.findings() == [("input-lost", "batch 6")]
    told = ground.follow_finding("input-lost")
    assert "the batch's file was lost or altered before it was sent" in " ".join(told.stdout.split())
    assert ground.spooled() == left, "the files of another machine were touched"
