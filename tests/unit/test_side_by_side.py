"""Units side by side: so many at once and no more, none lost for another's failure, none begun after a stop."""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

import pytest
import structlog

from batchd.ports import Counts
from batchd.side_by_side import Pair, ahead, each

PATIENCE = 60.0


class Gathering:
    """Work that counts how much of it is in hand, and can be held until it is told to go on."""

    def __init__(self, *, held: bool = False) -> None:
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.most = 0
        self.was_left = False
        self._lock = threading.Condition()
        self._held = held

    def work(self, item: int) -> None:
        """One unit; item 13 fails."""
        with self._lock:
            self.begun.append(item)
            self.most = max(self.most, len(self.begun) - len(self.ended))
            self._lock.notify_all()
            self.was_left = not self._lock.wait_for(lambda: not self._held, PATIENCE)
            self.ended.append(item)
        if item == 13:
            raise ValueError(item)

    def wait_until_in_hand(self, number: int) -> None:
        """Waits until so many have begun."""
        with self._lock:
            found = self._lock.wait_for(lambda: len(self.begun) >= number, PATIENCE)
            assert found, f"{len(self.begun)} units were begun in place of {number}"

    def let_go_on(self) -> None:
        """Whatever is held goes on, and what comes is not held."""
        with self._lock:
            self._held = False
            self._lock.notify_all()


def in_background(act: Callable[[], object]) -> threading.Thread:
    """A thread beside the test's own."""
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


def test_as_many_as_the_width_are_in_hand_at_once_and_no_more() -> None:
    """Bounded, and each item once."""
    gathering = Gathering(held=True)
    running = in_background(lambda: each(range(10), gathering.work, 3))
    gathering.wait_until_in_hand(3)
    gathering.let_go_on()
    running.join(PATIENCE)

    assert 3 == gathering.most
    assert list(range(10)) == sorted(gathering.ended)


def test_a_width_of_one_is_this_thread_alone() -> None:
    """In order, with nothing beside it."""
    seen: list[tuple[int, int]] = []

    each(range(3), lambda item: seen.append((item, threading.get_ident())), 1)

    assert [(item, threading.get_ident()) for item in range(3)] == seen


@pytest.mark.parametrize("width", [1, 3])
def test_what_a_unit_raises_is_raised_once_the_others_have_ended(width: int) -> None:
    """No unit is lost in its middle, and none is begun after the failure was seen."""
    gathering = Gathering()

    with pytest.raises(ValueError, match="13"):
        each([13, *range(100, 200)], gathering.work, width)

    assert sorted(gathering.begun) == sorted(gathering.ended)
    assert len(gathering.begun) < 50, "it went on as if nothing had happened"


@pytest.mark.parametrize("width", [1, 3])
def test_a_stop_lets_what_is_in_hand_end_and_begins_nothing(width: int) -> None:
    """A signal is asked for before each unit."""
    gathering = Gathering()

    each(range(100), gathering.work, width, stopping=lambda: len(gathering.begun) >= width)

    assert sorted(gathering.begun) == sorted(gathering.ended)
    assert len(gathering.begun) <= 2 * width


def test_an_interrupt_waits_for_no_unit_in_hand() -> None:
    """A second Ctrl-C, while an upload hangs: the command ends now."""
    gathering = Gathering(held=True)

    def items() -> Iterator[int]:
        yield 1
        gathering.wait_until_in_hand(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        each(items(), gathering.work, 2)

    assert not gathering.was_left, "it waited for the unit"
    assert ([1], []) == (gathering.begun, gathering.ended)
    gathering.let_go_on()


def test_names_bound_to_the_log_go_with_the_unit_and_stay_in_it() -> None:
    """What the caller bound is there; what a unit binds is not seen by the next one."""
    seen: list[dict[str, object]] = []

    def work(item: int) -> None:
        seen.append(dict(structlog.contextvars.get_contextvars()))
        structlog.contextvars.bind_contextvars(batch=item)

    with structlog.contextvars.bound_contextvars(task="people"):
        each(range(4), work, 2)
        after = dict(structlog.contextvars.get_contextvars())

    assert [{"task": "people"}] * 4 == seen
    assert {"task": "people"} == after


def test_counts_of_many_threads_add_up() -> None:
    """No number is lost where two count at once."""
    counts, interval = Counts(), sys.getswitchinterval()

    sys.setswitchinterval(1e-6)
    try:
        each(range(8), lambda _: deque(map(counts.add, ["rows"] * 5_000), maxlen=0), 8)
    finally:
        sys.setswitchinterval(interval)

    assert 40_000 == counts["rows"]


def test_the_one_that_follows_takes_all_that_was_left_while_the_other_still_works() -> None:
    """What is left first is taken while the other goes on; what is left last is not forgotten."""
    pair, left, taken, is_taken = Pair(), [], [], threading.Event()

    def lead() -> None:
        left.append("first")
        pair.tell()
        assert is_taken.wait(PATIENCE), "nobody took the first while the second was on its way"
        left.append("last")

    def follow() -> None:
        while left:
            taken.append(left.pop(0))
            is_taken.set()

    pair.run(lead, follow)

    assert ["first", "last"] == taken


def test_where_one_of_a_pair_fails_the_other_is_told_to_end() -> None:
    """Whichever it is: its error is raised once both have ended."""
    for failing in ("lead", "follow"):
        pair = Pair()
        ended: list[str] = []

        def work(name: str, failing: str = failing, pair: Pair = pair, ended: list[str] = ended) -> None:
            if name == failing:
                raise ValueError(name)
            deadline = time.monotonic() + PATIENCE
            while not pair.is_broken():
                assert time.monotonic() < deadline, f"nobody told {name} that the other failed"
                time.sleep(0.001)
            ended.append(name)

        with pytest.raises(ValueError, match=failing):
            pair.run(lambda: work("lead"), lambda: work("follow"))

        assert {"lead", "follow"} - {failing} == set(ended)


def made(log: list[str], last: int = 3) -> Iterator[int]:
    """Numbers, each noted when it is made, and by which thread; after the last one it fails, where that is 13."""
    for number in range(1, last + 1):
        log.append(f"{number} by {'this' if threading.current_thread() is threading.main_thread() else 'another'}")
        yield number
        if number == 13:
            raise ValueError(number)


def test_of_a_server_one_is_made_while_the_one_before_is_used() -> None:
    """Never more than one ahead, all of them, in their order."""
    log: list[str] = []
    second_is_made = threading.Event()

    def numbers() -> Iterator[int]:
        for number in made(log):
            if number == 2:
                second_is_made.set()
            yield number

    used = []
    for number in ahead(numbers(), is_served=True):
        assert second_is_made.wait(PATIENCE), "the second was not made while the first was used"
        assert len(log) <= number + 1
        used.append(number)

    assert [1, 2, 3] == used
    assert ["1 by another", "2 by another", "3 by another"] == log


def test_without_a_server_each_is_made_when_it_is_asked_for() -> None:
    """By the thread that asks."""
    log: list[str] = []

    coming = ahead(made(log), is_served=False)

    assert ([], 1, ["1 by this"]) == ([*log], next(coming), log)


@pytest.mark.parametrize("is_served", [True, False])
def test_what_the_making_raises_is_raised_behind_what_was_made(*, is_served: bool) -> None:
    """Nothing made before is lost for it."""
    coming = ahead(made([], last=13), is_served=is_served)

    assert list(range(1, 14)) == [next(coming) for _ in range(13)]
    with pytest.raises(ValueError, match="13"):
        next(coming)


def test_who_closes_it_waits_for_what_is_being_made() -> None:
    """So no thread works on what belongs to somebody else by then."""
    log: list[str] = []
    threads = threading.active_count()

    def slow() -> Iterator[int]:
        yield 1
        time.sleep(0.05)
        log.append("made")
        yield 2

    coming = ahead(slow(), is_served=True)
    next(coming)
    coming.close()

    assert (["made"], threads) == (log, threading.active_count())
