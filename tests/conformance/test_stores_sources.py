"""A user's table before any task works on it, and the place a ledger belongs to."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from batchd.core.schema import ColumnInfo
from batchd.core.tasks import KeyColumn, KeyEquality, KeyKind
from batchd.errors import ConfigError, DatabaseError
from batchd.store.dialects.sqlite import read_only
from batchd.store.installation import adopt_copied, adopt_moved
from batchd.store.opening import open_database
from batchd.store.source import SourceTable
from tests.conformance.stores import ITEM, ColumnSpec, Desk, SqliteUnderTest, StoreUnderTest, a_definition

Look = Callable[..., SourceTable]


@pytest.fixture
def look(db: StoreUnderTest) -> Iterator[Look]:
    """Looks at a table over one connection."""
    database = db.open()
    with read_only(database.engine.connect()) as connection:

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
    with pytest.raises(ConfigError, match=r"no table 'item'$") as error:
        look("item")

    assert error.value.next_command == "tables here: none"


def test_a_missing_column_names_the_near_one(db: StoreUnderTest, look: Look) -> None:
    """Also where it is the key."""
    db.create_table("item", ColumnSpec("UserId", "integer"), ColumnSpec("body"))

    with pytest.raises(ConfigError, match="no column 'userid'; did you mean 'UserId'") as error:
        look().column_named("userid")

    assert error.value.next_command == "the columns are: UserId, body"
    with pytest.raises(ConfigError, match="no column 'id'"):
        look().key_columns(["id"])


def test_columns_are_told_as_they_are(db: StoreUnderTest, look: Look) -> None:
    """Kind, length and whether NULL may stand there."""
    db.execute("CREATE TABLE item (a INTEGER NOT NULL, b VARCHAR(20), c TEXT, d REAL, e BLOB, f TIMESTAMP)")

    assert {
        "a": ColumnInfo("integer", None, nullable=False),
        "b": ColumnInfo("text", 20),
        "c": ColumnInfo("text"),
        "d": ColumnInfo("number"),
        "e": ColumnInfo("binary"),
        "f": ColumnInfo("time"),
    } == dict(look().columns)


@pytest.mark.parametrize(
    ("column", "kind", "equality"),
    [
        (ColumnSpec("k", "integer"), "integer", "exact"),
        (ColumnSpec("k", "text"), "text", "exact"),
        (ColumnSpec("k", "text", "nocase"), "text", "nocase"),
        (ColumnSpec("k", "text", "rtrim"), "text", "rtrim"),
        (ColumnSpec("k", "binary"), "binary", "exact"),
    ],
)
@pytest.mark.parametrize("key", [["k"], []])
def test_the_kind_and_equality_of_a_key_are_the_columns(
    db: StoreUnderTest,
    look: Look,
    column: ColumnSpec,
    *,
    kind: KeyKind,
    equality: KeyEquality,
    key: list[str],
) -> None:
    """Whether there is an index or not."""
    db.create_table("item", column, key=key)

    assert [KeyColumn(name="k", kind=kind, equality=equality)] == look().key_columns(["k"])


def test_an_indexs_own_collation_is_not_the_columns(db: StoreUnderTest, look: Look) -> None:
    """Rows are found by comparing the column, so its own equality counts."""
    db.create_table("item", ColumnSpec("a", "text", "nocase"), ColumnSpec('b"', "text"))
    if db.name == "sqlite":
        db.execute("CREATE UNIQUE INDEX one ON item (a COLLATE BINARY)")
        db.execute('CREATE UNIQUE INDEX two ON item ("b""" COLLATE NOCASE)')

    assert [one.equality for one in look().key_columns(["a", 'b"'])] == ["nocase", "exact"]


@pytest.mark.parametrize("declared", ["REAL", "FLOAT", "NUMERIC(10, 2)", "TIMESTAMP", "DATE", "BOOLEAN"])
def test_a_column_that_compares_inexactly_is_no_key(db: StoreUnderTest, look: Look, declared: str) -> None:
    """Fractions and times are refused, with the way out."""
    db.execute(f"CREATE TABLE item (k {declared})")

    with pytest.raises(ConfigError, match="a key must be whole numbers, text or bytes") as error:
        look().key_columns(["k"])

    assert "another unique column" in error.value.next_command


@pytest.mark.parametrize(
    ("sql", "key", "kept"),
    [
        ("CREATE TABLE item (a INTEGER PRIMARY KEY, b TEXT)", ["a"], True),
        ("CREATE TABLE item (a INTEGER PRIMARY KEY, b TEXT)", ["a", "b"], True),
        ("CREATE TABLE item (a INTEGER, b TEXT, PRIMARY KEY (b, a))", ["a", "b"], True),
        ("CREATE TABLE item (a INTEGER, b TEXT, PRIMARY KEY (b, a))", ["a"], False),
        ("CREATE TABLE item (a INTEGER UNIQUE, b TEXT)", ["a"], True),
        ("CREATE TABLE item (a INTEGER, b TEXT, UNIQUE (a, b))", ["a"], False),
        ("CREATE TABLE item (a INTEGER, b TEXT)", ["a"], False),
        ("CREATE TABLE item (a INTEGER, b TEXT); CREATE UNIQUE INDEX i ON item (a)", ["a"], True),
        ("CREATE TABLE item (a INTEGER, b TEXT); CREATE INDEX i ON item (a)", ["a"], False),
        (
            "CREATE TABLE item (a INTEGER, b TEXT); CREATE UNIQUE INDEX i ON item (a) WHERE b = 'x'",
            ["a"],
            False,
        ),
        ("CREATE TABLE item (a INTEGER, b TEXT); CREATE UNIQUE INDEX i ON item (abs(a))", ["a"], False),
    ],
)
def test_only_the_database_can_keep_a_key_unique(
    db: StoreUnderTest, look: Look, sql: str, key: list[str], *, kept: bool
) -> None:
    """A primary key or a unique index over all rows; a partial one, or an expression's, is not enough."""
    for statement in sql.split(";"):
        db.execute(statement)

    assert kept == look().check_unique(key)


def test_a_key_that_is_not_unique_now_is_refused(db: StoreUnderTest, look: Look) -> None:
    """By the database's own equality; no value is quoted."""
    db.create_table("item", ColumnSpec("k", "text", "nocase"))
    db.execute("INSERT INTO item (k) VALUES ('sekret')")
    assert not look().check_unique(["k"])
    db.execute("INSERT INTO item (k) VALUES ('SEKRET')")

    with pytest.raises(ConfigError, match="is not unique") as error:
        look().check_unique(["k"])

    assert "sekret" not in (str(error.value) + error.value.next_command).lower()


def test_a_view_is_looked_at_like_a_table(db: StoreUnderTest, look: Look) -> None:
    """Its columns and key are told; nothing keeps its key unique."""
    db.create_table("base", ColumnSpec("id", "integer"), ColumnSpec("name", "text", "nocase"), key=["id"])
    db.execute("CREATE VIEW item AS SELECT id, name FROM base")
    source = look()

    assert [column.kind for column in source.columns.values()] == ["integer", "text"]
    assert [one.equality for one in source.key_columns(["id", "name"])] == ["exact", "nocase"]
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
    values: list[Any] = [1, None, None] + (["text", 1.5] if db.name == "sqlite" else [])
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
    ("url", "words"), [("no url", "not a database URL"), ("oracle://h/d", "no support for 'oracle'")]
)
def test_a_url_that_cannot_serve_is_refused(url: str, words: str) -> None:
    """Before anything is opened."""
    with pytest.raises(ConfigError, match=words) as error:
        open_database(url)

    assert "sqlite:///" in error.value.next_command


@pytest.fixture
def copied(db: StoreUnderTest, desk: Desk, tmp_path: Path) -> str:
    """The URL of a copy of the database's file."""
    assert isinstance(db, SqliteUnderTest)
    desk.store.dispose()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(db.path, tmp_path / "copy.db")
    return f"sqlite:///{tmp_path / 'copy.db'}"


def test_a_copied_ledger_refuses_to_work(copied: str) -> None:
    """Both copies would believe that the open batches are theirs."""
    with pytest.raises(DatabaseError, match=r"belongs to sqlite:.*store\.db, but is now at sqlite:.*copy\.db") as error:
        open_database(copied).store(actor="t", is_dead=lambda _: False)

    assert "batchd db adopt" in error.value.next_command


@pytest.mark.parametrize("is_copy", [True, False])
def test_a_person_says_whether_it_moved_or_was_copied(desk: Desk, copied: str, is_copy: bool) -> None:  # noqa: FBT001
    """A moved ledger keeps its identity towards vendors, a copy gets one of its own."""
    original = desk.store.read(lambda ledger: ledger.installation_id())
    database = open_database(copied)

    if is_copy:
        adopt_copied(database.engine, database.dialect, database.url, actor="a person")
    else:
        adopt_moved(database.engine, database.dialect, database.url)

    store = database.store(actor="t", is_dead=lambda _: False)
    assert is_copy == (original != store.read(lambda ledger: ledger.installation_id()))
    assert len(original) == 32
    store.dispose()


def test_the_same_file_by_another_path_is_the_same_place(db: StoreUnderTest, desk: Desk, tmp_path: Path) -> None:
    """A link does not make a copy."""
    assert isinstance(db, SqliteUnderTest)
    (tmp_path / "link.db").symlink_to(db.path)

    store = open_database(f"sqlite:///{tmp_path / 'link.db'}").store(actor="t", is_dead=lambda _: False)

    assert desk.store.read(lambda ledger: ledger.installation_id()) == store.read(
        lambda ledger: ledger.installation_id()
    )
    store.dispose()
