"""PostgreSQL is given many rows as one document: what a column takes, refuses and compares is its own affair still."""

import re
from typing import Any

import pytest
import sqlalchemy as sa

from batchd.core.keys import RowKey
from batchd.core.model import Batch
from batchd.core.outcomes import Outcome
from batchd.errors import DataRefusedError
from tests.conformance.ledger_steps import finished
from tests.conformance.stores import Desk, StoreUnderTest, a_definition, key_of

pytestmark = pytest.mark.parametrize("db", ["postgresql"], indirect=True)

_TYPES = "CREATE TYPE \"My Mood\" AS ENUM ('sad', 'happy'); CREATE DOMAIN short AS varchar(3) CHECK "
_TYPES += "(value <> 'bad'); CREATE DOMAIN shorter AS short"
_MANY = 5_000


def column_of(db: StoreUnderTest, kind: str) -> Desk:
    """A task that writes a column of this type."""
    for statement in _TYPES.split(";"):
        db.execute(statement)
    db.execute(f"CREATE TABLE item (id int PRIMARY KEY, body text, answer {kind}, done text)")
    db.execute("INSERT INTO item (id, body) VALUES (1, 'x'), (2, 'y')")
    return Desk(db)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("char(5)", "abc", "abc  "),
        ('"char"', "a", "a"),
        ("varchar(3)", "abc", "abc"),
        ("short", "abc", "abc"),
        ('"My Mood"', "happy", "happy"),
        ("text[]", "{a,b}", "{a,b}"),
        ("shorter", "abc", "abc"),
        ("json", '{"a":  [1, "b"]}', '{"a":  [1, "b"]}'),
        ("jsonb", '{"a":[1,"b"]}', '{"a": [1, "b"]}'),
        ("jsonb", '"plain"', '"plain"'),
        ("numeric(6,2)", 7.125, "7.13"),
        ("numeric", 0.1, "0.1"),
        ("float8", 1e300, "1e+300"),
        ("bigint", 2**63 - 1, str(2**63 - 1)),
        ("boolean", True, "true"),
        ("bigint", True, "1"),
        ("integer", 1.0, "1"),
        ("bigint", 1e15, "1000000000000000"),
        ("text", 'a "quoted" \\ line\nand \u2028 é漢😀', 'a "quoted" \\ line\nand \u2028 é漢😀'),
        ("uuid", "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("date", "2026-02-03", "2026-02-03"),
        ("timestamptz", "2026-02-03T10:11:12+02:00", "2026-02-03 08:11:12+00"),
        ("time", "10:11", "10:11:00"),
        ("bit(3)", "101", "101"),
        ("text", None, None),
    ],
)
def test_a_column_holds_what_it_is_given(db: StoreUnderTest, kind: str, value: Any, expected: str | None) -> None:
    """As it would of a statement of its own; a CHAR is no single letter, and JSON no text in quotes."""
    desk = column_of(db, kind)
    first, second = desk.claimable()

    desk.write_all((first, {"answer": value}), (second, {"answer": None}))

    # A CHAR as text would lose its blanks.
    shown = {"char(5)": "format('%s', answer)", "timestamptz": "(answer AT TIME ZONE 'UTC')::text || '+00'"}
    written = db.execute(f"SELECT {shown.get(kind, 'answer::text')} FROM item WHERE id = 1")
    assert [(expected,)] == written


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("char(5)", "abcdef"),
        ("varchar(3)", "abcd"),
        ("short", "abcd"),
        ("shorter", "abcd"),
        ("varchar(3)[]", "{abcd}"),
        ("short", "bad"),
        ("bit(3)", "10"),
        ("numeric(4,2)", 100.5),
        ("integer", 2**40),
        ('"My Mood"', "angry"),
        ("jsonb", "{not json"),
        ("date", "2026-02-30"),
        ("text", "a\x00b"),
        ("text", "half a \ud800"),
    ],
)
def test_what_a_column_does_not_take_is_refused(db: StoreUnderTest, kind: str, value: Any) -> None:
    """Never cut to fit, and blamed on the row's values; the row beside it is as it was."""
    desk = column_of(db, kind)
    first, second = desk.claimable()

    with pytest.raises(DataRefusedError, match="refused the values"):
        desk.write_all((first, {"answer": value}), (second, {"answer": None}))

    assert [(None,), (None,)] == db.execute("SELECT answer FROM item ORDER BY id")


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ('text COLLATE "C"', ["'b'", "'A'", "'é'"]),
        ("varchar(9)", ["'b'", "'A'"]),
        ("char(4)", ["'b'", "'ab'"]),
        ("bytea", ["'\\x00ff'", "'\\x61'"]),
        ("numeric(8,3)", ["1.5", "-2.25", "100"]),
        ("uuid", ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"]),
        ("bigint", ["-9223372036854775808", "7"]),
    ],
)
def test_a_row_is_found_by_a_key_of_any_type(db: StoreUnderTest, kind: str, values: list[str]) -> None:
    """By the column's own collation too, where the statement's would be another."""
    db.execute(f"CREATE TABLE item (k {kind} PRIMARY KEY, body text, answer text, done text)")
    for value in values:
        db.execute(f"INSERT INTO item (k, body) VALUES ({value}, 'x')")
    desk = Desk(db, a_definition(key=key_of(db.open_as_owner(), ("k",)), inputs=("body",)))

    desk.write_all(*((key, {"answer": "yes"}) for key in desk.claimable()))

    assert [("yes",)] * len(values) == db.execute("SELECT answer FROM item")


def test_a_table_whose_name_must_be_quoted_is_asked_for_its_types(db: StoreUnderTest) -> None:
    """Its own name, and no other table's of small letters."""
    db.execute('CREATE TABLE "It em" (id int PRIMARY KEY, body text, "An swer" varchar(3), done text)')
    db.execute("INSERT INTO \"It em\" (id, body) VALUES (1, 'x')")
    definition = a_definition(table="It em")
    column = definition.answer.columns[0].model_copy(update={"column": "An swer"})
    desk = Desk(
        db, definition.model_copy(update={"answer": definition.answer.model_copy(update={"columns": (column,)})})
    )
    (key,) = desk.claimable()

    with pytest.raises(DataRefusedError):
        desk.write(key, **{"An swer": "abcd"})
    desk.write(key, **{"An swer": "abc"})

    assert [("abc",)] == db.execute('SELECT "An swer" FROM "It em"')


def test_outcomes_are_no_join_of_each_with_each(db: StoreUnderTest) -> None:
    """The planner knows only of finished requests, as it does whenever a table was analysed between two batches."""
    db.execute("CREATE TABLE item (id int PRIMARY KEY, body text, answer text, done text)")
    desk = Desk(db)
    before = desk.build([RowKey(1)], uid="before")
    finish(desk, before, 1)
    db.execute("ANALYZE")
    now = desk.build([RowKey(number) for number in range(2, _MANY + 2)], uid="now")
    sent: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, sql: str, parameters: object, *_: object) -> None:
        sent.append((f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", parameters))

    sa.event.listen(desk.database.engine, "before_cursor_execute", note)
    finish(desk, now, _MANY)
    sa.event.remove(desk.database.engine, "before_cursor_execute", note)
    ((sql, parameters),) = [one for one in sent if "UPDATE" in one[0]]
    db.execute("UPDATE batchd_request SET outcome = NULL WHERE seq <= ? AND batch_id = ?", _MANY, now.id)
    with desk.database.engine.begin() as connection:
        plan = str(connection.exec_driver_sql(sql, parameters).scalar_one())

    assert [] == [told for told in re.findall(r"Rows Removed by Join Filter': (\d+)", plan) if int(told) > _MANY], plan


def finish(desk: Desk, batch: Batch, number: int) -> None:
    """Requests 1 to ``number`` are applied."""
    applied = [finished(seq, Outcome.APPLIED) for seq in range(1, number + 1)]
    desk.store.transact(lambda ledger: ledger.requests.finish(batch.id, applied))
