"""The way to a vendor account, which all of a process's uploads and downloads share."""

import contextlib
import math
import threading
from collections import deque
from collections.abc import Callable, Iterator

# So often, in seconds, who waits says that it does: waiting for others is no standstill.
_BEAT = 5.0


class Link:
    """How many transfers run at once, whatever the stages and tasks they are of; first come, first served.

    Args:
        width: transfers at once, at most; None for any number.
    """

    def __init__(self, width: int | None = None) -> None:
        self._width = math.inf if width is None else width
        self._in_hand: list[int] = []
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def taken(self, size: int = 0, at_most: int = 0, *, beat: Callable[[], object] = bool) -> Iterator[None]:
        """A transfer of ``size`` bytes, as soon as it is its turn and there is room for it beside the others.

        Args:
            size: of what goes up; what comes down is not counted.
            at_most: bytes that may go up together. A single file may be larger.
            beat: called from time to time while it waits.
        """
        with self._changed:
            self._wait_for_turn(size, at_most, beat)
            self._in_hand.append(size)
        try:
            yield
        finally:
            with self._changed:
                self._in_hand.remove(size)
                self._changed.notify_all()

    def _wait_for_turn(self, size: int, at_most: int, beat: Callable[[], object]) -> None:
        turn = object()
        self._waiting.append(turn)
        try:
            while not (self._waiting[0] is turn and self._has_room(size, at_most)):
                self._changed.wait(_BEAT)
                beat()
        finally:
            self._waiting.remove(turn)
            # Whoever is next may have room as well.
            self._changed.notify_all()

    def _has_room(self, size: int, at_most: int) -> bool:
        together = sum(self._in_hand) + size
        return not self._in_hand or (len(self._in_hand) < self._width and (not size or together <= at_most))
