"""The ledger as the judge reads it: broken rules, counted and named, and facts to hold spool and vendor against."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Select

from batchd.core.keys import RowKey
from batchd.core.model import Batch, Moment
from batchd.core.outcomes import Limits
from batchd.core.states import BatchState
from batchd.core.tasks import TaskDefinition
from batchd.ports.audit import Breach, Breaches, Rule
from batchd.store import tables
from batchd.store.audit_rules import RULE_QUERIES, position, too_many_tries
from batchd.store.batch_rows import batch_from, with_task
from batchd.store.chunks import chunks
from batchd.store.dialects.base import LedgerDialect

_IDS_A_QUERY = 400


class SqlAudit:
    """Questions about the ledger within one transaction.

    Args:
        connection: the transaction.
        dialect: what differs from other databases.
        task: the name of the task it is about; None for all.
    """

    def __init__(self, connection: Connection, dialect: LedgerDialect, task: str | None) -> None:
        self._connection = connection
        self._dialect = dialect
        self._task = task

    def counts(self) -> dict[str, int]:
        """What there is to look at."""
        batch, request, gate = tables.batch, tables.request, tables.gate
        requests = sa.select(sa.func.count()).select_from(request.join(batch, batch.c.id == request.c.batch_id))
        queries = {
            "batches": sa.select(sa.func.count()).select_from(batch).where(*self._mine(batch.c.task_id)),
            "requests": requests.where(*self._mine(batch.c.task_id)),
            "gates": sa.select(sa.func.count()).select_from(gate).where(*self._mine(gate.c.task_id)),
        }
        return {name: int(self._connection.scalar(query) or 0) for name, query in queries.items()}

    def breaches(self, rule: Rule, most: int) -> Breaches:
        """Counted by the database; only the first ``most`` are read."""
        query = too_many_tries(self._limits()) if rule is Rule.TOO_MANY_TRIES else RULE_QUERIES[rule]()
        found, task = query.subquery("found"), tables.task
        mine = found.join(task, task.c.id == found.c.task_id)
        total = sa.select(sa.func.count()).select_from(mine).where(*self._mine(found.c.task_id))
        number = int(self._connection.scalar(total) or 0)
        if not number:
            return Breaches(0, ())
        order = [found.c[name] for name in ("task_id", "batch_id", "seq", "key_int", "key_hash") if name in found.c]
        named = sa.select(task.c.name.label("task"), found).select_from(mine).where(*self._mine(found.c.task_id))
        rows = self._connection.execute(named.order_by(*order).limit(most)).mappings()
        return Breaches(number, tuple(_breach(row) for row in rows))

    def page(self, positions: Collection[BatchState], after: int, most: int) -> list[Batch]:
        """A page of batches, by id."""
        batch = tables.batch
        wanted = position.in_(sorted(one.value for one in positions))
        query = with_task().where(wanted, batch.c.id > after, *self._mine(batch.c.task_id))
        return self._batches(query.order_by(batch.c.id).limit(most))

    def outcomes(self, batch_id: int) -> dict[int, str | None]:
        """The outcomes of a batch's requests."""
        request = tables.request
        query = sa.select(request.c.seq, request.c.outcome).where(request.c.batch_id == batch_id)
        return {row.seq: row.outcome for row in self._connection.execute(query)}

    def pieces(self, batch_id: int, kind: str) -> int:
        """Counted without reading them."""
        content = tables.content
        query = sa.select(sa.func.count()).where(content.c.batch_id == batch_id, content.c.kind == kind)
        return int(self._connection.scalar(query) or 0)

    def may_lack_files(self, batch_id: int, keep: float) -> bool:
        """By the mark, or by its age alone: files are removed before the mark is made."""
        batch = tables.batch
        old = self._dialect.seconds_between(self._dialect.now(), batch.c.closed_at) >= keep
        query = sa.select(batch.c.id).where(batch.c.id == batch_id, sa.or_(batch.c.files_removed_at.is_not(None), old))
        return self._connection.scalar(query) is not None

    def trimmed(self) -> int:
        """Their mark is made with the first request that goes."""
        here, batch = tables.retention, tables.batch
        query = sa.select(sa.func.count()).select_from(here.join(batch, batch.c.id == here.c.batch_id))
        return int(
            self._connection.scalar(query.where(here.c.trimmed_at.is_not(None), *self._mine(batch.c.task_id))) or 0
        )

    def was_fetched_again(self, batch_id: int) -> bool:
        """By the moves it made."""
        event = tables.event
        back = sa.select(event.c.id).where(
            event.c.subject == "batch",
            event.c.subject_id == batch_id,
            event.c.from_state == BatchState.COLLECTED.value,
            event.c.to_state == BatchState.ENDED.value,
        )
        return self._connection.scalar(back.limit(1)) is not None

    def accounts(self) -> frozenset[tuple[str, str]]:
        """Accounts that batches were uploaded to, or are about to be created at."""
        batch = tables.batch
        query = sa.select(batch.c.account, batch.c.account_fingerprint).distinct()
        rows = self._connection.execute(query.where(batch.c.attempt > 0, *self._mine(batch.c.task_id)))
        return frozenset((row.account, row.account_fingerprint) for row in rows)

    def oldest_sent(self, account: str, fingerprint: str, seconds: float) -> Moment | None:
        """By the database's clock."""
        batch = tables.batch
        age = self._dialect.seconds_between(self._dialect.now(), batch.c.intent_at)
        found: Moment | None = self._connection.scalar(
            sa.select(sa.func.min(batch.c.intent_at)).where(
                batch.c.account == account,
                batch.c.account_fingerprint == fingerprint,
                batch.c.intent_at.is_not(None),
                age < seconds,
            )
        )
        return found

    def with_uids(self, uids: Collection[str]) -> dict[str, Batch]:
        """The batches of these uids."""
        return {one.uid: one for some in _some(uids) for one in self._where(tables.batch.c.uid.in_(some))}

    def with_vendor_ids(self, fingerprint: str, ids: Collection[str]) -> list[Batch]:
        """The batches with these ids at an account."""
        batch = tables.batch
        there = batch.c.account_fingerprint == fingerprint
        return [one for some in _some(ids) for one in self._where(there, batch.c.vendor_batch_id.in_(some))]

    def uids_of_files(self, file_ids: Collection[str]) -> dict[str, str]:
        """The batches whose last upload these files are."""
        batch = tables.batch
        found: dict[str, str] = {}
        for some in _some(file_ids):
            query = sa.select(batch.c.vendor_file_id, batch.c.uid).where(batch.c.vendor_file_id.in_(some))
            found.update((row.vendor_file_id, row.uid) for row in self._connection.execute(query))
        return found

    def _limits(self) -> dict[int, Limits]:
        """By task the widest limits that any of its definitions set: which one a try was under is not kept."""
        version = tables.task_version
        widest: dict[int, Limits] = {}
        for row in self._connection.execute(sa.select(version.c.task_id, version.c.definition)):
            limits = TaskDefinition.model_validate_json(row.definition).limits
            known = widest.get(row.task_id, limits)
            widest[row.task_id] = Limits(
                max(known.max_attempts, limits.max_attempts), max(known.max_resends, limits.max_resends)
            )
        return widest

    def _mine(self, task_id: ColumnElement[Any]) -> list[ColumnElement[bool]]:
        if self._task is None:
            return []
        task = tables.task
        return [task_id == sa.select(task.c.id).where(task.c.name == self._task).scalar_subquery()]

    def _where(self, *conditions: ColumnElement[bool]) -> list[Batch]:
        return self._batches(with_task().where(*conditions))

    def _batches(self, query: Select[Any]) -> list[Batch]:
        return [batch_from(row) for row in self._connection.execute(query)]


def _some(names: Collection[str]) -> Iterator[Sequence[str]]:
    return chunks(sorted(names), _IDS_A_QUERY)


def _breach(row: Mapping[Any, Any]) -> Breach:
    if "key_int" not in row:
        return Breach(row["task"], row["batch_id"])
    key = RowKey(row["key_int"], row["key_text"], row["key_hash"])
    return Breach(row["task"], row["batch_id"], row["seq"], key)
