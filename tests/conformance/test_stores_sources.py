"""A user's table before any task works on it, and the place a ledger belongs to."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, get_args

import pytest

from batchd.core.model import Batch
from batchd.core.schema import ColumnInfo
from batchd.core.states import BatchState
from batchd.core.tasks import KeyEquality, KeyKind
from batchd.errors import ConfigError, DatabaseError
from batchd.store.installation import adopt_copied, adopt_moved
from batchd.store.opening import open_database
from batchd.store.source import SourceTable
from tests.conformance.stores import ITEM, ColumnSpec, Desk, Kind, StoreUnderTest, a_definition

Look = Callable[..., SourceTable]


@pytest.fixture
def look(db: StoreUnderTest) -> Iterator[Look]:
    """Looks at a table over one connection."""
    database = db.open_as_owner()
    with database.dialect.reading(database.engine.connect()) as connection:

        def at(table: str = "item") -> SourceTable:
            # The look before must not hold up the person who changes the table meanwhile.
            connection.rollback()
            return SourceTable(connection, database.dialect, table, None)

        yield at


def test_a_missing_table_names_the_near_one(db: StoreUnderTest, look: Look) -> None:
    """And lists what is there, batchd's own tables aside."""
    db.create_table("Candidates", *ITEM)

    with pytest.raises(ConfigError, match="no table 'candidate'; did you mean 'Candidates'") as error:
        look("candidate")

    assert error.value.next_command == "tables here: Candidates"


def test_a_database_without_tables_says_so(look: Look) -> None:
    """The ledger is no table to work on."""
    with pytest.raises(ConfigError, match=r"no table 'nowhere_else'$") as error:
        look("nowhere_else")

    assert error.value.next_command.startswith("tables here: none")


def test_a_missing_column_names_the_near_one(db: StoreUnderTest, look: Look) -> None:
    """Also where it is the key."""
    db.create_table("item", ColumnSpec("UserId", "integer"), ColumnSpec("body"))

    with pytest.raises(ConfigError, match="no column 'userid'; did you mean 'UserId'") as error:
        look().column_named("userid")

    assert error.value.next_command == "the columns are: UserId, body"
    with pytest.raises(ConfigError, match="no column 'id'"):
        look().key_columns(["id"])


# What a column of each kind is to batchd, and where a database has another word for it.
INFOS: dict[Kind, ColumnInfo] = {
    "integer": ColumnInfo("integer"),
    "bigint": ColumnInfo("integer"),
    "decimal": ColumnInfo("number"),
    "number": ColumnInfo("number"),
    "boolean": ColumnInfo("boolean"),
    "varchar": ColumnInfo("text", 200),
    "text": ColumnInfo("text"),
    "json": ColumnInfo("json"),
    "varbinary": ColumnInfo("binary"),
    "binary": ColumnInfo("binary"),
    "guid": ColumnInfo("guid"),
    "date": ColumnInfo("date"),
    "datetime": ColumnInfo("time"),
    "moment": ColumnInfo("time", zoned=True),
    "rowversion": ColumnInfo("binary"),
    "untyped": ColumnInfo("any"),
}
OTHER_INFOS: dict[tuple[str, Kind], ColumnInfo] = {
    # Advice, to SQLite: all of it is text, or what Python makes of it.
    ("sqlite", "json"): ColumnInfo("text"),
    ("sqlite", "guid"): ColumnInfo("text"),
    ("sqlite", "date"): ColumnInfo("time", zoned=True),
    ("sqlite", "datetime"): ColumnInfo("time", zoned=True),
    # A TINYINT(1) like any other; JSON is LONGTEXT with a check.
    ("mariadb", "boolean"): ColumnInfo("integer"),
    ("mariadb", "json"): ColumnInfo("text"),
    ("mssql", "varchar"): ColumnInfo("text", 200, encoding="utf-16-le"),
    ("mssql", "text"): ColumnInfo("text", encoding="utf-16-le"),
    ("mssql", "json"): ColumnInfo("text", encoding="utf-16-le"),
}


@pytest.mark.parametrize("kind", INFOS)
def test_columns_are_told_as_they_are(db: StoreUnderTest, look: Look, kind: Kind) -> None:
    """Kind, length and unit of it, and whether NULL may stand there."""
    more = "" if kind == "rowversion" else "NOT NULL"
    db.create_table("item", ColumnSpec("a", kind), ColumnSpec("b", kind, more=more) if more else ColumnSpec("c"))
    expected = OTHER_INFOS.get((db.name, kind), INFOS[kind])

    columns = look().columns

    assert expected == replace(columns["a"], nullable=True)
    assert not more or not columns["b"].nullable


KEY_KINDS: dict[Kind, KeyKind] = {
    "integer": "integer",
    "bigint": "integer",
    "decimal": "decimal",
    "varchar": "text",
    "varbinary": "binary",
    "guid": "guid",
    "date": "date",
}


@pytest.mark.parametrize("kind", KEY_KINDS)
@pytest.mark.parametrize("key", [["k"], []], ids=["indexed", "plain"])
def test_the_kind_of_a_key_is_the_columns(db: StoreUnderTest, look: Look, kind: Kind, key: list[str]) -> None:
    """Whether there is an index or not."""
    db.create_table("item", ColumnSpec("k", kind), key=key)
    expected = "text" if (db.name, kind) == ("sqlite", "guid") else KEY_KINDS[kind]

    (found,) = look().key_columns(["k"])

    assert expected == found.kind
    assert found.equality == (db.usual_equality if found.kind == "text" else "exact")


@pytest.mark.parametrize("equality", get_args(KeyEquality))
@pytest.mark.parametrize("key", [["k"], []], ids=["indexed", "plain"])
def test_the_equality_of_a_key_is_the_columns(
    db: StoreUnderTest, look: Look, equality: KeyEquality, key: list[str]
) -> None:
    """Whether there is an index or not, and whatever the database's own collation is."""
    db.create_table("item", ColumnSpec("k", "varchar", equality), key=key)

    (found,) = look().key_columns(["k"])

    assert ("text", equality) == (found.kind, found.equality)


@pytest.mark.parametrize("kind", ["number", "datetime", "moment", "json"])
def test_a_column_that_compares_inexactly_is_no_key(db: StoreUnderTest, look: Look, kind: Kind) -> None:
    """Fractions, times and documents are refused, with the way out."""
    db.create_table("item", ColumnSpec("k", kind))
    if kind == "json" and look().columns["k"].kind == "text":
        pytest.skip(f"JSON is text to {db.name}")

    with pytest.raises(ConfigError, match="a key must be whole numbers") as error:
        look().key_columns(["k"])

    assert "another unique column" in error.value.next_command


@pytest.mark.parametrize(
    ("sql", "key", "kept"),
    [
        ("CREATE TABLE item (a INTEGER PRIMARY KEY, b VARCHAR(9))", ["a"], True),
        ("CREATE TABLE item (a INTEGER PRIMARY KEY, b VARCHAR(9))", ["a", "b"], True),
        ("CREATE TABLE item (a INTEGER, b VARCHAR(9), PRIMARY KEY (b, a))", ["a", "b"], True),
        ("CREATE TABLE item (a INTEGER, b VARCHAR(9), PRIMARY KEY (b, a))", ["a"], False),
        ("CREATE TABLE item (a INTEGER UNIQUE, b VARCHAR(9))", ["a"], True),
        ("CREATE TABLE item (a INTEGER, b VARCHAR(9), UNIQUE (a, b))", ["a"], False),
        ("CREATE TABLE item (a INTEGER, b VARCHAR(9))", ["a"], False),
        ("CREATE TABLE item (a INTEGER, b VARCHAR(9)); CREATE UNIQUE INDEX i ON item (a)", ["a"], True),
        ("CREATE TABLE item (a INTEGER, b VARCHAR(9)); CREATE INDEX i ON item (a)", ["a"], False),
        # An index over some rows, over an expression, over the beginnings of values: as each database has them.
        ("CREATE TABLE item (a INTEGER, b VARCHAR(9)); CREATE UNIQUE INDEX i ON item (a) WHERE b = 'x'", ["a"], False),
        ("CREATE TABLE item (a INTEGER, b VARCHAR(9)); CREATE UNIQUE INDEX i ON item (abs(a))", ["a"], False),
        ("CREATE TABLE item (a INTEGER, b VARCHAR(9)); CREATE UNIQUE INDEX i ON item (a, lower(b))", ["a"], False),
        ("CREATE TABLE item (a INTEGER, b VARCHAR(9)); CREATE UNIQUE INDEX i ON item (b(3))", ["b"], False),
    ],
)
def test_only_the_database_can_keep_a_key_unique(
    db: StoreUnderTest, look: Look, sql: str, key: list[str], *, kept: bool
) -> None:
    """A primary key or a unique index over all rows; a partial one, or an expression's, is not enough."""
    for had, part in (("partial", "WHERE"), ("expression", "abs("), ("expression", "lower("), ("prefix", "b(3)")):
        if part in sql and had not in db.indexes:
            pytest.skip(f"{db.name} has no {had} indexes")
    for statement in sql.split(";"):
        db.execute(statement)

    assert kept == look().check_unique(key)


def test_a_key_that_is_not_unique_now_is_refused(db: StoreUnderTest, look: Look) -> None:
    """By the database's own equality; no value is quoted."""
    folding = next(one for one in db.equalities if "case" in one)
    db.create_table("item", ColumnSpec("k", "varchar", folding))
    db.execute("INSERT INTO item (k) VALUES ('sekret')")
    assert not look().check_unique(["k"])
    db.execute("INSERT INTO item (k) VALUES ('SEKRET')")

    with pytest.raises(ConfigError, match="is not unique") as error:
        look().check_unique(["k"])

    assert "sekret" not in (str(error.value) + error.value.next_command).lower()


def test_a_view_is_looked_at_like_a_table(db: StoreUnderTest, look: Look) -> None:
    """Its columns and key are told; nothing keeps its key unique."""
    folding = next(one for one in db.equalities if "case" in one)
    db.create_table("base", ColumnSpec("id", "integer"), ColumnSpec("name", "varchar", folding), key=["id"])
    db.execute("CREATE VIEW item AS SELECT id, name FROM base")
    source = look()

    assert [column.kind for column in source.columns.values()] == ["integer", "text"]
    assert [one.equality for one in source.key_columns(["id", "name"])] == ["exact", folding]
    assert not source.check_unique(["id"])


@pytest.mark.parametrize("pending", [None, "done IS NULL", "body = 'a :b' -- why", "body LIKE '%(x)s' OR done IS NULL"])
def test_a_good_predicate_passes(db: StoreUnderTest, look: Look, pending: str | None) -> None:
    """No row is read for it."""
    db.create_table("item", *ITEM)

    look().check_pending(pending)


@pytest.mark.parametrize(
    "pending",
    [
        "nothing IS NULL",
        "done IS",
        "done IS NULL)",
        "1; DELETE FROM item",
        "done = 'x",
        "/* open",
        "1 = 1 LIMIT 1",
    ],
)
def test_a_bad_predicate_is_refused_by_the_database(db: StoreUnderTest, look: Look, pending: str) -> None:
    """With the database's reason, before any row is claimed; nothing is changed by trying."""
    db.create_table("item", *ITEM)
    db.execute("INSERT INTO item (id) VALUES (1)")

    with pytest.raises(ConfigError, match="pending is not a condition") as error:
        look().check_pending(pending)

    assert "SELECT count" in error.value.next_command
    assert db.execute("SELECT count(*) FROM item") == [(1,)]


def test_unusable_keys_are_counted(db: StoreUnderTest, look: Look) -> None:
    """NULL, and what is of another type where a database has that."""
    db.create_table("item", *ITEM)
    values: list[Any] = [1, None, None] + (["text", 1.5] if "untyped" in db.types else [])
    for value in values:
        db.execute("INSERT INTO item (id) VALUES (?)", value)

    assert len(values) - 1 == look().unusable_keys(a_definition())


def test_a_sample_is_a_pending_row_where_there_is_one(db: StoreUnderTest, look: Look) -> None:
    """Otherwise any row; an empty table has none."""
    db.create_table("item", *ITEM)
    assert look().sample(a_definition()) is None
    db.execute("INSERT INTO item (id, body, done) VALUES (1, 'old', 'yes')")
    assert look().sample(a_definition()) == {"body": "old"}
    db.execute("INSERT INTO item (id, body) VALUES (2, 'new')")

    assert look().sample(a_definition()) == {"body": "new"}


@pytest.mark.parametrize(
    ("url", "words"), [("no url", "not a database URL"), ("oracle://h/d", "does not work with 'oracle'")]
)
def test_a_url_that_cannot_serve_is_refused(url: str, words: str) -> None:
    """Before anything is opened."""
    with pytest.raises(ConfigError, match=words) as error:
        open_database(url)

    assert "sqlite:///" in error.value.next_command


def test_a_ledger_that_is_elsewhere_refuses_to_work(db: StoreUnderTest, desk: Desk) -> None:
    """Two copies would both believe that the open batches are theirs."""
    desk.store.engine.dispose()
    db.execute("UPDATE batchd_installation SET bound_to = 'elsewhere'")

    with pytest.raises(DatabaseError, match="belongs to elsewhere, but is now at ") as error:
        db.open().store(actor="t", is_dead=lambda _: False)

    assert "batchd db adopt" in error.value.next_command
    assert "@" not in str(error.value), "no login is told"


@pytest.mark.parametrize("is_copy", [True, False])
def test_a_person_says_whether_it_moved_or_was_copied(
    db: StoreUnderTest,
    desk: Desk,
    batch: Batch,
    is_copy: bool,  # noqa: FBT001
) -> None:
    """A moved ledger keeps its identity towards vendors, a copy gets one of its own."""
    original = desk.store.read(lambda ledger: ledger.installation_id())
    db.execute("UPDATE batchd_installation SET bound_to = 'elsewhere'")
    database = db.open_as_owner()

    if is_copy:
        adopt_copied(database.engine, database.dialect, database.url, actor="a person")
    else:
        adopt_moved(database.engine, database.dialect, database.url)

    store = db.open().store(actor="t", is_dead=lambda _: False)
    assert is_copy == (original != store.read(lambda ledger: ledger.installation_id()))
    assert len(original) == 32
    found = store.read(lambda ledger: ledger.batches.get(batch.id))
    assert is_copy == (found.state is BatchState.ABANDONED), "what the original has sent is the original's"
