"""Columns that one database alone knows: keys that compare in their own way, times beyond Python's."""

import datetime as dt

import pytest

from batchd.errors import ConfigError, DataRefusedError
from tests.conformance.stores import Desk, StoreUnderTest, a_definition, key_of


def on(server: str) -> pytest.MarkDecorator:
    """Runs a test on this one alone."""
    return pytest.mark.parametrize("db", [server], indirect=True)


def written_by_key(db: StoreUnderTest, *names: str) -> int:
    """Claims every row of ``item`` by this key and writes it; how many rows hold what was written."""
    desk = Desk(db, a_definition(key=key_of(db.open_as_owner(), names), inputs=("body",)))
    desk.write_all(*((key, {"answer": "yes"}) for key in desk.claimable()))
    return len(db.execute("SELECT answer FROM item WHERE answer = 'yes'"))


@on("postgresql")
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("mood", ["'sad'", "'happy'"]),
        ("date", ["'infinity'", "'0044-03-15 BC'", "'12000-01-01'", "'2020-02-02'"]),
    ],
    ids=["enum", "date"],
)
def test_keys_that_python_has_no_value_for_are_claimed_and_written(
    db: StoreUnderTest, kind: str, values: list[str]
) -> None:
    """The words of an enum, and days before Christ or at the end of all days."""
    db.execute("CREATE TYPE mood AS ENUM ('sad', 'happy')")
    db.execute(f"CREATE TABLE item (k {kind} PRIMARY KEY, body text, answer text, done text)")
    for value in values:
        db.execute(f"INSERT INTO item (k, body) VALUES ({value}, 'x')")

    assert len(values) == written_by_key(db, "k")


@on("postgresql")
def test_times_that_python_has_no_value_for_are_read_as_they_are(db: StoreUnderTest) -> None:
    """One such row must not keep the whole page from being read; what it holds goes into the prompt and the guard."""
    db.execute(
        "CREATE TABLE item (id int PRIMARY KEY, d date, t time, ts timestamp, tz timestamptz, i interval, answer text, "
        "done text)"
    )
    db.execute("INSERT INTO item VALUES (1, 'infinity', '24:00', '0044-03-15 BC', '-infinity', '3000000 years')")
    db.execute("INSERT INTO item VALUES (2, '2020-02-02', '12:00', '2020-02-02', '2020-02-02', '1 day')")
    desk = Desk(db, a_definition(inputs=("d", "t", "ts", "tz", "i")))

    keys = desk.claimable()
    odd, plain = desk.store.read(lambda ledger: ledger.rows(desk.task_id, desk.definition).read(keys))

    expected = {"d": "infinity", "t": "24:00:00", "ts": "0044-03-15 00:00:00 BC", "tz": "-infinity"}
    assert expected == {name: odd.inputs[name] for name in expected}
    assert "3000000 years" == odd.inputs["i"]
    assert not any(isinstance(value, str) for value in plain.inputs.values())


@on("postgresql")
@pytest.mark.parametrize("state", ["MY001", "U0001", "45000"])
def test_a_triggers_own_sqlstate_is_about_the_row(db: StoreUnderTest, state: str) -> None:
    """What no server says by itself a trigger has said, of these values: one row must not hold up a batch."""
    db.execute("CREATE TABLE item (id int PRIMARY KEY, body text, answer text, done text)")
    db.execute("INSERT INTO item (id, body) VALUES (1, 'x')")
    db.execute(
        f"CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'private' USING ERRCODE = "
        f"'{state}'; END $$"
    )
    db.execute("CREATE TRIGGER no BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION no()")
    desk = Desk(db)
    (key,) = desk.claimable()

    with pytest.raises(DataRefusedError, match=f"{state} refused by a trigger"):
        desk.write(key, answer="yes")


@on("postgresql")
def test_a_roles_own_style_of_dates_does_not_count(db: StoreUnderTest) -> None:
    """The driver reads one style only; with another, no row with a date could be read."""
    db.execute("CREATE TABLE item (id int PRIMARY KEY, body date, answer text, done text)")
    db.execute("INSERT INTO item (id, body) VALUES (1, '2020-02-01')")
    login = db.open().url.username
    db.execute(f"ALTER ROLE {login} SET datestyle = 'German, DMY'")
    desk = Desk(db)

    (row,) = desk.store.read(lambda ledger: ledger.rows(desk.task_id, desk.definition).read(desk.claimable()))

    db.execute(f"ALTER ROLE {login} RESET datestyle")
    assert dt.date(2020, 2, 1) == row.inputs["body"]


@on("mariadb")
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("CHAR(36) CHARACTER SET ascii", ["UUID()", "UUID()", "'a'"]),
        ("VARCHAR(60) CHARACTER SET sjis", ["'Abc'", "'漢'"]),
        ("VARCHAR(60) CHARACTER SET latin1", ["'Abc'", "'été'"]),
    ],
)
def test_keys_in_a_character_set_of_few_letters_are_claimed_and_written(
    db: StoreUnderTest, kind: str, values: list[str]
) -> None:
    """GUIDs are often kept as ASCII, which has no accents to ask about."""
    db.execute(f"CREATE TABLE item (k {kind} PRIMARY KEY, body TEXT, answer TEXT, done TEXT)")
    for value in values:
        db.execute(f"INSERT INTO item (k, body) VALUES ({value}, 'x')")

    assert len(values) == written_by_key(db, "k")


@on("mariadb")
def test_a_part_of_a_key_beyond_the_ledgers_integers_is_claimed_and_written(db: StoreUnderTest) -> None:
    """BIGINT UNSIGNED goes up to twice of what a BIGINT takes; in a composite it is kept as text."""
    db.execute(
        "CREATE TABLE item (k CHAR(2), n BIGINT UNSIGNED, body TEXT, answer TEXT, done TEXT, PRIMARY KEY (k, n))"
    )
    db.execute("INSERT INTO item (k, n, body) VALUES ('de', 18446744073709551615, 'x'), ('de', 1, 'x')")

    assert 2 == written_by_key(db, "k", "n")


@on("mariadb")
@pytest.mark.parametrize("kind", ["ENUM('b', 'a')", "SET('b', 'a')", "BIT(8)"])
def test_a_column_that_is_ordered_otherwise_than_compared_is_no_key(db: StoreUnderTest, kind: str) -> None:
    """ENUM and SET are ordered by number and compared by word, so the page after a page would lack rows."""
    db.execute(f"CREATE TABLE item (k {kind} PRIMARY KEY, body TEXT, answer TEXT, done TEXT)")

    with pytest.raises(ConfigError, match="a key must be whole numbers"):
        key_of(db.open_as_owner(), ["k"])
