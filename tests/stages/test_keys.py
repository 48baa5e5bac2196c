"""Keys of every type find their rows again, and each row is asked about once."""

from pathlib import Path
from typing import Any

import pytest

from batchd.core.tasks import KeyColumn, KeyEquality, KeyKind
from batchd.pipeline import SENDING
from tests.stages.bench import Bench, person_task

CLAIM = SENDING[1:2]


@pytest.mark.parametrize(
    ("column", "keys"),
    [
        ("code TEXT PRIMARY KEY", ["it's", 'a "b"', "x:y", "line\nbreak", "", "łóżko 漢字 😀", "-1"]),
        ("code TEXT COLLATE NOCASE PRIMARY KEY", ["ABC", "abd", "Zoë"]),
        ("code BLOB PRIMARY KEY", [b"\x00\xff", b"plain"]),
    ],
)
def test_keys_of_any_type_come_back_to_their_rows(tmp_path: Path, column: str, keys: list[Any]) -> None:
    """Text with any character, bytes, collations: each row gets its own answer, once."""
    kind: KeyKind = "binary" if "BLOB" in column else "text"
    equality: KeyEquality = "nocase" if "NOCASE" in column else "exact"
    task = person_task(key=(KeyColumn(name="code", kind=kind, equality=equality),))
    table = f"CREATE TABLE person ({column}, resume TEXT, name TEXT, level TEXT, done_at TEXT)"
    bench = Bench(tmp_path, task, table)
    for key in keys:
        bench.execute("INSERT INTO person (code, resume) VALUES (?, 'text')", key)

    bench.configure(batch_size=2)
    bench.run_until_quiet()

    assert len(keys) == sum(bench.vendor.paid.values())
    assert [(len(keys),)] == bench.execute("SELECT count(*) FROM person WHERE name = 'Ada'")
    assert [(0,)] == bench.execute("SELECT count(*) FROM batchd_gate")


def test_a_composite_key_is_walked_and_written_by_all_its_parts(tmp_path: Path) -> None:
    """Parts that look alike when run together stay apart."""
    task = person_task(key=(KeyColumn(name="land", kind="text"), KeyColumn(name="no", kind="integer")))
    table = (
        "CREATE TABLE person (land TEXT, no INTEGER, resume TEXT, name TEXT, level TEXT, done_at TEXT,"
        " PRIMARY KEY (land, no))"
    )
    bench = Bench(tmp_path, task, table)
    for land, number in [("EU", 1), ("EU", 11), ("EU1", 1), ("US", 7), ("", 0)]:
        bench.execute("INSERT INTO person (land, no, resume) VALUES (?, ?, 'text')", land, number)
    bench.configure(batch_size=2)

    bench.run_until_quiet()

    assert 5 == sum(bench.vendor.paid.values())
    assert [(5,)] == bench.execute("SELECT count(*) FROM person WHERE name = 'Ada'")


def test_a_changed_case_is_the_same_row_where_the_table_says_so(tmp_path: Path) -> None:
    """Under NOCASE, 'ABC' renamed to 'abc' is one row: it is in work already and not claimed again."""
    task = person_task(key=(KeyColumn(name="code", kind="text", equality="nocase"),))
    table = (
        "CREATE TABLE person (code TEXT COLLATE NOCASE PRIMARY KEY, resume TEXT, name TEXT, level TEXT, done_at TEXT)"
    )
    bench = Bench(tmp_path, task, table)
    bench.execute("INSERT INTO person (code, resume) VALUES ('ABC', 'text')")
    bench.run(*CLAIM)
    bench.execute("UPDATE person SET code = 'abc'")

    bench.run(*CLAIM)
    assert 1 == len(bench.outcomes())

    bench.run_until_quiet()
    assert [("abc", "Ada")] == bench.execute("SELECT code, name FROM person")


def test_rows_without_a_usable_key_are_passed_over_and_reported(tmp_path: Path) -> None:
    """Text in an integer key column: SQLite allows it; batchd says so and goes on with the others."""
    table = "CREATE TABLE person (id INT PRIMARY KEY, resume TEXT, name TEXT, level TEXT, done_at TEXT)"
    bench = Bench(tmp_path, None, table)
    bench.execute("INSERT INTO person (id, resume) VALUES (1, 'text'), ('one', 'text'), (NULL, 'text')")

    bench.run_until_quiet()

    assert [(1, "applied")] == bench.outcomes()
    assert [("unusable-keys", "task people")] == bench.findings()
