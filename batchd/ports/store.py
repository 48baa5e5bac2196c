"""The database: transactions, and what one of them sees."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from batchd.core.model import Lease, Moment
from batchd.core.tasks import TaskDefinition
from batchd.ports.audit import Audit
from batchd.ports.batches import Batches, Tasks
from batchd.ports.kept import KeptResults
from batchd.ports.notices import Notices
from batchd.ports.processes import Processes
from batchd.ports.quotas import Quotas
from batchd.ports.retention import Retention
from batchd.ports.rows import Contents, Findings, Gates, Requests, Rows
from batchd.ports.trail import Trail
from batchd.ports.vendor_files import VendorFiles

T = TypeVar("T")


class Ledger(Protocol):
    """One transaction's view of the database."""

    @property
    def tasks(self) -> Tasks:
        """Tasks and their versions."""

    @property
    def batches(self) -> Batches:
        """Batches and their moves."""

    @property
    def requests(self) -> Requests:
        """Requests and their outcomes."""

    @property
    def gates(self) -> Gates:
        """Rows not to be claimed now."""

    @property
    def contents(self) -> Contents:
        """Row content that is kept."""

    @property
    def kept(self) -> KeptResults:
        """Paid answers that were kept and not written."""

    @property
    def quotas(self) -> Quotas:
        """Tokens at the vendor."""

    @property
    def findings(self) -> Findings:
        """What needs a person."""

    @property
    def notices(self) -> Notices:
        """Findings that people are still to be told of."""

    @property
    def retention(self) -> Retention:
        """Requests that are old enough to go."""

    @property
    def vendor_files(self) -> VendorFiles:
        """Files at vendors that are old enough to go."""

    @property
    def processes(self) -> Processes:
        """Processes that run."""

    @property
    def events(self) -> Trail:
        """Who did what."""

    def together(self) -> AbstractContextManager[object]:
        """Around writes that need no look at what came of them: they may be sent at once, and fail at the end."""

    def rows(self, task_id: int, definition: TaskDefinition) -> Rows:
        """The task's table."""

    def audit(self, task: str | None = None) -> Audit:
        """What the judge asks; about one task, or all."""

    def installation_id(self) -> str:
        """Names this ledger towards vendors."""

    def installed_at(self) -> Moment:
        """When this ledger was made."""


class Store(Protocol):
    """The database: hands out transactions and repeats them whole where the database asks for it."""

    @property
    def is_served(self) -> bool:
        """True where a server does the database's work, and this process waits for it."""

    def transact(self, work: Callable[[Ledger], T], *, lease: Lease | None = None, step: str = "") -> T:
        """Runs ``work`` in one transaction; with a lease, its first statement checks and renews it.

        ``work`` may run more than once (deadlocks, lost connections). ``step`` names the commit, for its fault points
        (``batchd.failpoints``). Raises LeaseLostError, DatabaseError.
        """

    def read(self, work: Callable[[Ledger], T]) -> T:
        """Runs ``work`` on one consistent view, and writes nothing."""

    def ask(self, work: Callable[[Ledger], T]) -> T:
        """The same for ``work`` that is one single statement: it is spared what a transaction costs.

        Raises RuntimeError at a second statement.
        """
