"""Passes of stages, as a run makes them: what they did is added up and told; what they could not do is told once."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from batchd import events
from batchd.errors import BatchdError
from batchd.pipeline import StageMaker, run_pass
from batchd.ports import Counts, Orders, Scope, Workplace

log = structlog.get_logger("batchd")


@dataclass(slots=True)
class Passes:
    """Several threads may make them at once.

    Attributes:
        report: told what each pass did, one at a time.
        total: what all of them did.
    """

    report: Callable[[Counts], None]
    total: Counts = field(default_factory=Counts)
    _told: dict[str, str] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def run(self, lane: tuple[StageMaker, ...], place: Workplace, scope: Scope, orders: Orders) -> Counts:
        """One pass."""
        counts = run_pass(lane, place, scope, orders)
        self.total.merge(counts)
        if counts:
            with self._lock:
                self.report(counts)
        return counts

    def went_well(self, name: str) -> None:
        """What went wrong with passes of this name is over."""
        with self._lock:
            self._told.pop(name, None)

    def went_wrong(self, name: str, error: BatchdError) -> None:
        """Told once: what lasts for hours is not told with every pass, nor by each of those it stops."""
        self.total.cause(error.exit_code)
        with self._lock:
            if error.message not in self._told.values():
                # The message is our own; a traceback could quote row content.
                log.error(events.DAEMON_ROUND_FAILED, reason=error.message, next_command=error.next_command)
            self._told[name] = error.message
