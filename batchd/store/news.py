"""What a transaction has done to findings and batches is logged once it is committed, and once only."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

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


@dataclass(frozen=True, slots=True)
class Ended:
    """A batch that has come to its end, when by the ledger's clock, and what it came to."""

    batch_id: int
    closed_at: dt.datetime
    figures: dict[str, Any]

    def tell(self) -> None:
        """Logs it."""
        log.info(events.BATCH_CLOSED, **self.figures)


@dataclass(slots=True)
class News:
    """All that one transaction has to tell."""

    findings: list[Opened | Closed] = field(default_factory=list)
    ends: list[Ended] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.findings or self.ends)

    def tell(self) -> None:
        """Logs each, once: there is none afterwards."""
        for told in (self.findings, self.ends):
            while told:
                told.pop(0).tell()
