"""Finding and loading a config that is right."""

from decimal import Decimal
from pathlib import Path

import pytest

from batchd import config_search
from batchd.config import OpenAIVendorConfig, SandboxVendorConfig, find_config, load_config
from batchd.core.tasks import Marker
from batchd.errors import ConfigError
from tests.unit.config_texts import HEAD, TASK, load, with_task, write

FULL = """\
[database]
url = { env = "BATCHD_TEST_URL" }
password = { file = "db.password" }
ledger_schema = "batchd"

[vendors.openai]
kind = "openai"
api_key = { env = "OPENAI_API_KEY" }
base_url = "https://llm.example/v1"
max_requests = 1_000
listing = false
resubmit = "fence"
create_timeout = 20

[daemon]
check_interval = "5s"
spool = "/var/spool/batchd"

[prices."gpt-6.1"]
input = 0.5
output = 4

[tasks.resumes]
vendor = "openai"
table = "candidate"
schema = "dbo"
key = ["tenant", "id"]
endpoint = "/v1/responses"
model = "gpt-6.1"
prompt_file = "prompt.txt"
cron = "0 2 * * 1-5"
null = "error"
params = { reasoning = { effort = "low" } }
schema_file = "answer.json"
columns = { "name.first" = "FirstName", "skills" = { column = "Skills", store = "json" } }
on_success = { Source = "llm", Tries = 1, Ok = true, At = { now = "utc" }, B = { value = "batch" } }
"""


def test_defaults_are_those_of_the_reference(tmp_path: Path) -> None:
    """What isn't written has its documented default, and paths are absolute."""
    config = load(tmp_path, HEAD + TASK)
    vendor, task = config.vendors["local"], config.tasks["resumes"]

    assert isinstance(vendor, SandboxVendorConfig)
    assert vendor.state == tmp_path / "sandbox.db"
    assert (vendor.batch_duration, vendor.max_requests, vendor.max_bytes) == (5, 50_000, 200_000_000)
    assert (vendor.resubmit, vendor.submit_grace, vendor.create_timeout) == ("hold", 6, 5)
    assert (config.daemon.check_interval, config.daemon.sweep_interval, config.daemon.lease) == (60, 600, 300)
    assert config.daemon.spool == tmp_path / "spool"
    assert (task.batch_size, task.max_open_batches, task.every, task.retry_delay) == (200, 10, 600, 10)
    assert (task.max_attempts, task.max_resends, task.null_input) == (3, 10, "empty")
    assert task.on_success == {"done": Marker(source="now")}
    assert config.database_url() == f"sqlite:///{tmp_path}/batchd.db"
    assert config.database_password() is None
    assert config.warnings == ()


def test_every_kind_of_key_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """References, aliases, long forms, prices and files beside the config arrive as they were meant."""
    monkeypatch.setenv("BATCHD_TEST_URL", "postgresql+psycopg://me:made-up@host/db")
    (tmp_path / "db.password").write_text("made-up\n")
    (tmp_path / "prompt.txt").write_text("Read: {{ resume }}")
    (tmp_path / "answer.json").write_text('{"type": "object"}')

    config = load(tmp_path, FULL)
    vendor, task = config.vendors["openai"], config.tasks["resumes"]

    assert config.database_url() == "postgresql+psycopg://me:made-up@host/db"
    assert config.database_password() == "made-up"
    assert "made-up" not in repr(config)
    assert isinstance(vendor, OpenAIVendorConfig)
    assert (vendor.listing, vendor.resubmit, vendor.create_timeout) == (False, "fence", 20)
    assert config.daemon.spool == Path("/var/spool/batchd")
    assert config.prices["gpt-6.1"].input == Decimal("0.5")
    assert config.prices["gpt-6.1"].cached_input is None
    assert (task.table_schema, task.key, task.null_input) == ("dbo", ("tenant", "id"), "error")
    assert config.prompt("resumes") == "Read: {{ resume }}"
    assert config.answer_schema("resumes") == {"type": "object"}
    assert [column for _, column in task.answer_columns] == ["FirstName", "Skills"]
    assert [marker.constant for marker in task.on_success.values()] == ["llm", 1, True, None, None]
    assert [marker.source for marker in task.on_success.values()][2:] == ["constant", "now", "batch"]


def test_a_key_is_named_with_file_and_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Later checks can point at a key; the file is named from the working folder."""
    monkeypatch.chdir(tmp_path)
    config = load_config(write(tmp_path, HEAD + TASK).relative_to(tmp_path))

    assert config.where("tasks", "resumes", "prompt") == "config.toml:13"
    assert config.where("tasks", "resumes", "batch_size") == "config.toml:7"
    assert str(config.error("names no column", "tasks", "resumes", "prompt")) == (
        "config.toml:13: tasks.resumes.prompt: names no column"
    )


def test_plain_text_goes_to_one_column(tmp_path: Path) -> None:
    """``text_column`` takes the answer as it is; the prompt is the config's own."""
    text = with_task('text_column = "Summary"').split("[tasks.resumes.fields]")[0]
    config = load(tmp_path, text)

    assert [column for _, column in config.tasks["resumes"].answer_columns] == ["Summary"]
    assert config.prompt("resumes") == "{{ resume }}"
    assert config.answer_schema("resumes") is None


def test_a_file_of_a_windows_editor_is_read(tmp_path: Path) -> None:
    """A byte order mark and Windows line ends change neither values nor lines."""
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + TASK).replace("\n", "\r\n").encode())

    assert load_config(path).where("tasks", "resumes", "prompt") == f"{path}:13"


def test_the_config_named_by_the_option_comes_first(tmp_path: Path) -> None:
    """``--config`` beats BATCHD_CONFIG, which beats ./config.toml."""
    for name in ("config.toml", "option.toml", "variable.toml"):
        (tmp_path / name).touch()
    environ = {"BATCHD_CONFIG": "variable.toml"}

    assert find_config(Path("option.toml"), environ, tmp_path) == tmp_path / "option.toml"
    assert find_config(None, environ, tmp_path) == tmp_path / "variable.toml"
    assert find_config(None, {}, tmp_path) == tmp_path / "config.toml"


def test_the_system_config_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any other, the file under /etc is used."""
    system = tmp_path / "etc.toml"
    system.touch()
    monkeypatch.setattr(config_search, "SYSTEM_CONFIG", system)

    assert find_config(None, {"BATCHD_CONFIG": ""}, tmp_path / "elsewhere") == system


def test_no_config_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error lists the places and names the command that writes a config."""
    monkeypatch.setattr(config_search, "SYSTEM_CONFIG", tmp_path / "etc.toml")

    with pytest.raises(ConfigError) as raised:
        find_config(None, {}, tmp_path)

    assert str(tmp_path / "config.toml") in raised.value.message
    assert str(tmp_path / "etc.toml") in raised.value.message
    assert "batchd init" in raised.value.next_command


@pytest.mark.parametrize(("option", "environ"), [(Path("no.toml"), {}), (None, {"BATCHD_CONFIG": "no.toml"})])
def test_a_named_config_is_not_replaced_by_another(
    option: Path | None, environ: dict[str, str], tmp_path: Path
) -> None:
    """A misspelt name must not run the config that happens to be in the folder."""
    (tmp_path / "config.toml").touch()

    with pytest.raises(ConfigError, match=r"no\.toml, which .* names"):
        find_config(option, environ, tmp_path)
