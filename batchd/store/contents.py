"""``batchd_content``: the one ledger table with content of rows. Nothing of it goes anywhere else."""

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select

from batchd.core.model import Kept
from batchd.store import tables
from batchd.store.dialects.base import LedgerDialect


class SqlContents:
    """Keeps before-images, unapplied answers, strangers' lines and vendors' error texts."""

    def __init__(self, connection: Connection, dialect: LedgerDialect) -> None:
        self._connection = connection
        self._dialect = dialect

    def keep(self, batch_id: int, pieces: Sequence[Kept]) -> None:
        """Adds pieces; their place (batch, kind, seq, part) must be free."""
        if not pieces:
            return
        self._connection.execute(
            insert(tables.content).values(created_at=self._dialect.now()),
            [
                {"batch_id": batch_id, "kind": one.kind, "seq": one.seq, "part": one.part, "body": one.body}
                for one in pieces
            ],
        )

    def read(self, batch_id: int, kind: str) -> list[Kept]:
        """The pieces of one kind, by seq and part."""
        content = tables.content
        rows = self._connection.execute(
            select(content.c.seq, content.c.kind, content.c.body, content.c.part)
            .where(content.c.batch_id == batch_id, content.c.kind == kind)
            .order_by(content.c.seq, content.c.part)
        )
        return [Kept(seq=row.seq, kind=row.kind, body=row.body, part=row.part) for row in rows]
