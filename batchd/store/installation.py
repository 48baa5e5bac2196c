"""Which installation this ledger is. A copy of a database is another installation, until a person says otherwise."""

import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import URL, Connection, Engine

from batchd.core.model import Batch
from batchd.core.outcomes import Outcome
from batchd.core.states import OPEN
from batchd.errors import DatabaseError
from batchd.settling import EarlyEnd, give_up
from batchd.store import tables
from batchd.store.asking import asked
from batchd.store.batch_rows import batch_from, with_task
from batchd.store.dialects.base import LedgerDialect
from batchd.store.ledger import SqlLedger

# Requests settled at once; all of them are in one transaction.
_CHUNK = 1000
_NOT_OURS = EarlyEnd(Outcome.UNSENT, "copied", "the batch belongs to the installation that this database is a copy of")
_PAUSED = "this database is a copy; what the original has sent would be sent, and paid for, here too"


@dataclass(frozen=True, slots=True)
class Copied:
    """What an adopted copy let go of: open batches, and their rows, which are due again; the tasks it paused."""

    batches: int
    rows: int
    tasks: tuple[str, ...]


def check_binding(engine: Engine, dialect: LedgerDialect, url: URL) -> None:
    """Refuses to work on a ledger that was made for another place. Raises DatabaseError.

    Two programs on two copies of one database would both believe that the open batches are theirs.
    """
    bound_to = asked(engine, dialect, lambda connection: connection.scalar(sa.select(tables.installation.c.bound_to)))
    here = dialect.binding(url)
    if bound_to != here:
        raise DatabaseError(
            f"this ledger belongs to {bound_to}, but is now at {here}",
            next_command="batchd db adopt --moved (the old place is gone) or --copied (the old one lives on)",
        )


def adopt_moved(engine: Engine, dialect: LedgerDialect, url: URL) -> None:
    """Binds the ledger to where it is now; everything in it goes on."""
    with engine.begin() as connection:
        connection.execute(sa.update(tables.installation).values(bound_to=dialect.binding(url)))


def adopt_copied(engine: Engine, dialect: LedgerDialect, url: URL, *, actor: str) -> Copied:
    """Makes a copy an installation of its own, in one transaction.

    Its open batches go on at the original's: sent from here they would be paid for twice, and cancelled or fenced
    from here they would be lost there. So they end here, and nothing is claimed before a person resumes the tasks.
    """
    with engine.begin() as connection:
        connection.execute(
            sa.update(tables.installation).values(bound_to=dialect.binding(url), installation_id=uuid.uuid4().hex)
        )
        ledger = SqlLedger(connection, dialect, actor=actor, is_dead=lambda _: False)
        _forget_the_original(connection, dialect)
        ledger.vendor_files.let_go_of_all()
        batches, rows = _open_batches(connection), 0
        for batch in batches:
            rows += len(ledger.requests.open_after(batch.id, 0, batch.requests))
            held = ledger.batches.hold(batch, _NOT_OURS.sentence, _NOT_OURS.code)
            give_up(ledger, held, _NOT_OURS, chunk=_CHUNK)
            # Where both use one folder, the original still needs them.
            ledger.batches.note_files_removed(held)
        names = connection.execute(sa.select(tables.task.c.id, tables.task.c.name).order_by(tables.task.c.name)).all()
        for task_id, _ in names:
            ledger.tasks.pause(task_id, _PAUSED)
        return Copied(len(batches), rows, tuple(name for _, name in names))


def _open_batches(connection: Connection) -> list[Batch]:
    query = with_task().where(tables.batch.c.state.in_([state.value for state in OPEN]))
    return [batch_from(row) for row in connection.execute(query.order_by(tables.batch.c.id))]


def _forget_the_original(connection: Connection, dialect: LedgerDialect) -> None:
    """Its processes hold no lease here and are not here, its files are not ours, what was found was found there."""
    for leased in (tables.task, tables.batch):
        connection.execute(sa.update(leased).values(lease_owner=None, lease_expires_at=None))
    connection.execute(sa.delete(tables.process))
    connection.execute(sa.delete(tables.watch))
    finding = tables.finding
    theirs = sa.or_(finding.c.subject.startswith("batch "), finding.c.subject.startswith("vendor "))
    connection.execute(sa.update(finding).where(finding.c.closed_at.is_(None), theirs).values(closed_at=dialect.now()))
