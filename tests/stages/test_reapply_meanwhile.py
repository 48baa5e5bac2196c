"""Kept answers are written while others are at work: no row is written or paid for twice, whoever comes first."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from batchd.operations import Reapplied, RetryOrder, pause, retry
from batchd.pipeline import SENDING
from batchd.ports import InputWriter
from batchd.spool import FolderSpool
from tests.fakes.answers import answered, by_seq
from tests.stages.bench import GOOD_ANSWER, Bench, PauseAfterAChunk, person_task
from tests.stages.lost_commits import BrokenCommit, Fault
from tests.stages.reapplying import LONG_NAME, TOO_LONG, WIDER, write_kept


def test_a_row_that_is_in_work_again_is_left(bench: Bench) -> None:
    """Its gate is open: the request on its way is the one that counts, and the row is not written twice."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.vendor.script = TOO_LONG
    bench.add_people("one")
    bench.run_until_quiet()
    retry(bench.place.store, "people", person_task(), RetryOrder())
    bench.run(*SENDING)
    assert {1: "open"} == bench.gates()

    assert 0 == write_kept(bench, WIDER).written
    assert [(1, None, None, 0)] == bench.people()


class MeddlingSpool(FolderSpool):
    """Something happens while a claim has its rows read and its file not yet finished."""

    meanwhile: Any = None

    @contextmanager
    def write_input(self, uid: str) -> Iterator[InputWriter]:
        """The usual writer, once the other thing has happened."""
        with super().write_input(uid) as writer:
            finish = writer.finish

            def after_it() -> Any:
                if self.meanwhile is not None:
                    then, self.meanwhile = self.meanwhile, None
                    then()
                return finish()

            writer.finish = after_it  # type: ignore[method-assign]
            yield writer


def test_a_claim_that_has_read_the_row_does_not_pay_for_what_was_written_meanwhile(bench: Bench) -> None:
    """A due retry is claimed while a person reapplies: the gate decides, and the row drops out of the file."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.vendor.script = TOO_LONG
    bench.add_people("one", "two")
    bench.run_until_quiet()
    retry(bench.place.store, "people", person_task(), RetryOrder())
    spool = MeddlingSpool(bench.folder / "spool")
    told: list[Reapplied] = []
    spool.meanwhile = lambda: told.append(write_kept(bench, WIDER, keys=["2"]))
    bench.place = replace(bench.place, spool=spool)

    bench.run(*SENDING)

    assert [1] == [one.written for one in told]
    assert [(1, None, None, 0), (2, LONG_NAME, "junior", 1)] == bench.people()
    assert {1: "open"} == bench.gates()
    assert 1 == bench.batch(2)["requests"]


def test_a_paused_task_can_be_reapplied(bench: Bench) -> None:
    """A person's word: pause, mend, reapply, resume."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.vendor.script = TOO_LONG
    bench.add_people("one")
    bench.run_until_quiet()
    pause(bench.place.store, "people", "mending")

    assert 1 == write_kept(bench, WIDER).written


def test_a_batch_that_is_being_applied_is_left_to_it(bench: Bench) -> None:
    """Its first chunk is written, the next is not: its tallies are not ours to change."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.place = replace(bench.place, chunk=1)
    bench.vendor.script = by_seq({1: TOO_LONG}, answered(GOOD_ANSWER))
    bench.add_people("one", "two")
    bench.place = replace(bench.place, progress=PauseAfterAChunk(bench))
    bench.run(*SENDING)
    bench.check_until("collected")
    bench.run()
    assert [(1, "invalid"), (2, None)] == bench.outcomes()

    told = write_kept(bench, WIDER)

    assert (0, {"in a batch that is not closed yet": 1}) == (told.written, dict(told.left))


def test_a_batch_that_another_process_works_on_is_left(bench: Bench) -> None:
    """Two people reapply at once: one of them is told to come again."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.vendor.script = TOO_LONG
    bench.add_people("one")
    bench.run_until_quiet()
    bench.place.store.transact(lambda ledger: ledger.batches.take_lease(1, "another", 60.0))

    told = write_kept(bench, WIDER)

    assert (0, True) == (told.written, told.busy)
    assert [(1, None, None, 0)] == bench.people()


@pytest.mark.parametrize("fault", ["answer lost", "connection lost", "busy"])
def test_a_broken_commit_of_a_reapply_is_settled_by_looking(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    """Taken and not answered, or not taken: the rows are written once, and the figures told are the true ones."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.vendor.script = by_seq({2: answered("no JSON")}, TOO_LONG)
    bench.add_people("one", "two", "three")
    bench.run_until_quiet()
    bench.execute("CREATE TABLE audit (id)")
    bench.execute("CREATE TRIGGER seen AFTER UPDATE ON person BEGIN INSERT INTO audit VALUES (NEW.id); END")
    broken = BrokenCommit("reapply.chunk", 1, fault)
    broken.arm(monkeypatch, bench.database.engine)

    told = write_kept(bench, WIDER)

    assert broken.struck
    assert (2, {"invalid": 1}, True) == (told.written, dict(told.left), told.waits)
    assert [(1,), (3,)] == bench.execute("SELECT id FROM audit ORDER BY id")
    assert [("invalid", "applied")] == bench.execute(
        "SELECT from_state, to_state FROM batchd_event WHERE action = 'reapplied'"
    )
    assert (2, 1) == (bench.batch()["applied"], bench.batch()["invalid"])
