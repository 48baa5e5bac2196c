"""A wish to end, by signal or because the work is done: the unit in hand is finished first."""

import signal
import threading
from types import FrameType


class Stop:
    """Asked once, it lets the work in hand finish; asked again by a key, the interrupt is raised.

    ``signalled`` is True where a signal asked, not the end of the work.
    """

    def __init__(self) -> None:
        self._asked = threading.Event()
        self.signalled = False

    def ask(self) -> None:
        """Ends the waiting, and the work after its unit in hand."""
        self._asked.set()

    def asked(self) -> bool:
        """True once a signal came or the work is done."""
        return self._asked.is_set()

    def wait(self, seconds: float | None = None) -> bool:
        """Sleeps; a signal wakes it. True where a stop was asked for."""
        return self._asked.wait(seconds)

    def on_signals(self) -> None:
        """SIGTERM, SIGINT and SIGHUP ask for a stop; a second SIGINT interrupts at once, which a restart mends."""
        signal.signal(signal.SIGTERM, self._signalled)
        signal.signal(signal.SIGINT, self._signalled)
        # A terminal that is closed ends a run as Ctrl-C does, but not one that was started with nohup.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._signalled)

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.asked():
            # The end has begun; a key pressed once more must not break into it.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            raise KeyboardInterrupt
        self.signalled = True
        self.ask()
