"""What a key column takes for equal, asked of the column itself: its collation may come from anywhere."""

import sqlalchemy as sa
from sqlalchemy import Connection

from batchd.core.tasks import KeyEquality
from batchd.store.types import AsGiven

_EQUALITIES: dict[tuple[bool, bool, bool], KeyEquality] = {
    (False, False, False): "exact",
    (False, False, True): "rtrim",
    (False, True, False): "case",
    (False, True, True): "case+rtrim",
    (True, False, False): "accent",
    (True, False, True): "accent+rtrim",
    (True, True, False): "accent+case",
    (True, True, True): "accent+case+rtrim",
}


def equality_of(connection: Connection, table: str, schema: str | None, name: str) -> KeyEquality:
    """How the column compares text: with its accents, its case and the spaces at its end, or without.

    The letter is ``i``, which a Turkish collation does not take for its capital.
    """
    source = sa.table(table, sa.column(name), schema=schema)
    letter = sa.select(sa.literal("i", AsGiven()))
    # Beside a column, a literal is compared as the column is.
    probe = sa.union_all(sa.select(source.c[name].label("value")).where(sa.text("1 = 0")), letter).subquery("probe")
    others = (sa.literal(other, AsGiven()) for other in ("í", "I", "i "))
    compared = [sa.case((probe.c.value == other, 1), else_=0) for other in others]
    accents, case, spaces = connection.execute(sa.select(*compared)).one()
    return _EQUALITIES[bool(accents), bool(case), bool(spaces)]
