"""``batchd_event``: who moved what, when and why, written in the transaction that moves it."""

from sqlalchemy import Connection, insert

from batchd.store import tables
from batchd.store.dialects.base import LedgerDialect


class SqlEvents:
    """Writes the trail of moves."""

    def __init__(self, connection: Connection, dialect: LedgerDialect, actor: str) -> None:
        self._connection = connection
        self._dialect = dialect
        self._actor = actor

    def add(
        self,
        subject: str,
        subject_id: int,
        action: str,
        *,
        move: tuple[str | None, str | None] = (None, None),
        reason: str = "",
    ) -> None:
        """Records one move, from a state to a state where there are any; ``reason`` is our own sentence."""
        self._connection.execute(
            insert(tables.event).values(
                at=self._dialect.now(),
                actor=self._actor,
                subject=subject,
                subject_id=subject_id,
                action=action,
                from_state=move[0],
                to_state=move[1],
                reason=reason,
            )
        )
