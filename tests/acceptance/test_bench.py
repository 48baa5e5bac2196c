"""``scripts/bench`` at its smallest: all three contestants do the same work, and a file tells what it took."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from batchd.app.resolve import resolve_tasks
from batchd.app.workplace import database_of
from batchd.config import load_config
from batchd.core.bodies import RequestBuilder
from tests.acceptance.cli_world import REPOSITORY, command_environment
from tests.bench.baseline import body
from tests.bench.contestants import Race, judge, prepare
from tests.bench.place_sqlite import Sqlite
from tests.bench.process import RunFailedError, measured, plain_environment
from tests.bench.results import BASELINE, BATCHD, FLOOR, Question, Results, from_json
from tests.bench.shapes import KILOBYTE, texts
from tests.bench.status_time import status_at
from tests.bench.vendor_process import VendorProcess

ROWS = 200


def bench(folder: Path, *arguments: str) -> Results:
    """Runs the command as the script does, and reads its file."""
    told = folder / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--json", str(told), *arguments],
        cwd=REPOSITORY,
        env=command_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return from_json(json.loads(told.read_text(encoding="utf-8")))


def test_three_contestants_do_the_same_work(tmp_path: Path) -> None:
    """Each does all rows, which the bench itself judges; what it took is in the file."""
    results = bench(tmp_path, "--sizes", str(ROWS), "--databases", "sqlite-disk", "--part", "cycles")
    question = Question("sqlite-disk", KILOBYTE, ROWS)
    figures = [results.figure(question, name) for name in (BASELINE, FLOOR, BATCHD)]
    runs = [run for figure in figures if figure for run in figure.runs]

    assert len(runs) == 3
    assert all(run.wall > 0 and run.cpu > 0 and run.peak > 10_000_000 for run in runs), runs
    # The same requests and answers, save for the names that lines have.
    assert all(run.bytes_up >= ROWS * 1_900 and run.bytes_down >= ROWS * 700 for run in runs), runs
    assert results.ratio(question, BASELINE) is not None
    assert results.ratio(question, FLOOR) is not None
    assert "processor" in results.machine


def test_a_long_past_is_there_when_the_status_is_measured() -> None:
    """Table and ledger are as large as the figure says, and the task's own view counts what was put there."""
    place = Sqlite(in_memory=False)
    try:
        with VendorProcess() as vendor:
            found = status_at(Race(place, vendor.url), vendor, rows=500, requests=400)
        ((rows,), *_) = place.execute("SELECT count(*) FROM candidate")
        ((requests,), *_) = place.execute("SELECT count(*) FROM batchd_request WHERE batch_id > 1")
        ((batches, applied, gates), *_) = place.execute(
            "SELECT (SELECT count(*) FROM batchd_batch), applied, (SELECT count(*) FROM batchd_gate)"
            " FROM batchd_v_tasks"
        )
    finally:
        place.close()

    assert (500, 400) == (found.rows, found.requests) == (rows, requests)
    assert (3, 401, 200) == (batches, applied, gates)
    assert min(found.wall, found.before) > 0


def test_a_process_is_measured_alone() -> None:
    """Its peak and its time are its own, however large the process is that measures; a failure is no figure."""
    python, large = sys.executable, b"x" * 300_000_000
    run = measured([python, "-c", "kept = b'x' * 60_000_000; sum(range(3_000_000))"], plain_environment())

    assert 60_000_000 < run.peak < 120_000_000 < len(large)
    assert 0 < run.cpu < run.wall + 0.1
    with pytest.raises(RunFailedError, match="ended with 3: so it goes"):
        measured([python, "-c", "import sys; print('so it goes'); sys.exit(3)"], plain_environment())


@pytest.mark.parametrize("wrong", ["full_name = 'Candidate 1'", "done_at = NULL"])
def test_a_row_without_its_answer_is_noticed(wrong: str) -> None:
    """A contestant that leaves a row out, or gives it another's answer, has no figure."""
    place = Sqlite(in_memory=False)
    try:
        place.fill(texts(KILOBYTE, 3))
        race = Race(place, "http://127.0.0.1:1/v1")
        prepare(race, BASELINE)
        place.execute("UPDATE candidate SET full_name = 'Candidate ' || id, level = 'senior', done_at = 'now'")
        judge(race, BASELINE, 3)
        place.execute(f"UPDATE candidate SET {wrong} WHERE id = 2")

        with pytest.raises(RunFailedError, match="2 of 3 rows"):
            judge(race, BASELINE, 3)
    finally:
        place.close()


def test_contestants_send_the_same_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the baseline and the floor ask the model is what batchd asks it."""
    monkeypatch.setenv("BATCHD_BENCH_KEY", "bench")
    place = Sqlite(in_memory=False)
    try:
        place.fill(texts(KILOBYTE, 1))
        race = Race(place, "http://127.0.0.1:1/v1")
        prepare(race, BATCHD)
        config = load_config(race.config)
        database = database_of(config)
        definition = resolve_tasks(config, database, None)[0]["candidates"].definition
        database.engine.dispose()
    finally:
        place.close()
    line = json.loads(RequestBuilder(definition).line("1", {"id": 7, "resume": "Füße, “quoted”"}))

    assert body(7, "Füße, “quoted”") == line["body"]
