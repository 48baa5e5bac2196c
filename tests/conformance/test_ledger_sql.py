"""The DDL under ``sql/`` against what the program believes of it: tables, columns, closed lists, versions."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from batchd.core.findings import KINDS, page_of
from batchd.core.outcomes import GateState, Outcome
from batchd.core.states import HOLDABLE, BatchState
from batchd.errors import DatabaseError, LedgerVersionError
from batchd.store import migrate, tables
from batchd.store.dialects.sqlite import SqliteDialect
from batchd.store.opening import Database, open_database
from batchd.store.sql_folder import Script, sql_root

SCRIPTS = [
    "001_ledger.sql",
    "002_views.sql",
    "003_quota.sql",
    "004_large_ledgers.sql",
    "005_findings.sql",
    "006_vendor_files.sql",
    "007_processes.sql",
]
VIEWS = {
    "batchd_v_tasks",
    "batchd_v_batches",
    "batchd_v_failures",
    "batchd_v_spend_daily",
    "batchd_v_findings",
}
UNKNOWN_WORDS = ["", "OPEN", "applied ", "poisoned", "unknown"]

# A value for each NOT NULL column, so that a row can be made which is wrong in one place only.
ROWS: dict[str, dict[str, Any]] = {
    "batchd_batch": {
        "uid": "u", "task_id": 1, "version_id": 1, "state": "built", "account": "a",
        "account_fingerprint": "f",
        "input_bytes": 1, "input_sha256": "s", "created_at": "now",
    },
    "batchd_request": {"batch_id": 1, "seq": 1, "key_int": 1, "key_text": "", "key_hash": "", "guard": "g"},
    "batchd_gate": {
        "task_id": 1, "key_int": 1, "key_hash": "", "key_text": "", "state": "open", "changed_at": "now",
    },
    "batchd_content": {"batch_id": 1, "seq": 1, "kind": "line", "body": "b", "created_at": "now"},
    "batchd_event": {"at": "now", "actor": "a", "subject": "batch", "subject_id": 1, "action": "x"},
    "batchd_task": {"name": "n", "fingerprint": "f", "created_at": "now"},
    "batchd_installation": {
        "id": 1, "installation_id": "i", "bound_to": "b", "ledger_version": 1, "created_at": "now",
    },
}  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{path}", create=True)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def ledger(database: Database) -> Database:
    migrate.upgrade(database.engine, database.dialect, database.url)
    return database


def look(path: Path, sql: str, *parameters: Any) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(sql, parameters).fetchall()


def accepts(path: Path, table: str, **changes: Any) -> bool:
    row = ROWS[table] | changes
    sql = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM batchd_installation")
        try:
            connection.execute(sql, list(row.values()))
        except sqlite3.IntegrityError:
            return False
        return True


def test_the_tables_are_those_the_program_knows(ledger: Database) -> None:
    """No table more, none less; all of them named batchd_."""
    inspector = sa.inspect(ledger.engine)

    assert {table.name for table in tables.metadata.sorted_tables} == set(inspector.get_table_names())
    assert set(inspector.get_view_names()) == VIEWS


@pytest.mark.parametrize("table", tables.metadata.sorted_tables, ids=lambda table: table.name)
def test_a_table_is_as_the_program_knows_it(ledger: Database, table: sa.Table) -> None:
    """Columns, nullability, primary key, and numbers told from text."""
    inspector = sa.inspect(ledger.engine)
    known = {column.name: (column.nullable, is_number(column.type)) for column in table.columns}
    found = {one["name"]: (one["nullable"], is_number(one["type"])) for one in inspector.get_columns(table.name)}

    assert known == found
    primary_key = inspector.get_pk_constraint(table.name)["constrained_columns"]
    assert primary_key == [column.name for column in table.primary_key]


def is_number(kind: sa.types.TypeEngine[Any]) -> bool:
    return isinstance(kind, sa.Integer)


@pytest.mark.parametrize(
    ("table", "column", "allowed"),
    [
        ("batchd_request", "outcome", {one.value for one in tables.REQUEST_OUTCOMES} | {None}),
        ("batchd_gate", "outcome", {one.value for one in Outcome} | {None}),
        ("batchd_gate", "state", {one.value for one in GateState}),
        ("batchd_content", "kind", {"before", "line", "stranger", "vendor_errors"}),
        ("batchd_event", "subject", {"batch", "task", "row", "installation"}),
        ("batchd_task", "paused", {0, 1}),
        ("batchd_batch", "checks_waived", {0, 1}),
    ],
)
def test_a_closed_list_is_closed_in_the_database_too(
    ledger: Database, path: Path, table: str, column: str, allowed: set[Any]
) -> None:
    """Exactly the program's words are taken."""
    del ledger
    words = [one.value for one in Outcome] + [one.value for one in GateState] + [one.value for one in BatchState]
    tried = {*words, *UNKNOWN_WORDS, *allowed, None, 0, 1, 2}

    assert allowed == {word for word in tried if accepts(path, table, **{column: word})}


def test_the_states_of_a_batch_are_closed(ledger: Database, path: Path) -> None:
    """Held says where from, nothing else does, and only what can be held is held."""
    del ledger
    states = [*BatchState, *UNKNOWN_WORDS]
    taken = {
        (state, source)
        for state in states
        for source in [None, *states]
        if accepts(path, "batchd_batch", state=str(state), held_from=None if source is None else str(source))
    }

    free = {(state, None) for state in BatchState if state is not BatchState.HELD}
    assert free | {(BatchState.HELD, source) for source in HOLDABLE} == taken


def test_a_batch_has_a_count_for_every_outcome(ledger: Database) -> None:
    """An outcome without a column could not be tallied."""
    columns = {column["name"] for column in sa.inspect(ledger.engine).get_columns("batchd_batch")}

    assert {outcome.value for outcome in tables.REQUEST_OUTCOMES} <= columns


def test_a_ledger_has_one_installation(ledger: Database, path: Path) -> None:
    """A second row would be a second identity."""
    del ledger

    assert accepts(path, "batchd_installation", id=1)
    assert not accepts(path, "batchd_installation", id=2)


def test_one_row_has_one_gate(ledger: Database, path: Path) -> None:
    """Promise 1 is a key of the database: task, number and digest together."""
    del ledger
    insert = (
        "INSERT INTO batchd_gate (task_id, key_int, key_hash, key_text, state, changed_at)"
        " VALUES (?, ?, ?, '', 'open', '')"
    )
    look(path, insert, 1, 7, "")
    look(path, insert, 2, 7, "")
    look(path, insert, 1, 0, "abc")

    with pytest.raises(sqlite3.IntegrityError):
        look(path, insert, 1, 7, "")
    with pytest.raises(sqlite3.IntegrityError):
        look(path, insert, 1, 0, "abc")


def test_a_second_upgrade_does_nothing(database: Database, path: Path) -> None:
    """The first runs every script in order; the installation keeps its id."""
    first = migrate.upgrade(database.engine, database.dialect, database.url)
    identity = look(path, "SELECT * FROM batchd_installation")

    assert first == SCRIPTS
    assert migrate.upgrade(database.engine, database.dialect, database.url) == []
    assert identity == look(path, "SELECT * FROM batchd_installation")


def test_scripts_may_run_twice(ledger: Database, path: Path) -> None:
    """A DBA who runs a file again breaks nothing and loses nothing; sqlite3 goes on after a column that is there."""
    insert = "INSERT INTO batchd_task (name, fingerprint, created_at, backlog_since) VALUES ('t', 'f', 'now', 'then')"
    look(path, insert)
    refused = []

    for script in migrate.scripts(ledger.dialect):
        for statement in ledger.dialect.statements(script.text, None):
            try:
                look(path, statement)
            except sqlite3.OperationalError as error:
                refused.append(str(error).partition(":")[0])

    assert look(path, "SELECT task FROM batchd_v_tasks") == [("t",)]
    assert look(path, "SELECT backlog_since FROM batchd_task") == [("then",)]
    assert refused == ["duplicate column name"] * 5
    ledger.store(actor="t", is_dead=lambda _: False)


def test_old_findings_are_as_urgent_as_new_ones(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an older batchd has left open gets the priority that its kind has, as the script and the catalogue agree."""
    whole = migrate.scripts(database.dialect)
    monkeypatch.setattr(migrate, "scripts", lambda _: whole[:4])
    migrate.upgrade(database.engine, database.dialect, database.url)
    for kind in KINDS:
        look(path, "INSERT INTO batchd_finding (kind, subject, opened_at) VALUES (?, 's', 'then')", kind)
    monkeypatch.setattr(migrate, "scripts", lambda _: whole)

    migrate.upgrade(database.engine, database.dialect, database.url)

    told = look(path, "SELECT kind, priority, page FROM batchd_v_findings")
    assert {(kind, one.priority, page_of(kind)) for kind, one in KINDS.items()} == set(told)


@pytest.mark.parametrize("server", ["postgresql", "mysql", "mssql"])
def test_every_server_ranks_old_findings_alike(server: str) -> None:
    """The lists of kinds in the scripts are the same on each database."""

    def kinds(database: str) -> list[list[str]]:
        text = (sql_root() / database / "005_findings.sql").read_text(encoding="utf-8")
        return [re.findall(r"'([a-z-]+)'", listed) for listed in re.findall(r"kind IN \(([^)]*)\)", text)]

    assert 2 == len(kinds("sqlite"))
    assert kinds("sqlite") == kinds(server)


def test_a_kill_between_scripts_leaves_the_old_version_whole(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script and the version it brings commit together; the next upgrade goes on from there."""
    whole = migrate.scripts(database.dialect)
    broken = [whole[0], Script(2, "002_views.sql", "CREATE TABLE half (a);\nCREATE TABLE half (a);\n")]
    monkeypatch.setattr(migrate, "scripts", lambda _: broken)

    with pytest.raises(DatabaseError, match="it is as it was"):
        migrate.upgrade(database.engine, database.dialect, database.url)

    assert look(path, "SELECT ledger_version FROM batchd_installation") == [(1,)]
    assert look(path, "SELECT name FROM sqlite_master WHERE name = 'half'") == []
    monkeypatch.setattr(migrate, "scripts", lambda _: whole)
    assert SCRIPTS[1:] == migrate.upgrade(database.engine, database.dialect, database.url)


def test_a_database_without_a_ledger_is_refused(database: Database) -> None:
    """The error names the command that makes one."""
    with pytest.raises(LedgerVersionError, match="no batchd ledger") as error:
        database.store(actor="t", is_dead=lambda _: False)

    assert "batchd db upgrade" in error.value.next_command


@pytest.mark.parametrize(("step", "words", "command"), [(-1, "needs", "batchd db upgrade"), (1, "newer", "install")])
def test_a_ledger_of_another_version_is_refused(
    ledger: Database, path: Path, step: int, words: str, command: str
) -> None:
    """Older asks for an upgrade, newer for a newer batchd; nothing is changed by looking."""
    look(path, "UPDATE batchd_installation SET ledger_version = ledger_version + ?", step)

    with pytest.raises(LedgerVersionError, match=words) as error:
        ledger.store(actor="t", is_dead=lambda _: False)

    assert command in error.value.next_command


def test_a_newer_ledger_is_not_downgraded(ledger: Database, path: Path) -> None:
    """An old program's upgrade leaves it as it is."""
    look(path, "UPDATE batchd_installation SET ledger_version = 99")

    with pytest.raises(LedgerVersionError, match="version 99, newer than this batchd"):
        migrate.upgrade(ledger.engine, ledger.dialect, ledger.url)

    assert look(path, "SELECT ledger_version FROM batchd_installation") == [(99,)]


def test_commits_are_durable_on_every_connection(ledger: Database) -> None:
    """Synchronous is FULL (2), the journal is a write-ahead log, foreign keys are checked."""
    names = ("synchronous", "journal_mode", "foreign_keys")
    with ledger.engine.connect() as first, ledger.engine.connect() as second:
        # One after the other: each begins as a writer.
        found = []
        for connection in (first, second):
            found.append([connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names])
            connection.rollback()

    assert found == [[2, "wal", 1]] * 2


def test_a_missing_file_is_not_made_by_looking(tmp_path: Path) -> None:
    """A wrong path must not become an empty database."""
    missing = tmp_path / "missing.db"

    with pytest.raises(DatabaseError, match="no SQLite database"):
        open_database(f"sqlite:///{missing}")

    assert not missing.exists()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """By its code, without a word of its content."""
    (tmp_path / "text.db").write_text("secret " * 500, encoding="utf-8")

    with pytest.raises(DatabaseError, match="SQLITE_NOTADB"):
        open_database(f"sqlite:///{tmp_path / 'text.db'}")


@pytest.mark.parametrize("view", sorted(VIEWS))
def test_a_view_runs_and_shows_no_content(ledger: Database, path: Path, view: str) -> None:
    """Views read no content table, and have no column for a prompt, an answer or a before-image."""
    del ledger
    ((definition,),) = look(path, "SELECT sql FROM sqlite_master WHERE name = ?", view)

    assert look(path, f"SELECT * FROM {view}") == []
    assert "batchd_content" not in definition
    assert not {"body", "definition", "guard", "guard_value"} & {
        row[1] for row in look(path, f"PRAGMA table_info({view})")
    }


def test_failures_show_the_key_as_people_know_it(ledger: Database, path: Path) -> None:
    """A number as it is, a single text without its length, a composite with its parts."""
    del ledger
    look(path, "INSERT INTO batchd_task (name, fingerprint, created_at) VALUES ('t', 'f', 'now')")
    keys = [(7, "", ""), (0, "h1", "5:a:b'c"), (0, "h2", "2:EU1:7"), (0, "h3", "0:"), (0, "h4", "2:é漢")]
    for number, digest, text in keys:
        look(
            path,
            "INSERT INTO batchd_gate (task_id, key_int, key_hash, key_text, state, changed_at)"
            " VALUES (1, ?, ?, ?, 'failed', 'now')",
            number,
            digest,
            text,
        )

    found = look(path, "SELECT row_key FROM batchd_v_failures ORDER BY since, row_key")

    assert sorted(["7", "a:b'c", "2:EU1:7", "", "é漢"]) == sorted(key for (key,) in found)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_made_of_whole_statements(ledger: Database, name: str) -> None:
    """Each is safe to repeat, or adds a column, which is passed over where it is there; nothing is left over."""
    (text,) = (script.text for script in migrate.scripts(ledger.dialect) if script.name == name)
    statements = ledger.dialect.statements(text, None)

    assert text.split() == "\n".join(statements).split()
    for statement in statements:
        bare = re.sub(r"--[^\n]*", "", statement)
        assert bare.count(";") == 1
        assert re.match(
            r"CREATE (TABLE|(UNIQUE )?INDEX) IF NOT EXISTS |CREATE VIEW |DROP VIEW IF EXISTS |INSERT .*NOT EXISTS "
            r"|ALTER TABLE \w+ ADD COLUMN |UPDATE \w+ SET priority = \d WHERE priority = 2 ",
            bare.strip(),
            re.DOTALL,
        )


def test_every_view_is_dropped_before_it_is_made(ledger: Database) -> None:
    """SQLite has no CREATE OR REPLACE VIEW."""
    (text,) = (script.text for script in migrate.scripts(ledger.dialect) if script.name == SCRIPTS[1])

    assert set(re.findall(r"DROP VIEW IF EXISTS (\w+);\nCREATE VIEW \1 AS", text)) == VIEWS


def test_statements_are_split_at_their_own_ends() -> None:
    """Semicolons in quotes, comments and triggers end nothing."""
    trigger = "CREATE TRIGGER a AFTER UPDATE ON t BEGIN\n  DELETE FROM u;\n  DELETE FROM v;\nEND;"
    quoted = "INSERT INTO t VALUES (';\n', \"x;\") -- not here;\n;"

    assert [trigger, quoted] == SqliteDialect().statements(f"{trigger}\n{quoted}\n-- the end\n", None)


def test_what_a_script_sets_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQL Server's SET XACT_ABORT ON; left on, a refused row would end the transaction of whoever works there next."""
    installed = migrate.scripts(SqliteDialect())
    sets = Script(installed[-1].number + 1, "003_sets.sql", "PRAGMA reverse_unordered_selects = ON;")
    monkeypatch.setattr(migrate, "scripts", lambda _: [*installed, sets])
    database = open_database(f"sqlite:///{tmp_path / 'x.db'}", create=True)

    ran = migrate.upgrade(database.engine, database.dialect, database.url)
    with database.engine.connect() as connection:
        is_on = connection.exec_driver_sql("PRAGMA reverse_unordered_selects").scalar()
    database.engine.dispose()

    assert (ran[-1], is_on) == ("003_sets.sql", 0)
