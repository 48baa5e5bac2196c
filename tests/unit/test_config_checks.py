"""What a config of the right shape may still get wrong."""

from pathlib import Path

import pytest

from tests.unit.config_texts import HEAD, TASK, load, problems, with_task

OTHER = """
[tasks.other]
vendor = "local"
table = "CANDIDATE"
key = ["id"]
model = "m"
prompt = "p"
text_column = "NAME"
"""


def renamed(name: str) -> str:
    return HEAD + TASK.replace("tasks.resumes", f"tasks.{name}")


def test_a_name_that_files_and_commands_cannot_take_is_refused(tmp_path: Path) -> None:
    """Names of tasks and vendors end up in file names and on command lines."""
    assert problems(tmp_path, renamed('"my résumés"')) == [
        '7: tasks."my résumés": a name is 1 to 64 letters A-Z a-z, digits, - or _'
    ]


def test_a_vendor_that_is_not_configured_is_refused(tmp_path: Path) -> None:
    """With the nearest name."""
    assert problems(tmp_path, HEAD + TASK.replace('"local"', '"locl"')) == [
        "8: tasks.resumes.vendor: there is no [vendors.locl]; did you mean local?"
    ]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["batch_size = 60_000"], "batch_size: is 60000, but max_requests of vendors.local is 50000"),
        (["min_batch_size = 300", "max_wait = '1h'"], "min_batch_size: is more than batch_size (200)"),
        (
            ["min_batch_size = 10"],
            'min_batch_size: needs max_wait, such as "1h", or the last few rows would wait for ever',
        ),
        (["max_wait = '1h'"], "max_wait: has no effect without min_batch_size"),
        (["cron = '0 2 * * *'", "every = '1m'"], "cron: every is there too; keep one of them"),
        (
            ["params = { x = { y = [2020-01-01] } }"],
            "params.x: can't be sent as JSON: dates, inf and nan are not part of it",
        ),
        (["text_column = 'Note'"], "text_column: fields is there too; an answer has one form"),
        (
            ["columns = { a = 'A' }"],
            "columns: needs schema_file; with [fields], a field names its column itself",
        ),
        (
            ["guard_column = 'Name'"],
            "fields.name.column: column Name is the guard_column, which the database changes by itself",
        ),
        (
            ["formerly = 'resumes'"],
            "formerly: there still is a task resumes; a former name is one no longer used",
        ),
    ],
)
def test_keys_that_contradict_each_other_are_refused(lines: list[str], expected: str, tmp_path: Path) -> None:
    """Each with one sentence, at the key that is wrong."""
    found = problems(tmp_path, with_task(*lines))

    assert [line.split(": tasks.resumes.", 1)[1] for line in found] == [expected]


def test_a_task_without_a_prompt_is_refused(tmp_path: Path) -> None:
    """The sentence names both ways to give one."""
    assert problems(tmp_path, with_task(without="prompt")) == [
        "7: tasks.resumes: says no prompt; write prompt = … or prompt_file = …"
    ]


def test_a_prompt_given_twice_is_refused(tmp_path: Path) -> None:
    """Which one counts would be a guess."""
    (tmp_path / "p.txt").touch()

    assert problems(tmp_path, with_task('prompt_file = "p.txt"')) == [
        "8: tasks.resumes.prompt_file: prompt is there too; keep one of them"
    ]


@pytest.mark.parametrize("key", ["prompt_file", "schema_file"])
def test_a_file_that_is_not_there_is_refused(key: str, tmp_path: Path) -> None:
    """Before anything runs, and with the path that was looked for."""
    found = problems(tmp_path, with_task(f'{key} = "absent"', without="prompt"))

    assert f"8: tasks.resumes.{key}: there is no file {tmp_path}/absent" in found


def test_a_task_that_asks_for_nothing_is_refused(tmp_path: Path) -> None:
    """An answer must have a form, and some place to go."""
    nothing = with_task().split("[tasks.resumes.fields]")[0]
    nowhere = with_task().replace(', column = "Name"', "")

    assert problems(tmp_path, nothing) == [
        "7: tasks.resumes: asks for nothing; write [fields], or schema_file with columns, or text_column"
    ]
    assert problems(tmp_path, nowhere) == [
        "15: tasks.resumes.fields: no field has a column, so the answers would be written nowhere"
    ]


def test_a_column_written_twice_by_one_task_is_refused(tmp_path: Path) -> None:
    """A field and on_success would overwrite each other; case makes no difference."""
    text = with_task(without="on_success").replace("prompt =", 'on_success = { NAME = "x" }\nprompt =')

    assert problems(tmp_path, text) == ["13: tasks.resumes.on_success.NAME: column NAME is written twice by this task"]


def test_writing_the_key_is_refused(tmp_path: Path) -> None:
    """A row whose key changes is another row."""
    assert problems(tmp_path, with_task().replace('"Name"', '"ID"')) == [
        "16: tasks.resumes.fields.name.column: column ID is part of the key, which may not change"
    ]


def test_two_tasks_may_not_write_one_column(tmp_path: Path) -> None:
    """The names of tables and columns are compared without case."""
    assert problems(tmp_path, HEAD + TASK + OTHER) == [
        ("24: tasks.other.text_column: task resumes writes column NAME of table CANDIDATE too; only one task may")
    ]


def test_a_table_without_a_schema_may_be_any_of_its_name(tmp_path: Path) -> None:
    """One task names the schema, the other doesn't: it may be the same table, until both say."""
    one = HEAD + TASK + OTHER + 'schema = "dbo"\n'
    both = with_task('schema = "hr"') + OTHER + 'schema = "dbo"\n'

    assert problems(tmp_path, one)[0].endswith("If these are two tables, give both tasks their schema")
    assert sorted(load(tmp_path, both).tasks) == ["other", "resumes"]


def test_two_tasks_may_not_have_had_the_same_name(tmp_path: Path) -> None:
    """Only one can take over the rows that the ledger remembers."""
    other = OTHER.replace("CANDIDATE", "letters") + 'formerly = "old"\n'

    assert problems(tmp_path, with_task('formerly = "old"') + other) == [
        "26: tasks.other.formerly: task resumes says the same"
    ]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('create_timeout = "5m"', "create_timeout: must be shorter than daemon.lease (300 s)"),
        (
            'resubmit = "fence"\nsubmit_grace = "3s"',
            "submit_grace: must be longer than create_timeout (5 s)",
        ),
    ],
)
def test_times_that_could_pay_twice_are_refused(lines: str, expected: str, tmp_path: Path) -> None:
    """A create may not outlive its lease, nor be sent again while it may still arrive."""
    found = problems(tmp_path, f"{HEAD}{lines}\n{TASK}")

    assert [line.split(": vendors.local.", 1)[1] for line in found] == [expected]


@pytest.mark.parametrize(
    ("pending", "columns", "warned"),
    [
        ("done IS NULL", "[]", 0),
        ("[DONE] is null and x = 1", "[]", 0),
        ("not_done = 1", "[]", 1),
        ("dbo.is_open(id) = 1", "[]", 1),
        ("dbo.is_open(id) = 1", '["NAME"]', 0),
    ],
)
def test_rows_that_would_stay_pending_are_warned_of(pending: str, columns: str, warned: int, tmp_path: Path) -> None:
    """A task that writes nothing its condition names is allowed, and probably not meant."""
    text = with_task(f'pending = "{pending}"', f"pending_columns = {columns}", without="pending")
    config = load(tmp_path, text)

    assert warned == len(config.warnings)


def test_a_warning_has_its_place(tmp_path: Path) -> None:
    """File, line and key, as errors have."""
    text = with_task(without="on_success")
    (warning,) = load(tmp_path, text).warnings

    assert warning.where == f"{tmp_path}/config.toml:11"
    assert warning.message.startswith("tasks.resumes.pending: the task writes no column")


def test_a_limit_of_a_model_that_no_task_asks_for_is_warned_of(tmp_path: Path) -> None:
    """A misspelt model would let everything through."""
    vendor = '[vendors.x]\nkind = "openai"\napi_key = { env = "K" }\nenqueued_tokens = { m = 5 }\n'
    (warning,) = load(tmp_path, HEAD + vendor).warnings

    assert warning.where == f"{tmp_path}/config.toml:9"
    assert "no task of this vendor asks for that model" in warning.message


@pytest.mark.parametrize(
    ("lines", "warned"),
    [
        ("port = 9464", False),
        ('port = 9464\nhost = "127.0.0.2"', False),
        ('port = 9464\nhost = "::1"', False),
        ('port = 9464\nhost = "localhost"', False),
        ('port = 9464\nhost = "0.0.0.0"', True),
        ('port = 9464\nhost = "10.0.0.5"', True),
        ('port = 9464\nhost = "db.example"', True),
        ('host = "0.0.0.0"', False),
    ],
)
def test_metrics_that_others_can_reach_are_warned_of(lines: str, *, warned: bool, tmp_path: Path) -> None:
    """Nobody is asked for a password there; without a port nothing is served."""
    config = load(tmp_path, f"{HEAD}{TASK}\n[metrics]\n{lines}\n")

    assert warned == any("nobody is asked for a password" in one.message for one in config.warnings)


@pytest.mark.parametrize("port", ["0", "65536", '"9464"', "true"])
def test_a_port_is_a_number_that_one_can_listen_at(port: str, tmp_path: Path) -> None:
    """Told at its key."""
    (problem,) = problems(tmp_path, f"{HEAD}{TASK}\n[metrics]\nport = {port}\n")

    assert "metrics.port: " in problem
