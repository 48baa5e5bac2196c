"""Whether a row costs the same in a large table, however much of it is done: tables filled by SQL, then batchd."""

from collections.abc import Iterator

from tests.bench.contestants import Race, prepare, run_batchd
from tests.bench.process import RunFailedError
from tests.bench.results import BATCHD, Flat
from tests.bench.vendor_process import VendorProcess

CLAIMED = 10_000
# Rows in the table, and the shares of them that are done when the measured run begins.
TABLES = ((10_000, (0,)), (100_000, (0, 50, 90)), (1_000_000, (0, 50, 90, 99)))
_TEXT = "Ran the second shift of a bottling line and trained eleven operators on its changeover. " * 12
_OFTEN = 3


def flat_at(
    race: Race, vendor: VendorProcess, tables: tuple[tuple[int, tuple[int, ...]], ...] = TABLES, claimed: int = CLAIMED
) -> Iterator[Flat]:
    """Claims and applies so many rows of each table; then, all of it done, passes that find nothing to do."""
    for rows, shares in tables:
        for percent in shares:
            vendor.forget()
            _fill(race, rows, rows * percent // 100)
            before = _done(race)
            run = run_batchd(race, "run", "--num-batches", "1", "--batch-size", str(claimed))
            if (applied := _done(race) - before) != claimed:
                raise RunFailedError(f"flat at {race.place.name}: {applied} of {claimed} rows were applied")
            yield Flat(race.place.name, rows, percent, claimed, run.wall, run.cpu)
        race.place.execute("UPDATE candidate SET done_at = CURRENT_TIMESTAMP WHERE done_at IS NULL")
        race.place.settle()
        idle = min((run_batchd(race, "submit") for _ in range(_OFTEN)), key=lambda run: run.wall)
        yield Flat(race.place.name, rows, 100, 0, idle.wall, idle.cpu)


def _fill(race: Race, rows: int, done: int) -> None:
    """A table of which the first rows are done, and the ledger that goes with it."""
    place = race.place
    place.fill(iter(()))
    prepare(race, BATCHD)
    # One more, which the first batch takes: it makes the task known.
    place.add_rows(
        rows + 1,
        {
            "id": "i",
            "resume": f"substr('{_TEXT}', 1 + i % 50, 1000)",
            "full_name": f"CASE WHEN i <= {done} THEN 'somebody' END",
            "done_at": f"CASE WHEN i <= {done} THEN CURRENT_TIMESTAMP END",
        },
    )
    place.settle()
    run_batchd(race, "run", "--num-batches", "1", "--batch-size", "1")
    if done:
        _remember(race, done)
    place.settle()


def _remember(race: Race, done: int) -> None:
    """What the ledger would hold of rows that batchd itself had done: a request and a before-image each."""
    race.place.add_rows(
        done,
        {
            "batch_id": "1", "seq": "i + 1", "key_int": "i", "key_text": "''", "key_hash": "''",
            "guard": "'00000000000000000000000000000000'", "outcome": "'applied'", "finish_reason": "'stop'",
            "input_tokens": "310", "output_tokens": "64", "finished_at": "CURRENT_TIMESTAMP",
        },
        "batchd_request",
    )  # fmt: skip
    race.place.add_rows(
        done,
        {
            "batch_id": "1", "seq": "i + 1", "kind": "'before'", "part": "0",
            "body": """'{"full_name":null,"years_experience":null,"skills":null,"level":null,"done_at":null}'""",
            "created_at": "CURRENT_TIMESTAMP",
        },
        "batchd_content",
    )  # fmt: skip


def _done(race: Race) -> int:
    return int(race.place.execute("SELECT count(*) FROM candidate WHERE done_at IS NOT NULL")[0][0])
