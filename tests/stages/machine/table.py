"""The table the machine works on, its task, and the triggers that keep a story of what was done to each row.

The story is kept by the database itself, in the transactions that do things: it can't be told wrong by a crash.
"""

import contextlib
import sqlite3
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from batchd.core.fields import FieldSpec
from batchd.core.schema import ColumnInfo, answer_from_fields, with_columns
from batchd.core.tasks import KeyColumn, Marker, TaskDefinition
from batchd.store.migrate import upgrade
from batchd.store.opening import Database
from batchd.store.tables import LEDGER
from tests.stages.machine.clock import Clock, ClockedSqlite, furnish

MAX_RESENDS = 2

_TABLE = """
CREATE TABLE person (
    id        INTEGER PRIMARY KEY,
    resume    TEXT,
    name      VARCHAR(20) CHECK (name <> 'poison'),
    level     TEXT,
    done_at   TEXT,
    by_batch  TEXT,
    made_by   TEXT,
    note      TEXT,
    wanted    INTEGER NOT NULL DEFAULT 1,
    sticky    INTEGER NOT NULL DEFAULT 0,
    version   INTEGER NOT NULL DEFAULT 1
)
"""

_COLUMNS = ("resume", "name", "level", "done_at", "by_batch", "made_by", "note", "wanted")


def _row_as_json(row: str) -> str:
    return "json_object(" + ", ".join(f"'{name}', {row}.{name}" for name in _COLUMNS) + ")"


# `claim`: a request was recorded, and how its row stood. `write`: batchd wrote a row, and how it stood before.
_STORY = f"""
CREATE TABLE story (
    id INTEGER PRIMARY KEY, what TEXT, row_id INTEGER, batch_id INTEGER, seq INTEGER, before TEXT, after TEXT
);
CREATE TRIGGER story_claim AFTER INSERT ON batchd_request BEGIN
    INSERT INTO story (what, row_id, batch_id, seq, before)
    SELECT 'claim', NEW.key_int, NEW.batch_id, NEW.seq,
           (SELECT {_row_as_json("person")} FROM person WHERE id = NEW.key_int);
END;
CREATE TRIGGER story_finish AFTER UPDATE OF outcome ON batchd_request WHEN NEW.outcome IS NOT NULL BEGIN
    INSERT INTO story (what, row_id, batch_id, seq, before, after)
    VALUES ('finish', NEW.key_int, NEW.batch_id, NEW.seq, OLD.outcome, NEW.outcome);
END;
CREATE TRIGGER story_write AFTER UPDATE OF {", ".join(_COLUMNS)} ON person
WHEN machine_writer() = 'batchd' AND NEW.done_at IS NOT NULL BEGIN
    INSERT INTO story (what, row_id, before, after)
    VALUES ('write', NEW.id, {_row_as_json("OLD")}, {_row_as_json("NEW")});
END;
CREATE TRIGGER version_grows AFTER UPDATE OF {", ".join(_COLUMNS)} ON person BEGIN
    UPDATE person SET version = version + 1 WHERE id = NEW.id;
END;
-- A table of somebody's that never lets go of a row: it is pending again as soon as it is marked.
CREATE TRIGGER sticky_rows AFTER UPDATE OF done_at ON person
WHEN NEW.sticky = 1 AND NEW.done_at IS NOT NULL AND machine_writer() = 'batchd' BEGIN
    UPDATE person SET done_at = NULL WHERE id = NEW.id;
END;
"""

_FIELDS = {
    "name": FieldSpec(type="string", nullable=True, column="name"),
    "level": FieldSpec(type="string", enum=("junior", "senior"), column="level"),
}
_ANSWER = with_columns(answer_from_fields(_FIELDS), {"name": ColumnInfo("text", 20), "level": ColumnInfo("text")})


def machine_task(prompt: str, max_attempts: int, *, guard_column: str | None) -> TaskDefinition:
    """The task under a prompt's name: its requests begin with the name, and its rows are marked with it."""
    return TaskDefinition(
        name="people",
        vendor="model",
        table="person",
        key=(KeyColumn(name="id", kind="integer"),),
        # A column that batchd neither reads nor writes: only the predicate can tell that it changed.
        pending="done_at IS NULL AND wanted = 1",
        guard_column=guard_column,
        inputs=("resume",),
        null_input="error",
        endpoint="/v1/chat/completions",
        model="gpt-6-luna",
        prompt=prompt + "|{{ resume }}",
        answer=_ANSWER,
        on_success={
            "done_at": Marker(source="now"),
            "by_batch": Marker(source="batch"),
            "made_by": Marker(constant=prompt),
        },
        max_attempts=max_attempts,
        max_resends=MAX_RESENDS,
    )


def connect(path: Path, clock: Clock) -> sqlite3.Connection:
    """A person's connection: each statement is a transaction of its own."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    furnish(connection, clock, "person")
    return connection


def open_copy(folder: Path, clock: Clock) -> Database:
    """A fresh database with the table, an empty ledger and the story."""
    path = folder / "machine.db"
    path.write_bytes(_template())
    return _opened(path, clock)


def _opened(path: Path, clock: Clock) -> Database:
    url = sa.make_url(f"sqlite:///{path}")
    dialect = ClockedSqlite(clock)
    engine = dialect.create_engine(url, create=True).execution_options(schema_translate_map={LEDGER: None})
    return Database(url, dialect, engine)


@cache
def _template() -> bytes:
    """Made once a process: setting up the ledger takes longer than most examples' steps."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        database = _opened(path, Clock())
        upgrade(database.engine, database.dialect, database.url)
        database.engine.dispose()
        with contextlib.closing(connect(path, Clock())) as connection:
            connection.executescript(_TABLE + ";" + _STORY)
        return path.read_bytes()


def shown(row: sqlite3.Row) -> dict[str, Any]:
    """A database row as a dict, for messages."""
    return dict(row)
