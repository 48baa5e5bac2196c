"""Packs rows into one batch file: by requests, by bytes, a row too large for any file set aside by name."""

import math
from dataclasses import dataclass, field
from enum import Enum, auto

from batchd.core.bodies import RequestBuilder, custom_id
from batchd.core.keys import RowKey
from batchd.core.model import NewRequest, SourceRow
from batchd.core.new_requests import NewRequests
from batchd.core.outcomes import Outcome
from batchd.core.rendering import UnrenderableError


@dataclass(frozen=True, slots=True)
class FileLimits:
    """What one file may hold: requests and bytes by the rules, and bytes by the room there is for it now.

    A row that is larger than ``bytes`` never fits; one that is larger than ``room`` may fit another time. ``fair`` are
    the bytes of a file that leaves others their part of the vendor's quota; a single row may be larger.
    """

    requests: int
    bytes: int
    room: float = math.inf
    fair: float = math.inf


@dataclass(frozen=True, slots=True)
class Failure:
    """A row that cannot be sent, and why, in our own words."""

    key: RowKey
    outcome: Outcome
    code: str
    sentence: str


class Full(Enum):
    """The row does not fit into this file any more; it belongs into the next."""

    FULL = auto()


@dataclass(slots=True)
class Packing:
    """One batch file as it grows. The lines themselves go to disk; here is what the ledger will know.

    Attributes:
        uid: 32 hex digits, the first part of every ``custom_id`` in the file.
        builder: makes a row's line.
        limits: of the vendor and of the task.
        requests: those in the file, numbered from 1 without gaps.
        failures: rows set aside.
        size: bytes in the file so far.
    """

    uid: str
    builder: RequestBuilder
    limits: FileLimits
    requests: NewRequests = field(default_factory=NewRequests)
    failures: list[Failure] = field(default_factory=list)
    size: int = 0

    @property
    def is_full(self) -> bool:
        """No further request may be added."""
        return len(self.requests) >= self.limits.requests

    def add(self, row: SourceRow, *, retried: bool) -> bytes | Failure | Full:
        """The line to write for a row, or why there is none."""
        seq = len(self.requests) + 1
        try:
            line = self.builder.line(custom_id(self.uid, seq), row.inputs)
        except UnrenderableError as error:
            return self._set_aside(row, Outcome.UNRENDERABLE, error.code, error.sentence)
        if len(line) > self.limits.bytes:
            sentence = f"the request has {len(line):,} bytes; a file may have {self.limits.bytes:,}"
            return self._set_aside(row, Outcome.TOO_LARGE, "too_large", sentence)
        if self.is_full or self._is_too_much(self.size + len(line)):
            return Full.FULL
        self.size += len(line)
        self.requests.append(NewRequest(seq, row.key, row.guard, row.guard_value, retried))
        return line

    def _is_too_much(self, size: int) -> bool:
        return size > min(self.limits.bytes, self.limits.room) or (bool(self.requests) and size > self.limits.fair)

    def _set_aside(self, row: SourceRow, outcome: Outcome, code: str, sentence: str) -> Failure:
        failure = Failure(row.key, outcome, code, sentence)
        self.failures.append(failure)
        return failure
