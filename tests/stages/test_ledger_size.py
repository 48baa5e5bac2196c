"""How many rows the ledger keeps for a request, at each point of its way; docs/explanation/ledger-size.md says why."""

from dataclasses import replace

import pytest

from batchd.pipeline import BATCH_LANE, SENDING
from tests.fakes.answers import Script, answered, both, http_error, nothing
from tests.stages.bench import GOOD_ANSWER, Bench, person_task
from tests.stages.reapplying import TOO_LONG

RECOVER, CLAIM, SUBMIT = SENDING
# Fewer than make a batch suspect whose answers are all odd.
ROWS = 10
# A row each for every request; all others have rows for each batch, task or finding.
PER_REQUEST = ("request", "gate", "content")
PER_BATCH = ("batch", "event", "enqueued", "retention", "watch")
GOOD = answered(GOOD_ANSWER)


@pytest.fixture
def bench(bench: Bench) -> Bench:
    """One batch of all rows, whose files go at once."""
    bench.configure(batch_size=ROWS)
    bench.place = replace(bench.place, keep_files=0.0)
    bench.add_people(*["text"] * ROWS)
    return bench


def per_request(bench: Bench) -> dict[str, float]:
    """Ledger rows for each row of the task, by table; tables without any are left out."""
    found = {name: bench.execute(f"SELECT count(*) FROM batchd_{name}")[0][0] / ROWS for name in PER_REQUEST}
    return {name: number for name, number in found.items() if number}


def per_batch(bench: Bench) -> dict[str, int]:
    """Ledger rows of the one batch."""
    found = {
        name: bench.execute(f"SELECT count(*) FROM batchd_{name}" + (" WHERE subject = 'batch'" * (name == "event")))
        for name in PER_BATCH
    }
    return {name: number for name, ((number,),) in found.items() if number}


def test_a_request_on_its_way_is_two_rows(bench: Bench) -> None:
    """Itself, and the gate that keeps its row from being claimed again; sending and fetching add none."""
    bench.run(CLAIM)
    assert {"request": 1, "gate": 1} == per_request(bench)
    bench.run(SUBMIT)
    bench.vendor.statuses = ("in_progress",)
    bench.run(*BATCH_LANE[3:6])
    assert {"request": 1, "gate": 1} == per_request(bench)


def test_an_applied_request_is_two_rows(bench: Bench) -> None:
    """Itself, and what stood in its row before; its gate is gone."""
    bench.run_until_quiet()

    assert {"request": 1, "content": 1} == per_request(bench)


@pytest.mark.parametrize(
    ("scripts", "rows"),
    [
        ((TOO_LONG,), {"request": 1, "gate": 1, "content": 1}),
        ((both(GOOD, TOO_LONG),), {"request": 1, "gate": 1, "content": 2}),
        ((http_error(400),), {"request": 1, "gate": 1, "content": 1}),
        ((nothing(),), {"request": 1, "gate": 1}),
        ((TOO_LONG, GOOD), {"request": 2, "content": 2}),
        ((nothing(), GOOD), {"request": 2, "content": 1}),
    ],
    ids=["failed", "two answers", "refused", "missing", "failed once", "missing once"],
)
def test_what_other_ends_keep(bench: Bench, scripts: tuple[Script, ...], rows: dict[str, float]) -> None:
    """A row that failed keeps gate and answer for a person; each try more is a request and its answer more."""
    bench.configure(definition=person_task(max_attempts=len(scripts)))
    for number, script in enumerate(scripts, 1):
        bench.vendor.script = script
        while bench.states().count("closed") < number:
            bench.run()

    assert rows == per_request(bench)


def test_a_row_that_stays_pending_is_remembered(bench: Bench) -> None:
    """Where nothing marks a row as done, its gate stays, for ever: else it would be paid for again."""
    bench.configure(definition=person_task(pending="version = 1"))
    bench.run_until_quiet()

    assert {"request": 1, "gate": 1, "content": 1} == per_request(bench)


def test_a_batch_is_nine_rows_whatever_its_size(bench: Bench) -> None:
    """Itself, six moves, and what quota and retention remember of it."""
    bench.run_until_quiet()

    assert {"batch": 1, "event": 6, "enqueued": 1, "retention": 1} == per_batch(bench)


def test_retention_leaves_what_is_kept_per_batch(bench: Bench) -> None:
    """Nothing of a request; all of the record."""
    bench.run_until_quiet()
    before = per_batch(bench)
    bench.execute("UPDATE batchd_retention SET due_from = '2026-01-01 00:00:00.000'")
    bench.place = replace(bench.place, keep_ledger=1.0)

    bench.run(BATCH_LANE[-1])

    assert ({}, before) == (per_request(bench), per_batch(bench))
