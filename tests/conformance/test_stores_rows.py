"""The user's table: its rows are found, whatever its names, keys and predicate are."""

import datetime as dt
import decimal
import re
import uuid
from collections.abc import Sequence
from typing import Any, get_args

import pytest

from batchd.core.keys import KeyCodec, RowKey
from batchd.core.model import OpenRequest
from batchd.core.outcomes import Tries
from batchd.core.tasks import AnswerSpec, KeyColumn, KeyEquality, Marker, WriteBack
from tests.conformance.ledger_steps import asked
from tests.conformance.stores import (
    ITEM,
    ColumnSpec,
    Desk,
    Kind,
    StoreUnderTest,
    a_definition,
    insert_distinct,
)

AWKWARD = [
    "", " ", "a", "A", "a ", "O'Hara", '"', "a:b", "line\nbreak", "tab\t", "é", "É", "e\u0301", "e", "ß", "ss",
    "\u0131", "\u0130", "i", "I", "漢字", "か", "が", "и", "й", "😀", "😁", "ﬁ", "Å", "Ⓐ", "ⓐ", "100%", "?", "\\",
    "1", "01", "\u00a0",
]  # fmt: skip
MARKERS = [ColumnSpec("body"), ColumnSpec("answer"), ColumnSpec("done")]
GUIDS = [uuid.UUID(int=number) for number in (0, 1, 2**127, 0x0011223344556677_8899AABBCCDDEEFF, 2**128 - 1)]
Column = tuple[Kind, KeyEquality | None]


def keyed(db: StoreUnderTest, columns: Sequence[Column], keys: Sequence[Sequence[Any]]) -> Desk:
    """A task over a table with this key, and a row of each key that the database tells from the others."""
    names = [f"k{at}" for at in range(len(columns))]
    specs = [ColumnSpec(name, kind, equality) for name, (kind, equality) in zip(names, columns, strict=True)]
    db.create_table("item", *specs, *MARKERS, key=names)
    insert_distinct(db, keys, names)
    # Whatever kind is said here, the table is asked for it.
    return Desk(db, a_definition(key=tuple(KeyColumn(name=name, kind="text") for name in names)))


def in_order(desk: Desk) -> list[RowKey]:
    """The keys of all rows, in the database's order."""
    names = ", ".join(desk.definition.key_columns)
    codec = KeyCodec(desk.definition.key)
    return [codec.encode(row) for row in desk.db.execute(f"SELECT {names} FROM item ORDER BY {names}")]


KEYS: list[tuple[list[Column], list[tuple[Any, ...]]]] = [
    ([("integer", None)], [(0,), (-(2**31),), (2**31 - 1,), (7,)]),
    ([("bigint", None)], [(0,), (-(2**63),), (2**63 - 1,), (7,), (-1,), (10,)]),
    ([("decimal", None)], [(decimal.Decimal(text),) for text in ("0", "-0.000001", "12345678901234.123456", "7.5")]),
    ([("guid", None)], [(str(guid),) for guid in GUIDS]),
    ([("date", None)], [(dt.date(*day).isoformat(),) for day in ((1, 1, 1), (1999, 12, 31), (2024, 2, 29))]),
    ([("varbinary", None)], [(b"",), (b"\x00",), (b"'\xff",), (b"\xff\x00",)]),
    ([("varchar", None), ("bigint", None)], [(text, number) for text in AWKWARD for number in (1, -2)]),
    ([("integer", None), ("bigint", None)], [(one, two) for one in (2, 1) for two in (3, 1, 2)]),
    ([("guid", None), ("date", None)], [(str(guid), day) for guid in GUIDS for day in ("2026-01-01", "2025-01-01")]),
    (
        [("varchar", None), ("varchar", None), ("integer", None)],
        [(one, two, three) for one in "aB" for two in ("x:1", "X", "") for three in (0, 5)],
    ),
]
KEYS += [([("varchar", equality)], [(text,) for text in AWKWARD]) for equality in get_args(KeyEquality)]
each_key = pytest.mark.parametrize(
    ("kinds", "keys"),
    KEYS,
    ids=["+".join(f"{kind}-{equality or 'usual'}" for kind, equality in one) for one, _ in KEYS],
)


@each_key
@pytest.mark.parametrize("limit", [1, 3])
def test_pages_hold_every_row_once_in_the_databases_order(
    db: StoreUnderTest, kinds: list[Column], keys: list[tuple[Any, ...]], limit: int
) -> None:
    """Whatever the key and the size of a page."""
    desk = keyed(db, kinds, keys)

    found = desk.pages(limit)

    assert in_order(desk) == [key for page in found for key in page.keys]
    assert all(len(page.keys) <= limit for page in found)
    assert found[-1].last is None


@each_key
def test_rows_that_the_database_tells_apart_are_apart(
    db: StoreUnderTest, kinds: list[Column], keys: list[tuple[Any, ...]]
) -> None:
    """No two of them share a gate: one of them would never be sent."""
    desk = keyed(db, kinds, keys)

    every = in_order(desk)
    desk.build(every)

    assert len(every) > 1
    assert len(every) == len({key.identity for key in every})
    assert [(len(every),)] == db.execute("SELECT count(*) FROM batchd_gate")


@each_key
def test_rows_are_found_again_by_their_keys(
    db: StoreUnderTest, kinds: list[Column], keys: list[tuple[Any, ...]]
) -> None:
    """Read in the order asked for, told whether pending, written: each the row of its own key."""
    desk = keyed(db, kinds, keys)
    wanted = list(reversed(desk.claimable()))
    rows = desk.definition

    read = desk.store.read(lambda ledger: ledger.rows(desk.task_id, rows).read(wanted))
    pending = desk.store.read(lambda ledger: ledger.rows(desk.task_id, rows).pending_among(wanted))
    desk.write_all(*((key, {"answer": str(at)}) for at, key in enumerate(wanted)))

    assert wanted == [row.key for row in read]
    assert {key.identity for key in wanted} == pending
    names, codec = ", ".join(rows.key_columns), KeyCodec(rows.key)
    written = {codec.encode(row[:-1]): row[-1] for row in db.execute(f"SELECT {names}, answer FROM item")}
    assert {key: str(at) for at, key in enumerate(wanted)} == written


@each_key
def test_gated_rows_are_not_claimable(db: StoreUnderTest, kinds: list[Column], keys: list[tuple[Any, ...]]) -> None:
    """Rows in work are left out, the others come, and the count agrees."""
    desk = keyed(db, kinds, keys)
    every = desk.claimable()

    desk.build(every[1::2])

    assert every[0::2] == desk.claimable(limit=2)
    count = desk.store.read(lambda ledger: ledger.rows(desk.task_id, desk.definition).count_claimable())
    assert len(every[0::2]) == count


RENAMED: dict[KeyEquality, str] = {
    "nocase": "ADA",
    "rtrim": "ada  ",
    "nocase+rtrim": "ADA  ",
}


@pytest.mark.parametrize("equality", RENAMED)
def test_a_key_that_changed_within_its_collation_is_the_same_row(db: StoreUnderTest, equality: KeyEquality) -> None:
    """The row is found, is no new one, and is written."""
    desk = keyed(db, [("varchar", equality)], [("ada",)])
    (key,) = desk.claimable()
    desk.build([key])

    db.execute("UPDATE item SET k0 = ?", RENAMED[equality])

    assert desk.claimable() == []
    desk.write(key, answer="written")
    assert [(RENAMED[equality], "written")] == db.execute("SELECT k0, answer FROM item")


def test_rows_without_a_usable_key_are_passed_over_and_told(db: StoreUnderTest) -> None:
    """NULL is left out; text among numbers, where a database has that, is counted and not claimed."""
    db.create_table("item", ColumnSpec("id", "integer"), *MARKERS)
    odd: list[Any] = ["text", "z'z", 1.5, b"raw"] if "untyped" in db.types else []
    for value in (2, None, 1, None, *odd):
        db.execute("INSERT INTO item (id) VALUES (?)", value)
    desk = Desk(db)

    pages = desk.pages(2)

    assert [key.integer for page in pages for key in page.keys] == [1, 2]
    assert len(odd) == sum(page.unusable for page in pages)


def test_rows_without_a_key_are_no_backlog(db: StoreUnderTest) -> None:
    """What can never be claimed is not counted as waiting."""
    db.create_table("item", ColumnSpec("id", "integer"), *MARKERS)
    db.execute("INSERT INTO item (id) VALUES (NULL)")
    db.execute("INSERT INTO item (id) VALUES (1)")
    desk = Desk(db)

    assert desk.store.read(lambda ledger: ledger.rows(desk.task_id, desk.definition).count_claimable()) == 1


# «name» is quoted as the database at hand quotes names, and N'…' is text of any language where one must say so.
PREDICATES = [
    "body = 'a :b'", "body = 'it''s' OR body = 'a :b'", "body LIKE 'a%'", "body = 'a?b'", "body = '%(x)s'",
    "body = '%s' OR body LIKE '100!%%' ESCAPE '!'", "body = 'a::date'", "body = 'a :b' -- and no more",
    "body = 'a :b' -- what? :x %s", "/* (the new) */ body = 'new'", "state = 'new'",
    "key_int IS NOT NULL AND state = 'new'",
    "state = 'new' OR key_int = 2", "body IN ('new', 'a?b')", "«state» = 'new'", "body LIKE '___'",
    "EXISTS (SELECT 1 FROM other o WHERE o.id = item.id)", "body = N'漢😀'",
    "body = 'new'\nAND state = 'new'", "NOT (body = 'new')", "CASE WHEN state = 'new' THEN 1 ELSE 0 END = 1",
    "batch_id = 5", "task_id IS NULL AND outcome IS NULL",
]  # fmt: skip


def in_words_of(db: StoreUnderTest, predicate: str) -> str:
    """The predicate as a person would write it for this database."""
    plain = predicate if db.name == "mssql" else predicate.replace("N'", "'")
    return re.sub("«(.*?)»", lambda found: db.quote(found[1]), plain)


@pytest.mark.parametrize("pending", PREDICATES)
def test_a_predicate_means_what_it_means_to_the_database(db: StoreUnderTest, pending: str) -> None:
    """Quotes, signs, comments, OR, names of batchd's own columns: the rows that a SELECT finds."""
    pending = in_words_of(db, pending)
    names = [ColumnSpec("state"), ColumnSpec("key_int", "bigint"), ColumnSpec("batch_id", "bigint")]
    db.create_table("item", *ITEM, *names, ColumnSpec("task_id"), ColumnSpec("outcome"), key=["id"])
    db.create_table("other", ColumnSpec("id", "integer"))
    db.grant_read("other")
    db.execute("INSERT INTO other (id) VALUES (3)")
    bodies = ["a :b", "it's", "a?b", "%(x)s", "%s", "100%x", "a::date", "new", "漢😀", None]
    for number, body in enumerate(bodies):
        db.execute(
            "INSERT INTO item (id, body, state, key_int, batch_id) VALUES (?, ?, ?, ?, ?)",
            number, body, "new" if number % 2 else "old", number, number,
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
    columns = [ColumnSpec(other, "datetime" if other.endswith("done") else "text") for other in others]
    db.create_table(name, ColumnSpec(name, "integer"), *columns, key=[name])
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
    assert {others[1]: None, others[2]: None} == dict(locked[key.identity].before or {})
    assert db.execute(f"SELECT {quoted[2]}, count({quoted[3]}) FROM {source} GROUP BY {quoted[2]}") == [("answer", 1)]


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
    desk = keyed(db, [("varchar", None), ("integer", None)], [(f"t{number % 7}", number) for number in range(600)])
    keys = desk.claimable(limit=250)

    rows = desk.definition
    read = desk.store.read(lambda ledger: ledger.rows(desk.task_id, rows).read(keys))
    desk.write_all(*((key, {"answer": key.text}) for key in keys))

    assert keys == [row.key for row in read]
    ((written, different),) = db.execute("SELECT count(answer), count(DISTINCT answer) FROM item")
    assert (written, different) == (600, 600)
