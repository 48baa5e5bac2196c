"""The runbook: a page for each kind of finding, of which every command and every query can be typed as it stands."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from batchd.cli.call import Call
from batchd.cli.main import app
from batchd.cli.runbook import folder, runbook
from batchd.core.findings import AT_A_STAND, AT_STAKE, KINDS, WORTH_KNOWING, page_of
from batchd.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = ROOT / "docs" / "runbook"
PARTS = ("**What it means.** ", "**What batchd does.** ", "## Look", "## Do", "**It ends:** ", "**It costs:** ")
SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
QUERY = re.compile(r"^```sql\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(batchd [^`]+)`")
# As people type them: each a command of its own.
COMMENT = re.compile(r"\s+#.*$")


def text_of(kind: str) -> str:
    return (RUNBOOK / f"{kind}.md").read_text(encoding="utf-8")


def commands_of(text: str) -> list[str]:
    """Every batchd command of a page: in its examples, and in its sentences."""
    lines = [COMMENT.sub("", line) for block in SHELL.findall(text) for line in block.splitlines()]
    return [line for line in (*lines, *INLINE.findall(text)) if line.startswith("batchd ")]


def fault_of(line: str) -> str:
    """Why a command can't be typed so; "" where it can."""
    command, rest = typer.main.get_command(app), line.split()[1:]
    while rest and isinstance(command, TyperGroup) and rest[0] in command.commands:
        command, rest = command.commands[rest[0]], rest[1:]
    if isinstance(command, TyperGroup):
        return f"{line}: no such command"
    options = {option: one for one in command.params for option in one.opts if option.startswith("-")}
    unknown = [word for word in rest if word.startswith("-") and word not in {*options, "--help"}]
    return f"{line}: no option {unknown[0]}" if unknown else ""


def test_there_is_a_page_for_each_kind_and_no_other() -> None:
    """A pointer that leads nowhere helps nobody, and a page that nothing leads to is out of date."""
    pages = {path.stem for path in RUNBOOK.glob("*.md")} - {"README"}

    assert set(KINDS) == pages
    assert {kind: RUNBOOK / f"{kind}.md" for kind in KINDS} == {kind: ROOT / page_of(kind) for kind in KINDS}
    assert RUNBOOK == folder()


def test_the_index_lists_each_kind_under_its_priority() -> None:
    """In one table for each."""
    text = (RUNBOOK / "README.md").read_text(encoding="utf-8")
    parts = re.split(r"^## Priority (\d):", text, flags=re.MULTILINE)[1:]
    listed = {
        name: int(priority)
        for priority, part in zip(parts[::2], parts[1::2], strict=True)
        for name, target in re.findall(r"^\| \[`([a-z-]+)`\]\(([a-z-]+)\.md\)", part, re.MULTILINE)
        if name == target
    }

    assert {kind: one.priority for kind, one in KINDS.items()} == listed
    assert {AT_STAKE, AT_A_STAND, WORTH_KNOWING} == set(listed.values())


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_page_says_all_that_is_asked_at_night(kind: str) -> None:
    """What it means, what goes on, how to look, what to do, when it ends, what it costs; its priority and command."""
    text = text_of(kind)
    wanted = re.escape(KINDS[kind].next_command).replace(r"\{id\}", r"\S+")

    assert text.startswith(f"# {kind}: ")
    assert [] == [part for part in PARTS if text.count(part) != 1]
    assert re.search(rf"^Priority {KINDS[kind].priority} .*Next command: `{wanted}`$", text, re.MULTILINE)


@pytest.mark.parametrize("kind", [*sorted(KINDS), "README"])
def test_the_commands_of_a_page_can_be_typed(kind: str) -> None:
    """Each exists, with the options that it is given."""
    commands = commands_of(text_of(kind))

    assert commands
    assert [] == [fault for fault in map(fault_of, commands) if fault]


@pytest.mark.parametrize("line", ["batchd mend 12", "batchd resolve 12 --force", "batchd db mend"])
def test_a_command_that_does_not_exist_is_noticed(line: str) -> None:
    """Else the test above could not fail."""
    assert fault_of(line)


@pytest.mark.parametrize("kind", [*sorted(KINDS), "README"])
def test_the_query_of_a_page_can_be_run(kind: str) -> None:
    """One a page, on the tables and views as they are; SQLite's have no schema before their names."""
    (query,) = QUERY.findall(text_of(kind))
    with closing(sqlite3.connect(":memory:")) as database:
        for script in sorted((ROOT / "sql" / "sqlite").glob("0*.sql")):
            database.executescript(script.read_text(encoding="utf-8"))

        assert [] == database.execute(query).fetchall()


def test_the_command_prints_a_page_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    """And without a kind one line for each, the most urgent first, that fits a terminal."""
    runbook(Call(), "unknown-submit")
    page = capsys.readouterr().out
    runbook(Call(), None)
    listed = capsys.readouterr().out.splitlines()

    assert text_of("unknown-submit") == page
    assert sorted(KINDS, key=lambda kind: (KINDS[kind].priority, kind)) == [line.split()[1] for line in listed[1:-2]]
    assert max(map(len, listed)) <= 100


def test_a_kind_that_is_none_is_wrong_usage() -> None:
    """The error names the command that lists them."""
    with pytest.raises(UsageError, match="'unknown-create'") as raised:
        runbook(Call(), "unknown-create")

    assert raised.value.next_command == "batchd runbook"
