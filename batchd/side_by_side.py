"""Threads where waiting is the work: some units of a stage side by side, and a stage beside the one it follows.

Nothing is handed from thread to thread but the word that there may be news: each finds its work in the ledger.
"""

import contextlib
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import partial
from typing import TypeVar, cast

T = TypeVar("T")
Work = Callable[[], object]


def each(
    items: Iterable[T],
    work: Callable[[T], object],
    width: int,
    *,
    stopping: Callable[[], bool] = bool,
) -> None:
    """Does ``work`` on each item, in order, on at most ``width`` of them at once; with a width of 1 in this thread.

    Args:
        items: taken one by one, each when there is a thread for it.
        work: what to do.
        width: how many threads.
        stopping: once True, no further item is taken.

    What ``work`` raises is raised here, once all that is in hand has come to its end; no further item is taken.
    """
    if width == 1:
        for item in items:
            if stopping():
                return
            work(item)
        return
    in_hand: set[Future[object]] = set()
    with _threads(width) as threads:
        for item in items:
            _look(in_hand)
            while len(in_hand) >= width:
                wait(in_hand, return_when=FIRST_COMPLETED)
                _look(in_hand)
            if stopping():
                break
            in_hand.add(_started(threads, partial(work, item)))
        wait(in_hand)
        _look(in_hand)


def apart(work: Callable[[], T]) -> T:
    """Does ``work`` in a thread of its own, and waits here: a signal is seen at once, whatever the work waits for."""
    with _threads(1) as threads:
        return cast("T", _started(threads, work).result())


def ahead(items: Iterator[T], *, is_served: bool) -> Generator[T, None, None]:
    """The same items, each made in a thread of its own while the one before it is used.

    Args:
        items: made one by one; one that is not used any more was made for nothing.
        is_served: whether using or making one is to wait for a server. Else there is only this process's own time, of
            which a second thread would make less: the items come as they are.

    Close it: what is being made is waited for.
    """
    if not is_served:
        yield from items
        return
    nothing = object()
    with _threads(1) as threads:
        coming = _started(threads, partial(next, items, nothing))
        while (item := coming.result()) is not nothing:
            coming = _started(threads, partial(next, items, nothing))
            yield cast("T", item)


class Pair:
    """Two stages side by side: one leads, the other takes on what it leaves, and looks again at each word of it."""

    def __init__(self) -> None:
        self._news = threading.Event()
        self._broken = threading.Event()

    def tell(self) -> None:
        """Something was left for the one that follows."""
        self._news.set()

    def is_broken(self) -> bool:
        """True once one of the two has failed; the other is to end with the unit it has in hand."""
        return self._broken.is_set()

    def run(self, lead: Work, follow: Work) -> None:
        """Runs ``lead`` in a thread of its own and ``follow`` in this one, for the last time once ``lead`` has ended.

        What one of them raises is raised here, once both have come to their end.
        """
        with _threads(1) as threads:
            leading = _started(threads, self._guarded(lead))
            leading.add_done_callback(lambda _: self.tell())
            has_ended = False
            while not has_ended:
                # Asked before the look, so that nothing is missed that was left in between.
                has_ended = leading.done()
                self._guarded(follow)()
                if not has_ended:
                    self._news.wait()
                    self._news.clear()
            leading.result()

    def _guarded(self, work: Work) -> Work:
        def guarded() -> None:
            try:
                work()
            except BaseException:
                self._broken.set()
                raise

        return guarded


@contextlib.contextmanager
def _threads(number: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that are waited for at the end; but not where this one was interrupted: they may wait for the vendor."""
    threads = ThreadPoolExecutor(number, thread_name_prefix="batchd")
    try:
        yield threads
    except (Exception, GeneratorExit):
        threads.shutdown()
        raise
    except BaseException:
        threads.shutdown(wait=False, cancel_futures=True)
        raise
    threads.shutdown()


def _started(threads: ThreadPoolExecutor, work: Work) -> "Future[object]":
    """The work, begun in a thread that knows the log's bound names as they are here."""
    return threads.submit(copy_context().run, work)


def _look(in_hand: "set[Future[object]]") -> None:
    """Lets go of what has ended. Raises what one of them has raised."""
    for done in [one for one in in_hand if one.done()]:
        in_hand.remove(done)
        done.result()
