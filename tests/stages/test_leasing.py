"""One batch's own trouble stops no other batch, and a lease is let go of whatever happens."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from batchd.errors import DatabaseBusyError, SpoolError
from batchd.pipeline import CHECKING, SENDING
from tests.fakes.answers import answered
from tests.stages.bench import Bench


@contextmanager
def limited_to(bench: Bench, pages: int) -> Iterator[None]:
    """Meanwhile the database's file has room for so many pages and no more."""
    engine = bench.database.engine

    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    engine.dispose()
    event.listen(engine, "connect", limit)
    yield
    event.remove(engine, "connect", limit)
    engine.dispose()


FREE = [(None,), (None,)]


@pytest.fixture
def two_sent(bench: Bench) -> Bench:
    """Two batches of one row, ended at the vendor."""
    bench.configure(batch_size=1)
    bench.add_people("one", "two")
    bench.run(*SENDING)
    bench.check_until("ended", "ended", stages=(CHECKING[1],))
    return bench


def test_a_result_file_that_cannot_be_written_holds_up_its_own_batch_only(
    two_sent: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The spool refuses the first batch's file once; the second is collected and applied in the same pass."""
    store, first = two_sent.spool.store_result, two_sent.batch(1)["uid"]
    refused: list[str] = []

    def refuse_once(uid: str, *rest: object) -> object:
        if uid == first and not refused:
            refused.append(uid)
            raise SpoolError("no space left")
        return store(uid, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(two_sent.spool, "store_result", refuse_once)
    counts = two_sent.run(*CHECKING)

    assert {SpoolError.exit_code} == counts.causes
    assert ["ended", "closed"] == two_sent.states()
    assert FREE == two_sent.execute("SELECT lease_owner FROM batchd_batch")

    two_sent.run_until_quiet()
    assert ["closed", "closed"] == two_sent.states()


def test_a_busy_database_is_not_blamed_on_the_batch(two_sent: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays collected and is applied by a later pass: nothing is held, no person is asked."""
    two_sent.run(CHECKING[2])
    transact = two_sent.place.store.transact
    writes: list[int] = []

    def busy_once(work: object, **options: object) -> object:
        # The first write under a lease in apply: the first batch's chunk.
        if options.get("lease") is not None and not writes:
            writes.append(1)
            raise DatabaseBusyError("busy")
        return transact(work, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(two_sent.place.store, "transact", busy_once)
    counts = two_sent.run(CHECKING[3])

    assert {DatabaseBusyError.exit_code} == counts.causes
    assert ["collected", "closed"] == two_sent.states()
    assert [] == two_sent.findings()

    two_sent.run_until_quiet()
    assert [(1, "applied"), (2, "applied")] == two_sent.outcomes()


def test_a_full_disk_of_the_database_is_not_blamed_on_the_batch(bench: Bench) -> None:
    """Its answers find no room in the database's file: nothing is held, and they are written once there is room."""
    bench.configure(batch_size=200)
    bench.add_people(*("résumé" for _ in range(200)))
    bench.vendor.script = answered('{"name": "a name that is long", "level": "senior"}')
    bench.run()
    bench.check_until("collected", stages=CHECKING[:3])
    ((pages,),) = bench.execute("PRAGMA page_count")

    with limited_to(bench, pages):
        counts = bench.run(CHECKING[3])
    assert {DatabaseBusyError.exit_code} == counts.causes
    assert (["collected"], []) == (bench.states(), bench.findings())

    bench.run(CHECKING[3])
    assert ["closed"] == bench.states()
