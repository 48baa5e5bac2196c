"""The user's table: its rows are locked, compared and written, whatever the values are."""

import datetime as dt
import decimal
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from batchd.core.keys import RowKey
from batchd.core.model import RowNow
from batchd.core.tasks import AnswerSpec, Marker, WriteBack
from batchd.errors import DatabaseError, DataRefusedError
from tests.conformance.ledger_steps import asked
from tests.conformance.stores import ITEM, ColumnSpec, Desk, Kind, StoreUnderTest, a_definition, moment

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


# What core/answers.py gives for a column of each kind, and what a person then reads, where that is another thing.
AWARE = dt.datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=dt.UTC)
MOMENT = AWARE.replace(tzinfo=None)
WRITTEN: list[tuple[Kind, Any, Any]] = [
    *(("integer", value, value) for value in (0, -1, 2**31 - 1)),
    *(("bigint", value, value) for value in (2**63 - 1, -(2**63))),
    *(("number", value, value) for value in (1.5, -0.1, 1e300, 7)),
    ("decimal", 12.5, decimal.Decimal("12.5")),
    ("decimal", 7, decimal.Decimal(7)),
    ("boolean", True, True),
    ("boolean", False, False),
    ("varchar", "007", "007"),
    ("date", "2026-03-01", dt.date(2026, 3, 1)),
    ("datetime", "2026-03-01 12:30:15.250", MOMENT),
    ("datetime", "2026-03-01T12:30:15.250", MOMENT),
    ("moment", "2026-03-01T12:30:15.250Z", AWARE),
    ("moment", "2026-03-01T14:30:15.250+02:00", AWARE),
    ("guid", str(uuid.UUID(int=2**127 + 10)), uuid.UUID(int=2**127 + 10)),
    ("json", '{"a":[1,2.5,"é漢😀",null,true]}', {"a": [1, 2.5, "é漢😀", None, True]}),
    *(("untyped", value, value) for value in (1.5, True, "007", 2**63 - 1, b"\x00\xff")),
]


def as_python(value: Any, expected: Any) -> Any:
    """What a person's driver gives, as the type that is expected: some give text, JSON as its text, or naive times."""
    readers: dict[type, Callable[[str], Any]] = {
        uuid.UUID: uuid.UUID,
        dict: json.loads,
        dt.date: dt.date.fromisoformat,
        dt.datetime: dt.datetime.fromisoformat,
    }
    read = readers[type(expected)](value) if isinstance(value, str) and type(expected) in readers else value
    if not isinstance(expected, dt.datetime) or expected.tzinfo is None:
        return read
    return read.astimezone(dt.UTC) if read.tzinfo else read.replace(tzinfo=dt.UTC)


def _skip_unless_taken(db: StoreUnderTest, kind: Kind) -> None:
    if kind == "moment" and not db.takes_offsets:
        pytest.skip(f"{db.name} takes no time with an offset")


@pytest.mark.parametrize(("kind", "value", "expected"), WRITTEN)
def test_values_are_written_as_they_are(db: StoreUnderTest, kind: Kind, value: Any, expected: Any) -> None:
    """Nothing is turned into text on the way, and no time is moved to another zone; NULL is NULL in any column."""
    _skip_unless_taken(db, kind)
    db.create_table(
        "item",
        ColumnSpec("id", "integer"),
        ColumnSpec("body"),
        ColumnSpec("answer", kind),
        ColumnSpec("done"),
        key=["id"],
    )
    db.execute("INSERT INTO item (id) VALUES (1)")
    db.execute("INSERT INTO item (id) VALUES (2)")
    desk = Desk(db)

    desk.write_all((RowKey(1), {"answer": value}), (RowKey(2), {"answer": None}))

    (written,), (null,) = db.execute("SELECT answer FROM item ORDER BY id")
    assert expected == as_python(written, expected)
    assert null is None


@pytest.mark.parametrize(("kind", "value", "expected"), WRITTEN)
def test_a_row_of_any_kind_of_column_is_read_and_guarded(
    db: StoreUnderTest, kind: Kind, value: Any, expected: Any
) -> None:
    """What was read is the same when it is locked; a change of it shows."""
    del expected
    _skip_unless_taken(db, kind)
    db.create_table(
        "item",
        ColumnSpec("id", "integer"),
        ColumnSpec("body", kind),
        ColumnSpec("answer"),
        ColumnSpec("done"),
        key=["id"],
    )
    db.execute("INSERT INTO item (id) VALUES (1)")
    desk = Desk(db, a_definition(inputs=("body",)))
    filling = Desk(db, a_definition(name="filling", answer=AnswerSpec(columns=(WriteBack(column="body", path="@"),))))
    filling.write(RowKey(1), body=value)

    def guards() -> tuple[str, str | None]:
        (read,) = desk.store.read(lambda ledger: ledger.rows(desk.task_id, desk.definition).read([RowKey(1)]))
        locked = desk.store.transact(lambda ledger: ledger.rows(desk.task_id, desk.definition).lock(asked([RowKey(1)])))
        return read.guard, locked[1, ""].guard

    read, locked = guards()
    db.execute("UPDATE item SET body = NULL")

    assert read == locked
    assert read not in guards()


def test_a_rowversion_is_a_guard_column(db: StoreUnderTest) -> None:
    """It is read as it stands, and any change of the row moves it."""
    db.create_table("item", *ITEM, ColumnSpec("version", "rowversion"), key=["id"])
    db.execute("INSERT INTO item (id, body) VALUES (1, 'text')")
    definition = a_definition(guard_column="version")
    desk = Desk(db, definition)
    (read,) = desk.store.read(lambda ledger: ledger.rows(desk.task_id, definition).read([RowKey(1)]))
    request = asked([RowKey(1)], read.guard, read.guard_value)

    def now() -> RowNow:
        return desk.store.transact(lambda ledger: ledger.rows(desk.task_id, definition).lock(request))[1, ""]

    same = now()
    db.execute("UPDATE item SET body = 'other'")

    assert same.guard is None
    assert now().guard not in {None, read.guard}


def test_a_guard_column_may_hold_more_than_the_ledger_keeps(db: StoreUnderTest) -> None:
    """Any column may be one; what is long is kept as its hash, and any change of it shows."""
    db.create_table("item", *ITEM, ColumnSpec("version", "text"), key=["id"])
    db.execute("INSERT INTO item (id, body, version) VALUES (1, 'text', ?)", "x" * 5000)
    definition = a_definition(guard_column="version")
    desk = Desk(db, definition)
    batch = desk.build([RowKey(1)])
    (request,) = desk.store.transact(lambda ledger: ledger.requests.lock_open(batch.id, [1]))

    def now() -> RowNow:
        return desk.store.transact(lambda ledger: ledger.rows(desk.task_id, definition).lock([request]))[1, ""]

    same = now()
    db.execute("UPDATE item SET version = ?", "x" * 4999 + "y")

    assert "x" not in (request.guard_value or "")
    assert same.guard is None
    assert now().guard is not None


def test_a_locked_row_is_told_as_it_is_now(desk: Desk) -> None:
    """Its guard, whether it is pending, and the columns about to be written; a change of any shows."""
    rows = desk.definition
    (read,) = desk.store.read(lambda ledger: ledger.rows(desk.task_id, rows).read([RowKey(1)]))

    def now() -> RowNow:
        found = desk.store.transact(lambda ledger: ledger.rows(desk.task_id, rows).lock(asked([RowKey(1)])))
        return found[1, ""]

    assert RowNow(RowKey(1), True, read.guard, None, {"answer": None}) == now()  # noqa: FBT003 - pending
    desk.db.execute("UPDATE item SET answer = 'a person' WHERE id = 1")
    assert dict(now().before or {}) == {"answer": "a person"}
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


@pytest.mark.parametrize("kind", ["datetime", "moment"])
def test_constants_and_the_time_are_written_beside_the_answer(db: StoreUnderTest, kind: Kind) -> None:
    """The time is the database's, UTC, whatever the column keeps times as."""
    done = ColumnSpec("done", kind)
    db.create_table("item", ColumnSpec("id", "integer"), *ITEM[1:3], done, ColumnSpec("model"), key=["id"])
    db.execute("INSERT INTO item (id) VALUES (1)")
    markers = {"done": Marker(source="now", zoned=kind == "moment"), "model": Marker(constant="m")}
    desk = Desk(db, a_definition(on_success=markers))
    before = db.clock().replace(microsecond=0)

    desk.write(RowKey(1), answer="yes", model="m")

    ((answer, model, written),) = db.execute("SELECT answer, model, done FROM item")
    assert (answer, model) == ("yes", "m")
    assert before <= moment(written) <= db.clock() + dt.timedelta(milliseconds=1)


def test_all_rows_are_written_or_none(desk: Desk) -> None:
    """A row that vanished takes the whole step back; the message counts and quotes nothing."""
    with pytest.raises(DatabaseError, match="2 rows were to be written, 1 were found") as error:
        desk.write_all((RowKey(1), {"answer": "sekret"}), (RowKey(99), {"answer": "sekret"}))

    assert "sekret" not in str(error.value)
    assert not isinstance(error.value, DataRefusedError)
    assert desk.db.execute("SELECT id FROM item WHERE answer IS NOT NULL") == []


def test_what_a_trigger_writes_is_not_counted(desk: Desk) -> None:
    """Neither its rows nor its counts pass for rows of the task."""
    desk.db.audit_updates("item")

    desk.write_all(*((RowKey(number), {"answer": "x"}) for number in (1, 2, 3)))
    with pytest.raises(DatabaseError, match="2 rows were to be written, 1 were found"):
        desk.write_all((RowKey(4), {"answer": "x"}), (RowKey(99), {"answer": "x"}))

    assert [(3, 6)] == desk.db.execute("SELECT count(answer), (SELECT count(*) FROM audit) FROM item")


def test_a_key_that_is_not_unique_writes_nothing(db: StoreUnderTest) -> None:
    """Two rows of one key are one row too many."""
    db.create_table("item", *ITEM)
    for _ in range(2):
        db.execute("INSERT INTO item (id) VALUES (1)")

    with pytest.raises(DatabaseError, match="1 rows were to be written, 2 were found"):
        Desk(db).write(RowKey(1), answer="x")

    assert db.execute("SELECT answer FROM item") == [(None,), (None,)]


# More of the answer's column, and another table that it then needs.
REFUSALS = {
    "check": "CHECK (answer <> 'sekret')",
    "not null": "NOT NULL DEFAULT ''",
    "unique": "UNIQUE",
    "trigger": "",
    "foreign key": "REFERENCES other (id)",
    "foreign key at commit": "REFERENCES other (id) DEFERRABLE INITIALLY DEFERRED",
    "unique at commit": "UNIQUE DEFERRABLE INITIALLY DEFERRED",
    "too long": "",
    "number too large": "",
    "not a date": "",
    "half a character": "",
}
REFUSED: dict[str, Any] = {
    "not null": None,
    "too long": "sekret" * 100,
    "number too large": 2**63,
    "not a date": "sekret",
    "half a character": "sekret \ud800",
}
KINDS: dict[str, Kind] = {"number too large": "bigint", "not a date": "date"}


@pytest.mark.parametrize("reason", sorted(REFUSALS))
def test_values_that_the_database_refuses_are_the_rows_own(db: StoreUnderTest, reason: str) -> None:
    """A constraint, a trigger, a value out of range: nothing is written, and the error quotes nothing."""
    if reason in db.refuses_not:
        pytest.skip(f"{db.name} refuses nothing for: {reason}")
    if "foreign key" in reason:
        db.create_table("other", ColumnSpec("id", "varchar"), key=["id"])
    answer = ColumnSpec("answer", KINDS.get(reason, "varchar"), more=REFUSALS[reason])
    db.create_table("item", ColumnSpec("id", "integer"), ColumnSpec("body"), answer, ColumnSpec("done"), key=["id"])
    for number in (1, 2):
        # Of a unique column, SQL Server takes NULL only once.
        twice = ["another", "sekret"][number - 1]
        given = {"not null": "", "unique": twice, "unique at commit": twice}.get(reason)
        db.execute("INSERT INTO item (id, answer) VALUES (?, ?)", number, given)
    if reason == "trigger":
        db.refuse_updates("item", "not sekret here")
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
    assert str(getattr(error.value.__cause__, "orig", "")).splitlines()[0] not in error.value.message
    assert "check-config" in error.value.next_command


@pytest.mark.parametrize("value", ["sekret", "sekret \ud800"], ids=["refused", "unsendable"])
def test_what_an_error_comes_from_shows_no_values_either(desk: Desk, value: str) -> None:
    """It may end in a traceback: the statement, and none of its parameters."""
    desk.db.refuse_updates("item", "not you")

    with pytest.raises(DataRefusedError) as error:
        desk.write(RowKey(1), answer=value)

    assert "sekret" not in str(error.value.__cause__)


def test_writing_nothing_is_no_step(desk: Desk) -> None:
    """An empty chunk reaches no table."""
    desk.write_all()

    assert len(desk.claimable()) == 5
