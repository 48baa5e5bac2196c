"""Tells systemd how the service is: ready, at what, and alive as long as its work goes on."""

from collections.abc import Callable

from batchd.errors import BatchdError
from batchd.notify import Notifier

# Seconds between two lines for ``systemctl status``; each asks the ledger.
STATUS_EACH = 15.0


def _nothing() -> str:
    return ""


class Herald:
    """Speaks only where somebody listens.

    Args:
        notifier: the way to systemd.
        line: how things stand, in one line. Raises BatchdError where the ledger can't be read.
    """

    def __init__(self, notifier: Notifier | None = None, line: Callable[[], str] = _nothing) -> None:
        self._notifier = notifier or Notifier({})
        self._line = line
        self._is_ill = False
        self._refused = ""

    def ready(self) -> None:
        """All jobs are planned, with the config as it is now."""
        self._refused = ""
        self._notifier.ready()

    def reloading(self) -> None:
        """The config is being read again."""
        self._notifier.reloading()

    def refused(self, error: BatchdError) -> None:
        """It can't be used; what was, goes on."""
        self._refused = f"config refused: {error.message}; "
        self._notifier.ready()

    def stopping(self) -> None:
        """The units in hand are being finished."""
        self._notifier.stopping()

    def beat(self, ill: str | None) -> None:
        """To be called often, with what shows that nothing goes on any more: systemd is not told of life then."""
        if ill is None:
            self._notifier.alive()
        elif not self._is_ill:
            self._notifier.status(ill)
        self._is_ill = ill is not None

    def tell(self) -> None:
        """How things stand, now."""
        if self._notifier.is_heard and not self._is_ill:
            self._notifier.status(f"{self._refused}{self._line()}")
