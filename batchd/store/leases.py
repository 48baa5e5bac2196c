"""Leases: the right to work on a task or a batch, by the database's clock.

One UPDATE checks, renews and locks in one. ``lease_epoch`` grows at each takeover, so a process that slept
through its lease cannot commit any more.
"""

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy import Connection, Table

from batchd.core.model import Lease, Moment
from batchd.errors import LeaseLostError
from batchd.store import tables
from batchd.store.dialects.base import LedgerDialect

_TABLES: dict[str, Table] = {"task": tables.task, "batch": tables.batch}


def take(
    connection: Connection,
    dialect: LedgerDialect,
    lease: Lease,
    is_dead: Callable[[str], bool],
) -> Lease | None:
    """Takes a lease that is free, expired, already ours, or whose owner is provably gone; else None."""
    table = _TABLES[lease.kind]
    holder = connection.scalar(sa.select(table.c.lease_owner).where(table.c.id == lease.subject_id))
    free = sa.or_(
        table.c.lease_owner.is_(None),
        table.c.lease_owner == lease.owner,
        table.c.lease_expires_at < dialect.now(),
    )
    if holder is not None and holder != lease.owner and is_dead(holder):
        free = sa.or_(free, table.c.lease_owner == holder)
    taken = connection.execute(
        sa.update(table)
        .where(table.c.id == lease.subject_id, free)
        # The epoch goes first: MariaDB evaluates SET from left to right with the new values.
        .ordered_values(
            (table.c.lease_epoch, table.c.lease_epoch + 1),
            (table.c.lease_owner, lease.owner),
            (table.c.lease_expires_at, dialect.now_plus(lease.seconds)),
        )
    )
    if taken.rowcount != 1:
        return None
    epoch = connection.scalar(sa.select(table.c.lease_epoch).where(table.c.id == lease.subject_id))
    return Lease(lease.kind, lease.subject_id, lease.owner, int(epoch or 0), lease.seconds)


def renew(connection: Connection, dialect: LedgerDialect, lease: Lease) -> None:
    """Checks and prolongs a lease; the first statement of its holder's every transaction."""
    table = _TABLES[lease.kind]
    renewed = connection.execute(
        sa.update(table)
        .where(
            table.c.id == lease.subject_id,
            table.c.lease_owner == lease.owner,
            table.c.lease_epoch == lease.epoch,
        )
        .values(lease_expires_at=dialect.now_plus(lease.seconds))
    )
    if renewed.rowcount != 1:
        raise LeaseLostError(
            f"another process took over {lease.kind} {lease.subject_id}; nothing of this step was written",
            next_command="see what runs: batchd status",
        )


def term(connection: Connection, lease: Lease) -> Moment | None:
    """When the lease ends, as this transaction sees it; None once it was given back."""
    table = _TABLES[lease.kind]
    return connection.scalar(sa.select(table.c.lease_expires_at).where(table.c.id == lease.subject_id))


def release(connection: Connection, lease: Lease) -> None:
    """Gives a lease back; the epoch stays, so that it can never be used again."""
    table = _TABLES[lease.kind]
    connection.execute(
        sa.update(table)
        .where(
            table.c.id == lease.subject_id,
            table.c.lease_owner == lease.owner,
            table.c.lease_epoch == lease.epoch,
        )
        .values(lease_owner=None, lease_expires_at=None)
    )
