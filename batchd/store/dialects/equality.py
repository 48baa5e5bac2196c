"""What a key column takes for equal, asked of the column itself: its collation may come from anywhere."""

import sqlalchemy as sa
from sqlalchemy import Connection

from batchd.core.tasks import KeyEquality
from batchd.store.types import AsGiven

_EQUALITIES: dict[tuple[bool, bool], KeyEquality] = {
    (False, False): "exact",
    (False, True): "rtrim",
    (True, False): "nocase",
    (True, True): "nocase+rtrim",
}


def equality_of(connection: Connection, table: str, schema: str | None, name: str) -> KeyEquality:
    """How the column compares text: with its case and the spaces at its end, or without.

    The letter is ``i``, which a Turkish collation does not take for its capital. Accents are not asked about: which
    letters have some differs from collation to collation (docs/decisions/0001).
    """
    source = sa.table(table, sa.column(name), schema=schema)
    letter = sa.select(sa.literal("i", AsGiven()))
    # Beside a column, a literal is compared as the column is.
    probe = sa.union_all(sa.select(source.c[name].label("value")).where(sa.text("1 = 0")), letter).subquery("probe")
    equal = [sa.case((probe.c.value == sa.literal(other, AsGiven()), 1), else_=0) for other in ("I", "i ")]
    case, spaces = connection.execute(sa.select(*equal)).one()
    return _EQUALITIES[bool(case), bool(spaces)]
