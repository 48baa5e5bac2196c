"""What bash offers on TAB, asked of bash itself; and `batchd --version`, which asks nothing of anybody."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from batchd import __version__
from batchd.store.sql_folder import newest_version
from tests.acceptance.cli_world import CONFIG, REPOSITORY, World, command_environment

Offered = Callable[..., list[str]]
PROGRAM = f"""#!/bin/sh
exec {sys.executable} -m batchd "$@"
"""
# As bash calls it: the words so far, and which of them the cursor is in.
ASK = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_batchd_completion batchd
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader puts into the folder of completions."""
    made = subprocess.run(
        [sys.executable, "-m", "batchd"],
        env=command_environment(_BATCHD_COMPLETE="source_bash"),
        capture_output=True,
        text=True,
        check=True,
    )
    path = tmp_path_factory.mktemp("completions") / "batchd"
    path.write_text(made.stdout, encoding="utf-8")
    return path


@pytest.fixture
def there(tmp_path: Path) -> World:
    """A folder with a config that has two tasks, and no database."""
    config = CONFIG + CONFIG[CONFIG.index("[tasks.people]") :].replace("people", "places")
    (tmp_path / "config.toml").write_text(config, encoding="utf-8")
    program = tmp_path / "bin" / "batchd"
    program.parent.mkdir()
    program.write_text(PROGRAM, encoding="utf-8")
    program.chmod(0o755)
    return World(tmp_path)


@pytest.fixture
def offered(there: World, script: Path) -> Offered:
    """What bash offers for the last word; anything on stderr would be written into the reader's line."""

    def ask(*words: str) -> list[str]:
        done = subprocess.run(
            ["/bin/bash", "-c", ASK, "bash", str(script), "batchd", *words],
            cwd=there.folder,
            env=command_environment(PATH=f"{there.folder / 'bin'}:/usr/bin:/bin"),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.stderr == ""
        return sorted(done.stdout.split())

    return ask


def test_commands_and_options_are_offered(offered: Offered) -> None:
    """A command's name, the name of one of a group, and an option, from their first letters."""
    assert offered("st") == ["status"]
    assert offered("db", "up") == ["upgrade"]
    assert offered("run", "--until") == ["--until-idle"]


def test_tasks_are_those_of_the_config(there: World, offered: Offered) -> None:
    """Behind a command, behind --task, and of the config that --config names."""
    (there.folder / "other.toml").write_text("[tasks.reviews]\n", encoding="utf-8")

    assert offered("pause", "") == ["people", "places"]
    assert offered("status", "--task", "pe") == ["people"]
    assert offered("status", "--config", "other.toml", "--task", "") == ["reviews"]
    assert offered("--config", "other.toml", "status", "--task", "") == ["reviews"]


def test_batches_are_those_with_files_in_the_spool(there: World, offered: Offered) -> None:
    """One uid for each batch, however many files it has; the ledger is not asked."""
    spool = there.folder / "spool"
    spool.mkdir()
    for name in ("a1.input.jsonl", "a1.output.jsonl", "b2.input.jsonl", ".mark.ledger"):
        (spool / name).touch()

    assert offered("show", "") == ["a1", "b2"]
    assert offered("cancel", "b") == ["b2"]
    assert not (there.folder / "people.db").exists()


@pytest.mark.parametrize("text", ["not = [toml", "tasks = 1\ndaemon = 2\n", ""], ids=["broken", "unfit", "empty"])
def test_a_config_that_can_not_be_read_is_no_error(there: World, offered: Offered, text: str) -> None:
    """TAB says nothing then, and the commands are offered as ever."""
    (there.folder / "config.toml").write_text(text, encoding="utf-8")

    assert offered("pause", "") == []
    assert offered("show", "") == []
    assert offered("pau") == ["pause"]


def test_files_are_left_to_the_shell(offered: Offered, script: Path) -> None:
    """Nothing is offered for --config, so that bash falls back to names of files."""
    assert offered("status", "--config", "conf") == []
    assert "complete -o default" in script.read_text(encoding="utf-8")


def test_the_version_names_the_ledger_it_works_with(tmp_path: Path) -> None:
    """In words and as a document, in a folder without a config and with one that is broken."""
    (tmp_path / "config.toml").write_text("not = [toml", encoding="utf-8")
    world = World(tmp_path)
    told = world.run("--version", BATCHD_CONFIG="/no/such/config.toml")
    document = json.loads(world.run("--version", "--json").stdout)

    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout == f"batchd {__version__} (ledger version {newest_version()})\n"
    assert document == {
        "version": __version__,
        "ledger_version": newest_version(),
        "python": ".".join(map(str, sys.version_info[:3])),
    }


def test_the_ledger_version_is_the_same_for_each_database() -> None:
    """A script that one database lacks would be a version that nobody can tell."""
    folders = [folder for folder in (REPOSITORY / "sql").iterdir() if folder.name != "examples"]
    newest = {folder.name: max(folder.glob("[0-9]*.sql")).name[:3] for folder in folders}

    assert newest == dict.fromkeys(("sqlite", "postgresql", "mysql", "mssql"), f"{newest_version():03}")
