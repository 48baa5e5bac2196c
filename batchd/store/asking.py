"""Questions to the database on one consistent view: they change nothing, so they are asked again where that helps."""

from collections.abc import Callable
from typing import TypeVar

import tenacity
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from batchd.store.dialects.base import Fault, LedgerDialect

T = TypeVar("T")
# A deadlock, or a call that a signal broke, is over at once; a server that is away is a person's to hear of.
_ATTEMPTS = 3
_PAUSE = 0.1
_SECONDS = 1.0


def asked(engine: Engine, dialect: LedgerDialect, question: Callable[[Connection], T]) -> T:
    """Runs a question without a write lock, again after conflicts and lost connections. Raises SQLAlchemyError."""

    def once() -> T:
        with engine.connect() as connection, dialect.reading(connection).begin():
            return question(connection)

    def passes(error: BaseException) -> bool:
        return isinstance(error, SQLAlchemyError) and dialect.fault(error) is Fault.AGAIN

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(passes),
        stop=tenacity.stop_after_attempt(_ATTEMPTS) | tenacity.stop_after_delay(_SECONDS),
        wait=tenacity.wait_fixed(_PAUSE),
        reraise=True,
    )(once)
