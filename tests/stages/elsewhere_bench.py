"""A bench whose task reads a view, which nobody can write, and fills or adds rows of another table."""

from pathlib import Path
from typing import Any, Literal

from batchd.core.tasks import KeyColumn, Target, TaskDefinition
from batchd.inspection import verify
from tests.stages.bench import Bench, person_task

Mode = Literal["update", "insert"]
MODES: tuple[Mode, ...] = ("update", "insert")
NOT_YET = "NOT EXISTS (SELECT 1 FROM result r WHERE r.person = wanted.id AND r.done_at IS NOT NULL)"

CV = "CREATE TABLE cv (id INTEGER PRIMARY KEY, resume TEXT, hidden INTEGER DEFAULT 0)"
WANTED = "CREATE VIEW wanted AS SELECT id, resume FROM cv WHERE hidden = 0"
RESULT = """
CREATE TABLE result (
    number  INTEGER PRIMARY KEY,
    person  INTEGER NOT NULL UNIQUE,
    name    VARCHAR(20),
    level   TEXT CHECK (level IN ('junior', 'senior')),
    done_at TEXT,
    badge   TEXT UNIQUE,
    note    TEXT DEFAULT 'new'
)
"""


def elsewhere(mode: Mode, **changes: Any) -> TaskDefinition:
    """The people task over the view ``wanted``, with its answers in ``result``."""
    target = Target(table="result", key=(KeyColumn(name="person", kind="integer"),), mode=mode)
    usual = {"table": "wanted", "pending": None, "target": target, "max_attempts": 1}
    return person_task(**(usual | changes))


class ElsewhereBench(Bench):
    """The tables, and the task in one of its modes."""

    def __init__(self, folder: Path, mode: Mode, **changes: Any) -> None:
        self.mode = mode
        super().__init__(folder, elsewhere(mode, **changes), CV)
        for statement in (WANTED, RESULT):
            self.execute(statement)

    def add_people(self, *resumes: str | None, first: int = 1) -> None:
        """Adds rows to read and, where they are to be filled, rows to write."""
        for number, resume in enumerate(resumes, first):
            self.execute("INSERT INTO cv (id, resume) VALUES (?, ?)", number, resume)
            if self.mode == "update":
                self.execute("INSERT INTO result (person) VALUES (?)", number)

    def results(self) -> list[Any]:
        """(person, name, level, whether done, note) of each row, by person."""
        return self.execute("SELECT person, name, level, done_at IS NOT NULL, note FROM result ORDER BY person")

    def check(self) -> None:
        """No promise is broken."""
        verdict = verify(self.place)
        assert verdict.is_sound, verdict
