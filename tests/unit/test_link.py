"""The way to a vendor account: how many transfers run at once, of however many jobs."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from batchd.ports import Link

PATIENCE = 60.0


class Transfers:
    """Transfers that go on until they are let go; how many run together is seen."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._changed = threading.Condition()
        self.running: list[int] = []
        self._may_end = threading.Event()

    def run(self, size: int, at_most: int) -> None:
        with self._link.taken(size, at_most):
            with self._changed:
                self.running.append(size)
                self._changed.notify_all()
            self._may_end.wait(PATIENCE)

    def wait_for(self, number: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.running) >= number, PATIENCE), self.running

    def let_go(self) -> None:
        self._may_end.set()


@pytest.mark.parametrize(
    ("width", "sizes", "at_most", "together"),
    [
        (2, [0, 0, 0], 0, 2),
        (3, [40, 40, 40], 100, 2),
        (3, [400, 40], 100, 1),
        (None, [0, 0, 0, 0], 0, 4),
    ],
)
def test_as_many_run_together_as_there_is_room_for(
    width: int | None, sizes: list[int], at_most: int, together: int
) -> None:
    """By number, and by the bytes that go up; a file that is larger than that goes alone."""
    transfers = Transfers(Link(width))
    with ThreadPoolExecutor(len(sizes)) as threads:
        for number, size in enumerate(sizes):
            threads.submit(transfers.run, size, at_most)
            transfers.wait_for(min(number + 1, together))
        first = list(transfers.running)
        transfers.let_go()

    assert together == len(first)
    assert sorted(sizes) == sorted(transfers.running), "one was never let in"


def test_a_transfer_that_fails_leaves_its_room() -> None:
    """The next one is let in."""
    link = Link(1)

    def failing() -> None:
        with link.taken():
            raise ConnectionError

    with pytest.raises(ConnectionError):
        failing()
    done = threading.Event()
    threading.Thread(target=_taken(link, done.set), daemon=True).start()

    assert done.wait(PATIENCE)


def test_who_waits_says_so_and_comes_in_the_order_of_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait for others is told from a standstill; and a large file is not passed by small ones for ever."""
    monkeypatch.setattr("batchd.ports.link._BEAT", 0.01)
    link, order, asked, beats = Link(1), list[str](), threading.Semaphore(0), threading.Semaphore(0)

    def transfer(name: str, size: int) -> None:
        asked.release()
        with link.taken(size, 100, beat=beats.release):
            order.append(name)

    with ThreadPoolExecutor(2) as threads, link.taken():
        for name, size in (("large", 400), ("small", 1)):
            threads.submit(transfer, name, size)
            assert asked.acquire(timeout=PATIENCE)
            # It has asked for its turn once it is heard to wait.
            assert all(beats.acquire(timeout=PATIENCE) for _ in range(3)), f"{name} did not say that it waits"
        held = list(order)

    assert ([], ["large", "small"]) == (held, order)


def _taken(link: Link, work: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        with link.taken():
            work()

    return run
