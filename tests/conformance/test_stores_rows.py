"""The user's table: found, read, locked and written whatever its names, keys, predicate and values are."""

import re
from collections.abc import Sequence
from typing import Any

import pytest

from batchd.core.keys import KeyCodec, RowKey
from batchd.core.model import OpenRequest, RowNow
from batchd.core.outcomes import Tries
from batchd.core.tasks import AnswerSpec, KeyColumn, KeyEquality, KeyKind, Marker, WriteBack
from batchd.errors import DatabaseError, DataRefusedError
from tests.conformance.stores import ITEM, ColumnSpec, Desk, Kind, StoreUnderTest, a_definition

AWKWARD = [
    "",
    " ",
    "a",
    "A",
    "O'Hara",
    '"',
    "a:b",
    "line\nbreak",
    "é",
    "漢字",
    "😀",
    "100%",
    "?",
    "\\",
    "1",
    "01",
]
EVERY_PLANE = "".join(chr(plane * 0x10000 + 0x41) for plane in range(17)) + "\x01\x7f\u200b\ufffe\U0010ffff"
MARKERS = [ColumnSpec("body"), ColumnSpec("answer"), ColumnSpec("done")]


def keyed(db: StoreUnderTest, columns: Sequence[KeyColumn], keys: Sequence[Sequence[Any]]) -> Desk:
    """A task over a table with this key and these rows."""
    kinds: dict[KeyKind, Kind] = {"integer": "integer", "binary": "binary"}
    specs = [ColumnSpec(one.name, kinds.get(one.kind, "text"), one.equality) for one in columns]
    names = [one.name for one in columns]
    db.create_table("item", *specs, *MARKERS, key=names)
    for key in keys:
        db.execute(f"INSERT INTO item ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", *key)
    return Desk(db, a_definition(key=tuple(columns)))


def in_order(desk: Desk) -> list[Any]:
    names = ", ".join(desk.definition.key_columns)
    return desk.db.execute(f"SELECT {names} FROM item ORDER BY {names}")


def decoded(desk: Desk, keys: Sequence[RowKey]) -> list[Any]:
    return [KeyCodec(desk.definition.key).decode(key) for key in keys]


KEYS: list[tuple[list[tuple[KeyKind, KeyEquality]], list[tuple[Any, ...]]]] = [
    ([("integer", "exact")], [(0,), (-(2**63),), (2**63 - 1,), (7,), (-1,), (10,)]),
    ([("text", "exact")], [(text,) for text in AWKWARD]),
    ([("text", "nocase")], [(text,) for text in AWKWARD if text != "A"]),
    ([("text", "rtrim")], [(text,) for text in AWKWARD if text != " "]),
    ([("binary", "exact")], [(b"",), (b"\x00",), (b"'\xff",), (b"\xff\x00",)]),
    ([("text", "exact"), ("integer", "exact")], [(text, number) for text in AWKWARD for number in (1, -2)]),
    ([("integer", "exact"), ("integer", "exact")], [(one, two) for one in (2, 1) for two in (3, 1, 2)]),
    (
        [("text", "nocase"), ("text", "exact"), ("integer", "exact")],
        [(one, two, three) for one in "aB" for two in ("x:1", "X", "") for three in (0, 5)],
    ),
]


def columns_of(kinds: Sequence[tuple[KeyKind, KeyEquality]]) -> list[KeyColumn]:
    return [KeyColumn(name=f"k{at}", kind=kind, equality=equality) for at, (kind, equality) in enumerate(kinds)]


@pytest.mark.parametrize(("kinds", "keys"), KEYS)
@pytest.mark.parametrize("limit", [1, 3])
def test_pages_hold_every_row_once_in_the_databases_order(
    db: StoreUnderTest, kinds: list[tuple[KeyKind, KeyEquality]], keys: list[tuple[Any, ...]], limit: int
) -> None:
    """Whatever the key and the size of a page."""
    desk = keyed(db, columns_of(kinds), keys)

    found = desk.pages(limit)

    assert in_order(desk) == decoded(desk, [key for page in found for key in page.keys])
    assert all(len(page.keys) <= limit for page in found)
    assert found[-1].last is None


@pytest.mark.parametrize(("kinds", "keys"), KEYS)
def test_rows_are_found_again_by_their_keys(
    db: StoreUnderTest, kinds: list[tuple[KeyKind, KeyEquality]], keys: list[tuple[Any, ...]]
) -> None:
    """Read in the order asked for, told whether pending, written: each the row of its own key."""
    desk = keyed(db, columns_of(kinds), keys)
    wanted = list(reversed(desk.claimable()))
    rows = desk.definition

    read = desk.store.read(lambda ledger: ledger.rows(desk.task_id, rows).read(wanted))
    pending = desk.store.read(lambda ledger: ledger.rows(desk.task_id, rows).pending_among(wanted))
    desk.write_all(*((key, {"answer": str(at)}) for at, key in enumerate(wanted)))

    assert wanted == [row.key for row in read]
    assert {key.identity for key in wanted} == pending
    names = ", ".join(rows.key_columns)
    written = {tuple(row[:-1]): row[-1] for row in db.execute(f"SELECT {names}, answer FROM item")}
    assert {key: str(at) for at, key in enumerate(decoded(desk, wanted))} == written


@pytest.mark.parametrize(("kinds", "keys"), KEYS)
def test_gated_rows_are_not_claimable(
    db: StoreUnderTest, kinds: list[tuple[KeyKind, KeyEquality]], keys: list[tuple[Any, ...]]
) -> None:
    """Rows in work are left out, the others come, and the count agrees."""
    desk = keyed(db, columns_of(kinds), keys)
    every = desk.claimable()

    desk.build(every[1::2])

    assert every[0::2] == desk.claimable(limit=2)
    count = desk.store.read(lambda ledger: ledger.rows(desk.task_id, desk.definition).count_claimable())
    assert len(every[0::2]) == count


@pytest.mark.parametrize(("equality", "renamed"), [("nocase", "ADA"), ("rtrim", "ada  ")])
def test_a_key_that_changed_within_its_collation_is_the_same_row(
    db: StoreUnderTest, equality: KeyEquality, renamed: str
) -> None:
    """The row is found, is no new one, and is written."""
    desk = keyed(db, [KeyColumn(name="k0", kind="text", equality=equality)], [("ada",)])
    (key,) = desk.claimable()
    desk.build([key])

    db.execute("UPDATE item SET k0 = ?", renamed)

    assert desk.claimable() == []
    desk.write(key, answer="written")
    assert [(renamed, "written")] == db.execute("SELECT k0, answer FROM item")


def test_rows_without_a_usable_key_are_passed_over_and_told(db: StoreUnderTest) -> None:
    """NULL is left out; text among numbers, where a database has that, is counted and not claimed."""
    db.create_table("item", ColumnSpec("id", "integer", more="UNIQUE"), *MARKERS)
    odd: list[Any] = ["text", "z'z", 1.5, b"raw"] if db.name == "sqlite" else []
    for value in (2, None, 1, None, *odd):
        db.execute("INSERT INTO item (id) VALUES (?)", value)
    desk = Desk(db)

    pages = desk.pages(2)

    assert [key.integer for page in pages for key in page.keys] == [1, 2]
    assert len(odd) == sum(page.unusable for page in pages)


def test_rows_without_a_key_are_no_backlog(db: StoreUnderTest) -> None:
    """What can never be claimed is not counted as waiting."""
    db.create_table("item", ColumnSpec("id", "integer", more="UNIQUE"), *MARKERS)
    db.execute("INSERT INTO item (id) VALUES (NULL)")
    db.execute("INSERT INTO item (id) VALUES (1)")
    desk = Desk(db)

    assert desk.store.read(lambda ledger: ledger.rows(desk.task_id, desk.definition).count_claimable()) == 1


PREDICATES = [
    "body = 'a :b'", "body = 'it''s' OR body = 'a :b'", "body LIKE 'a%'", "body = 'a?b'", "body = '%(x)s'",
    "body = '%s' OR body LIKE '100\\%%' ESCAPE '\\'", "body = 'a::date'", "body = 'a :b' -- and no more",
    "body = 'a :b' -- what? :x %s", "/* (the new) */ body = 'new'", "state = 'new'",
    "key_int IS NOT NULL AND state = 'new'",
    "state = 'new' OR key_int = 2", "body IN ('new', 'a?b')", '"state" = \'new\'', "length(body) = 3",
    "EXISTS (SELECT 1 FROM other o WHERE o.id = item.id)", "body = '漢😀'",
    "body = 'new'\nAND state = 'new'", "NOT (body = 'new')", "CASE WHEN state = 'new' THEN 1 ELSE 0 END = 1",
    "batch_id = 5", "task_id IS NULL AND outcome IS NULL",
]  # fmt: skip


@pytest.mark.parametrize("pending", PREDICATES)
def test_a_predicate_means_what_it_means_to_the_database(db: StoreUnderTest, pending: str) -> None:
    """Quotes, signs, comments, OR, names of batchd's own columns: the rows that a SELECT finds."""
    names = ["state", "key_int", "batch_id", "task_id", "outcome"]
    db.create_table("item", *ITEM, *(ColumnSpec(name, "text") for name in names), key=["id"])
    db.create_table("other", ColumnSpec("id", "integer"))
    db.execute("INSERT INTO other (id) VALUES (3)")
    bodies = ["a :b", "it's", "a?b", "%(x)s", "%s", "100%x", "a::date", "new", "漢😀", None]
    for number, body in enumerate(bodies):
        db.execute(
            "INSERT INTO item (id, body, state, key_int, batch_id) VALUES (?, ?, ?, ?, ?)",
            number, body, "new" if number % 2 else "old", number, str(number),
        )  # fmt: skip
    desk = Desk(db, a_definition(pending=pending))
    expected = [number for (number,) in db.execute(f"SELECT id FROM item WHERE ({pending}\n) ORDER BY id")]

    keys = desk.claimable(limit=2)

    assert expected == [key.integer for key in keys]
    every = [RowKey(number) for number in range(len(bodies))]
    rows = desk.definition
    among = desk.store.read(lambda ledger: ledger.rows(desk.task_id, rows).pending_among(every))
    locked = desk.store.transact(lambda ledger: ledger.rows(desk.task_id, rows).lock(asked(every)))
    assert {(number, "") for number in expected} == among
    assert among == {identity for identity, row in locked.items() if row.pending}
    assert len(expected) == desk.store.read(lambda ledger: ledger.rows(desk.task_id, rows).count_claimable())


def test_a_task_without_a_predicate_has_every_row_pending(db: StoreUnderTest) -> None:
    """Its done rows keep their gates instead."""
    db.create_table("item", *ITEM, key=["id"])
    db.execute("INSERT INTO item (id, done) VALUES (1, 'yes')")

    assert [RowKey(1)] == Desk(db, a_definition(pending=None)).claimable()


@pytest.mark.parametrize(
    "name",
    ["order", "select", "a b", 'a"b', "a'b", "a]b", "[a]", "(a)", "a.b", "a:b", "a%b", "a?b", "Ünïcode"],
)
def test_any_name_of_a_table_or_column_works(db: StoreUnderTest, name: str) -> None:
    """Reserved words, quotes, brackets, signs: read, locked, guarded and written under their own names."""
    others = [f"{name} {use}" for use in ("in", "out", "done", "version")]
    db.create_table(name, ColumnSpec(name, "integer"), *(ColumnSpec(other) for other in others), key=[name])
    source, quoted = db.quote(name), [db.quote(other) for other in (name, *others)]
    db.execute(f"INSERT INTO {source} ({quoted[0]}, {quoted[1]}, {quoted[4]}) VALUES (1, 'text', 'v1')")
    definition = a_definition(
        table=name,
        key=(KeyColumn(name=name, kind="integer"),),
        pending=f"{quoted[3]} IS NULL",
        inputs=(others[0],),
        guard_column=others[3],
        answer=AnswerSpec(columns=(WriteBack(column=others[1], path="@"),)),
        on_success={others[2]: Marker(source="now")},
    )
    desk = Desk(db, definition)
    (key,) = desk.claimable()

    (row,) = desk.store.read(lambda ledger: ledger.rows(desk.task_id, definition).read([key]))
    locked = desk.store.transact(
        lambda ledger: ledger.rows(desk.task_id, definition).lock([OpenRequest(1, key, row.guard, "v1", Tries())])
    )
    desk.write(key, **{others[1]: "answer"})

    assert {others[0]: "text"} == dict(row.inputs)
    assert {others[1]: None, others[2]: None} == dict(locked[key.identity].before)
    assert db.execute(f"SELECT {quoted[2]}, {quoted[3]} IS NOT NULL FROM {source}") == [("answer", 1)]


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


def test_rows_that_vanished_are_left_out(desk: Desk) -> None:
    """From reading, from the pending ones, and from what is locked."""
    keys = [RowKey(1), RowKey(99), RowKey(2)]
    rows = desk.definition

    read = desk.store.read(lambda ledger: ledger.rows(desk.task_id, rows).read(keys))
    locked = desk.store.transact(lambda ledger: ledger.rows(desk.task_id, rows).lock(asked(keys)))

    assert [row.key.integer for row in read] == [1, 2]
    assert {(1, ""), (2, "")} == set(locked)


def test_many_rows_are_read_and_written_at_once(db: StoreUnderTest) -> None:
    """More than a database takes in one statement, of a single key and of a composite."""
    columns = columns_of([("text", "exact"), ("integer", "exact")])
    desk = keyed(db, columns, [(f"t{number % 7}", number) for number in range(600)])
    keys = desk.claimable(limit=250)

    rows = desk.definition
    read = desk.store.read(lambda ledger: ledger.rows(desk.task_id, rows).read(keys))
    desk.write_all(*((key, {"answer": key.text}) for key in keys))

    assert keys == [row.key for row in read]
    ((written, different),) = db.execute("SELECT count(answer), count(DISTINCT answer) FROM item")
    assert (written, different) == (600, 600)


def asked(keys: Sequence[RowKey], guard: str = "", guard_value: str | None = None) -> list[OpenRequest]:
    return [OpenRequest(seq, key, guard, guard_value, Tries()) for seq, key in enumerate(keys, 1)]


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
