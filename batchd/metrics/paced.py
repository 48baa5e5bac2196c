"""A figure that costs something to read: read on a thread of its own, kept for a while, never waited for long."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from batchd.errors import BatchdError

T = TypeVar("T")
# A reading may take up one part in so many of the time, however slow the database and however often it is asked for.
_SHARE = 20


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """What is known.

    Attributes:
        value: of the last time that it could be read; None before that.
        at: when that was, in seconds since 1970; None before that.
        trouble: why it is no newer, in our own words; empty where it is as new as it should be.
    """

    value: T | None = None
    at: float | None = None
    trouble: str = ""


class Paced(Generic[T]):
    """Reads when it is asked, unless it has done so a moment ago.

    Args:
        read: reads the value; may take as long as it likes, or never come back.
        pause: seconds for which a value is new enough.
        patience: seconds that who asks is kept waiting, at most.
    """

    def __init__(self, read: Callable[[], T], *, pause: float, patience: float) -> None:
        self._read = read
        self._pause = pause
        self._patience = patience
        self._changed = threading.Condition()
        self._reading: Reading[T] = Reading()
        self._began: float | None = None
        self._next = 0.0

    def latest(self) -> Reading[T]:
        """What is known by now, once it was read or the patience is over."""
        with self._changed:
            if self._began is None and time.monotonic() >= self._next:
                self._begin()
            if self._began is not None:
                # Counted from the beginning: of a reading that hangs only the first to ask waits.
                patience = self._began + self._patience - time.monotonic()
                self._changed.wait_for(lambda: self._began is None, max(patience, 0.0))
            if self._began is None:
                return self._reading
            return Reading(self._reading.value, self._reading.at, "the database does not answer")

    def known(self) -> Reading[T]:
        """What is known by now; nothing is read."""
        with self._changed:
            return self._reading

    def _begin(self) -> None:
        self._began = time.monotonic()
        # Nobody waits for it at the end of the process, for it may never end.
        threading.Thread(target=self._run, name="batchd-metrics", daemon=True).start()

    def _run(self) -> None:
        last = self._reading
        try:
            reading = Reading(self._read(), time.time())
        except BatchdError as error:
            reading = Reading(last.value, last.at, error.message)
        except Exception as error:  # noqa: BLE001 - whatever it is, the daemon's work is not to be disturbed by it
            # Its words may quote what they like.
            reading = Reading(last.value, last.at, f"reading it failed ({type(error).__name__})")
        with self._changed:
            now = time.monotonic()
            self._next = now + max(self._pause, (now - (self._began or now)) * (_SHARE - 1))
            self._reading, self._began = reading, None
            self._changed.notify_all()
