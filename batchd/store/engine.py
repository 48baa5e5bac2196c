"""Transactions: the lease checked first, the whole thing run again where the database asks for it."""

import contextlib
import traceback
from collections.abc import Callable, Iterator
from typing import TypeVar

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as NoFreeConnectionError

from batchd import failpoints
from batchd.core.model import Lease
from batchd.errors import BatchdError, DatabaseError, DataRefusedError
from batchd.ports import Ledger
from batchd.stop import Stop
from batchd.store.dialects.base import Fault, LedgerDialect, Refusal
from batchd.store.leases import renew, term
from batchd.store.ledger import SqlLedger
from batchd.store.news import News
from batchd.store.own_words import in_own_words
from batchd.store.patience import Patience, TryAgainError
from batchd.store.rows import values_refused

T = TypeVar("T")
# Where the driver's own words tell a person nothing.
_NO_CONNECTION = Refusal(
    "the database takes no connection", "see whether its server runs, and check host and port of database.url"
)
# The pool bounds them, so that many tasks don't take all that the server has.
_ALL_AT_WORK = Refusal(
    "all of batchd's connections to the database are at work", "look for what is slow there, such as a lock on a table"
)


class SqlStore:
    """A ledger in an SQL database.

    Args:
        engine: made by the dialect, with the ledger's schema translated.
        dialect: what differs from other databases.
        actor: who writes, for the events.
        is_dead: tells that the owner of a lease is provably gone.
        stop: cuts the waiting for a server short, once it is asked for.
    """

    def __init__(
        self,
        engine: Engine,
        dialect: LedgerDialect,
        *,
        actor: str,
        is_dead: Callable[[str], bool] = lambda _: False,
        stop: Stop | None = None,
    ) -> None:
        self.engine = engine
        self.dialect = dialect
        self._actor = actor
        self._is_dead = is_dead
        self._patience = Patience(stop or Stop())

    @property
    def is_served(self) -> bool:
        """True where a server does the database's work, and this process waits for it."""
        return self.dialect.is_served

    def transact(self, work: Callable[[Ledger], T], *, lease: Lease | None = None, step: str = "") -> T:
        """Runs ``work`` in one transaction, again as a whole after deadlocks and lost connections.

        A COMMIT whose answer was lost is run again too: every ``work`` looks at the ledger before it acts. What it did
        to findings, and the ends of batches, are logged when it is done.
        """
        news = News()

        def once() -> T:
            nonlocal news
            with self._mapped_errors(), self._connected() as connection, connection.begin():
                ledger = self._ledger(connection)
                with self._whole(connection, lease):
                    done = work(ledger)
                    news = ledger.news_with(news)
                if step:
                    failpoints.before(step)
            self._patience.trouble.committed()
            news.tell()
            if step:
                failpoints.after(step)
            return done

        try:
            return self._patience.repeat(once, step)
        except BatchdError:
            # The second run may stop at what the first one has done, whose COMMIT was not answered.
            if news:
                with contextlib.suppress(DatabaseError):
                    self._read(lambda ledger: ledger.news_with(news)).tell()
            raise

    @contextlib.contextmanager
    def _whole(self, connection: Connection, lease: Lease | None) -> Iterator[None]:
        """The lease checked first; and last, that what was written then is still there.

        A driver may lose a transaction without a word, when a question of its own to the server fails, and go on in
        a new one: then half of the work would be committed, and the rows paid for again.
        """
        if lease is not None:
            renew(connection, self.dialect, lease)
        if lease is None or not self.dialect.loses_transactions:
            yield
            return
        renewed = term(connection, lease)
        yield
        if term(connection, lease) not in {renewed, None}:
            raise TryAgainError("transaction lost", None)

    def read(self, work: Callable[[Ledger], T]) -> T:
        """Runs ``work`` on one consistent view, without a write lock."""
        return self._read(work)

    def _read(self, work: Callable[[SqlLedger], T]) -> T:
        def once() -> T:
            with self._mapped_errors(), self._connected() as connection, self.dialect.reading(connection).begin():
                return work(self._ledger(connection))

        return self._patience.repeat(once, "")

    def ask(self, work: Callable[[Ledger], T]) -> T:
        """Runs ``work``, which is one single statement that reads."""

        def once() -> T:
            with self._mapped_errors(), self._connected() as connection, self.dialect.asking(connection).begin():
                _allow_one_statement(connection)
                return work(self._ledger(connection))

        return self._patience.repeat(once, "")

    def _ledger(self, connection: Connection) -> SqlLedger:
        return SqlLedger(connection, self.dialect, actor=self._actor, is_dead=self._is_dead)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection. One that cannot be made is waited for, also where a broken one would be made anew at once."""
        with in_own_words(self.dialect, "no connection to the database could be made"):
            try:
                connection = self.engine.connect()
            except NoFreeConnectionError as error:
                raise TryAgainError("pool", _ALL_AT_WORK) from error
            except SQLAlchemyError as error:
                if self.dialect.fault(error) not in {Fault.AGAIN, Fault.LATER}:
                    raise
                code, refusal = self.dialect.code(error), self.dialect.refusal(error)
                _clear_frames(error)
                raise TryAgainError(code, refusal or _NO_CONNECTION, self._patience.trouble.away(code)) from error
        self._patience.trouble.connected()
        with connection:
            yield connection

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
        refusal = self.dialect.refusal(error)
        if fault is Fault.LATER:
            return TryAgainError(code, refusal, self._patience.trouble.refused())
        # Somebody else was faster with a row of the ledger; whoever looks again finds it there.
        passing = fault in {Fault.AGAIN, Fault.DUPLICATE}
        if passing or (isinstance(error, DBAPIError) and error.connection_invalidated):
            return TryAgainError(code, refusal)
        reason = refusal.reason if refusal else "the database could not run a statement"
        return DatabaseError(
            f"{reason} ({code})", next_command=refusal.next_command if refusal else "run: batchd check-config"
        )


def _allow_one_statement(connection: Connection) -> None:
    """A second one could see another state of things, wherever there is no transaction around them."""
    seen: list[str] = []

    def count(*told: object) -> None:
        seen.append(str(told[2]))
        if len(seen) > 1:
            msg = f"one statement was announced, and a second one came: {seen[-1]}"
            raise RuntimeError(msg)

    event.listen(connection, "before_cursor_execute", count)


def _clear_frames(error: BaseException) -> None:
    """Lets go of what the driver had in hand: nearly a megabyte for TLS, in a circle that would be found much later.

    A database may be away for hours, and is tried again and again.
    """
    seen: BaseException | None = error
    while seen is not None:
        traceback.clear_frames(seen.__traceback__)
        seen = seen.__cause__ or seen.__context__
