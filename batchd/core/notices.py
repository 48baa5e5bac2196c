"""A finding as people are told of it who do not look: the facts of its row, and what they mean."""

from dataclasses import dataclass
from typing import Any

from batchd.core.findings import KINDS, WORTH_KNOWING, page_of
from batchd.core.model import Moment

# Told because somebody asked for it, to see whether it is heard; no finding is of this kind.
_TRIAL = "test"
_TRIAL_PAGE = "docs/how-to/be-notified.md"
_TRIAL_MEANING = "somebody tries whether findings of batchd are heard here; nothing is wrong"


@dataclass(frozen=True, slots=True)
class Notice:
    """An open finding that is to be told.

    Attributes:
        tries: how often that was tried before.
        told_by: names of the ways that have worked.
    """

    id: int
    kind: str
    subject: str
    priority: int
    detail: str
    next_command: str
    since: Moment
    tries: int = 0
    told_by: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """All of it in one line."""
        meaning = self._meaning or "a kind that this batchd does not know"
        detail = f" ({self.detail})" if self.detail else ""
        return f"batchd: {self.kind} ({self.subject}): {meaning}{detail}; next: {self.next_command}"

    @property
    def _meaning(self) -> str:
        if self.kind == _TRIAL:
            return _TRIAL_MEANING
        return KINDS[self.kind].meaning if self.kind in KINDS else ""

    def facts(self) -> dict[str, Any]:
        """What a program is told; all but ``priority`` are texts."""
        return {
            "text": self.text,
            "priority": self.priority,
            "kind": self.kind,
            "subject": self.subject,
            "meaning": self._meaning,
            "detail": self.detail,
            "since": self.since.isoformat(timespec="seconds"),
            "next_command": self.next_command,
            "page": _TRIAL_PAGE if self.kind == _TRIAL else page_of(self.kind),
        }


def trial_notice(now: Moment) -> Notice:
    """One that tells of nothing, for a look whether it arrives."""
    return Notice(0, _TRIAL, "notify", WORTH_KNOWING, "", "batchd status", now)
