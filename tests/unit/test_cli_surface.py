"""The command line as a whole: its help is quick, and the reference knows all of it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from batchd.cli import call as calls
from batchd.cli.call import Call, conduct
from batchd.cli.exit_codes import INTERNAL
from batchd.cli.lines import as_called
from batchd.cli.main import app
from batchd.errors import DatabaseError

_REPOSITORY = Path(__file__).resolve().parents[2]
_HEAVY = ("openai", "sqlalchemy", "pydantic", "apscheduler", "rich", "starlette", "structlog")
_COMMON = {"--config", "--task", "--json", "--verbose", "--help", "-h"}


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, list[Any]]]:
    """Every command of the app with its parameters."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name)), command.params


def sections() -> dict[str, str]:
    """The reference's text, by command."""
    text = (_REPOSITORY / "docs/reference/cli.md").read_text(encoding="utf-8")
    return {part.partition("`")[0]: part for part in text.split("\n## `batchd ")[1:]}


@pytest.mark.parametrize(("name", "parameters"), list(commands(typer.main.get_command(app))))
def test_every_command_and_option_is_in_the_reference(name: str, parameters: list[Any]) -> None:
    """docs/reference/cli.md has a section per command, which names each option."""
    section = sections().get(name, "")

    options = {option for one in parameters for option in one.opts if option.startswith("-")}
    assert section
    assert set() == {option for option in options - {"--help", "-h"} if f"`{option}" not in section}


def test_the_flag_forms_are_in_the_reference() -> None:
    """Options of `batchd` itself are named too."""
    text = (_REPOSITORY / "docs/reference/cli.md").read_text(encoding="utf-8")
    options = {option for one in typer.main.get_command(app).params for option in one.opts}

    assert set() == {option for option in options if f"`{option}" not in text}


def test_help_loads_neither_sdk_nor_database(tmp_path: Path) -> None:
    """`batchd --help` answers before anything heavy is imported."""
    code = (
        "import sys\n"
        "from batchd.cli.main import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n"
        f"    loaded = [name for name in {_HEAVY!r} if name in sys.modules]\n"
        "    print('loaded:', loaded, 'code:', end.code)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, "--help"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(_REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines()[-1] == "loaded: [] code: 0"
    assert "check-config" in done.stdout


def test_an_unexpected_error_is_told_by_kind_and_place_only(capsys: pytest.CaptureFixture[str]) -> None:
    """Its own words may quote a row, so they are not shown; the exit code is 70."""

    def fails(_: Call) -> int:
        raise KeyError("Jane Doe, +44 20 7946 0000")

    with pytest.raises(typer.Exit) as ended:
        conduct(Call(), fails)

    told = capsys.readouterr().err
    assert ended.value.exit_code == INTERNAL
    assert "internal error: KeyError at batchd/cli/call.py:" in told
    assert "Jane" not in told


def test_an_error_is_one_document_and_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json stdout holds the error as a document; stderr says the same in words."""

    def fails(_: Call) -> int:
        raise DatabaseError("there is no database", next_command="make one")

    with pytest.raises(typer.Exit) as ended:
        conduct(Call(as_json=True), fails)

    told = capsys.readouterr()
    assert ended.value.exit_code == 11
    assert told.err == "error: there is no database\nnext: make one\n"
    assert '"next_command": "make one", "exit_code": 11' in told.out
    assert len(told.out.splitlines()) == 1


def test_an_option_behind_the_command_wins_over_the_same_before_it() -> None:
    """`batchd --task a status --task b` is about b."""
    context = typer.Context(typer.main.get_command(app))
    context.obj = Call(Path("a.toml"), "a", as_json=True)

    merged = calls.call_of(context, None, "b")

    assert Call(Path("a.toml"), "b", as_json=True) == merged


def test_commands_are_named_as_the_reader_called_them() -> None:
    """Started by run_batch.sh, batchd is not on the PATH: the commands it names must work as written."""
    line = "next: batchd show 7, or batchd check-config; batchd itself is fine, so is /opt/batchd run"

    named = as_called(line, {"BATCHD_CALLED_AS": "./run_batch.sh"})

    assert named == (
        "next: ./run_batch.sh show 7, or ./run_batch.sh check-config; batchd itself is fine, so is /opt/batchd run"
    )
    assert as_called(line, {}) == line


def test_every_command_can_be_named_as_called() -> None:
    """A new command must be known where commands are renamed for the reader."""
    names = {command.name for command in typer.main.get_command(app).commands.values()}  # type: ignore[attr-defined]

    left = {name for name in names if as_called(f"batchd {name}", {"BATCHD_CALLED_AS": "x"}) != f"x {name}"}

    assert left == set()
