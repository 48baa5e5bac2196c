"""A wish to end, by signal or because the work is done: the unit in hand is finished first."""

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

# So late, in seconds, a signal is seen that came in the very moment in which a wait began.
_LOOK = 1.0


def has_terminal() -> bool:
    """Whether a terminal controls this process: SIGHUP says then that it was closed."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True


class Stop:
    """Asked once, it lets the work in hand finish; asked again by a key, the interrupt is raised.

    ``signalled`` is True where a signal asked, not the end of the work.
    """

    def __init__(self) -> None:
        self._is_asked = False
        # Not an event, whose lock can't be taken twice: a signal is handled in the main thread, which would wait for
        # itself for ever where it was just about to wait here.
        self._changed = threading.Condition(threading.RLock())
        # Standard streams that go to a terminal: once that is closed, a word to it is an error.
        self._on_terminal = [stream for stream in (0, 1, 2) if os.isatty(stream)]
        self.signalled = False

    def ask(self) -> None:
        """Ends the waiting, and the work after its unit in hand."""
        self._is_asked = True
        with self._changed:
            self._changed.notify_all()

    def asked(self) -> bool:
        """True once a signal came or the work is done."""
        return self._is_asked

    def wait(self, seconds: float | None = None) -> bool:
        """Sleeps; a signal wakes it. True where a stop was asked for."""
        end = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            while not self._is_asked and (left := _LOOK if end is None else end - time.monotonic()) > 0:
                self._changed.wait(min(left, _LOOK))
        return self._is_asked

    def on_signals(self, hangup: Callable[[], object] | None = None) -> None:
        """SIGTERM, SIGINT and SIGHUP ask for a stop; a second SIGINT interrupts at once, which a restart mends.

        Args:
            hangup: what SIGHUP does instead.
        """
        signal.signal(signal.SIGTERM, self._signalled)
        signal.signal(signal.SIGINT, self._signalled)
        if hangup is not None:
            signal.signal(signal.SIGHUP, lambda *_: hangup())
            return
        # A terminal that is closed ends a run as Ctrl-C does, but not one that was started with nohup.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._signalled)

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.asked():
            # The end has begun; a key pressed once more must not break into it.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            raise KeyboardInterrupt
        if number == signal.SIGHUP:
            self._let_go_of_terminal()
        self.signalled = True
        self.ask()

    def _let_go_of_terminal(self) -> None:
        nowhere = os.open(os.devnull, os.O_RDWR)
        # One that somebody hangs up by hand is still there, and is to be left as it was found.
        for stream in [one for one in self._on_terminal if not os.isatty(one)]:
            os.dup2(nowhere, stream)
        os.close(nowhere)
