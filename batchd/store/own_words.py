"""Errors of a database and of its driver, in our own words: theirs may quote a row's values or a password."""

import contextlib
from collections.abc import Iterator

from sqlalchemy.exc import SQLAlchemyError

from batchd.errors import DatabaseError
from batchd.store.dialects.base import LedgerDialect

_OTHERWISE = "run: batchd check-config"


def refused(dialect: LedgerDialect, error: Exception, what: str, *, otherwise: str = _OTHERWISE) -> DatabaseError:
    """What failed, why where we know it, what to do."""
    refusal, code = dialect.refusal(error), dialect.code(error)
    if refusal is None:
        return DatabaseError(f"{what} ({code})", next_command=otherwise)
    return DatabaseError(f"{what}: {refusal.reason} ({code})", next_command=refusal.next_command)


@contextlib.contextmanager
def in_own_words(dialect: LedgerDialect, what: str, *, otherwise: str = _OTHERWISE) -> Iterator[None]:
    """Raises DatabaseError for what SQLAlchemy raises, and for what drivers let through of others' errors.

    A setting that a driver does not know, a file it does not find, an identity it gets no token for: none of these is
    a database error to it. What nobody knows passes as it is, for it is a fault in the program.
    """
    try:
        yield
    except SQLAlchemyError as error:
        raise refused(dialect, error, what, otherwise=otherwise) from error
    except Exception as error:
        if dialect.refusal(error) is None:
            raise
        raise refused(dialect, error, what, otherwise=otherwise) from error
