"""The scripts under ``sql/`` for the databases that run as servers: read here, run by the tests on those servers.

sqlglot takes more than a server does, so it only finds what is plainly broken, and tells the columns apart.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
import sqlglot
from sqlglot import exp

from batchd.store import tables
from batchd.store.grants import LEDGER_RIGHTS
from batchd.store.types import Moment

SQL = Path(__file__).resolve().parents[2] / "sql"
DIALECTS = {"postgresql": "postgres", "mysql": "mysql", "mssql": "tsql"}
SERVERS = list(DIALECTS)
SCRIPTS = [path for server in SERVERS for path in sorted((SQL / server).glob("*.sql"))]
# What sqlglot has no grammar for, and takes as it stands.
UNPARSED = re.compile(r"(DO \$\$|CREATE ROLE |GRANT CREATE |PREPARE made |EXECUTE made)")
# MySQL has no index over some rows only: this column, NULL where a finding is closed, makes one of a unique key.
MYSQLS_OWN = {("batchd_finding", "is_open")}
# A column that a later script adds; MySQL's statement is put together as text.
ADDED = re.compile(r"ALTER TABLE (?:batchd\.)?(\w+) ADD (?:COLUMN )?(?:IF NOT EXISTS )?([^;']+)")


@dataclass(frozen=True)
class Column:
    """One column as a script makes it; ``length`` is None where there is no limit."""

    kind: str
    length: int | None
    nullable: bool
    defaulted: bool


def read(server: str, name: str) -> str:
    return (SQL / server / name).read_text(encoding="utf-8")


def code(text: str) -> str:
    return re.sub(r"--[^\n]*", "", text)


def parsed(server: str, text: str) -> list[exp.Expr]:
    batches = re.split(r"(?m)^GO$", text) if server == "mssql" else [text]
    found = [one for batch in batches for one in sqlglot.parse(batch, dialect=DIALECTS[server])]
    return [one for one in found if one is not None and not isinstance(one, exp.Semicolon)]


def numbered(server: str) -> list[str]:
    """The scripts that make a ledger, in order."""
    return sorted(path.name for path in (SQL / server).glob("0*.sql"))


def created(server: str, kind: str) -> Iterator[exp.Create]:
    for script in numbered(server):
        # To SQL Server's scripts it is one and the same, but for the grants.
        for statement in parsed(server, read(server, script).replace("ALTER VIEW", "CREATE VIEW")):
            yield from (one for one in statement.find_all(exp.Create) if one.kind == kind)


def added(server: str) -> Iterator[exp.Create]:
    for script in numbered(server):
        for table, definition in ADDED.findall(code(read(server, script))):
            (made,) = parsed(server, f"CREATE TABLE batchd.{table} ({definition})")
            assert isinstance(made, exp.Create)
            yield made


def columns_of(server: str) -> dict[tuple[str, str], Column]:
    return {
        (create.this.this.name, one.name): described(one)
        for create in (*created(server, "TABLE"), *added(server))
        for one in create.this.find_all(exp.ColumnDef)
    }


def described(column: exp.ColumnDef) -> Column:
    kind = column.args["kind"]
    sizes = [str(size.this) for size in kind.expressions]
    marks = [constraint.kind for constraint in column.constraints]
    required = any(isinstance(mark, exp.NotNullColumnConstraint) and not mark.args.get("allow_null") for mark in marks)
    identity = any(isinstance(mark, exp.GeneratedAsIdentityColumnConstraint) for mark in marks)
    return Column(
        kind.this.name,
        int(sizes[0]) if sizes and sizes[0].isdigit() else None,
        nullable=not (required or identity),
        defaulted=any(isinstance(mark, exp.DefaultColumnConstraint) for mark in marks),
    )


def wanted(column: "sa.Column[object]") -> tuple[set[str], int | None]:
    """Kinds of types that hold what the program keeps in a column, and the length it must have."""
    if isinstance(column.type, Moment):
        return {"TIMESTAMPTZ", "DATETIME", "DATETIME2"}, 3
    if isinstance(column.type, sa.UnicodeText):
        return {"TEXT", "LONGTEXT", "NVARCHAR"}, None
    if isinstance(column.type, sa.Unicode):
        return {"VARCHAR", "NVARCHAR"}, column.type.length
    return {"BIGINT"} if isinstance(column.type, sa.BigInteger) else {"INT", "BIGINT"}, None


def table_texts(server: str) -> dict[str, str]:
    """The text of each table's statement, without comments, schema and marks of national text."""
    whole = "\n".join(read(server, script) for script in numbered(server))
    plain = re.sub(r"\bbatchd\.", "", code(whole)).replace("N'", "'")
    parts = re.split(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)", plain)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.fixture(scope="module")
def sqlite_ledger() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as database:
        for name in numbered("sqlite"):
            database.executescript(read("sqlite", name))
        yield database


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_each_statement_parses(path: Path) -> None:
    """In its own database's dialect; what sqlglot only passes on is of the few known kinds."""
    server = path.parent.name
    passed_on = [one for one in parsed(server, path.read_text(encoding="utf-8")) if isinstance(one, exp.Command)]
    unknown = [text for text in (one.sql(comments=False) for one in passed_on) if not UNPARSED.match(text)]

    assert unknown == []


@pytest.mark.parametrize("server", SERVERS)
def test_each_server_has_every_script(server: str) -> None:
    """The numbered ones and the row of the installation are SQLite's; every server has roles besides."""
    of_sqlite = {path.name for path in (SQL / "sqlite").glob("*.sql")}

    assert of_sqlite | {"roles_installer.sql", "roles_runtime.sql"} == {
        path.name for path in SCRIPTS if path.parent.name == server
    }


@pytest.mark.parametrize("server", SERVERS)
def test_every_column_is_made_with_a_fitting_type(server: str) -> None:
    """Each column the program knows, no other, able to hold what the program keeps there."""
    made = columns_of(server)
    known = {(table.name, column.name): column for table in tables.metadata.sorted_tables for column in table.columns}
    wrong = {}
    for name, column in known.items():
        kinds, length = wanted(column)
        found = made.get(name)
        if found is None or found.kind not in kinds or found.length != length:
            wrong[name] = f"{found}, wanted one of {sorted(kinds)}, length {length}"

    assert wrong == {}
    assert set(made) - MYSQLS_OWN == set(known)
    assert {name for name, column in known.items() if column.nullable} == {
        name for name, column in made.items() if column.nullable and name not in MYSQLS_OWN
    }


@pytest.mark.parametrize("server", SERVERS)
def test_defaults_are_sqlites(server: str, sqlite_ledger: sqlite3.Connection) -> None:
    """A row that is made with the least is the same row everywhere."""
    expected = {
        (name, column)
        for name in table_texts("sqlite")
        for column, default in sqlite_ledger.execute("SELECT name, dflt_value FROM pragma_table_info(?)", [name])
        if default is not None
    }

    assert expected == {name for name, column in columns_of(server).items() if column.defaulted}


@pytest.mark.parametrize("server", SERVERS)
def test_keys_are_sqlites(server: str, sqlite_ledger: sqlite3.Connection) -> None:
    """Promise 1 hangs on a primary key; foreign keys keep what belongs together."""
    for name, text in table_texts(server).items():
        primary = re.findall(r"PRIMARY KEY (?:CLUSTERED )?\(([^)]*)\)", text)
        foreign = set(re.findall(r"FOREIGN KEY \((\w+)\)\s+REFERENCES (\w+) \(id\)", text))
        asked = sqlite_ledger.execute('SELECT "from", "table" FROM pragma_foreign_key_list(?)', [name])

        assert primary == [", ".join(column.name for column in table_named(name).primary_key)], name
        assert foreign == set(asked.fetchall()), name


@pytest.mark.parametrize("server", SERVERS)
def test_unique_keys_are_sqlites(server: str, sqlite_ledger: sqlite3.Connection) -> None:
    """One task of a name, one batch of a uid, one open finding of a kind about a subject."""
    query = """
        SELECT m.name, group_concat(i.name, ', ') FROM sqlite_master m, pragma_index_list(m.name) l,
            pragma_index_info(l.name) i WHERE l."unique" AND l.origin <> 'pk' GROUP BY m.name, l.name
    """
    made = set()
    for name, text in table_texts(server).items():
        found = re.findall(r"UNIQUE \(([^)]*)\)|UNIQUE INDEX (?:IF NOT EXISTS )?\w+ ON \w+ \(([^)]*)\)", text)
        made |= {(name, (inline or index).removesuffix(", is_open")) for inline, index in found}

    assert set(sqlite_ledger.execute(query).fetchall()) == made


@pytest.mark.parametrize(
    ("server", "keeper"),
    [
        ("postgresql", "UNIQUE INDEX IF NOT EXISTS batchd_finding_open {} WHERE closed_at IS NULL;"),
        ("mssql", "UNIQUE INDEX UX_batchd_finding_open {} WHERE closed_at IS NULL;"),
        ("mysql", "AS (CASE WHEN closed_at IS NULL THEN 1 END) STORED"),
        ("mysql", "UNIQUE (kind, subject, is_open)"),
    ],
)
def test_only_open_findings_are_unique(server: str, keeper: str) -> None:
    """A finding that was closed may be raised again."""
    assert keeper.format("ON batchd_finding (kind, subject)") in table_texts(server)["batchd_finding"]


@pytest.mark.parametrize("server", SERVERS)
def test_closed_lists_and_bounds_are_sqlites(server: str) -> None:
    """Every CHECK that keeps a word, a flag or a number within its bounds is there."""

    def checks(database: str) -> dict[str, set[tuple[str, str]]]:
        return {
            name: {
                (column, re.sub(r"\s+", " ", rest).replace("( ", "("))
                for column, rest in re.findall(r"CHECK \((\w+) ((?:IN \([^)]*\)|[=<>]+ \d+))\)", text)
            }
            for name, text in table_texts(database).items()
        }

    expected = checks("sqlite")

    assert sum(len(found) for found in expected.values()) == 16
    assert expected == checks(server)
    assert table_texts(server)["batchd_batch"].count("held_from IS NOT NULL") == 1


@pytest.mark.parametrize("server", SERVERS)
def test_views_have_the_same_columns(server: str, sqlite_ledger: sqlite3.Connection) -> None:
    """A query of a DBA's works on every database, in the same order of columns."""
    made = {
        create.find(exp.Table).name: [column.alias_or_name for column in create.expression.selects]  # type: ignore[union-attr]
        for create in created(server, "VIEW")
    }
    views = [name for (name,) in sqlite_ledger.execute("SELECT name FROM sqlite_master WHERE type = 'view'")]

    assert made == {
        name: [column for (column,) in sqlite_ledger.execute("SELECT name FROM pragma_table_info(?)", [name])]
        for name in views
    }


@pytest.mark.parametrize("server", SERVERS)
def test_the_runtime_role_has_what_batchd_grants(server: str) -> None:
    """The script and `db grants` give the same rights on the ledger."""
    granted = rights(server, "batchd_runtime")

    assert {name: set(verbs) for name, verbs in LEDGER_RIGHTS.items()} == granted


@pytest.mark.parametrize("server", SERVERS)
def test_the_reader_sees_everything_but_content_and_changes_nothing(server: str) -> None:
    """Content of rows is in one table, so that it can be kept from people."""
    granted = rights(server, "batchd_reader")

    assert set(LEDGER_RIGHTS) - {"batchd_content"} == set(granted)
    assert {verb for verbs in granted.values() for verb in verbs} == {"SELECT"}


def test_mysqls_installer_may_make_and_change_each_table_and_view() -> None:
    """Its rights are on names, so each new table needs a line there; the other servers' are on the schema."""
    granted = {
        name: set(verbs.split(", "))
        for verbs, name in re.findall(r"GRANT ([A-Z ,]+) ON (\w+) TO batchd_installer;", installer("mysql"))
    }
    on_tables = {"CREATE", "ALTER", "INDEX", "REFERENCES", "SELECT", "INSERT", "UPDATE", "DELETE"}
    on_views = {"CREATE", "CREATE VIEW", "SHOW VIEW", "DROP", "SELECT"}
    wanted = {table.name: on_tables for table in tables.metadata.sorted_tables}

    assert granted == wanted | {name: on_views for name in LEDGER_RIGHTS if name not in wanted}


@pytest.mark.parametrize("server", ["postgresql", "mssql"])
def test_the_other_installers_need_no_line_for_a_table(server: str) -> None:
    """Who may make tables in the schema owns what it has made there."""
    assert re.findall(r"batchd_(?!installer)\w+", installer(server)) == []


@pytest.mark.parametrize("server", SERVERS)
def test_the_row_of_an_installation_is_whole_and_never_written_over(server: str) -> None:
    """Every column in order, where there is no row; then the version, where it is higher than the one that is there."""
    insert, update = parsed(server, read(server, "installation.sql"))
    own = {"postgresql": "batchd.batchd_installation", "mssql": "batchd.batchd_installation"}
    name = own.get(server, "batchd_installation")

    assert isinstance(insert, exp.Insert)
    assert [one.name for one in insert.this.expressions] == [one.name for one in tables.installation.columns]
    assert [select.sql() for select in insert.expression.selects][2:4] == [":bound_to", ":ledger_version"]
    assert f"WHERE NOT EXISTS (SELECT 1 FROM {name});" in code(read(server, "installation.sql"))
    assert isinstance(update, exp.Update)
    assert (f"UPDATE {name} SET ledger_version = :ledger_version WHERE ledger_version < :ledger_version") == update.sql(
        comments=False
    )


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_schema_is_named_where_it_can_be_replaced(path: Path) -> None:
    """Another `ledger_schema` takes the place of the word batchd: every object has it, and MySQL none."""
    text = code(path.read_text(encoding="utf-8"))
    objects = re.findall(r"(\bbatchd\.)?\b(batchd_(?!installer|runtime|reader)\w+)", text)
    named = {name for schema, name in objects if schema}

    if path.parent.name == "mysql":
        assert named == set()
        assert re.findall(r"\bbatchd\b", text) == []
    else:
        bare = {name for schema, name in objects if not schema} - named
        assert [name for name in bare if name in LEDGER_RIGHTS] == []


def installer(server: str) -> str:
    return code(read(server, "roles_installer.sql"))


def table_named(name: str) -> sa.Table:
    return next(table for table in tables.metadata.sorted_tables if table.name == name)


def rights(server: str, role: str) -> dict[str, set[str]]:
    grants = [one for one in parsed(server, read(server, "roles_runtime.sql")) if isinstance(one, exp.Grant)]
    return {
        one.args["securable"].name: {privilege.name for privilege in one.args["privileges"]}
        for one in grants
        if one.args["securable"].name in LEDGER_RIGHTS and role in [who.name for who in one.args["principals"]]
    }
