"""Long texts: as much memory as short ones, so fewer of them at once."""

import json

import pytest
from structlog.testing import capture_logs

from batchd import due_rows, events, writing_back
from batchd.core.keys import RowKey
from batchd.core.model import SourceRow
from batchd.due_rows import next_page
from tests.fakes.answers import answered
from tests.stages.bench import Bench, person_task
from tests.stages.reapplying import WIDER, write_kept


def rows(*lengths: int) -> list[SourceRow]:
    return [SourceRow(RowKey(at), {"resume": "x" * length}, "guard", None) for at, length in enumerate(lengths, 1)]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], 2000),
        (rows(10, 10), 2000),
        (rows(80_000, 80_000), 12),
        (rows(1_000_000, 300_000), 1),
        (rows(9_000_000), 1),
        ([SourceRow(RowKey(1), {"resume": None, "age": 7}, "guard", None)], 2000),
    ],
)
def test_a_page_has_so_many_rows_as_their_texts_allow(found: list[SourceRow], expected: int) -> None:
    """Some million characters, as the page before has shown; one row at least."""
    assert expected == next_page(found)


def test_a_table_of_long_texts_is_claimed_whole(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of changing size pass over nothing and bring nothing twice."""
    monkeypatch.setattr(due_rows, "_PAGE_CHARACTERS", 300)
    monkeypatch.setattr(due_rows, "_FIRST_PAGE", 2)
    bench.add_people(*("x" * length for length in (1, 1, 400, 1, 1, 1, 90, 90, 90, 1, 1)))

    bench.run_until_quiet()

    assert [(number, "Ada", "senior", 1) for number in range(1, 12)] == bench.people()
    assert 11 == len(bench.outcomes())


def test_long_rows_are_applied_in_smaller_chunks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as their requests' bytes allow, and every one of them."""
    monkeypatch.setattr(writing_back, "_CHUNK_BYTES", 20_000)
    monkeypatch.setattr(writing_back, "FEWEST_TO_SUSPECT", 1)
    bench.add_people(*["x" * 6000] * 5)

    with capture_logs() as said:
        bench.run_until_quiet()

    chunks = [one["requests"] for one in said if one["event"] == events.APPLY_CHUNK_WRITTEN]
    assert [3, 2] == chunks
    assert ["applied"] * 5 == [outcome for _, outcome in bench.outcomes()]


def test_long_answers_are_applied_in_smaller_chunks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vector is many times as long as the text it was made of, and each of them is in memory four times."""
    monkeypatch.setattr(writing_back, "_CHUNK_BYTES", 60_000)
    monkeypatch.setattr(writing_back, "FEWEST_TO_SUSPECT", 1)
    bench.vendor.script = answered('{"name": "Ada", "level": "senior"' + " " * 6000 + "}")
    bench.add_people(*["x"] * 5)

    with capture_logs() as said:
        bench.run_until_quiet()

    chunks = [one["requests"] for one in said if one["event"] == events.APPLY_CHUNK_WRITTEN]
    assert 5 == sum(chunks)
    assert 2 >= max(chunks), chunks


def test_long_kept_answers_are_written_in_smaller_chunks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each chunk is one transaction and one entry of the history."""
    bench.configure(definition=person_task(max_attempts=1))
    bench.vendor.script = answered(json.dumps({"name": "A" * 30, "level": "senior"}) + " " * 6000)
    bench.add_people(*["x"] * 5)
    bench.run_until_quiet()
    monkeypatch.setattr(writing_back, "_CHUNK_BYTES", 20_000)
    monkeypatch.setattr(writing_back, "FEWEST_TO_SUSPECT", 1)

    assert 5 == write_kept(bench, WIDER).written
    entries = bench.execute("SELECT reason FROM batchd_event WHERE action = 'reapplied' ORDER BY id")
    chunks = [int(reason.split()[0]) for (reason,) in entries]
    assert 5 == sum(chunks)
    assert 3 >= max(chunks), chunks


def test_a_first_chunk_of_long_rows_can_still_be_suspect(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long they are: a batch whose answers all fail is held before they are paid for again."""
    monkeypatch.setattr(writing_back, "_CHUNK_BYTES", 1)
    bench.vendor.script = answered("no json")
    bench.add_people(*["x"] * 30)

    bench.run()
    bench.check_until("held")

    assert "suspect-results" in dict(bench.findings())
