"""The user's table: its rows are locked, compared and written, whatever the values are."""

import re
from typing import Any

import pytest

from batchd.core.keys import RowKey
from batchd.core.model import RowNow
from batchd.core.tasks import Marker
from batchd.errors import DatabaseError, DataRefusedError
from tests.conformance.ledger_steps import asked
from tests.conformance.stores import ITEM, ColumnSpec, Desk, StoreUnderTest, a_definition

EVERY_PLANE = "".join(chr(plane * 0x10000 + 0x41) for plane in range(17)) + "\x01\x7f\u200b\ufffe\U0010ffff"
VALUES = ["", "text", 'O\'Hara "quoted" :a ? %s', "x" * 1_000_000, EVERY_PLANE, "\r\n\t", None]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_any_text_is_read_and_written_as_it_is(desk: Desk, value: str | None) -> None:
    """A megabyte, every plane of Unicode, the empty text and NULL."""
    desk.db.execute("UPDATE item SET body = ? WHERE id = 1", value)
    key = RowKey(1)

    (row,) = desk.store.read(lambda ledger: ledger.rows(desk.task_id, desk.definition).read([key]))
    desk.write(key, answer=value)

    assert {"body": value} == dict(row.inputs)
    assert [(value,)] == desk.db.execute("SELECT answer FROM item WHERE id = 1")


@pytest.mark.parametrize("value", [0, -1, 2**63 - 1, -(2**63), 1.5, 1e300, True, False, "007", b"\x00\xff"])
def test_numbers_and_bytes_are_written_as_they_are(db: StoreUnderTest, value: Any) -> None:
    """Nothing is turned into text on the way."""
    db.create_table(
        "item",
        ColumnSpec("id", "integer"),
        ColumnSpec("body"),
        ColumnSpec("answer", "untyped"),
        ColumnSpec("done"),
        key=["id"],
    )
    db.execute("INSERT INTO item (id) VALUES (1)")
    desk = Desk(db)

    desk.write(RowKey(1), answer=value)

    assert [(value,)] == db.execute("SELECT answer FROM item")


def test_a_locked_row_is_told_as_it_is_now(desk: Desk) -> None:
    """Its guard, whether it is pending, and the columns about to be written; a change of any shows."""
    rows = desk.definition
    (read,) = desk.store.read(lambda ledger: ledger.rows(desk.task_id, rows).read([RowKey(1)]))

    def now() -> RowNow:
        found = desk.store.transact(lambda ledger: ledger.rows(desk.task_id, rows).lock(asked([RowKey(1)])))
        return found[1, ""]

    assert RowNow(RowKey(1), True, read.guard, None, {"answer": None}) == now()  # noqa: FBT003 - pending
    desk.db.execute("UPDATE item SET answer = 'a person' WHERE id = 1")
    assert dict(now().before) == {"answer": "a person"}
    assert read.guard != now().guard
    desk.db.execute("UPDATE item SET answer = NULL, done = 'yes' WHERE id = 1")
    assert (False, read.guard) == (now().pending, now().guard)
    desk.db.execute("UPDATE item SET body = 'other' WHERE id = 1")
    assert read.guard != now().guard


@pytest.mark.parametrize(
    ("sql", "guard_is_read", "same"),
    [
        ("UPDATE item SET done = NULL", False, True),
        ("UPDATE item SET version = 2", True, True),
        ("UPDATE item SET version = NULL", True, True),
        ("UPDATE item SET version = 2, body = 'other'", True, False),
        ("UPDATE item SET version = 2, answer = 'other'", True, False),
    ],
)
def test_an_equal_guard_column_spares_the_comparison(
    db: StoreUnderTest, sql: str, *, guard_is_read: bool, same: bool
) -> None:
    """A different one only means: compare what was read."""
    db.create_table("item", *ITEM, ColumnSpec("version", "integer"), key=["id"])
    db.execute("INSERT INTO item (id, body, version) VALUES (1, 'text', 1)")
    definition = a_definition(guard_column="version")
    desk = Desk(db, definition)
    (read,) = desk.store.read(lambda ledger: ledger.rows(desk.task_id, definition).read([RowKey(1)]))

    db.execute(sql)

    request = asked([RowKey(1)], read.guard, read.guard_value)
    found = desk.store.transact(lambda ledger: ledger.rows(desk.task_id, definition).lock(request))[1, ""]
    assert read.guard_value == "1"
    assert guard_is_read == (found.guard is not None)
    assert same == (found.guard in {None, read.guard})


def test_constants_and_the_time_are_written_beside_the_answer(db: StoreUnderTest) -> None:
    """The time is the database's, UTC, to the second."""
    db.create_table("item", *ITEM, ColumnSpec("model"), key=["id"])
    db.execute("INSERT INTO item (id) VALUES (1)")
    desk = Desk(db, a_definition(on_success={"done": Marker(source="now"), "model": Marker(constant="m")}))
    before = db.clock().replace(microsecond=0)

    desk.write(RowKey(1), answer="yes", model="m")

    ((answer, model, done),) = db.execute("SELECT answer, model, done FROM item")
    assert (answer, model) == ("yes", "m")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", done)
    assert before.strftime("%Y-%m-%d %H:%M:%S") <= done <= db.clock().strftime("%Y-%m-%d %H:%M:%S")


def test_all_rows_are_written_or_none(desk: Desk) -> None:
    """A row that vanished takes the whole step back; the message counts and quotes nothing."""
    with pytest.raises(DatabaseError, match="2 rows were to be written, 1 were found") as error:
        desk.write_all((RowKey(1), {"answer": "sekret"}), (RowKey(99), {"answer": "sekret"}))

    assert "sekret" not in str(error.value)
    assert not isinstance(error.value, DataRefusedError)
    assert desk.db.execute("SELECT id FROM item WHERE answer IS NOT NULL") == []


def test_a_key_that_is_not_unique_writes_nothing(db: StoreUnderTest) -> None:
    """Two rows of one key are one row too many."""
    db.create_table("item", *ITEM)
    db.execute("INSERT INTO item (id) VALUES (1)")
    db.execute("INSERT INTO item (id) VALUES (1)")

    with pytest.raises(DatabaseError, match="1 rows were to be written, 2 were found"):
        Desk(db).write(RowKey(1), answer="x")

    assert db.execute("SELECT answer FROM item") == [(None,), (None,)]


REFUSALS = {
    "check": ("CHECK (answer <> 'sekret')", ""),
    "not null": ("NOT NULL DEFAULT ''", ""),
    "unique": ("UNIQUE", "UPDATE item SET answer = 'sekret' WHERE id = 2"),
    "trigger": (
        "",
        "CREATE TRIGGER no BEFORE UPDATE ON item BEGIN SELECT RAISE(ABORT, 'not sekret here'); END",
    ),
    "foreign key": ("REFERENCES other (id)", "CREATE TABLE other (id TEXT PRIMARY KEY)"),
    "foreign key at commit": (
        "REFERENCES other (id) DEFERRABLE INITIALLY DEFERRED",
        "CREATE TABLE other (id TEXT PRIMARY KEY)",
    ),
    "number too large": ("", ""),
    "half a character": ("", ""),
}
REFUSED: dict[str, Any] = {"not null": None, "number too large": 2**63, "half a character": "sekret \ud800"}


@pytest.mark.parametrize("reason", sorted(REFUSALS))
def test_values_that_the_database_refuses_are_the_rows_own(db: StoreUnderTest, reason: str) -> None:
    """A constraint, a trigger, a value out of range: nothing is written, and the error quotes nothing."""
    more, sql = REFUSALS[reason]
    db.create_table(
        "item",
        ColumnSpec("id", "integer"),
        ColumnSpec("body"),
        ColumnSpec("answer", more=more),
        ColumnSpec("done"),
        key=["id"],
    )
    for number in (1, 2):
        db.execute("INSERT INTO item (id, answer) VALUES (?, ?)", number, "" if reason == "not null" else None)
    if sql:
        db.execute(sql)
    desk = Desk(db)
    before = db.execute("SELECT * FROM item ORDER BY id")

    with pytest.raises(DataRefusedError) as error:
        desk.write(RowKey(1), answer=REFUSED.get(reason, "sekret"))

    assert "sekret" not in str(error.value) + error.value.next_command
    assert "refused the values" in str(error.value)
    assert before == db.execute("SELECT * FROM item ORDER BY id")
    assert desk.claimable(), "the store goes on working"


def test_a_missing_column_is_nobodys_row(desk: Desk) -> None:
    """A dropped column asks for a person; no row is blamed."""
    desk.db.execute("ALTER TABLE item DROP COLUMN answer")

    with pytest.raises(DatabaseError) as error:
        desk.write(RowKey(1), answer="sekret")

    assert not isinstance(error.value, DataRefusedError)
    assert "sekret" not in str(error.value)
    assert "check-config" in error.value.next_command


def test_writing_nothing_is_no_step(desk: Desk) -> None:
    """An empty chunk reaches no table."""
    desk.write_all()

    assert len(desk.claimable()) == 5
