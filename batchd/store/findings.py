"""``batchd_finding``: one open row per kind and subject, however often it is seen."""

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select, update

from batchd.core.findings import KINDS, next_command
from batchd.store import tables
from batchd.store.dialects.base import LedgerDialect
from batchd.store.news import Closed, Opened


class SqlFindings:
    """Raises and ends findings.

    Attributes:
        news: what this transaction has opened and closed, to be told once it is committed.
    """

    def __init__(self, connection: Connection, dialect: LedgerDialect) -> None:
        self._connection = connection
        self._dialect = dialect
        self.news: list[Opened | Closed] = []

    def open(self, kind: str, subject: str, detail: str = "") -> bool:
        """Raises a finding once; a person who sees it twice stops reading. Its detail is the last one told."""
        finding = tables.finding
        known = self._connection.scalar(
            select(finding.c.id).where(
                finding.c.kind == kind, finding.c.subject == subject, finding.c.closed_at.is_(None)
            )
        )
        if known is not None:
            self._connection.execute(update(finding).where(finding.c.id == known).values(detail=detail))
            return False
        self._connection.execute(
            insert(finding).values(
                kind=kind,
                subject=subject,
                detail=detail,
                next_command=next_command(kind, subject),
                priority=KINDS[kind].priority,
                opened_at=self._dialect.now(),
            )
        )
        self.news.append(Opened(kind, subject))
        return True

    def close(self, kind: str, subject: str) -> bool:
        """Ends a finding."""
        return self.close_all(subject, [kind]) > 0

    def close_all(self, subject: str, kinds: Sequence[str]) -> int:
        """Ends the findings of these kinds about one subject; returns how many there were."""
        finding = tables.finding
        # Nearly always there is none: looked for first, since a look waits for no lock.
        age = self._dialect.seconds_between(self._dialect.now(), finding.c.opened_at).label("age")
        found = self._connection.execute(
            select(finding.c.id, finding.c.kind, age)
            .where(finding.c.kind.in_(kinds), finding.c.subject == subject, finding.c.closed_at.is_(None))
            .order_by(finding.c.id)
        ).all()
        closed = [one for one in found if self._close(one.id)]
        self.news += [Closed(one.kind, subject, float(one.age)) for one in closed]
        return len(closed)

    def _close(self, finding_id: int) -> bool:
        """False where somebody else was faster."""
        finding = tables.finding
        ours = finding.c.id == finding_id, finding.c.closed_at.is_(None)
        return self._connection.execute(update(finding).where(*ours).values(closed_at=self._dialect.now())).rowcount > 0

    def news_with(self, unanswered: Sequence[Opened | Closed]) -> list[Opened | Closed]:
        """What this transaction has done, and what it finds done by its own COMMIT that was not answered."""
        done = {(type(one), one.kind, one.subject) for one in self.news}
        before = (one for one in unanswered if (type(one), one.kind, one.subject) not in done)
        return [
            *self.news,
            *(one for one in before if self._is_there(one.kind, one.subject) is isinstance(one, Opened)),
        ]

    def _is_there(self, kind: str, subject: str) -> bool:
        return subject in self.subjects(kind)

    def was_told(self, kind: str, subject: str, detail: str) -> bool:
        """True where a finding, open or closed, has said this very detail."""
        finding = tables.finding
        same = (finding.c.kind == kind, finding.c.subject == subject, finding.c.detail == detail)
        return self._connection.scalar(select(finding.c.id).where(*same).limit(1)) is not None

    def was_closed(self, kind: str, subject: str) -> bool:
        """True where a finding was raised once and has been dealt with."""
        finding = tables.finding
        dealt_with = finding.c.closed_at.is_not(None)
        query = select(finding.c.id).where(finding.c.kind == kind, finding.c.subject == subject, dealt_with)
        return self._connection.scalar(query.limit(1)) is not None

    def subjects(self, *kinds: str) -> list[str]:
        """What open findings of these kinds are about."""
        finding = tables.finding
        query = select(finding.c.subject).where(finding.c.kind.in_(kinds), finding.c.closed_at.is_(None))
        return list(self._connection.scalars(query.order_by(finding.c.id)))

    def is_any_open(self, subject: str) -> bool:
        """Of whatever kind."""
        finding = tables.finding
        query = select(finding.c.id).where(finding.c.subject == subject, finding.c.closed_at.is_(None))
        return self._connection.scalar(query.limit(1)) is not None

    def is_open(self, kind: str, subject: str) -> bool:
        """True while one of this kind is open about ``subject``, or about a thing of it (``vendor x batch y``)."""
        return self.is_open_among([kind], subject)

    def is_open_among(self, kinds: Sequence[str], subject: str) -> bool:
        """The same of any of these kinds."""
        return any(one == subject or one.startswith(f"{subject} ") for one in self.subjects(*kinds))
