"""Several threads of one process share a store: each transaction is whole, and each is committed."""

from batchd.side_by_side import each
from tests.conformance.stores import Desk

THREADS = 10
KIND = "overdue"


def test_what_several_threads_write_at_once_is_all_there(desk: Desk) -> None:
    """As many as the config allows, each with a connection of its own: they wait for each other's locks, none fails."""
    subjects = [f"batch {number}" for number in range(1, 6 * THREADS + 1)]

    def write(subject: str) -> None:
        desk.store.transact(lambda ledger: ledger.findings.open(KIND, subject))
        assert desk.store.read(lambda ledger: ledger.findings.is_open(KIND, subject))

    each(subjects, write, THREADS)

    assert sorted(subjects) == sorted(desk.store.read(lambda ledger: ledger.findings.subjects(KIND)))


def test_a_step_of_one_thread_takes_nothing_from_another(desk: Desk) -> None:
    """Many threads write the same row of the ledger: every step is made, one after the other."""
    before = desk.held("one").epoch

    each(range(3 * THREADS), lambda _: desk.held("one"), THREADS)

    assert before + 3 * THREADS + 1 == desk.held("one").epoch
