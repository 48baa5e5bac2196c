"""``batchd db grants``: exactly the rights a task needs, in the words of each database."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from batchd.app.rights import rights_of
from batchd.cli.call import Call
from batchd.cli.grants import grants
from batchd.errors import UsageError
from batchd.store import tables
from batchd.store.dialects.base import Mask
from batchd.store.dialects.mssql_masks import mask
from batchd.store.grants import LEDGER_RIGHTS, Grants, Place, TaskTable, grants_for, place_of
from batchd.store.missing_rights import hiding
from tests.unit.config_texts import load, with_task, write

TABLE = TaskTable("candidate", "hr", read=("id", "resume", "done"), written=("Full Name", "done"))
ROLE = "batchd_runtime"
# Nobody answers there, and no name has to be looked up.
NOWHERE = "127.0.0.1:9/app"


def on_table(place: Place, table: TaskTable = TABLE, role: str = ROLE) -> tuple[str, ...]:
    return grants_for(place, table, role).table


def with_url(url: str, text: str) -> str:
    return text.replace('url = "sqlite:///batchd.db"', f'url = "{url}"')


def test_postgresql_grants_columns_and_the_use_of_their_schema() -> None:
    """SELECT on what is read, UPDATE on what is written, and the schema may be named; nothing else."""
    assert on_table(Place("postgresql", "batchd")) == (
        "GRANT USAGE ON SCHEMA hr TO batchd_runtime;",
        "GRANT SELECT (id, resume, done) ON hr.candidate TO batchd_runtime;",
        'GRANT UPDATE ("Full Name", done) ON hr.candidate TO batchd_runtime;',
    )


def test_mysql_grants_columns_and_their_description() -> None:
    """Rights on columns alone would hide their types from SHOW CREATE TABLE."""
    assert on_table(Place("mysql", "app", "app")) == (
        "GRANT SELECT (id, resume, done) ON hr.candidate TO batchd_runtime;",
        "GRANT UPDATE (`Full Name`, done) ON hr.candidate TO batchd_runtime;",
        "GRANT SHOW VIEW ON hr.candidate TO batchd_runtime;",
    )


def test_sql_server_grants_columns_and_their_description() -> None:
    """VIEW DEFINITION shows the columns' types and keys, and no row."""
    assert on_table(Place("mssql", "batchd")) == (
        "GRANT SELECT ([id], [resume], [done]) ON [hr].[candidate] TO batchd_runtime;",
        "GRANT UPDATE ([Full Name], [done]) ON [hr].[candidate] TO batchd_runtime;",
        "GRANT VIEW DEFINITION ON [hr].[candidate] TO batchd_runtime;",
    )


def test_sql_server_shows_masked_columns_to_the_role() -> None:
    """The columns that are read and masked, and no other."""
    masks = (Mask("resume", lifted=False, by_column=True), Mask("Full Name", lifted=True, by_column=True))

    found = on_table(Place("mssql", "batchd"), replace(TABLE, masks=masks))

    assert "GRANT UNMASK ON [hr].[candidate] ([resume], [Full Name]) TO batchd_runtime;" in found


def test_an_older_sql_server_shows_all_that_is_masked() -> None:
    """Before 2022 the right is one on the whole database."""
    masks = (Mask("resume", lifted=False, by_column=False),)

    found = on_table(Place("mssql", "batchd"), replace(TABLE, masks=masks))

    assert [line for line in found if "UNMASK" in line] == ["GRANT UNMASK TO batchd_runtime;"]


@pytest.mark.parametrize(
    ("in_database", "on_column", "hidden", "by_column"),
    [
        (0, 0, True, True),
        (1, 1, False, True),
        (0, 1, False, True),
        (0, None, True, False),
        (1, None, False, False),
        (None, None, True, False),
    ],
)
def test_a_mask_hides_a_column_without_the_right_to_see_it(
    in_database: int | None, on_column: int | None, *, hidden: bool, by_column: bool
) -> None:
    """The right on the database or on the column; NULL is a server that does not know the latter, and no right."""
    found = mask("resume", in_database, on_column)

    assert [one.column for one in hiding([found])] == (["resume"] if hidden else [])
    assert found.by_column == by_column


@pytest.mark.parametrize(
    ("database", "expected"),
    [
        ("postgresql", 'GRANT SELECT ("a""b", "order", "x%y") ON "T; DROP TABLE x" TO "the role";'),
        ("mysql", 'GRANT SELECT (`a"b`, `order`, `x%y`) ON `T; DROP TABLE x` TO `the role`;'),
        ("mssql", 'GRANT SELECT ([a"b], [order], [x%y]) ON [T; DROP TABLE x] TO [the role];'),
    ],
)
def test_names_are_quoted(database: str, expected: str) -> None:
    """Whatever a table, column or role is called, it is a name in the statement and nothing else."""
    table = TaskTable("T; DROP TABLE x", None, read=('a"b', "order", "x%y"), written=())

    assert expected in on_table(Place(database), table, role="the role")


def test_a_mysql_account_is_named_with_its_host() -> None:
    """Servers without roles have accounts: user@host."""
    found = on_table(Place("mysql", "app", "app"), role="batchd@10.0.0.%")

    assert found[0].endswith("TO `batchd`@`10.0.0.%`;")


@pytest.mark.parametrize("database", ["postgresql", "mysql", "mssql"])
def test_the_ledger_needs_no_right_to_make_or_change_tables(database: str) -> None:
    """Rows of the ledger's tables only; of its views and of the installation, SELECT."""
    verbs = {verb for one in LEDGER_RIGHTS.values() for verb in one}
    found = grants_for(Place(database, "ledger"), TABLE, ROLE)
    on_tables = [line.replace("[ledger]", "ledger") for line in found.ledger if "SCHEMA" not in line]

    assert verbs == {"SELECT", "INSERT", "UPDATE", "DELETE"}
    assert len(on_tables) == len(LEDGER_RIGHTS)
    assert all(" ON ledger.batchd_" in line for line in on_tables)
    assert "GRANT SELECT ON ledger.batchd_installation TO batchd_runtime;" in on_tables


def test_every_table_of_the_ledger_has_its_rights() -> None:
    """A new table is not forgotten."""
    named = {table.name for table in tables.metadata.tables.values()}

    assert named == {name for name in LEDGER_RIGHTS if not name.startswith("batchd_v_")}


@pytest.mark.parametrize(
    ("database", "expected"),
    [
        ("postgresql", ()),
        ("mssql", ()),
        ("mysql", ("GRANT CREATE TEMPORARY TABLES ON `my\\_app`.* TO batchd_runtime;",)),
    ],
)
def test_temporary_tables_where_batchd_makes_some(database: str, expected: tuple[str, ...]) -> None:
    """Only MySQL and MariaDB; there _ stands for any letter unless it is escaped."""
    assert expected == grants_for(Place(database, "ledger", "my_app"), TABLE, ROLE).temporary_tables


def test_the_ledgers_place_is_read_from_url_and_schema() -> None:
    """A schema of its own on PostgreSQL and SQL Server; MySQL's URL names the database of both."""
    assert place_of("postgresql+psycopg://u@h/app", None) == Place("postgresql", "batchd")
    assert place_of("mysql+pymysql://u@h/app", None) == Place("mysql", "app", "app")
    assert place_of("mysql+pymysql://u@h/app", "ledger") == Place("mysql", "ledger", "app")
    assert place_of("sqlite:////x/y.db", None) == Place("sqlite", file=Path("/x/y.db"))


def test_sqlite_has_nothing_to_grant() -> None:
    """There are no roles."""
    assert grants_for(Place("sqlite", file=Path("x.db")), TABLE, ROLE) == Grants()


def test_what_a_task_reads_is_everything_it_compares(tmp_path: Path) -> None:
    """Key, inputs of prompt and system, guard, the predicate's columns, and what is written."""
    text = with_task(
        'system = "{{ language }}"',
        'guard_column = "version"',
        "pending = \"done IS NULL AND [The Area] = 'x :y' -- not_there\"",
        'pending_columns = ["hidden"]',
        without="pending",
    )
    with closing(sqlite3.connect(tmp_path / "batchd.db")) as database:
        database.execute('CREATE TABLE candidate (id INTEGER PRIMARY KEY, done, "the area", other, Name, x, there)')

    found = rights_of(load(tmp_path, text), "resumes")

    assert set(found.table.read) == {"id", "resume", "language", "version", "hidden", "done", "the area", "x", "Name"}
    assert found.table.written == ("Name", "done")
    assert found.notes == ()


def test_a_table_that_cannot_be_seen_yet_is_no_obstacle(tmp_path: Path) -> None:
    """Whoever asks for rights has none: the config's columns are granted, and what is not known is said."""
    text = with_url(f"postgresql+psycopg://u@{NOWHERE}", with_task('pending = "state = 1"', without="pending"))

    found = rights_of(load(tmp_path, text), "resumes")

    assert found.table.read == ("id", "resume", "Name", "done")
    assert "could not be looked at" in found.notes[0]
    assert "name them in pending_columns" in found.notes[0]


def test_a_predicate_that_asks_another_table_is_pointed_out(tmp_path: Path) -> None:
    """Its columns are not known here."""
    text = with_task('pending = "id NOT IN (select id FROM other)"', without="pending")

    found = rights_of(load(tmp_path, text), "resumes")

    assert any("another table" in note for note in found.notes)


def test_an_unknown_task_names_the_known_ones(tmp_path: Path) -> None:
    """A wrong name is a mistake in the call."""
    with pytest.raises(UsageError, match="no task 'resume'") as error:
        rights_of(load(tmp_path, with_task()), "resume")

    assert "resumes" in error.value.next_command


def test_the_script_can_be_run_as_it_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every line is a comment or a whole statement."""
    path = write(tmp_path, with_url(f"mysql+pymysql://u@{NOWHERE}", with_task()))

    code = grants(Call(path), "resumes", role=ROLE)

    lines = capsys.readouterr().out.splitlines()
    statements = [line for line in lines if not line.startswith("--")]
    assert code == 0
    assert all(line.startswith("GRANT ") and line.endswith(" TO batchd_runtime;") for line in statements)
    assert "GRANT SELECT (id, resume, `Name`, done) ON app.candidate TO batchd_runtime;" in statements


def test_json_holds_the_same_statements(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For whoever runs them from a program."""
    path = write(tmp_path, with_url(f"mysql+pymysql://u@{NOWHERE}", with_task()))

    grants(Call(path), "resumes", role=ROLE)
    printed = capsys.readouterr().out.splitlines()
    grants(Call(path, as_json=True), "resumes", role=ROLE)
    document = json.loads(capsys.readouterr().out)

    together = document["ledger"] + document["table"] + document["temporary_tables"]
    assert together == [line for line in printed if not line.startswith("--")]
    assert (document["task"], document["database"], document["role"]) == ("resumes", "mysql", ROLE)
    assert len(document["notes"]) == 1


def test_sqlite_is_told_by_the_files_permissions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever may write the file may do anything; so the file and its permissions are named."""
    path, file = write(tmp_path, with_task()), tmp_path / "batchd.db"
    file.touch()
    file.chmod(0o640)

    grants(Call(path), "resumes", role=ROLE)

    told = capsys.readouterr().out
    assert "SQLite has no rights to grant" in told
    assert "-rw-r-----" in told
    assert f"chmod 600 {file}" in told


@pytest.mark.parametrize(
    ("database", "mode", "expected"),
    [
        ("postgresql", "update", ('GRANT SELECT (person, "Name") ON hr.facts', 'GRANT UPDATE ("Name") ON hr.facts')),
        ("postgresql", "insert", ("GRANT SELECT (person) ON hr.facts", 'GRANT INSERT (person, "Name") ON hr.facts')),
        ("mysql", "insert", ("GRANT SELECT (person) ON hr.facts", "GRANT INSERT (person, `Name`) ON hr.facts")),
        (
            "mssql",
            "update",
            ("GRANT SELECT ([person], [Name]) ON [hr].[facts]", "GRANT UPDATE ([Name]) ON [hr].[facts]"),
        ),
        ("mssql", "insert", ("GRANT SELECT ([person]) ON [hr].[facts]", "GRANT INSERT ON [hr].[facts]")),
    ],
)
def test_where_answers_go_elsewhere_the_tasks_table_is_only_read(
    tmp_path: Path, database: str, mode: str, expected: tuple[str, ...]
) -> None:
    """The other table is filled, or added to; SQL Server knows no INSERT into some columns only."""
    write = f'write = {{ table = "facts", schema = "hr", mode = "{mode}", key = ["person"] }}'
    rights = rights_of(load(tmp_path, with_task(write, without="on_success")), "resumes")

    found = grants_for(Place(database, "ledger", "app"), rights.table, ROLE, rights.target).table

    assert rights.table.written == ()
    assert set(expected) <= {statement.removesuffix(f" TO {ROLE};") for statement in found}
    assert [line for line in found if "candidate" in line and ("UPDATE" in line or "INSERT" in line)] == []


def test_what_pending_reads_of_the_other_table_is_granted_too(tmp_path: Path) -> None:
    """A condition may ask what is written there."""
    pending = "NOT EXISTS (SELECT 1 FROM facts f WHERE f.person = candidate.id AND f.checked = 1)"
    text = with_task(
        f'pending = "{pending}"', 'write = { table = "facts", mode = "insert", key = ["person"] }', without="pending"
    )
    with closing(sqlite3.connect(tmp_path / "batchd.db")) as connection:
        connection.execute("CREATE TABLE candidate (id INTEGER PRIMARY KEY, resume)")
        connection.execute("CREATE TABLE facts (person INTEGER PRIMARY KEY, Name, done, checked)")

    found = rights_of(load(tmp_path, text), "resumes")

    assert found.target == TaskTable("facts", None, ("person", "checked"), ("person", "Name", "done"), "INSERT")
