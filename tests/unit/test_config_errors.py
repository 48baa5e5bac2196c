"""What is wrong with the shape of a config is told all at once, by line, in plain words."""

from pathlib import Path

import pytest

from batchd.config import load_config
from batchd.errors import ConfigError
from tests.unit.config_texts import HEAD, TASK, load, problems, with_task, write


def test_a_syntax_error_has_line_and_column(tmp_path: Path) -> None:
    """A file that isn't TOML says where it stops being it."""
    path = write(tmp_path, "[database]\nurl = sqlite\n")

    with pytest.raises(ConfigError, match="not valid TOML: Invalid value") as raised:
        load_config(path)

    assert raised.value.where == f"{path}:2:7"


def test_a_syntax_error_at_the_end_is_at_the_last_line(tmp_path: Path) -> None:
    """A string that is never closed is told at the end of the file."""
    path = write(tmp_path, '[database]\nurl = """never closed\n')

    with pytest.raises(ConfigError, match="not valid TOML") as raised:
        load_config(path)

    assert raised.value.where.startswith(f"{path}:2:")


def test_a_file_that_is_nested_too_deeply_is_a_config_error(tmp_path: Path) -> None:
    """A daemon that reads it again refuses it, and is not ended by it."""
    path = write(tmp_path, "x = " + "[" * 5000)

    with pytest.raises(ConfigError, match="nested too deeply"):
        load_config(path)


def test_a_file_that_cannot_be_read_is_a_config_error(tmp_path: Path) -> None:
    """A folder, or a file that isn't text, has a plain reason."""
    (tmp_path / "latin.toml").write_bytes(b"# r\xe9sum\xe9\n")

    with pytest.raises(ConfigError, match="Is a directory"):
        load_config(tmp_path)
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(tmp_path / "latin.toml")


def test_all_problems_are_listed_in_order_of_lines(tmp_path: Path) -> None:
    """Nobody should have to run a check once for each mistake."""
    text = HEAD + '[daemon]\nlease = "soon"\nspol = "x"\n' + TASK.replace('model = "m"', "model = 3")

    found = problems(tmp_path, text)

    assert [line.split(" ")[:2] for line in found] == [
        ["7:", "daemon.lease:"],
        ["8:", "daemon.spol:"],
        ["15:", "tasks.resumes.model:"],
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[daemn]\n", "6: daemn: unknown key; did you mean daemon?"),
        ("[daemon]\nzzz = 1\n", "7: daemon.zzz: unknown key"),
        ("[log]\nlvl = 'info'\n", "7: log.lvl: unknown key; did you mean level?"),
        (
            '[prices."m.1"]\ninput = 1\noutput = 1\ncached-input = 1\n',
            '9: prices."m.1".cached-input: unknown key; did you mean cached_input?',
        ),
        (
            '[vendors.x]\nkind = "openai"\napi_key = { enV = "X" }\n',
            "8: vendors.x.api_key.enV: unknown key; did you mean env?",
        ),
        (
            '[vendors.x]\nkind = "openai"\napi_key = { env = "X" }\nbaseurl = "x"\n',
            "9: vendors.x.baseurl: unknown key; did you mean base_url?",
        ),
        (
            '[vendors.x]\nkind = "sandbox"\nStates = "x"\n',
            "8: vendors.x.States: unknown key; did you mean state?",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_right_name(text: str, expected: str, tmp_path: Path) -> None:
    """In every table of the config."""
    assert problems(tmp_path, HEAD + text) == [expected]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("bach_size = 5", "8: tasks.resumes.bach_size: unknown key; did you mean batch_size?"),
        ("table_schema = 'x'", "8: tasks.resumes.table_schema: unknown key; did you mean schema?"),
        ("batch_size = 'abc'", '8: tasks.resumes.batch_size: expects a whole number, got "abc"'),
        ("batch_size = '5'", '8: tasks.resumes.batch_size: expects a whole number, got "5"'),
        ("batch_size = 0", "8: tasks.resumes.batch_size: must be at least 1, got 0"),
        ("batch_size = true", "8: tasks.resumes.batch_size: expects a whole number, got true"),
        ("every = 0", "8: tasks.resumes.every: must be more than 0, got 0"),
        ("params = 3", "8: tasks.resumes.params: expects a table, got 3"),
        ("system = ['x']", "8: tasks.resumes.system: expects text in quotes, got a list"),
        ("pending_columns = 'x'", '8: tasks.resumes.pending_columns: expects a list in [brackets], got "x"'),
        ("pending_columns = ['a', 'A']", "8: tasks.resumes.pending_columns: names a column twice"),
        ("pending_columns = ['a', 3]", "8: tasks.resumes.pending_columns[1]: expects text in quotes, got 3"),
        ("guard_column = ''", '8: tasks.resumes.guard_column: may not be empty, got ""'),
        ("null = 'skip'", '8: tasks.resumes.null: expects "empty" or "error", got "skip"'),
        (
            "on_success = { done = { now = ['utc'] } }",
            (
                "8: tasks.resumes.on_success.done: expects text, a number, true or false, "
                '{ now = "utc" }, { value = "batch" } or { value = "model" }'
            ),
        ),
        ("prompt_file = 3", "8: tasks.resumes.prompt_file: expects a path in quotes"),
        (
            "cron = 'daily'",
            (
                '8: tasks.resumes.cron: expects five fields such as "0 2 * * *" '
                '(minute, hour, day, month, day of week), got "daily"'
            ),
        ),
    ],
)
def test_a_wrong_value_is_refused_in_plain_words(line: str, expected: str, tmp_path: Path) -> None:
    """The sentence says what the key takes and what it got."""
    assert problems(tmp_path, with_task(line, without=line.split(" ", maxsplit=1)[0])) == [expected]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ('type = "text"', 'type: expects "string", "number", "integer", "boolean" or "array", got "text"'),
        ('type = "string", colum = "x"', "colum: unknown key; did you mean column?"),
        ('type = "number", minimum = "low"', 'minimum: expects a number, got "low"'),
    ],
)
def test_a_wrong_field_is_refused_in_plain_words(field: str, expected: str, tmp_path: Path) -> None:
    """Keys inside an inline table have their line too."""
    text = HEAD + TASK + f"\nother = {{ {field} }}\n"

    assert problems(tmp_path, text) == [f"18: tasks.resumes.fields.other.{expected}"]


def test_a_name_is_no_longer_than_the_ledger_keeps(tmp_path: Path) -> None:
    """What findings are about is made of it, and every database has a limit for that."""
    name = "x" * 101
    (found,) = problems(tmp_path, f'[database]\nurl = "sqlite:///x.db"\n[vendors.{name}]\nkind = "sandbox"\n')

    assert found.startswith(f"3: vendors.{name}: may have 100 characters at most")


def test_a_field_that_contradicts_itself_keeps_its_own_sentence(tmp_path: Path) -> None:
    """The rules of a field are its own; the config adds file and line."""
    found = problems(tmp_path, HEAD + TASK + 'other = { type = "array" }\n')

    assert found == ['17: tasks.resumes.fields.other: an array needs items = "string" (or number, integer, boolean)']


def test_a_missing_key_is_told_at_its_table(tmp_path: Path) -> None:
    """The line is that of the table's header."""
    assert problems(tmp_path, with_task(without="model")) == ["7: tasks.resumes.model: this key is missing"]


def test_a_missing_table_is_told_too(tmp_path: Path) -> None:
    """An empty file lacks its database."""
    assert problems(tmp_path, "") == ["1: database: this key is missing"]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            'kind = "opnai"',
            '7: vendors.x.kind: unknown kind "opnai"; it is "sandbox", "openai" or "azure"; did you mean openai?',
        ),
        ("kind = 3", '7: vendors.x.kind: unknown kind 3; it is "sandbox", "openai" or "azure"'),
        ("timeout = 3", '6: vendors.x.kind: this key is missing; it is "sandbox", "openai" or "azure"'),
        ('kind = "openai"', "6: vendors.x.api_key: this key is missing"),
        (
            'kind = "sandbox"\nupstream = "localhost"',
            "8: vendors.x.upstream: expects a URL that starts with http:// or https://",
        ),
    ],
)
def test_a_vendor_of_the_wrong_kind_is_explained(table: str, expected: str, tmp_path: Path) -> None:
    """The kinds are listed, and the keys of the right kind are asked for."""
    assert problems(tmp_path, f"{HEAD}[vendors.x]\n{table}\n") == [expected]


@pytest.mark.parametrize(
    "text",
    [
        '[vendors.x]\nkind = "openai"\napi_key = "hunter2"\n',
        '[vendors.x]\nkind = "openai"\napi_key = ["hunter2"]\n',
        '[vendors.x]\nkind = "openai"\napi_key = { env = "A", file = "B" }\nbase_url = "https://me:hunter2@host"\n',
    ],
)
def test_a_written_secret_is_refused_and_not_repeated(text: str, tmp_path: Path) -> None:
    """The error says how to refer to it; the secret itself is in no message and no cause."""
    path = write(tmp_path, HEAD + text)

    with pytest.raises(ConfigError, match=r'\{ env = "NAME" \}') as raised:
        load_config(path)

    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_password_in_the_database_url_is_refused(tmp_path: Path) -> None:
    """With its line, and the way it is done instead."""
    found = problems(tmp_path, '[database]\nurl = "mysql+pymysql://me:hunter2@host/db"\n')

    assert len(found) == 1
    assert found[0].startswith("2: database.url: a password may not be written in the URL")
    assert 'password = { env = "BATCHD_DB_PASSWORD" }' in found[0]
    assert "hunter2" not in found[0]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ('"batchd.db"', 'database.url: expects a URL such as "sqlite:///batchd.db"'),
        ("3", "database.url: expects text in quotes"),
        ('"sqlite://x.db"', "database.url: a SQLite URL has three slashes"),
        ("{ var = 'X' }", "database.url.var: unknown key"),
    ],
)
def test_a_database_url_of_no_use_is_refused(url: str, expected: str, tmp_path: Path) -> None:
    """Text and references alike."""
    found = problems(tmp_path, f"[database]\nurl = {url}\n")

    assert found[0].startswith(f"2: {expected}")


def test_a_referenced_url_is_checked_when_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error points at the reference."""
    monkeypatch.setenv("BATCHD_TEST_URL", "sqlite://")
    config = load(tmp_path, '[database]\nurl = { env = "BATCHD_TEST_URL" }\n')

    with pytest.raises(ConfigError, match="in memory") as raised:
        config.database_url()

    assert raised.value.where == f"{tmp_path}/config.toml:2"


@pytest.mark.parametrize(
    ("written", "where", "reason"), [("{\n oops", ":2:2", "not valid JSON"), ("[]", ":1", "an object")]
)
def test_a_schema_file_that_is_no_schema_has_its_own_line(
    written: str, where: str, reason: str, tmp_path: Path
) -> None:
    """The place is in the schema file, where the mistake is."""
    (tmp_path / "answer.json").write_text(written)
    text = with_task('schema_file = "answer.json"', 'columns = { a = "A" }').split("[tasks.resumes.fields]")[0]
    config = load(tmp_path, text)

    with pytest.raises(ConfigError, match=reason) as raised:
        config.answer_schema("resumes")

    assert raised.value.where == f"{tmp_path}/answer.json{where}"
