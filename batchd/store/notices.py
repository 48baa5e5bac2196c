"""Which open findings people are still to be told of, and who is at it."""

from collections.abc import Set as AbstractSet
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from batchd.core.notices import Notice
from batchd.store import tables
from batchd.store.dialects.base import LedgerDialect


class SqlNotices:
    """Each is taken by a change of its row, so that of two processes one tells it."""

    def __init__(self, connection: Connection, dialect: LedgerDialect) -> None:
        self._connection = connection
        self._dialect = dialect

    def due(self, least_urgent: int, limit: int) -> list[Notice]:
        """Open findings of this priority or a more urgent one that are to be told now, the most urgent first."""
        finding = tables.finding
        waited = sa.or_(finding.c.notify_after.is_(None), finding.c.notify_after <= self._dialect.now())
        query = sa.select(finding).where(
            finding.c.closed_at.is_(None), finding.c.notified_at.is_(None), finding.c.priority <= least_urgent, waited
        )
        rows = self._connection.execute(query.order_by(finding.c.priority, finding.c.id).limit(limit))
        return [_notice(row) for row in rows]

    def take(self, notice: Notice, wait: float) -> bool:
        """Leaves it to the caller for ``wait`` seconds; False where another process has it, or where it has ended."""
        finding = tables.finding
        ours = (
            finding.c.id == notice.id,
            finding.c.closed_at.is_(None),
            finding.c.notified_at.is_(None),
            finding.c.notify_tries == notice.tries,
        )
        taken = sa.update(finding).where(*ours)
        taken = taken.values(notify_tries=notice.tries + 1, notify_after=self._dialect.now_plus(wait))
        return self._connection.execute(taken).rowcount > 0

    def note_told(self, notice: Notice, ways: AbstractSet[str], *, all_of_them: bool) -> None:
        """These ways have worked for it; after all of them it is not told again."""
        finding = tables.finding
        told = sa.update(finding).where(finding.c.id == notice.id, finding.c.notified_at.is_(None))
        when = self._dialect.now() if all_of_them else None
        self._connection.execute(told.values(notified_by=",".join(sorted(ways)), notified_at=when))


def _notice(row: Any) -> Notice:
    return Notice(
        id=row.id,
        kind=row.kind,
        subject=row.subject,
        priority=row.priority,
        detail=row.detail,
        next_command=row.next_command,
        since=row.opened_at,
        tries=row.notify_tries,
        told_by=frozenset((row.notified_by or "").split(",")) - {""},
    )
