"""Transactions: the lease checked first, the whole thing run again where the database asks for it."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

import tenacity
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError

from batchd import failpoints
from batchd.core.model import Lease
from batchd.errors import DatabaseBusyError, DatabaseError, DataRefusedError
from batchd.ports import Ledger
from batchd.store.dialects.base import Fault, LedgerDialect
from batchd.store.dialects.sqlite import read_only
from batchd.store.leases import renew
from batchd.store.ledger import SqlLedger
from batchd.store.rows import values_refused

T = TypeVar("T")
_ATTEMPTS = 6


class _TryAgainError(Exception):
    """The database rolled the transaction back for a passing reason."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class SqlStore:
    """A ledger in an SQL database.

    Args:
        engine: made by the dialect, with the ledger's schema translated.
        dialect: what differs from other databases.
        actor: who writes, for the events.
        is_dead: tells that the owner of a lease is provably gone.
    """

    def __init__(
        self,
        engine: Engine,
        dialect: LedgerDialect,
        *,
        actor: str,
        is_dead: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.engine = engine
        self.dialect = dialect
        self._actor = actor
        self._is_dead = is_dead

    def transact(self, work: Callable[[Ledger], T], *, lease: Lease | None = None, step: str = "") -> T:
        """Runs ``work`` in one transaction, again as a whole after deadlocks and lost connections.

        A COMMIT whose answer was lost is run again too: every ``work`` looks at the ledger before it acts.
        """

        def once() -> T:
            with self._mapped_errors(), self.engine.begin() as connection:
                if lease is not None:
                    renew(connection, self.dialect, lease)
                done = work(self._ledger(connection))
                if step:
                    failpoints.before(step)
            if step:
                failpoints.after(step)
            return done

        return self._repeated(once)

    def read(self, work: Callable[[Ledger], T]) -> T:
        """Runs ``work`` on one consistent view, without a write lock."""

        def once() -> T:
            with self._mapped_errors(), self.engine.connect() as connection, read_only(connection).begin():
                return work(self._ledger(connection))

        return self._repeated(once)

    def dispose(self) -> None:
        """Closes the connections."""
        self.engine.dispose()

    def _ledger(self, connection: Connection) -> SqlLedger:
        return SqlLedger(connection, self.dialect, actor=self._actor, is_dead=self._is_dead)

    def _repeated(self, once: Callable[[], T]) -> T:
        patient = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_TryAgainError),
            stop=tenacity.stop_after_attempt(_ATTEMPTS),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=5),
            reraise=True,
        )
        try:
            return patient(once)
        except _TryAgainError as error:
            raise DatabaseBusyError(
                f"the database kept refusing a transaction ({error.code}) after {_ATTEMPTS} tries",
                next_command="look for a long transaction on the database, or a full disk of it, then run the same "
                "command again",
            ) from error

    @contextlib.contextmanager
    def _mapped_errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise self._mapped(error) from error

    def _mapped(self, error: SQLAlchemyError) -> Exception:
        fault, code = self.dialect.fault(error), self.dialect.code(error)
        if fault is Fault.AGAIN or (isinstance(error, DBAPIError) and error.connection_invalidated):
            return _TryAgainError(code)
        # A row's write says itself that its values are refused; constraints that wait do so at the COMMIT.
        if fault is Fault.DATA and isinstance(error, StatementError) and error.statement is None:
            return DataRefusedError(values_refused(code))
        return DatabaseError(
            f"the database could not run a statement ({code})", next_command="run: batchd check-config"
        )
