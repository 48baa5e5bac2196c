"""Jobs: never twice at once, no news lost, and what does not come to its end is told from what takes long."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from apscheduler.triggers.interval import IntervalTrigger

from batchd.daemon.jobs import Jobs

PATIENCE = 60.0
# Longer than any test.
SELDOM = IntervalTrigger(hours=9, timezone="UTC")


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    """Jobs that are at work."""
    started = Jobs()
    started.start()
    yield started
    started.end(finishes=False)


class Turns:
    """Work whose turns a test lets go one by one."""

    def __init__(self) -> None:
        self.begun = 0
        self.most_at_once = 0
        self._at_once = 0
        self._changed = threading.Condition()
        self._let_go = threading.Semaphore(0)

    def work(self) -> None:
        with self._changed:
            self.begun += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self._changed.notify_all()
        self._let_go.acquire(timeout=PATIENCE)
        with self._changed:
            self._at_once -= 1
            self._changed.notify_all()

    def let_go(self, number: int = 1) -> None:
        self._let_go.release(number)

    def wait_for(self, number: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.begun >= number, PATIENCE), f"{self.begun} turns, not {number}"


def until(holds: Callable[[], bool]) -> bool:
    """Waits for it; False where it does not come."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def test_a_job_that_is_woken_at_work_has_one_more_turn_after_it(jobs: Jobs) -> None:
    """However often it was woken, and never at the same time."""
    turns = Turns()
    jobs.add("one", SELDOM, turns.work)
    jobs.wake("one")
    turns.wait_for(1)

    for _ in range(5):
        jobs.wake("one")
    turns.let_go()
    turns.wait_for(2)
    turns.let_go(9)

    assert until(lambda: not jobs.in_hand())
    assert (2, 1) == (turns.begun, turns.most_at_once)


def test_no_word_is_lost_however_close_it_is_to_the_end_of_a_turn(jobs: Jobs) -> None:
    """What is left just as the last turn ends is seen by another one."""
    left, seen = [0], [0]

    def look() -> None:
        seen[0] = left[0]

    jobs.add("look", SELDOM, look)
    for number in range(1, 300):
        left[0] = number
        jobs.wake("look")
        if number % 3 == 0:
            time.sleep(0.0005)

    assert until(lambda: seen[0] == left[0]), f"seen {seen[0]} of {left[0]}"


def test_a_job_that_is_slow_keeps_no_other(jobs: Jobs) -> None:
    """Each has a thread of its own."""
    slow = [Turns() for _ in range(40)]
    for number, turns in enumerate(slow):
        jobs.add(f"slow {number}", SELDOM, turns.work)
        jobs.wake(f"slow {number}")
    for turns in slow:
        turns.wait_for(1)
    done = threading.Event()
    jobs.add("quick", SELDOM, done.set)
    jobs.wake("quick")

    assert done.wait(PATIENCE)
    for turns in slow:
        turns.let_go()


def test_the_end_waits_for_turns_that_have_begun() -> None:
    """They may add jobs, wake others and end: nothing of it hangs, and no other turn begins."""
    jobs, turns, other = Jobs(), Turns(), Turns()
    jobs.start()

    def work() -> None:
        turns.work()
        jobs.add("other", SELDOM, other.work)
        jobs.wake("other")

    jobs.add("one", SELDOM, work)
    jobs.wake("one")
    turns.wait_for(1)
    threading.Timer(0.1, turns.let_go).start()
    jobs.end(finishes=True)

    assert (1, 0) == (turns.begun, other.begun)


def test_a_turn_that_says_nothing_for_long_is_told(jobs: Jobs) -> None:
    """One that goes on, and says so, is not; nor is one between two turns."""
    silent, lively = Turns(), Turns()
    jobs.add("silent", SELDOM, silent.work)

    def beating() -> None:
        for _ in range(50):
            jobs.beat()
            time.sleep(0.01)
        lively.work()

    jobs.add("lively", SELDOM, beating)
    jobs.wake("silent")
    jobs.wake("lively")
    silent.wait_for(1)
    lively.wait_for(1)

    jobs_ill = jobs.ill(0.4)
    silent.let_go()
    lively.let_go()

    assert jobs_ill is not None
    assert "silent" in jobs_ill
    assert "lively" not in jobs_ill
    assert until(lambda: not jobs.in_hand())
    assert None is jobs.ill(0.0001)


def test_the_turns_in_hand_are_told_apart_from_later_ones(jobs: Jobs) -> None:
    """Who waits for the end of a turn does not wait for the next one of the same job."""
    turns = Turns()
    jobs.add("one", SELDOM, turns.work)
    jobs.wake("one")
    turns.wait_for(1)
    before = jobs.in_hand()
    jobs.wake("one")
    turns.let_go()
    turns.wait_for(2)
    after = jobs.in_hand()
    turns.let_go()

    assert (1, 1, set()) == (len(before), len(after), before & after)


def test_turns_that_are_over_at_once_block_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler hears of their end while it still holds its lock, and others add jobs at that very moment."""

    def done_at_once(_: object, work: Callable[..., object], *arguments: object) -> Future[object]:
        future: Future[object] = Future()
        future.set_result(work(*arguments))
        return future

    monkeypatch.setattr(ThreadPoolExecutor, "submit", done_at_once)
    jobs = Jobs()
    jobs.start()

    def add_and_wake() -> None:
        for number in range(300):
            jobs.add(f"job {number}", SELDOM, lambda: None)
            jobs.wake(f"job {number}")

    adding = [threading.Thread(target=add_and_wake, daemon=True) for _ in range(3)]
    for thread in adding:
        thread.start()
    for thread in adding:
        thread.join(PATIENCE)

    assert not any(thread.is_alive() for thread in adding), "they wait for each other for ever"
    jobs.end(finishes=True)
