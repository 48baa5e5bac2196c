"""Answers of a view that go to another table, on every database: filled, added, compared, locked and refused."""

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from batchd.app.elsewhere import target_checks
from batchd.config.tasks import TaskConfig
from batchd.core.fields import FieldSpec
from batchd.core.keys import RowKey
from batchd.core.schema import ColumnInfo, answer_from_fields, with_columns
from batchd.core.tasks import Marker
from batchd.errors import ConfigError, DataRefusedError, KeyTakenError
from batchd.inspection import verify
from batchd.pipeline import SENDING
from batchd.store.source import SourceTable
from tests.conformance.elsewhere import TARGET, VIEW, BenchElsewhere, definition_of, make_tables
from tests.conformance.ledger_steps import asked
from tests.conformance.stores import ColumnSpec, Desk, Kind, StoreUnderTest, moment
from tests.fakes.answers import answered
from tests.stages.elsewhere_bench import MODES, Mode

FIELDS = {
    "name": FieldSpec(type="string", nullable=True, column="name"),
    "years": FieldSpec(type="number", nullable=True, column="years"),
    "fit": FieldSpec(type="boolean", column="fit"),
}
COLUMNS = (
    ColumnSpec("name", "varchar"),
    ColumnSpec("years", "integer"),
    ColumnSpec("fit", "integer"),
    ColumnSpec("model", "varchar"),
    ColumnSpec("done_at", "datetime"),
    ColumnSpec("note", "varchar", more="DEFAULT 'new'"),
)
INFO = {"name": ColumnInfo("text", 100), "years": ColumnInfo("integer"), "fit": ColumnInfo("integer")}
NAME = "Zoë O'Hara %s :a ? 漢 😀"
ANSWER = answered(json.dumps({"name": NAME, "years": None, "fit": True}))
ROWS = "SELECT person, name, years, fit, model, note FROM result ORDER BY person"
FULL = (NAME, None, 1, "m", "new")


def a_bench(folder: Path, db: StoreUnderTest, mode: Mode, rows: int, **changes: Any) -> BenchElsewhere:
    """So many rows to read, and as many to fill where they are to be filled."""
    make_tables(db, *COLUMNS)
    for number in range(1, rows + 1):
        db.execute("INSERT INTO cv (id, body) VALUES (?, ?)", number, f"text {number}")
        if mode == "update":
            db.execute("INSERT INTO result (person) VALUES (?)", number)
    markers = {"done_at": Marker(source="now"), "model": Marker(source="model")}
    task = definition_of(
        db, mode, vendor="fake", max_attempts=1, markers=markers, **changes,
        answer=with_columns(answer_from_fields(FIELDS), INFO),
    )  # fmt: skip
    bench = BenchElsewhere(folder, db, task)
    bench.vendor.script = ANSWER
    return bench


@pytest.mark.parametrize("mode", MODES)
def test_a_view_is_read_and_another_table_written(tmp_path: Path, db: StoreUnderTest, mode: Mode) -> None:
    """All the way, with rights on a few columns: values, NULL, the time, the model; what is not named stays."""
    bench = a_bench(tmp_path, db, mode, 3)
    before = db.clock().replace(microsecond=0)

    bench.run_until_quiet()

    assert [(number, *FULL) for number in (1, 2, 3)] == [tuple(row) for row in bench.execute(ROWS)]
    times = [moment(value) for (value,) in bench.execute("SELECT done_at FROM result")]
    assert all(before <= time <= db.clock() + dt.timedelta(seconds=1) for time in times)
    assert {1: "done", 2: "done", 3: "done"} == bench.gates()
    assert [] == bench.findings()
    images = [json.loads(body) for _, body in bench.kept("before")]
    assert [None if mode == "insert" else dict.fromkeys(("name", "years", "fit", "done_at", "model"))] * 3 == images
    assert verify(bench.place).is_sound


@pytest.mark.parametrize("mode", MODES)
def test_each_outcome_of_a_row_that_moved(tmp_path: Path, db: StoreUnderTest, mode: Mode) -> None:
    """What was read has changed, what is to be written has, one of them is gone: nothing is written over."""
    bench = a_bench(tmp_path, db, mode, 5)
    bench.run(*SENDING)
    db.execute("UPDATE cv SET body = 'other' WHERE id = 1")
    db.execute("DELETE FROM cv WHERE id = 2")
    if mode == "update":
        db.execute("UPDATE result SET name = 'by hand' WHERE person = 3")
        db.execute("DELETE FROM result WHERE person = 4")
    else:
        db.execute("INSERT INTO result (person, name) VALUES (3, 'by hand')")
        db.execute("INSERT INTO result (person) VALUES (4)")

    bench.run_until_quiet()

    last = "gone" if mode == "update" else "stale"
    outcomes = [tuple(one) for one in bench.outcomes()]
    assert [(1, "stale"), (2, "gone"), (3, "stale"), (4, last), (5, "applied")] == outcomes
    assert [(3, "by hand")] == [tuple(one) for one in db.execute("SELECT person, name FROM result WHERE person = 3")]
    assert [(5, *FULL)] == [tuple(one) for one in bench.execute(ROWS) if one[1] == NAME]
    assert [1, 2, 3, 4] == [seq for seq, _ in bench.kept("line")]
    assert verify(bench.place).is_sound


@pytest.mark.parametrize("mode", MODES)
def test_a_condition_may_ask_the_table_that_is_written(tmp_path: Path, db: StoreUnderTest, mode: Mode) -> None:
    """It is evaluated again when the answer is there: what it ends is not remembered, and what it ended is stale."""
    not_yet = "NOT EXISTS (SELECT 1 FROM result r WHERE r.person = wanted.id AND r.done_at IS NOT NULL)"
    bench = a_bench(tmp_path, db, mode, 2, pending=not_yet)

    bench.run_until_quiet()

    assert {} == bench.gates()
    assert [] == bench.findings()
    assert [(1, "applied"), (2, "applied")] == [tuple(one) for one in bench.outcomes()]


@pytest.mark.parametrize("mode", MODES)
def test_many_rows_at_once(tmp_path: Path, db: StoreUnderTest, mode: Mode) -> None:
    """More than one statement can take: each once, with its own value, NULL among them."""
    del tmp_path
    make_tables(db, ColumnSpec("answer"), ColumnSpec("more", "integer"))
    desk = Desk(db, definition_of(db, mode, written=("answer", "more")))
    numbers = range(1, 901)
    if mode == "update":
        adding = definition_of(db, "insert", name="adding", written=("answer",))
        Desk(db, adding).write_all(*((RowKey(number), {"answer": None}) for number in numbers))

    values = {number: {"answer": None if number % 3 else f"é {number}", "more": number} for number in numbers}
    desk.write_all(*((RowKey(number), columns) for number, columns in values.items()))

    found = db.execute("SELECT person, answer, more FROM result ORDER BY person")
    assert [(number, one["answer"], one["more"]) for number, one in values.items()] == [tuple(row) for row in found]


KEYS: list[tuple[tuple[Kind, ...], list[tuple[Any, ...]]]] = [
    (("bigint",), [(2**62,), (-(2**62),)]),
    (("varchar",), [('O\'Hara\n"x" :a ? %s',), ("漢 😀",)]),
    (("guid",), [("6f9619ff-8b86-d011-b42d-00c04fc964ff",), ("00000000-0000-0000-0000-00000000000a",)]),
    (("varbinary",), [(b"\x00\xff",), (b"a",)]),
    (("decimal",), [("12.5",), ("-7",)]),
    (("date",), [("2026-03-01",), ("1999-12-31",)]),
    (("varchar", "integer"), [("EU", 1), ("EU", 2)]),
]


@pytest.mark.parametrize(("kinds", "rows"), KEYS, ids=lambda value: "+".join(map(str, value))[:30])
@pytest.mark.parametrize("mode", MODES)
def test_keys_of_every_kind_name_the_same_row_in_both_tables(
    db: StoreUnderTest, mode: Mode, kinds: Sequence[Kind], rows: Sequence[Sequence[Any]]
) -> None:
    """Under other names; read, claimed, locked and written."""
    own, other = [f"own_{at}" for at in range(len(kinds))], [f"other_{at}" for at in range(len(kinds))]
    make_tables(
        db, ColumnSpec("answer"),
        key=[ColumnSpec(name, kind) for name, kind in zip(own, kinds, strict=True)],
        target_key=[ColumnSpec(name, kind) for name, kind in zip(other, kinds, strict=True)],
    )  # fmt: skip
    definition = definition_of(db, mode, key=own, target_key=other)
    marks = ", ".join("?" * len(kinds))
    for row in rows:
        db.execute(f"INSERT INTO cv ({', '.join(own)}, body) VALUES ({marks}, 'text')", *row)
        if mode == "update":
            db.execute(f"INSERT INTO result ({', '.join(other)}) VALUES ({marks})", *row)
    desk = Desk(db, definition)

    keys = desk.claimable()
    read = {one.key.identity: one.guard for one in desk.store.read(lambda ledger: _rows(desk, ledger).read(keys))}
    now = desk.store.transact(lambda ledger: _rows(desk, ledger).lock(asked(keys)))
    desk.write_all(*((key, {"answer": str(at)}) for at, key in enumerate(keys)))

    assert len(rows) == len(keys)
    assert read == {identity: one.guard for identity, one in now.items()}
    assert all(one.pending for one in now.values())
    same = " AND ".join(f"c.{one} = r.{two}" for one, two in zip(own, other, strict=True))
    assert len(rows) == len(db.execute(f"SELECT r.answer FROM cv c JOIN result r ON {same} WHERE r.answer IS NOT NULL"))
    assert len(rows) == db.execute("SELECT COUNT(*) FROM result")[0][0]
    assert (0 if mode == "insert" else len(rows)) == len(desk.claimable())


def _rows(desk: Desk, ledger: Any) -> Any:
    return ledger.rows(desk.task_id, desk.definition)


def test_texts_that_the_key_takes_for_equal_are_one_row(db: StoreUnderTest) -> None:
    """The other table compares as the task's own does."""
    equality = db.usual_equality
    make_tables(
        db, ColumnSpec("answer"), key=[ColumnSpec("id", "varchar")], target_key=[ColumnSpec("person", "varchar")]
    )
    db.execute("INSERT INTO cv (id, body) VALUES ('Key', 'text')")
    db.execute("INSERT INTO result (person) VALUES ('KEY')")
    filling = Desk(db, definition_of(db, "update"))
    adding = Desk(db, definition_of(db, "insert", name="adding"))

    folds = "case" in equality or "nocase" in equality
    assert (1 if folds else 0, 0 if folds else 1) == (len(filling.claimable()), len(adding.claimable()))


def test_a_key_that_is_taken_is_told_from_values_that_are_refused(db: StoreUnderTest) -> None:
    """The one may be a row that somebody has added meanwhile; neither quotes anything, or leaves anything behind."""
    make_tables(db, ColumnSpec("answer", "varchar", more="CHECK (answer <> 'sekret')"))
    db.execute("INSERT INTO result (person) VALUES (1)")
    desk = Desk(db, definition_of(db, "insert"))

    with pytest.raises(KeyTakenError) as taken:
        desk.write_all((RowKey(2), {"answer": "sekret 2"}), (RowKey(1), {"answer": "sekret 2"}))
    with pytest.raises(DataRefusedError) as refused:
        desk.write_all((RowKey(2), {"answer": "yes"}), (RowKey(3), {"answer": "sekret"}))

    assert not isinstance(refused.value, KeyTakenError)
    assert "sekret" not in str(taken.value) + str(taken.value.__cause__) + str(refused.value)
    assert [(1, None)] == [tuple(one) for one in db.execute("SELECT person, answer FROM result")]


def test_a_key_that_its_column_rounds_or_cuts_is_refused(db: StoreUnderTest) -> None:
    """It would be the row of another key; what the database rounds without a word is found out before the commit."""
    make_tables(
        db, ColumnSpec("answer"), key=[ColumnSpec("id", "decimal")], target_key=[ColumnSpec("person", "decimal")]
    )
    number = db.types["decimal"].replace("(20, 6)", "(20, 2)")
    if number == db.types["decimal"]:
        pytest.skip(f"{db.name} keeps any number of digits")
    db.execute("DROP TABLE result")
    db.execute(f"CREATE TABLE result (person {number} NOT NULL PRIMARY KEY, answer {db.types['text']})")
    for key in ("1.25", "1.251"):
        db.execute("INSERT INTO cv (id, body) VALUES (?, 'text')", key)
    desk = Desk(db, definition_of(db, "insert"))
    first, second = desk.claimable()

    desk.write_all((first, {"answer": "yes"}))
    with pytest.raises(DataRefusedError):
        desk.write_all((second, {"answer": "no"}))

    assert [("yes",)] == [tuple(one) for one in db.execute("SELECT answer FROM result")]


def test_a_row_that_is_to_be_filled_is_locked(db: StoreUnderTest) -> None:
    """From the look to the commit nobody else changes it."""
    make_tables(db, ColumnSpec("answer"))
    db.execute("INSERT INTO cv (id, body) VALUES (1, 'text')")
    db.execute("INSERT INTO result (person) VALUES (1)")
    definition = definition_of(db, "update")
    desk = Desk(db, definition)
    other = db.open_as_owner()

    def look(ledger: Any) -> None:
        assert [(1, "")] == list(_rows(desk, ledger).lock(asked([RowKey(1)])))
        with pytest.raises(Exception, match=r"(?i)lock|canceling") as error, other.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE result SET answer = 'by hand'")
        assert "Operational" in type(error.value).__name__ or "DBAPIError" in type(error.value).__name__

    desk.store.transact(look)


@pytest.mark.parametrize(
    ("mode", "forbidden"),
    [
        ("update", ["UPDATE cv SET body = 'x'", "UPDATE wanted SET body = 'x'", "SELECT body FROM cv",
                    "UPDATE result SET note = 'x'", "INSERT INTO result (person) VALUES (9)"]),
        ("insert", ["UPDATE wanted SET body = 'x'", "UPDATE result SET answer = 'x'", "DELETE FROM result",
                    "SELECT note FROM result"]),
    ],
)  # fmt: skip
def test_the_runtime_login_may_do_no_more(db: StoreUnderTest, mode: Mode, forbidden: Sequence[str]) -> None:
    """The view is only read, its table not even that; the other table is filled, or added to, and nothing else."""
    if db.name == "sqlite":
        pytest.skip("SQLite has no roles")
    make_tables(db, ColumnSpec("answer"), ColumnSpec("note"))
    desk = Desk(db, definition_of(db, mode))

    done = [statement for statement in forbidden if _may(desk, statement)]

    assert [] == done


def _may(desk: Desk, statement: str) -> bool:
    try:
        with desk.database.engine.begin() as connection:
            connection.exec_driver_sql(statement)
    except DBAPIError as error:
        refusal = desk.database.dialect.refusal(error)
        return refusal is None or not refusal.lacks_right
    return True


def checked(db: StoreUnderTest, mode: Mode, table: str = TARGET, **changes: Any) -> list[str]:
    """What check-config says of a task that fills, or adds to, a table."""
    usual = {
        "vendor": "v", "table": VIEW, "key": ["id"], "model": "m", "prompt": "p",
        "text_column": "answer", "write": {"table": table, "mode": mode, "key": ["person"]},
    }  # fmt: skip
    task = TaskConfig.model_validate(usual | changes)
    database = db.open_as_owner()
    with database.dialect.reading(database.engine.connect()) as connection:
        source = SourceTable(connection, database.dialect, task.table, None)
        written = SourceTable(connection, database.dialect, table, None)
        return [said for _, check in target_checks(task, source, written) if (said := _said(check))]


def _said(check: Any) -> str:
    try:
        check()
    except ConfigError as error:
        return error.message
    return ""


@pytest.mark.parametrize("mode", MODES)
def test_a_table_that_fits_is_fit(db: StoreUnderTest, mode: Mode) -> None:
    """What needs a value has a default, numbers itself, or is written."""
    make_tables(
        db, ColumnSpec("answer"), ColumnSpec("must", "integer", more="DEFAULT 1 NOT NULL"),
        ColumnSpec("marked", "integer", more="NOT NULL"),
    )  # fmt: skip

    assert [] == checked(db, mode, on_success={"marked": 1})


def test_what_a_new_row_would_lack_is_named(db: StoreUnderTest) -> None:
    """Before anything is paid; who only fills rows need not know."""
    make_tables(db, ColumnSpec("answer"), ColumnSpec("must", "integer", more="NOT NULL"))

    (said,) = checked(db, "insert")
    assert "needs must too, which the task does not write" in said
    assert [] == checked(db, "update")


def test_rows_are_added_only_where_the_database_keeps_the_key_unique(db: StoreUnderTest) -> None:
    """A result is applied at most once, whoever else adds rows."""
    make_tables(db, ColumnSpec("answer"))
    db.create_table("loose", ColumnSpec("person", "integer"), ColumnSpec("answer"))

    (said,) = checked(db, "insert", "loose")
    assert "no unique index keeps person unique" in said
    assert [] == checked(db, "update", "loose")
    for _ in range(2):
        db.execute("INSERT INTO loose (person) VALUES (1)")
    assert "is not unique" in checked(db, "update", "loose")[0]


def test_a_key_of_another_kind_is_no_key(db: StoreUnderTest) -> None:
    """Both columns are named."""
    make_tables(db, ColumnSpec("answer"))
    db.create_table("texts", ColumnSpec("person", "varchar", more="NOT NULL"), ColumnSpec("answer"), key=["person"])

    (said,) = checked(db, "update", "texts")
    assert "column person holds text values, but id of the task's key integer values" in said


def test_a_key_that_may_be_too_long_is_told_beforehand(db: StoreUnderTest) -> None:
    """Both columns are named, and how long they are; who only fills rows finds none of such a key."""
    make_tables(
        db, ColumnSpec("answer"), key=[ColumnSpec("id", "varchar")], target_key=[ColumnSpec("person", "varchar")]
    )
    short = db.types["varchar"].replace("200", "20")
    db.execute(f"CREATE TABLE short (person {short} NOT NULL PRIMARY KEY, answer {db.types['text']})")

    (said,) = checked(db, "insert", "short")
    assert "column person takes texts of up to 20, but id of the task's key has up to 200" in said
    assert [] == checked(db, "update", "short")


def test_a_key_that_the_database_gives_itself_is_not_added_to(db: StoreUnderTest) -> None:
    """Its numbers are not those of the task's rows."""
    make_tables(db, ColumnSpec("answer"))
    ways = {
        "postgresql": "CREATE TABLE own (person INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY, answer TEXT)",
        "mssql": "CREATE TABLE own (person INT IDENTITY PRIMARY KEY, answer NVARCHAR(MAX))",
    }
    if db.name not in ways:
        pytest.skip(f"{db.name} takes any number in its place")
    db.execute(ways[db.name])

    assert any("lets nobody write person" in said for said in checked(db, "insert", "own"))


@pytest.mark.parametrize("mode", MODES)
def test_a_number_of_its_own_beside_the_key(tmp_path: Path, db: StoreUnderTest, mode: Mode) -> None:
    """An identity of the other table is let be."""
    del tmp_path
    ways = {
        "sqlite": "number INTEGER PRIMARY KEY", "postgresql": "number INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        "mariadb": "number INTEGER AUTO_INCREMENT PRIMARY KEY", "mssql": "number INT IDENTITY PRIMARY KEY",
    }  # fmt: skip
    make_tables(db, ColumnSpec("answer"))
    db.execute("DROP TABLE result")
    db.execute(f"CREATE TABLE result ({ways[db.name]}, person INTEGER NOT NULL UNIQUE, answer VARCHAR(20))")
    db.execute("INSERT INTO cv (id, body) VALUES (7, 'text')")
    if mode == "update":
        db.execute("INSERT INTO result (person) VALUES (7)")
    assert [] == checked(db, mode)
    desk = Desk(db, definition_of(db, mode))

    desk.write_all(*((key, {"answer": "yes"}) for key in desk.claimable()))

    assert [(1, 7, "yes")] == [tuple(one) for one in db.execute("SELECT number, person, answer FROM result")]
