"""``batchd_task`` and ``batchd_task_version``."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from batchd.core.model import Lease, TaskRecord
from batchd.core.outcomes import GateState
from batchd.core.states import OPEN
from batchd.core.tasks import TaskDefinition
from batchd.store import leases, tables
from batchd.store.batch_rows import on_their_way
from batchd.store.dialects.base import LedgerDialect
from batchd.store.events import SqlEvents
from batchd.store.expressions import as_number

_WAITING = sorted(state.value for state in GateState if state is not GateState.DONE)


class SqlTasks:
    """What the ledger knows of tasks and their definitions."""

    def __init__(
        self,
        connection: Connection,
        dialect: LedgerDialect,
        events: SqlEvents,
        is_dead: Callable[[str], bool],
    ) -> None:
        self._connection = connection
        self._dialect = dialect
        self._events = events
        self._is_dead = is_dead

    def find(self, name: str) -> TaskRecord | None:
        """The task of this name."""
        row = self._connection.execute(sa.select(tables.task).where(tables.task.c.name == name)).one_or_none()
        return None if row is None else _record(row)

    def add(self, name: str, fingerprint: str) -> TaskRecord:
        """Adds a task; its first version is saved by whoever claims first."""
        self._connection.execute(
            sa.insert(tables.task).values(
                name=name,
                paused=0,
                pause_reason="",
                fingerprint=fingerprint,
                lease_epoch=0,
                created_at=self._dialect.now(),
            )
        )
        added = self.find(name)
        if added is None:
            raise LookupError(name)
        self._events.add("task", added.id, "added")
        return added

    def rename(self, task_id: int, name: str) -> None:
        """The same task under a new name: its gates and batches stay with it."""
        self._change(task_id, name=name)
        self._events.add("task", task_id, "renamed", reason=f"now called {name}")

    def set_fingerprint(self, task_id: int, fingerprint: str) -> None:
        """A resume point in another table means nothing."""
        self._change(task_id, fingerprint=fingerprint, resume_key=None)
        self._events.add("task", task_id, "rebound", reason="table or key changed while nothing was open")

    def all(self) -> list[TaskRecord]:
        """Every task, in the order they came."""
        return [_record(row) for row in self._connection.execute(sa.select(tables.task).order_by(tables.task.c.id))]

    def definitions(self, task: TaskRecord) -> list[TaskDefinition]:
        """Every definition it had over the table and key that it has now; else the one that came last."""
        version = tables.task_version
        # A definition that is taken up again keeps its old row, so the last row need not be the last one at work.
        query = sa.select(version.c.definition).where(version.c.task_id == task.id).order_by(version.c.id.desc())
        every = [TaskDefinition.model_validate_json(text) for text in self._connection.scalars(query)]
        return [one for one in every if one.fingerprint == task.fingerprint] or every[:1]

    def has_open_work(self, task_id: int) -> bool:
        """Open batches, or gates that wait for something."""
        batch, gate = tables.batch, tables.gate
        open_batch = sa.exists().where(batch.c.task_id == task_id, *on_their_way(sorted(state.value for state in OPEN)))
        # Named one by one: an index leads to what a state is, not to what it isn't, past millions that are done.
        gated = sa.exists().where(gate.c.task_id == task_id, gate.c.state.in_(_WAITING))
        return bool(self._connection.scalar(sa.select(as_number(sa.or_(open_batch, gated)))))

    def remembers_rows(self, task_id: int) -> bool:
        """Gates of any state: rows that nobody may ask about again unasked."""
        gate = tables.gate
        return bool(self._connection.scalar(sa.select(gate.c.task_id).where(gate.c.task_id == task_id).limit(1)))

    def take_lease(self, task_id: int, owner: str, seconds: float) -> Lease | None:
        """The right to claim for this task."""
        wanted = Lease("task", task_id, owner, 0, seconds)
        return leases.take(self._connection, self._dialect, wanted, self._is_dead)

    def release(self, lease: Lease) -> None:
        """Gives the lease back."""
        leases.release(self._connection, lease)

    def save_version(self, task_id: int, definition: TaskDefinition) -> int:
        """One row per definition ever used."""
        version = tables.task_version
        known = sa.select(version.c.id).where(version.c.task_id == task_id, version.c.version == definition.version)
        found = self._connection.scalar(known)
        if found is None:
            self._connection.execute(
                sa.insert(version).values(
                    task_id=task_id,
                    version=definition.version,
                    definition=definition.to_json(),
                    created_at=self._dialect.now(),
                )
            )
            found = self._connection.scalar(known)
        return int(found or 0)

    def definition(self, version_id: int) -> TaskDefinition:
        """What was submitted is what is applied."""
        version = tables.task_version
        text = self._connection.scalar(sa.select(version.c.definition).where(version.c.id == version_id))
        return TaskDefinition.model_validate_json(str(text))

    def set_resume_key(self, task_id: int, key: int | None) -> None:
        """Only ever makes the next claim faster; a sweep does not rely on it."""
        self._change(task_id, resume_key=key)

    def record_sweep(self, task_id: int, backlog: int) -> None:
        """What a full sweep left unclaimed, and since when sweeps have left something."""
        now = self._dialect.now()
        since = sa.func.coalesce(tables.task.c.backlog_since, now) if backlog else None
        self._change(task_id, last_sweep_at=now, last_sweep_count=backlog, backlog_since=since)

    def pause(self, task_id: int, reason: str, *, action: str = "paused") -> None:
        """Claiming, submitting and applying stop; polling and collecting go on."""
        self._change(task_id, paused=1, pause_reason=reason)
        self._events.add("task", task_id, action, reason=reason)

    def unpause(self, task_id: int, reason: str, *, action: str = "resumed") -> None:
        """Lets a paused task go on."""
        self._change(task_id, paused=0, pause_reason="")
        self._events.add("task", task_id, action, reason=reason)

    def is_paused(self, task_id: int) -> bool:
        """True while a person, or a billing stop, holds the task."""
        return bool(self._connection.scalar(sa.select(tables.task.c.paused).where(tables.task.c.id == task_id)))

    def seconds_since_sweep(self, task_id: int) -> float | None:
        """By the database's clock."""
        since = self._dialect.seconds_between(self._dialect.now(), tables.task.c.last_sweep_at)
        found = self._connection.scalar(sa.select(since).where(tables.task.c.id == task_id))
        return None if found is None else float(found)

    def seconds_since_batch(self, task_id: int) -> float | None:
        """By the database's clock."""
        batch = tables.batch
        newest = sa.select(sa.func.max(batch.c.created_at)).where(batch.c.task_id == task_id).scalar_subquery()
        found = self._connection.scalar(sa.select(self._dialect.seconds_between(self._dialect.now(), newest)))
        return None if found is None else float(found)

    def _change(self, task_id: int, **values: Any) -> None:
        self._connection.execute(sa.update(tables.task).where(tables.task.c.id == task_id).values(**values))


def _record(row: Any) -> TaskRecord:
    return TaskRecord(
        id=row.id,
        name=row.name,
        paused=bool(row.paused),
        pause_reason=row.pause_reason,
        fingerprint=row.fingerprint,
        resume_key=row.resume_key,
        last_sweep_at=row.last_sweep_at,
        batch_size=row.batch_size,
        max_open_batches=row.max_open_batches,
    )
