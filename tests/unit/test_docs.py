"""The documentation, held to the code: what is there is documented, what is documented is there."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from batchd import events
from batchd.cli.main import app
from batchd.core.findings import KINDS
from batchd.core.outcomes import Outcome
from batchd.core.states import BatchState
from batchd.store.sql_folder import newest_version
from scripts import reference_docs

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "tests" / "README.md", *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^\s*```.*?^\s*```", re.MULTILINE | re.DOTALL)
SHELL = re.compile(r"^\s*```sh\n(.*?)^\s*```", re.MULTILINE | re.DOTALL)

# As `--version` and `check-config` print it.
LEDGER_VERSION = re.compile(r"(?:\(ledger version |\bledger: version )(\d+)")


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def documented(text: str) -> set[str]:
    """Names in the first cell of each line of the page's tables."""
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def section(text: str, name: str) -> str:
    """The part of a page under the heading that begins with a name."""
    return re.split(r"^#{2,3} ", text.partition(f"### `{name}`")[2], maxsplit=1, flags=re.MULTILINE)[0]


def ledger() -> dict[str, set[str]]:
    """Columns of every table and view that the DDL makes."""
    with closing(sqlite3.connect(":memory:")) as database:
        for script in sorted((ROOT / "sql" / "sqlite").glob("0*.sql")):
            database.executescript(script.read_text(encoding="utf-8"))
        made = database.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
        return {name: {row[1] for row in database.execute(f"PRAGMA table_info({name})")} for (name,) in made}


def test_reference_tables_are_as_the_code_tells() -> None:
    """Config keys, outcomes, findings and states in docs/reference are what scripts/docs would write."""
    stale = {name.partition("#")[0] for name in reference_docs.TABLES}
    stale = {name for name in stale if page(f"reference/{name}") != reference_docs.renewed(name)}

    assert set() == stale, "run scripts/docs"


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("reference/outcomes.md", {one.value for one in Outcome}),
        ("reference/findings.md", set(KINDS)),
        ("reference/states.md", {one.value for one in BatchState} - {"closed", "failed", "abandoned"}),
    ],
)
def test_each_name_has_its_line(name: str, names: set[str]) -> None:
    """Every outcome, finding and state that a row or batch can be in has a line."""
    missing = names - documented(page(name))

    assert set() == missing


def test_every_module_is_on_the_map() -> None:
    """The code map has a line for each module, also in a folder that is new."""
    modules = [path for path in (ROOT / "batchd").rglob("*.py") if not path.stem.startswith("__")]
    text = page("reference/code-map.md")
    lost = [str(path.relative_to(ROOT)) for path in modules if f"(../../{path.relative_to(ROOT)})" not in text]

    assert lost == [], "add its folder to FOLDERS in scripts/reference_docs.py, then run scripts/docs"


def test_each_table_and_column_of_the_ledger_is_documented() -> None:
    """The page of status tables names each table and view with exactly the columns of the DDL."""
    text = page("reference/status-tables.md")
    expected = ledger()
    told = {name: documented(section(text, name)) for name in expected}

    assert len(expected) == 20
    assert expected == told


def test_each_log_event_is_documented() -> None:
    """The page of log events names each event that batchd logs, and no other."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "batchd").rglob("*.py"))
    logged = {value for name, value in vars(events).items() if name.isupper() and f"events.{name}" in code}

    assert logged == documented(page("reference/log-events.md"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    """Every relative link of a page leads to a file of the repository."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    targets = [link.partition("#")[0] for link in LINK.findall(text) if "://" not in link]
    broken = [target for target in targets if target and not (path.parent / target).exists()]

    assert broken == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_examples_exist(path: Path) -> None:
    """Each batchd command in a page's shell examples is one, with options that it has."""
    lines = "".join(SHELL.findall(path.read_text(encoding="utf-8"))).splitlines()
    called = [line.strip().split("#")[0].split() for line in lines]
    wrong = [" ".join(words) for words in called if not _is_command(words)]

    assert wrong == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_ledger_version_shown_is_todays(path: Path) -> None:
    """Where a page shows which version of the ledger a command prints, it is the one that it prints now."""
    shown = LEDGER_VERSION.findall(path.read_text(encoding="utf-8"))

    assert [] == [version for version in shown if int(version) != newest_version()]


def test_every_page_is_in_the_index() -> None:
    """docs/README.md leads to every page; to those of the runbook by the runbook's own index."""
    linked = {(DOCS / link).resolve() for link in LINK.findall(page("README.md"))}
    linked |= {(DOCS / "runbook" / link).resolve() for link in LINK.findall(page("runbook/README.md"))}
    lost = [str(one.relative_to(DOCS)) for one in DOCS.rglob("*.md") if one.resolve() not in linked]

    assert lost == ["README.md"]


def _is_command(words: list[str]) -> bool:
    if not words or words[0] not in ("batchd", "./run_batch.sh"):
        return True
    if (words[0] == "./run_batch.sh" and words[1:2] == ["test"]) or words[1:] == ["--version"]:
        return True
    command, rest = typer.main.get_command(app), words[1:]
    while rest and isinstance(command, TyperGroup) and rest[0] in command.commands:
        command, rest = command.commands[rest[0]], rest[1:]
    known = {option for one in command.params for option in one.opts}
    return len(rest) < len(words) - 1 and all(word in known for word in rest if word.startswith("--"))
