"""The example for SQL Server under ``sql/examples/``: its config loads, its scripts parse, and both mean one table."""

import re
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from batchd.app.rights import rights_of
from batchd.config import Config, load_config
from batchd.errors import DatabaseError

SQL = Path(__file__).resolve().parents[2] / "sql"
LEDGER = SQL / "mssql"
EXAMPLE = SQL / "examples" / "aicandidate"
SCRIPTS = ["table.sql", "sample_rows.sql", "view.sql", "questions.sql"]


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("BATCHD_DB_PASSWORD", "x")
    return load_config(EXAMPLE / "config.toml")


def parsed(path: Path) -> list[exp.Expr]:
    batches = re.split(r"(?m)^GO$", path.read_text(encoding="utf-8"))
    found = [one for batch in batches for one in sqlglot.parse(batch, dialect="tsql")]
    return [one for one in found if one is not None]


def made(*paths: Path) -> dict[str, set[str]]:
    """Columns of each table and view that scripts make, by its name in small letters."""
    creates = [create for path in paths for one in parsed(path) for create in one.find_all(exp.Create)]
    columns: dict[str, set[str]] = {}
    for create in creates:
        table = create.find(exp.Table)
        if table is not None and create.kind == "TABLE":
            columns[table.name.lower()] = {column.name.lower() for column in create.find_all(exp.ColumnDef)}
        if table is not None and isinstance(create.expression, exp.Select):
            columns[table.name.lower()] = {column.alias_or_name.lower() for column in create.expression.selects}
    return columns


def no_database(_: Config) -> None:
    raise DatabaseError("the example's server is nobody's")


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_script_parses(name: str) -> None:
    """As T-SQL, no statement left out."""
    assert [one for one in parsed(EXAMPLE / name) if isinstance(one, exp.Command)] == []


@pytest.mark.parametrize("name", ["table.sql", "sample_rows.sql"])
def test_what_a_filtered_index_asks_of_a_session_comes_first(name: str) -> None:
    """By itself sqlcmd has QUOTED_IDENTIFIER off, and is then refused by such a table (error 1934)."""
    first = parsed(EXAMPLE / name)[: 2 if name == "table.sql" else 1]

    assert any(one.sql(dialect="tsql", comments=False).upper() == "SET QUOTED_IDENTIFIER ON" for one in first)


def test_the_config_means_the_table(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """It loads without a warning, and every column it names is made by table.sql."""
    monkeypatch.setattr("batchd.app.rights.opened_database", no_database)
    needed = rights_of(config, "resumes").table
    columns = made(EXAMPLE / "table.sql")["aicandidate"]

    assert config.warnings == ()
    assert (needed.schema, needed.name) == ("dbo", "aicandidate")
    assert set(needed.written) == {"FullName", "YearsExperience", "Skills", "Level", "Summary", "LastProcessed"}
    assert [name for name in needed.read if name.lower() not in columns] == []


def test_texts_that_are_too_long_for_the_table_are_not_lost(config: Config) -> None:
    """The one free text of a bounded column is cut, not refused after it was paid for."""
    fields = config.tasks["resumes"].fields or {}

    assert fields["summary"].too_long == "truncate"


def test_every_column_a_script_asks_for_is_there() -> None:
    """View and questions name columns of the ledger, its views and the table, under the aliases they give them."""
    known = made(LEDGER / "001_ledger.sql", LEDGER / "002_views.sql", EXAMPLE / "table.sql", EXAMPLE / "view.sql")
    unknown = []
    for name in ("view.sql", "questions.sql"):
        for statement in parsed(EXAMPLE / name):
            unknown += [f"{name}: {column}" for column in strange_columns(statement, known)]

    assert unknown == []


def strange_columns(statement: exp.Expr, known: dict[str, set[str]]) -> list[str]:
    """Columns that none of a SELECT's tables has."""
    strange = []
    for select in statement.find_all(exp.Select):
        tables = {table.alias_or_name.lower(): known[table.name.lower()] for table in select.find_all(exp.Table)}
        given = {alias.alias.lower() for alias in select.find_all(exp.Alias)}
        for column in select.find_all(exp.Column):
            owners = [tables[column.table.lower()]] if column.table else [*tables.values(), given]
            if not any(column.name.lower() in owner for owner in owners):
                strange.append(column.sql())
    return strange
