"""How often a transaction is run again where the database asks for it: conflicts by number, trouble by its time."""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import structlog
import tenacity

from batchd import events
from batchd.errors import DatabaseBusyError
from batchd.stop import Stop
from batchd.store.dialects.base import Refusal

log = structlog.get_logger("batchd")

T = TypeVar("T")
_ATTEMPTS = 6
# A server that restarts, or asks for less load, is given a minute; then the pass ends, and the next one asks again.
_LATER_SECONDS = 60.0
# Whoever asked for a stop is given what is in hand, where that can still be written down soon.
_STOPPING_SECONDS = 5.0
_STOPPING_PAUSE = 0.5
_soon = tenacity.wait_random_exponential(multiplier=0.1, max=5)
# A server in the cloud that moves house wants nobody at its door for five seconds.
_later = tenacity.wait_exponential(multiplier=5, exp_base=1.5, max=15) + tenacity.wait_random(0, 2)


class TryAgainError(Exception):
    """The database rolled the transaction back for a passing reason.

    ``since`` is when its trouble began, by the monotonic clock; None where it is to be run again at once.
    """

    def __init__(self, code: str, refusal: Refusal | None, since: float | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.refusal = refusal
        self.since = since


class Trouble:
    """A server that is away, or asks for less load: a minute of waiting for all transactions of a process together.

    What comes after that minute is tried once, so that no pass waits a minute for each of its batches. A pass may
    read of a server that only takes no writes, so what statements were refused for is over with a COMMIT.

    Threads share it: what one has waited for, the others need not wait for too.

    Attributes:
        is_away: no connection can be made, and that was said.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._lock = threading.RLock()
        self.is_away = False

    def away(self, code: str) -> float:
        """No connection could be made; returns when that began. Said once."""
        with self._lock:
            if not self.is_away:
                self.is_away = True
                log.warning(events.DATABASE_AWAY, code=code)
            return self.refused()

    def refused(self) -> float:
        """A statement is to be tried later; returns when that began."""
        with self._lock:
            if self._since is None:
                self._since = time.monotonic()
            return self._since

    def connected(self) -> None:
        """A connection was made."""
        with self._lock:
            if self.is_away:
                self.is_away = False
                log.info(events.DATABASE_BACK, seconds=round(time.monotonic() - self.refused()))
                self._since = None

    def committed(self) -> None:
        """The server has done what it was asked."""
        with self._lock:
            self._since = None


class _Enough:
    """When one transaction is tried no more: conflicts by their number, trouble by its time."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._conflicts = 0
        # Of this transaction: that others commit meanwhile, on other tables, ends nothing of what it waits for.
        self._first: float | None = None

    def __call__(self, state: tenacity.RetryCallState) -> bool:
        since = _since(state)
        if since is not None:
            self._conflicts = 0
            self._first = since if self._first is None else min(self._first, since)
            patience = _STOPPING_SECONDS if self._stop.asked() else _LATER_SECONDS
            return time.monotonic() - self._first >= patience
        self._first = None
        self._conflicts += 1
        return self._conflicts >= _ATTEMPTS


class Patience:
    """Runs transactions again, with one patience for all threads of a process.

    Args:
        stop: cuts the waiting short, once it is asked for.

    Attributes:
        trouble: of the server, as transactions have met it.
    """

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self.trouble = Trouble()

    def repeat(self, once: Callable[[], T], step: str) -> T:
        """Runs ``once`` until it raises no TryAgainError. Raises DatabaseBusyError where that is too often."""
        patient = tenacity.Retrying(
            before_sleep=partial(self._tell, step),
            sleep=self._wait,
            retry=tenacity.retry_if_exception_type(TryAgainError),
            stop=_Enough(self._stop),
            wait=_pause,
            reraise=True,
        )
        try:
            return patient(once)
        except TryAgainError as error:
            raise _given_up(error) from error

    def _tell(self, step: str, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if state.attempt_number == 1 and isinstance(error, TryAgainError) and not self.trouble.is_away:
            log.info(events.DATABASE_REPEATED, code=error.code, step=step)

    def _wait(self, seconds: float) -> None:
        if self._stop.asked():
            time.sleep(min(seconds, _STOPPING_PAUSE))
        else:
            self._stop.wait(seconds)


def _pause(state: tenacity.RetryCallState) -> float:
    return _soon(state) if _since(state) is None else _later(state)


def _since(state: tenacity.RetryCallState) -> float | None:
    error = state.outcome.exception() if state.outcome else None
    return error.since if isinstance(error, TryAgainError) else None


def _given_up(error: TryAgainError) -> DatabaseBusyError:
    if error.refusal is not None:
        return DatabaseBusyError(f"{error.refusal.reason} ({error.code})", next_command=error.refusal.next_command)
    return DatabaseBusyError(
        f"the database kept refusing a transaction ({error.code}), however often it was tried",
        next_command="look for a long transaction on the database, or a full disk of it, then run the same "
        "command again",
    )
