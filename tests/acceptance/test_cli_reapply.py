"""reapply, as a user calls it."""

from tests.acceptance.cli_world import World

REFUSING = "CREATE TRIGGER no BEFORE UPDATE ON people WHEN NEW.id IN (3, 7) BEGIN SELECT RAISE(ABORT, 'no'); END"


def test_answers_that_the_table_refused_are_written_later_and_cost_nothing(world: World) -> None:
    """`failures` names the command, `--dry-run` tells what it would do, then it does it: no row is left."""
    world.sql(REFUSING)
    ran = world.run("run", "--until-idle")
    failures = world.run_json("failures")["failures"]
    cost = world.sql("SELECT sum(cost_nano_usd), count(*) FROM batchd_request")
    world.sql("DROP TRIGGER no")

    tried = world.run("reapply", "--dry-run")
    one = world.run_json("reapply", "--key", "3", "--only", "poison,stale", "--reason", "trigger dropped")
    rest = world.run("reapply")

    assert ran.returncode == 3
    assert {(row["key"], row["outcome"]) for row in failures} == {("3", "poison"), ("7", "poison")}
    assert "free of charge: batchd reapply --task people --only poison;" in failures[0]["next_step"]
    assert tried.stdout.startswith("2 kept answers of task people would be written, free of charge.\n")
    assert tried.stdout.endswith("Dry run: nothing was changed.\n")
    assert (one["written"], one["left"], one["dry_run"], one["exit_code"]) == (1, {}, False, 0)
    assert (rest.returncode, rest.stdout) == (
        0,
        "1 kept answer of task people is written, free of charge.\n",
    )
    assert world.sql("SELECT count(*) FROM people WHERE processed_at IS NULL") == [(0,)]
    assert world.sql("SELECT sum(cost_nano_usd), count(*) FROM batchd_request") == cost
    actor, told = world.sql("SELECT actor, reason FROM batchd_event WHERE action = 'reapply' ORDER BY id")[0]
    assert str(actor).startswith("user ")
    assert told == "1 kept answer to be written (poison, stale): trigger dropped"
    assert world.run("verify").returncode == 0


def test_rows_that_changed_meanwhile_are_left_for_a_person(world: World) -> None:
    """Exit code 3 and why; an outcome that nobody knows is wrong usage."""
    world.sql(REFUSING)
    world.run("run", "--until-idle")
    world.sql("DROP TRIGGER no")
    world.sql("UPDATE people SET text = 'edited' WHERE id = 7")

    done = world.run("reapply")
    unknown = world.run("reapply", "--only", "poisened")
    conflict = world.run("reapply", "--only", "conflict")

    assert done.returncode == 3
    assert done.stdout == ("1 kept answer of task people is written, free of charge; not written: 1 stale.\n")
    assert world.sql("SELECT full_name FROM people WHERE id = 7") == [(None,)]
    assert unknown.returncode == 2
    assert "there is no outcome 'poisened'" in unknown.stderr
    assert conflict.returncode == 2
    assert "batchd chooses none" in conflict.stderr
