"""One transaction's view of the ledger: the topics, over one connection."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import sqlalchemy as sa
from sqlalchemy import Connection

from batchd.core.model import Moment
from batchd.core.tasks import TaskDefinition
from batchd.store import tables
from batchd.store.audit import SqlAudit
from batchd.store.batches import SqlBatches
from batchd.store.closing import ends_with
from batchd.store.contents import SqlContents
from batchd.store.dialects.base import LedgerDialect
from batchd.store.events import SqlEvents
from batchd.store.findings import SqlFindings
from batchd.store.gates import SqlGates
from batchd.store.kept_results import SqlKeptResults
from batchd.store.news import News
from batchd.store.notices import SqlNotices
from batchd.store.processes import SqlProcesses
from batchd.store.quotas import SqlQuotas
from batchd.store.requests import SqlRequests
from batchd.store.retention import SqlRetention
from batchd.store.rows import SqlRows
from batchd.store.rows_elsewhere import SqlRowsElsewhere
from batchd.store.tasks import SqlTasks
from batchd.store.vendor_files import SqlVendorFiles


class SqlLedger:
    """The topics of the ledger within one transaction."""

    def __init__(
        self, connection: Connection, dialect: LedgerDialect, *, actor: str, is_dead: Callable[[str], bool]
    ) -> None:
        self.connection = connection
        self._dialect = dialect
        self.events = SqlEvents(connection, dialect, actor)
        self.tasks = SqlTasks(connection, dialect, self.events, is_dead)
        self.batches = SqlBatches(connection, dialect, self.events, is_dead)
        self.requests = SqlRequests(connection, dialect)
        self.gates = SqlGates(connection, dialect)
        self.contents = SqlContents(connection, dialect)
        self.kept = SqlKeptResults(connection, dialect)
        self.quotas = SqlQuotas(connection, dialect, is_dead)
        self.findings = SqlFindings(connection, dialect)
        self.notices = SqlNotices(connection, dialect)
        self.retention = SqlRetention(connection, dialect)
        self.vendor_files = SqlVendorFiles(connection, dialect)
        self.processes = SqlProcesses(connection, dialect, is_dead)

    def together(self) -> AbstractContextManager[object]:
        """Around writes that nobody waits for one by one."""
        return self._dialect.together(self.connection)

    def rows(self, task_id: int, definition: TaskDefinition) -> SqlRows:
        """The task's own table, and the one that its answers go to."""
        if definition.target is None:
            return SqlRows(self.connection, self._dialect, task_id, definition)
        return SqlRowsElsewhere(self.connection, self._dialect, task_id, definition, definition.target)

    def audit(self, task: str | None = None) -> SqlAudit:
        """What the judge asks."""
        return SqlAudit(self.connection, self._dialect, task)

    def news_with(self, unanswered: News) -> News:
        """What this transaction has to tell, and what it finds done by its own COMMIT that was not answered."""
        return News(
            self.findings.news_with(unanswered.findings),
            ends_with(self.connection, self.batches.ended, unanswered.ends),
        )

    def installation_id(self) -> str:
        """32 hex digits, made when the ledger was installed."""
        return str(self.connection.scalar(sa.select(tables.installation.c.installation_id)))

    def installed_at(self) -> Moment:
        """When this ledger was made."""
        found: Moment | None = self.connection.scalar(sa.select(tables.installation.c.created_at))
        if found is None:
            msg = "a ledger without an installation row"
            raise LookupError(msg)
        return found
