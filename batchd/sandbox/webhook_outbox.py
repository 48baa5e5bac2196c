"""Webhooks that are to be sent: one for each batch that came to an end, kept in the state until somebody took it."""

import sqlite3
from dataclasses import dataclass

from batchd.sandbox.batches import find_batch, open_batches
from batchd.sandbox.faults import take_webhook_fault
from batchd.sandbox.identifiers import new_id
from batchd.sandbox.standing import standing
from batchd.sandbox.state import read_setting, write_setting
from batchd.sandbox.webhook_message import Event

SETTING = "webhooks"
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
GIVEN_UP_AFTER = 72 * 3_600


@dataclass(frozen=True)
class Outgoing:
    """A webhook whose time has come, the fault that befalls it, and how often it was tried."""

    event: Event
    fault: str | None
    tries: int
    begun_at: float


def subscribe(connection: sqlite3.Connection, now: float) -> None:
    """Tell of all that ends from now on; a subscription that is there goes on. ``now`` is the virtual time."""
    if "since" not in read_setting(connection, SETTING):
        write_setting(connection, SETTING, {"since": now})


def write_new(connection: sqlite3.Connection, now: float, real_now: float) -> None:
    """Put what has ended, by virtual time, into the outbox; ``real_now`` is when it is due."""
    since = read_setting(connection, SETTING).get("since", now)
    untold = "SELECT id FROM batch WHERE ended_at >= ? AND id NOT IN (SELECT batch_id FROM webhook) ORDER BY ended_at"
    for row in connection.execute(untold, (since,)).fetchall():
        batch = find_batch(connection, row["id"])
        if batch is not None and batch.end is not None:
            _add(connection, batch.created.id, batch.end.status, batch.end.at, real_now)
    _write_early(connection, now, real_now)


def due(connection: sqlite3.Connection, real_now: float) -> list[Outgoing]:
    """Return what is to be sent now, oldest first."""
    rows = connection.execute("SELECT * FROM webhook WHERE due_at <= ? ORDER BY seq", (real_now,))
    return [
        Outgoing(
            Event(row["event_id"], row["type"], int(row["created_at"]), row["batch_id"]),
            row["fault"],
            row["tries"],
            row["begun_at"],
        )
        for row in rows
    ]


def note(connection: sqlite3.Connection, sent: Outgoing, status: int | None, real_now: float) -> None:
    """Write down what was answered: what nobody took is due again later, each pause twice the one before."""
    taken = status is not None and 200 <= status < 300  # noqa: PLR2004, any 2xx
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(sent.tries, 20))
    over = taken or real_now - sent.begun_at > GIVEN_UP_AFTER
    connection.execute(
        "UPDATE webhook SET tries = tries + 1, status = ?, due_at = ? WHERE event_id = ?",
        (status, None if over else real_now + pause, sent.event.id),
    )
    connection.execute(
        "UPDATE webhook SET due_at = ? WHERE fault = 'out_of_order' AND tries = 0"
        " AND seq < (SELECT seq FROM webhook WHERE event_id = ?)",
        (real_now, sent.event.id),
    )


def show(connection: sqlite3.Connection) -> list[dict[str, object]]:
    """Return all webhooks, oldest first: what they told, their fault, tries, last status, whether more tries come."""
    rows = connection.execute("SELECT * FROM webhook ORDER BY seq")
    return [
        {
            "id": row["event_id"],
            "type": row["type"],
            "batch": row["batch_id"],
            "fault": row["fault"],
            "tries": row["tries"],
            "status": row["status"],
            "waiting": row["due_at"] is not None,
        }
        for row in rows
    ]


def _write_early(connection: sqlite3.Connection, now: float, real_now: float) -> None:
    for batch in open_batches(connection):
        known = connection.execute("SELECT 1 FROM webhook WHERE batch_id = ?", (batch.created.id,)).fetchone()
        running = known is None and standing(connection, batch, now).status == "in_progress"
        if running and take_webhook_fault(connection, early=True) is not None:
            _insert(connection, batch.created.id, "completed", now, fault="early", due_at=real_now, begun_at=real_now)


def _add(connection: sqlite3.Connection, batch_id: str, status: str, at: float, real_now: float) -> None:
    fault = take_webhook_fault(connection, early=False)
    kind = None if fault is None else fault.kind
    due_at = None if kind in ("lost", "out_of_order") else real_now + (0.0 if fault is None else fault.seconds)
    _insert(connection, batch_id, status, at, fault=kind, due_at=due_at, begun_at=real_now)


def _insert(  # noqa: PLR0913, one argument for each column
    connection: sqlite3.Connection,
    batch_id: str,
    status: str,
    at: float,
    *,
    fault: str | None,
    due_at: float | None,
    begun_at: float,
) -> None:
    connection.execute(
        "INSERT INTO webhook (event_id, type, batch_id, created_at, fault, tries, due_at, begun_at)"
        " VALUES (?, ?, ?, ?, ?, 0, ?, ?)",
        (new_id("evt_"), f"batch.{status}", batch_id, at, fault, due_at, begun_at),
    )
