"""What init guesses from a table's columns."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
import sqlalchemy as sa

from batchd.app.guessing import guess
from batchd.core.schema import ColumnInfo
from batchd.errors import ConfigError
from batchd.store.dialects import dialect_for
from batchd.store.profile import TableProfile, profile

_ID = {"id": ColumnInfo("integer", nullable=False)}
_TEXT = {"body": ColumnInfo("text")}
_ANSWER = {"FullName": ColumnInfo("text", 40)}


def seen(columns: Mapping[str, ColumnInfo], *, full: frozenset[str] = frozenset()) -> TableProfile:
    return TableProfile(
        ("id",) if "id" in columns else (),
        columns,
        {name: name for name in columns},
        {name: 500 if name == "body" else 5 for name in columns},
        frozenset(columns) - full,
    )


@pytest.mark.parametrize(
    ("name", "column", "expected"),
    [
        ("ProcessedAt", ColumnInfo("time"), "ProcessedAt"),
        ("last_processed", ColumnInfo("text"), "last_processed"),
        ("processed", ColumnInfo("boolean", nullable=False), "processed"),
        ("scored_at", ColumnInfo("time"), "scored_at"),
        ("created_at", ColumnInfo("time"), None),
        ("scored_at", ColumnInfo("time", nullable=False), None),
        ("format", ColumnInfo("text"), None),
    ],
)
def test_a_column_that_marks_done_rows_is_found(name: str, column: ColumnInfo, expected: str | None) -> None:
    """A time or flag named for the work is the marker; when a row was created says nothing."""
    found = guess("people", seen({**_ID, **_TEXT, **_ANSWER, name: column}), ())

    assert expected == found.marker


def test_columns_that_are_filled_everywhere_are_left_alone() -> None:
    """Init never proposes to write over values that are there."""
    columns = {**_ID, **_TEXT, **_ANSWER, "email": ColumnInfo("text")}

    found = guess("people", seen(columns, full=frozenset({"email"})), ())

    assert [one.column for one in found.answers] == ["FullName"]
    assert found.left_alone == ("email",)


def test_fields_are_named_in_snake_case_and_differ() -> None:
    """Two columns whose names fold to one get two fields."""
    columns = {**_ID, **_TEXT, "FullName": ColumnInfo("text"), "full name": ColumnInfo("text")}

    found = guess("people", seen(columns), ())

    assert [one.name for one in found.answers] == ["full_name", "full_name_"]


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({**_TEXT, **_ANSWER}, "no primary key"),
        ({**_ID, "n": ColumnInfo("integer")}, "no text column to read"),
        ({**_ID, **_TEXT}, "no empty column that an answer could be written to"),
    ],
)
def test_what_a_table_lacks_is_told(columns: Mapping[str, ColumnInfo], told: str) -> None:
    """Without a key, a text or a column to write there is no task."""
    with pytest.raises(ConfigError, match=told) as refused:
        guess("people", seen(columns), ())

    assert refused.value.next_command


def test_columns_that_no_driver_reads_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Init looks at the other columns of such a table; here reading the column is an error, as with geography."""
    engine, dialect = sa.create_engine("sqlite://"), dialect_for(sa.make_url("sqlite://"))
    as_declared = dialect.columns

    def columns(connection: sa.Connection, table: str, schema: str | None) -> dict[str, ColumnInfo]:
        found = as_declared(connection, table, schema)
        return found | {"place": replace(found["place"], unreadable="geography")}

    monkeypatch.setattr(dialect, "columns", columns)
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE people (id INTEGER PRIMARY KEY, body TEXT, answer TEXT)")
        connection.exec_driver_sql("CREATE VIEW seen AS SELECT id, body, json(body) AS place, answer FROM people")
        connection.exec_driver_sql("INSERT INTO people (id, body) VALUES (1, 'a text')")

        found = profile(connection, dialect, "seen", None)

    assert ["id", "body", "answer"] == list(found.columns)
    assert 6 == found.longest["body"]
