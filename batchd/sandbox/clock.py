"""The sandbox's own time: real time moved by an offset, or frozen; kept in the state."""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

from batchd.sandbox.state import read_setting, write_setting

SETTING = "clock"


@dataclass(frozen=True)
class VirtualClock:
    """Reads and moves the virtual time, in Unix seconds."""

    real_time: Callable[[], float] = time.time

    def now(self, connection: sqlite3.Connection) -> float:
        """Return the virtual time."""
        offset, frozen_at = _read(connection)
        return self.real_time() + offset if frozen_at is None else frozen_at

    def advance(self, connection: sqlite3.Connection, seconds: float) -> None:
        """Move the time by ``seconds``, frozen or not."""
        offset, frozen_at = _read(connection)
        if frozen_at is None:
            _write(connection, offset + seconds, None)
        else:
            _write(connection, offset, frozen_at + seconds)

    def freeze(self, connection: sqlite3.Connection) -> None:
        """Stop the time where it is."""
        offset, _ = _read(connection)
        _write(connection, offset, self.now(connection))

    def unfreeze(self, connection: sqlite3.Connection) -> None:
        """Let the time go on from where it was stopped."""
        _, frozen_at = _read(connection)
        if frozen_at is not None:
            _write(connection, frozen_at - self.real_time(), None)

    def show(self, connection: sqlite3.Connection) -> dict[str, object]:
        """Return the virtual time, the offset to real time in seconds, and whether it is frozen."""
        now = self.now(connection)
        _, frozen_at = _read(connection)
        return {"now": now, "offset": now - self.real_time(), "frozen": frozen_at is not None}


def _read(connection: sqlite3.Connection) -> tuple[float, float | None]:
    stored = read_setting(connection, SETTING)
    offset, frozen_at = stored.get("offset", 0.0), stored.get("frozen_at")
    return (
        float(offset) if isinstance(offset, int | float) else 0.0,
        float(frozen_at) if isinstance(frozen_at, int | float) else None,
    )


def _write(connection: sqlite3.Connection, offset: float, frozen_at: float | None) -> None:
    write_setting(connection, SETTING, {"offset": offset, "frozen_at": frozen_at})
