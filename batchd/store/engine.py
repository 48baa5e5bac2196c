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
from batchd.store.dialects.base import Fault, LedgerDialect, Refusal
from batchd.store.leases import renew, term
from batchd.store.ledger import SqlLedger
from batchd.store.rows import values_refused

T = TypeVar("T")
_ATTEMPTS = 6
# A server that restarts, or asks for less load, is given a minute; then the pass ends, and the next one asks again.
_LATER_SECONDS = 60.0
_soon = tenacity.wait_random_exponential(multiplier=0.1, max=5)
_later = tenacity.wait_random_exponential(multiplier=2, min=1, max=20)


class _TryAgainError(Exception):
    """The database rolled the transaction back for a passing reason."""

    def __init__(self, code: str, refusal: Refusal | None, *, later: bool) -> None:
        super().__init__(code)
        self.code = code
        self.refusal = refusal
        self.later = later


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
                with self._whole(connection, lease):
                    done = work(self._ledger(connection))
                if step:
                    failpoints.before(step)
            if step:
                failpoints.after(step)
            return done

        return self._repeated(once)

    @contextlib.contextmanager
    def _whole(self, connection: Connection, lease: Lease | None) -> Iterator[None]:
        """The lease checked first; and last, that what was written then is still there.

        A driver may lose a transaction without a word, when a question of its own to the server fails, and go on in
        a new one: then half of the work would be committed, and the rows paid for again.
        """
        if lease is None:
            yield
            return
        renew(connection, self.dialect, lease)
        renewed = term(connection, lease)
        yield
        if term(connection, lease) not in {renewed, None}:
            raise _TryAgainError("transaction lost", None, later=False)

    def read(self, work: Callable[[Ledger], T]) -> T:
        """Runs ``work`` on one consistent view, without a write lock."""

        def once() -> T:
            with self._mapped_errors(), self.engine.connect() as connection, self.dialect.reading(connection).begin():
                return work(self._ledger(connection))

        return self._repeated(once)

    def dispose(self) -> None:
        """Closes the connections."""
        self.engine.dispose()

    def _ledger(self, connection: Connection) -> SqlLedger:
        return SqlLedger(connection, self.dialect, actor=self._actor, is_dead=self._is_dead)

    def _repeated(self, once: Callable[[], T]) -> T:
        patient = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_TryAgainError), stop=_enough, wait=_pause, reraise=True
        )
        try:
            return patient(once)
        except _TryAgainError as error:
            raise _given_up(error) from error

    @contextlib.contextmanager
    def _mapped_errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise self._mapped(error) from error

    def _mapped(self, error: SQLAlchemyError) -> Exception:
        fault, code = self.dialect.fault(error), self.dialect.code(error)
        # A row's write says itself that its values are refused; constraints that wait do so at the COMMIT.
        if fault in {Fault.DATA, Fault.DUPLICATE} and isinstance(error, StatementError) and error.statement is None:
            return DataRefusedError(values_refused(code))
        # Somebody else was faster with a row of the ledger; whoever looks again finds it there.
        passing = fault in {Fault.AGAIN, Fault.LATER, Fault.DUPLICATE}
        refusal = self.dialect.refusal(error)
        if passing or (isinstance(error, DBAPIError) and error.connection_invalidated):
            return _TryAgainError(code, refusal, later=fault is Fault.LATER)
        reason = refusal.reason if refusal else "the database could not run a statement"
        return DatabaseError(
            f"{reason} ({code})", next_command=refusal.next_command if refusal else "run: batchd check-config"
        )


def _enough(state: tenacity.RetryCallState) -> bool:
    if _is_later(state):
        return (state.seconds_since_start or 0.0) >= _LATER_SECONDS
    return state.attempt_number >= _ATTEMPTS


def _pause(state: tenacity.RetryCallState) -> float:
    return _later(state) if _is_later(state) else _soon(state)


def _is_later(state: tenacity.RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    return isinstance(error, _TryAgainError) and error.later


def _given_up(error: _TryAgainError) -> DatabaseBusyError:
    if error.refusal is not None:
        return DatabaseBusyError(f"{error.refusal.reason} ({error.code})", next_command=error.refusal.next_command)
    return DatabaseBusyError(
        f"the database kept refusing a transaction ({error.code}), however often it was tried",
        next_command="look for a long transaction on the database, or a full disk of it, then run the same "
        "command again",
    )
