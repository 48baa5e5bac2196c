"""A task that was renamed, or whose key changed, while rows are in work: none of them is asked about twice."""

from dataclasses import replace

from batchd.core.tasks import KeyColumn
from batchd.pipeline import SENDING
from batchd.ports import ConfiguredTask, Orders
from tests.stages.bench import Bench, person_task

CLAIM = SENDING[1:2]


def test_a_renamed_task_keeps_its_rows(bench: Bench) -> None:
    """``formerly`` hands gates and batches on: nothing is sent twice."""
    bench.add_people("one")
    bench.run(*CLAIM)
    renamed = ConfiguredTask(person_task(name="staff"), formerly="people")
    bench.place = replace(bench.place, tasks={"staff": renamed})

    bench.run(*CLAIM)

    assert [(1, None)] == bench.outcomes()
    assert [("staff",)] == bench.execute("SELECT name FROM batchd_task")


def test_a_task_whose_key_moved_while_rows_are_in_work_is_not_claimed_for(bench: Bench) -> None:
    """Its gates name rows by the old key: claiming stops until they are settled."""
    bench.add_people("one", "two")
    bench.run(*CLAIM, orders=Orders(eager=True, batches=1))
    bench.configure(definition=person_task(key=(KeyColumn(name="resume", kind="text"),)))

    bench.run(*CLAIM)

    assert [("task-moved", "task people")] == bench.findings()
    assert 1 == len(bench.states())


def test_a_task_renamed_without_a_word_is_not_claimed_for(bench: Bench) -> None:
    """Its rows are in work under the old name: claiming them again would pay twice, so a person says ``formerly``."""
    bench.add_people("one")
    bench.run(*CLAIM)
    renamed = ConfiguredTask(person_task(name="staff"))
    bench.place = replace(bench.place, tasks={"staff": renamed}, configured=frozenset({"staff"}))

    bench.run(*CLAIM)

    assert [(1, None)] == bench.outcomes()
    assert [("task-moved", "task staff")] == bench.findings()

    told = ConfiguredTask(person_task(name="crew"), formerly="people")
    bench.place = replace(bench.place, tasks={"crew": told}, configured=frozenset({"crew"}))
    bench.run_until_quiet()
    assert [(1, "applied")] == bench.outcomes()


def test_a_task_that_went_back_to_its_table_is_known_under_a_new_name(bench: Bench) -> None:
    """Its last definition is an old one, taken up again: what it was in between says nothing of the rows in work."""
    bench.add_people("one")
    bench.run_until_quiet()
    bench.execute("CREATE TABLE others AS SELECT * FROM person")
    bench.execute("UPDATE others SET done_at = NULL")
    bench.configure(definition=person_task(table="others"))
    bench.run_until_quiet()
    bench.configure(definition=person_task())
    bench.add_people("three", first=2)
    bench.run(*CLAIM)
    renamed = ConfiguredTask(person_task(name="staff"))
    bench.place = replace(bench.place, tasks={"staff": renamed}, configured=frozenset({"staff"}))

    bench.run(*CLAIM)

    assert [("task-moved", "task staff")] == bench.findings()
    assert 3 == len(bench.states())


def test_a_task_renamed_without_a_word_does_not_ask_again_what_is_done(bench: Bench) -> None:
    """Without a predicate the ledger alone knows what is done: a new name would pay for the whole table again."""
    bench.configure(definition=person_task(pending=None))
    bench.add_people("one", "two")
    bench.run_until_quiet()
    renamed = ConfiguredTask(person_task(name="staff", pending=None))
    bench.place = replace(bench.place, tasks={"staff": renamed}, configured=frozenset({"staff"}))

    bench.run(*SENDING)
    stopped = bench.findings(), bench.states()
    # What the finding says, with the name that is in the config by now.
    bench.place = replace(bench.place, tasks={"staff": replace(renamed, formerly="people")})
    bench.run_until_quiet()

    assert ([("task-moved", "task staff")], ["closed"]) == stopped
    assert ([], ["closed"]) == (bench.findings(), bench.states())
    assert [("staff",)] == bench.execute("SELECT name FROM batchd_task")
    assert {1: "done", 2: "done"} == bench.gates()


def test_another_task_on_the_same_table_is_none_of_the_firsts_business(bench: Bench) -> None:
    """Both are configured, or they fill other columns: each row may be in work for both."""
    bench.add_people("one")
    bench.run(*CLAIM)
    other = ConfiguredTask(person_task(name="others"))
    bench.place = replace(bench.place, tasks={"others": other}, configured=frozenset({"people", "others"}))

    bench.run(*CLAIM)

    assert [(1, None), (1, None)] == bench.outcomes()
