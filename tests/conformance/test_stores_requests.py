"""The ledger's requests: each ends once, and a batch adds them up."""

from batchd.core.keys import RowKey
from batchd.core.model import Batch, NewRequest
from batchd.core.outcomes import GateState, Outcome, Tries
from tests.conformance.ledger_steps import ONE, THREE, finished, settle, settled
from tests.conformance.stores import Desk


def test_requests_are_finished_once(desk: Desk, batch: Batch) -> None:
    """A second outcome for the same request changes nothing."""
    desk.store.transact(lambda ledger: ledger.requests.finish(batch.id, [finished(1, Outcome.APPLIED)]))
    desk.store.transact(
        lambda ledger: ledger.requests.finish(batch.id, [finished(1, Outcome.STALE), finished(2, Outcome.GONE)])
    )

    outcomes = desk.db.execute("SELECT seq, outcome FROM batchd_request ORDER BY seq")
    assert outcomes == [(1, "applied"), (2, "gone"), (3, None)]
    assert [1, 2, 3] == list(desk.store.read(lambda ledger: ledger.requests.seqs(batch.id)))
    assert list(desk.store.read(lambda ledger: ledger.requests.open_after(batch.id, 0, 10))) == [3]
    locked = desk.store.transact(lambda ledger: ledger.requests.lock_open(batch.id, [1, 2, 3]))
    assert [one.key for one in locked] == [THREE]


def test_numbers_of_requests_may_have_gaps(desk: Desk, batch: Batch) -> None:
    """Where a line was dropped from the file before it was sent: a number between two others is none of the batch's."""
    desk.store.transact(lambda ledger: ledger.requests.add(batch.id, [NewRequest(5, RowKey(5), "guard", None)]))

    seqs = desk.store.ask(lambda ledger: ledger.requests.seqs(batch.id))

    assert [1, 2, 3, 5] == sorted(seqs)
    assert [True, False, True, False] == [seq in seqs for seq in (3, 4, 5, 6)]


def test_open_requests_come_in_order_and_in_chunks(desk: Desk, batch: Batch) -> None:
    """After the last one that was seen."""
    assert list(desk.store.read(lambda ledger: ledger.requests.open_after(batch.id, 0, 2))) == [1, 2]
    assert list(desk.store.read(lambda ledger: ledger.requests.open_after(batch.id, 2, 2))) == [3]


def test_an_open_request_knows_its_rows_tries(desk: Desk, batch: Batch) -> None:
    """Those before this one, from the gate."""
    settle(desk, batch, settled(1, GateState.RETRY))
    second = desk.build([ONE], uid="u2", retried=True)

    (found,) = desk.store.transact(lambda ledger: ledger.requests.lock_open(second.id, [1]))

    assert (ONE, Tries(1, 2)) == (found.key, found.tries)


def test_a_tally_adds_up_what_was_finished(desk: Desk, batch: Batch) -> None:
    """Counts per outcome, tokens, cost, and how many paid requests have no price."""
    results = [
        finished(1, Outcome.APPLIED, 10, 5),
        finished(2, Outcome.APPLIED, 4),
        finished(3, Outcome.GONE, 2, 3),
    ]
    desk.store.transact(lambda ledger: ledger.requests.finish(batch.id, results))

    counts = desk.store.transact(lambda ledger: ledger.batches.tally(batch))

    assert counts == {Outcome.APPLIED: 2, Outcome.GONE: 1}
    assert desk.db.execute(
        "SELECT applied, gone, stale, input_tokens, cached_tokens, output_tokens, reasoning_tokens,"
        " cost_nano_usd, unpriced FROM batchd_batch"
    ) == [(2, 1, 0, 16, 8, 16, 3, 8, 1)]


def test_a_batch_has_open_requests_until_all_is_settled(desk: Desk, batch: Batch) -> None:
    """Requests and gates, both."""

    def is_open() -> bool:
        return desk.store.read(lambda ledger: ledger.batches.has_open_requests(batch))

    assert is_open()
    every = [finished(seq, Outcome.APPLIED) for seq in (1, 2, 3)]
    desk.store.transact(lambda ledger: ledger.requests.finish(batch.id, every))
    assert is_open()
    settle(desk, batch, settled(1, None), settled(2, GateState.FAILED), settled(3, GateState.RETRY))
    assert not is_open()
