"""One batch's own trouble stops no other batch, and a lease is let go of whatever happens."""

import pytest

from batchd.errors import DatabaseBusyError, SpoolError
from batchd.pipeline import CHECKING, SENDING
from tests.stages.bench import Bench

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
