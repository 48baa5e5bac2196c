"""``[tasks.NAME.write]``: what its shape must be, and which tasks may not meet in one table."""

from pathlib import Path

import pytest

from batchd.config import load_config
from tests.unit.config_texts import load, problems, with_task, write

WRITE = """
[tasks.resumes.write]
table = "result"
schema = "hr"
mode = "insert"
key = ["candidate_id"]
"""

OTHER = """
[tasks.other]
vendor = "local"
table = "{table}"
key = ["id"]
model = "m"
prompt = "{{{{ resume }}}}"
[tasks.other.fields]
name = {{ type = "string", column = "{column}" }}
{write}
"""


def warned(folder: Path, text: str) -> list[str]:
    """What the config is warned of."""
    return [one.message for one in load_config(write(folder, text)).warnings]


def test_a_table_to_write_to_is_read(tmp_path: Path) -> None:
    """With its schema, mode and key; without them rows of the key's own names are filled."""
    given = load(tmp_path, with_task() + WRITE).tasks["resumes"]
    bare = load(tmp_path, with_task('write = { table = "result" }')).tasks["resumes"]

    assert given.write is not None
    assert bare.write is not None
    assert (("hr", "result"), "insert", ("candidate_id",)) == (given.written_table, given.write.mode, given.written_key)
    assert ((None, "result"), "update", ("id",)) == (bare.written_table, bare.write.mode, bare.written_key)


def test_without_it_a_task_writes_to_its_own_table(tmp_path: Path) -> None:
    """As ever."""
    task = load(tmp_path, with_task('schema = "hr"')).tasks["resumes"]

    assert (("hr", "candidate"), ("id",)) == (task.written_table, task.written_key)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('write = { table = "result", mdoe = "insert" }', "unknown key; did you mean mode?"),
        ("write = {}", "this key is missing"),
        ('write = { table = "result", mode = "upsert" }', 'expects "update" or "insert", got "upsert"'),
        ('write = { table = "result", key = [] }', "may not be empty"),
        ('write = { table = "result", key = ["a", "A"] }', "names a column twice"),
        ('write = { table = "result", key = ["a", "b"] }', "names 2 columns, but the task's key has 1"),
        ('write = { table = "candidate" }', "is the task's own table; leave [write] out"),
        ('write = { table = "result", key = ["Name"] }', "column Name is part of the key, which may not change"),
    ],
)
def test_what_does_not_fit_is_told_with_its_line(tmp_path: Path, lines: str, expected: str) -> None:
    """The line of the key, and what to write in its place."""
    (found,) = problems(tmp_path, with_task(lines))

    line, _, sentence = found.partition(": ")
    assert int(line) in range(6, 20)
    assert expected in sentence


def test_a_guard_column_would_save_nothing(tmp_path: Path) -> None:
    """It stands in the task's own table, and what is written elsewhere must be compared all the same."""
    (found,) = problems(tmp_path, with_task('guard_column = "version"', 'write = { table = "result" }'))

    assert "saves nothing where answers go to another table" in found


KEYED = 'write = { table = "result", key = ["id"], mode = "insert" }'
FILLING = 'write = { table = "result" }'


@pytest.mark.parametrize(
    ("lines", "other", "expected"),
    [
        (FILLING, ("somewhere", "Name", '[tasks.other.write]\ntable = "result"'), "writes column Name of table result"),
        (FILLING, ("somewhere", "NAME", '[tasks.other.write]\ntable = "RESULT"'), "writes column NAME of table RESULT"),
        (FILLING, ("result", "Name", ""), "writes column Name of table result too"),
        (KEYED, ("somewhere", "x", '[tasks.other.write]\ntable = "result"\nmode = "insert"'), "writes column id of"),
        (FILLING, ("candidate", "Name", ""), ""),
        (FILLING, ("somewhere", "x", '[tasks.other.write]\ntable = "result"'), ""),
        (KEYED, ("somewhere", "x", '[tasks.other.write]\ntable = "result"'), ""),
        (FILLING, ("somewhere", "Name", '[tasks.other.write]\ntable = "elsewhere"'), ""),
    ],
)
def test_two_tasks_may_not_write_one_column_of_one_table(
    tmp_path: Path, lines: str, other: tuple[str, str, str], expected: str
) -> None:
    """Whichever table they read; two that add rows of one key would write it both."""
    table, column, more = other
    text = with_task(lines) + OTHER.format(table=table, column=column, write=more)

    if not expected:
        assert {"resumes", "other"} == set(load(tmp_path, text).tasks)
        return
    assert any(expected in one for one in problems(tmp_path, text))


@pytest.mark.parametrize(
    ("pending", "mode", "expected"),
    [
        ("state = 1", "update", 0),
        ("state = 1", "insert", 0),
        ("NOT EXISTS (SELECT 1 FROM result r WHERE r.id = candidate.id)", "insert", 0),
        ("EXISTS (SELECT 1 FROM result r WHERE r.id = candidate.id AND done IS NULL)", "update", 0),
        ("EXISTS (SELECT 1 FROM result r WHERE r.id = candidate.id AND wanted = 1)", "update", 1),
    ],
)
def test_a_condition_that_nothing_ends_is_a_warning_only_where_it_could_be_ended(
    tmp_path: Path, pending: str, mode: str, expected: int
) -> None:
    """Of a source that is only read, rows are done once they are written."""
    text = with_task(f'pending = "{pending}"', f'write = {{ table = "result", mode = "{mode}" }}', without="pending")

    assert expected == len(warned(tmp_path, text))
