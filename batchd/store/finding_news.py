"""What a transaction has done to findings is logged once it is committed, and once only."""

from dataclasses import dataclass

import structlog

from batchd import events
from batchd.core.findings import KINDS, next_command

log = structlog.get_logger("batchd")


@dataclass(frozen=True, slots=True)
class Opened:
    """A finding that was not open before."""

    kind: str
    subject: str

    def tell(self) -> None:
        """Logs it."""
        log.warning(
            events.FINDING_OPENED,
            kind=self.kind,
            subject=self.subject,
            priority=KINDS[self.kind].priority,
            next_command=next_command(self.kind, self.subject),
        )


@dataclass(frozen=True, slots=True)
class Closed:
    """A finding that was open for so many seconds."""

    kind: str
    subject: str
    seconds: float

    def tell(self) -> None:
        """Logs it."""
        log.info(events.FINDING_CLOSED, kind=self.kind, subject=self.subject, seconds=round(self.seconds))


News = Opened | Closed


def tell_all(news: list[News]) -> None:
    """Logs each, once: the list is empty afterwards."""
    while news:
        news.pop(0).tell()
