"""Which columns SQL Server shows masked (dynamic data masking), and whether this login is shown their values."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from batchd.store.dialects.base import Mask

# NULL where the server does not know the right for a single column, as before SQL Server 2022. A database's name is
# taken as it stands, and needs quotes only where it could be read as several; a column's name is never quoted here.
_MASKS = sa.text("""
SELECT c.name,
  COALESCE(HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'UNMASK'),
    HAS_PERMS_BY_NAME(QUOTENAME(DB_NAME()), 'DATABASE', 'UNMASK')),
  HAS_PERMS_BY_NAME(:place, 'OBJECT', 'UNMASK', c.name, 'COLUMN')
FROM sys.columns AS c
WHERE c.object_id = OBJECT_ID(:place) AND c.is_masked = 1 AND c.name IN :names
ORDER BY c.column_id
""").bindparams(sa.bindparam("place", type_=sa.Unicode()), sa.bindparam("names", type_=sa.Unicode(), expanding=True))


def masks_of(connection: Connection, table: str, schema: str | None, names: Sequence[str]) -> list[Mask]:
    """The masks on those of a table's columns that are named."""
    if not names:
        return []
    place = connection.dialect.identifier_preparer.format_table(sa.table(table, schema=schema))
    rows = connection.execute(_MASKS, {"place": place, "names": list(names)})
    return [mask(*row) for row in rows]


def mask(column: str, in_database: int | None, on_column: int | None) -> Mask:
    """One masked column, by what HAS_PERMS_BY_NAME says of the right to see all of the database, and this column."""
    return Mask(column, lifted=1 in {in_database, on_column}, by_column=on_column is not None)
