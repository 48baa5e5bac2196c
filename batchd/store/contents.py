"""``batchd_content``: the one ledger table with content of rows. Nothing of it goes anywhere else."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, select

from batchd.core.model import Kept
from batchd.store import tables
from batchd.store.dialects.base import LedgerDialect
from batchd.store.ledger_rows import LedgerRows

_CHARACTERS = 4_000_000


class SqlContents:
    """Keeps before-images, unapplied answers, strangers' lines and vendors' error texts."""

    def __init__(self, connection: Connection, dialect: LedgerDialect) -> None:
        self._connection = connection
        self._dialect = dialect

    def keep(self, batch_id: int, pieces: Sequence[Kept]) -> None:
        """Adds pieces; their place (batch, kind, seq, part) must be free."""
        contents = LedgerRows(self._connection, self._dialect, tables.content)
        for some in _portions(pieces):
            rows = [(batch_id, one.kind, one.seq, one.part, one.body) for one in some]
            contents.add(("batch_id", "kind", "seq", "part", "body"), rows, clock="created_at")

    def read(self, batch_id: int, kind: str) -> list[Kept]:
        """The pieces of one kind, by seq and part."""
        content = tables.content
        rows = self._connection.execute(
            select(content.c.seq, content.c.kind, content.c.body, content.c.part)
            .where(content.c.batch_id == batch_id, content.c.kind == kind)
            .order_by(content.c.seq, content.c.part)
        )
        return [Kept(seq=row.seq, kind=row.kind, body=row.body, part=row.part) for row in rows]


def _portions(pieces: Sequence[Kept]) -> Iterator[list[Kept]]:
    """In order, cut where one more would be too much for one statement: nobody knows how long an answer is."""
    portion: list[Kept] = []
    characters = 0
    for one in pieces:
        characters += len(one.body)
        if portion and characters > _CHARACTERS:
            yield portion
            portion, characters = [], len(one.body)
        portion.append(one)
    if portion:
        yield portion
