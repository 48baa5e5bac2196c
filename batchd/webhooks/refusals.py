"""What was turned away is told in one line a minute, however much it was: a flood must not fill the log."""

import threading
from collections import Counter
from collections.abc import Callable

import structlog

from batchd import events

log = structlog.get_logger("batchd")

PAUSE = 60.0


class Refusals:
    """Counts by reason. The first is told at once, those of the minute after it together.

    Args:
        clock: seconds, from anywhere on.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._told_at: float | None = None
        self._lock = threading.Lock()

    def count(self, reason: str) -> None:
        """One more."""
        with self._lock:
            self._counts[reason] += 1
        self.tell()

    def tell(self) -> None:
        """Tells what has not been told, unless something was a moment ago."""
        with self._lock:
            now = self._clock()
            if not self._counts or (self._told_at is not None and now - self._told_at < PAUSE):
                return
            counts, self._counts, self._told_at = self._counts, Counter(), now
        log.warning(events.WEBHOOKS_REFUSED, **counts)
