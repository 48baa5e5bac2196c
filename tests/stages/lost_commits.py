"""A database connection that breaks at a commit of a named step, or in the middle of a transaction."""

import sqlite3
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from sqlalchemy import Engine

from batchd import failpoints

Fault = Literal["answer lost", "connection lost", "busy"]


@dataclass
class BrokenCommit:
    """The n-th commit of a step comes to nothing, or takes effect and is not answered.

    ``seen`` counts the commits of each step, ``struck`` says that the fault was played.
    """

    step: str = ""
    passing: int = 1
    fault: Fault = "answer lost"
    struck: bool = False
    seen: dict[str, int] = field(default_factory=dict)

    def arm(self, monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
        """Breaks the engine's commits from now on."""
        named: list[str] = []
        commit = engine.dialect.do_commit

        def break_it(connection: Any) -> None:
            step = named.pop() if named else ""
            named.clear()
            self.seen[step] = self.seen.get(step, 0) + 1
            strikes = step == self.step and self.seen[step] == self.passing
            if not strikes or self.fault == "answer lost":
                commit(connection)
            if strikes:
                self.struck = True
                raise _busy() if self.fault == "busy" else _gone()

        # The engine names a step right before its commit; whoever named one before it is no commit.
        monkeypatch.setattr(failpoints, "before", named.append)
        monkeypatch.setattr(engine.dialect, "do_commit", break_it)


@dataclass
class BrokenStatement:
    """The first statement that begins so finds its connection dead, in the middle of its transaction."""

    beginning: str
    struck: bool = False

    def arm(self, monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
        """Breaks the engine's statements from now on."""
        for name in ("do_execute", "do_executemany"):
            self._arm(monkeypatch, engine, name)

    def _arm(self, monkeypatch: pytest.MonkeyPatch, engine: Engine, name: str) -> None:
        execute = getattr(engine.dialect, name)

        def break_it(cursor: Any, statement: str, *rest: Any) -> None:
            if statement.startswith(self.beginning) and not self.struck:
                self.struck = True
                raise _gone()
            execute(cursor, statement, *rest)

        monkeypatch.setattr(engine.dialect, name, break_it)


def _gone() -> sqlite3.ProgrammingError:
    # What SQLAlchemy takes for a connection that is gone.
    return sqlite3.ProgrammingError("Cannot operate on a closed database.")


def _busy() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    error.sqlite_errorname = "SQLITE_BUSY"
    return error
