"""How a service stands, in the one line that ``systemctl status`` shows."""

import datetime as dt
from typing import Any

from batchd.store.opening import Database
from batchd.store.overview import backlog_in_all, in_flight_facts, recent_facts
from batchd.store.reading import ask

# SQLAlchemy's connection, which only the store knows by name.
Connection = Any


def status_line(database: Database) -> str:
    """Such as ``3 in flight, 12 410 pending, $4.10 today``: open batches, rows of the last sweeps, the UTC day.

    Raises:
        DatabaseError: the ledger can't be read.
    """
    return ask(database, _line)


def _line(connection: Connection) -> str:
    batches = sum(one["batches"] for one in in_flight_facts(connection))
    pending = f"{backlog_in_all(connection):,}".replace(",", " ")
    spent = sum(one["cost_usd_today"] for one in recent_facts(connection, dt.datetime.now(dt.UTC)).values())
    return f"{batches} in flight, {pending} pending, ${spent:,.2f} today"
