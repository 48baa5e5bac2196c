"""Which installation this ledger is. A copy of a database is another installation, until a person says otherwise."""

import uuid

import sqlalchemy as sa
from sqlalchemy import URL, Engine

from batchd.errors import DatabaseError
from batchd.store import tables
from batchd.store.dialects.base import LedgerDialect
from batchd.store.dialects.sqlite import read_only


def check_binding(engine: Engine, dialect: LedgerDialect, url: URL) -> None:
    """Refuses to work on a ledger that was made for another place. Raises DatabaseError.

    Two programs on two copies of one database would both believe that the open batches are theirs.
    """
    with engine.connect() as connection, read_only(connection).begin():
        bound_to = connection.scalar(sa.select(tables.installation.c.bound_to))
    here = dialect.binding(url)
    if bound_to != here:
        raise DatabaseError(
            f"this ledger belongs to {bound_to}, but is now at {here}",
            next_command="batchd db adopt --moved (the old place is gone) or --copied (the old one lives on)",
        )


def adopt(engine: Engine, dialect: LedgerDialect, url: URL, *, copied: bool) -> None:
    """Binds the ledger to where it is now.

    A copy gets an id of its own, so that it never takes the original's batches at the vendor for its own.
    """
    changes = {"bound_to": dialect.binding(url)} | ({"installation_id": uuid.uuid4().hex} if copied else {})
    with engine.begin() as connection:
        connection.execute(sa.update(tables.installation).values(changes))
