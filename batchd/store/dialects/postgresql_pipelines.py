"""Statements that go out together, so that a distant server is waited for once and not for each of them."""

import contextlib
from collections.abc import Iterator
from typing import Any

from psycopg import Error, OperationalError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

_TOGETHER = "statements that were sent together"


@contextlib.contextmanager
def answered_together(connection: Connection) -> Iterator[None]:
    """Statements that return nothing are sent one after the other, and their answers looked at when all are.

    Raises DBAPIError at the end, of the first that failed; those behind it were not run.
    """
    driver: Any = connection.connection.driver_connection
    try:
        with driver.pipeline():
            yield
    except Error as error:
        # Met outside of any single statement, whose error SQLAlchemy would have made the same of. It names one all the
        # same: without, it would pass for what the COMMIT has refused.
        is_lost = isinstance(error, OperationalError) and driver.closed
        if is_lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            _TOGETHER, None, error, Error, hide_parameters=True, connection_invalidated=is_lost
        ) from error
