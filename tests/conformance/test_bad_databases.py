"""Bad input that only a server can show: the command says what, where and why, and what to run next."""

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import URL, event
from sqlalchemy.pool import Pool
from typer.testing import CliRunner

from batchd.cli.main import app
from tests.conformance.stores import ITEM, StoreUnderTest, a_definition

SERVERS = ["postgresql", "mariadb", "mssql-odbc18", "mssql-freetds"]
CONFIG = """
[database]
url = "{url}"
password = {{ env = "TEST_PASSWORD" }}

[vendors.local]
kind = "sandbox"

[tasks.items]
vendor = "local"
table = '{table}'
key = ["id"]
pending = "done IS NULL"
model = "gpt-6-luna"
prompt = "{{{{ body }}}}"
text_column = "answer"
on_success = {{ done = "yes" }}
{more}
"""


@dataclass(frozen=True)
class Said:
    """How a command ended, and what a person read."""

    code: int
    words: str


@contextlib.contextmanager
def every_connection_closed() -> Iterator[None]:
    """However a command ends: a daemon that is refused at each reload would hold one more each time."""
    still_open: list[object] = []

    def opened(connection: object, _: object) -> None:
        still_open.append(connection)

    def closed(connection: object, *_: object) -> None:
        still_open[:] = [one for one in still_open if one is not connection]

    # What a script SETs is its session's own, so the upgrade takes its connections out of the pool.
    told: dict[str, Callable[..., None]] = {"connect": opened, "close": closed, "close_detached": closed}
    for happening, hear in told.items():
        event.listen(Pool, happening, hear)
    try:
        yield
    finally:
        for happening, hear in told.items():
            event.remove(Pool, happening, hear)
    assert [] == still_open


@dataclass(frozen=True)
class Bench:
    """The command in a folder with a config; ``owner`` and ``login`` are two ways into the database."""

    db: StoreUnderTest
    folder: Path
    owner: URL
    login: URL
    setenv: Callable[[str, str], None]

    def run(self, *arguments: str, url: URL | None = None, table: str = "item", more: str = "") -> Said:
        """Runs ``batchd``, as the owner of everything unless another URL is given."""
        used = url or self.owner
        shown = used.set(password=None).render_as_string()
        text = CONFIG.format(url=shown, table=table, more=more)
        (self.folder / "config.toml").write_text(text, encoding="utf-8")
        self.setenv("TEST_PASSWORD", str(used.password))
        with every_connection_closed():
            done = CliRunner().invoke(app, [*arguments, "--config", str(self.folder / "config.toml")])
        words = re.sub(r"\s+", " ", done.output)
        assert "Traceback" not in words
        assert str(used.password) not in words
        assert "internal error" not in words, words
        return Said(done.exit_code, words)


@pytest.fixture
def bench(db: StoreUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The table ``item`` with one row, on a server."""
    monkeypatch.chdir(tmp_path)
    db.create_table("item", *ITEM, key=["id"])
    db.execute("INSERT INTO item (id, body) VALUES (1, 'private words')")
    return Bench(db, tmp_path, db.open_as_owner().url, db.open().url, monkeypatch.setenv)


def on(*servers: str) -> pytest.MarkDecorator:
    """Runs a test on these alone."""
    return pytest.mark.parametrize("db", servers or SERVERS, indirect=True)


def at_port(url: URL, port: int) -> URL:
    """The same server's other port; FreeTDS has it in the query."""
    in_query = [name for name in url.query if name.lower() == "port"]
    return url.update_query_dict({in_query[0]: str(port)}) if in_query else url.set(port=port)


@on()
def test_a_refused_login_is_told(bench: Bench) -> None:
    """Exit code 11, and where user and password stand."""
    said = bench.run("status", url=bench.owner.set(password="hunter2-wrong"))

    assert said.code == 11
    assert "the server refused the login" in said.words
    assert "next: check user and password of [database]" in said.words


@on()
def test_a_missing_database_is_told(bench: Bench) -> None:
    """Exit code 11, and where its name stands."""
    said = bench.run("submit", url=bench.owner.set(database="batchd_test_nowhere"))

    assert said.code == 11
    assert "there is no such database on the server" in said.words
    assert "next: check the name at the end of database.url" in said.words


@on()
def test_a_server_that_is_down_is_told(bench: Bench) -> None:
    """Exit code 11, and what to look at."""
    said = bench.run("submit", url=at_port(bench.owner, 9))

    assert said.code == 11
    assert "no server answers at the host and port of database.url" in said.words
    assert "next: start the server" in said.words


@on()
def test_a_name_in_other_letters_is_told_as_it_is_written(bench: Bench) -> None:
    """Exit code 10 with the line, for the table and for a column."""
    table = bench.run("check-config", table="Item")
    column = bench.run("check-config", more='guard_column = "BODY"')

    assert (10, 10) == (table.code, column.code)
    assert "tasks.items.table: the database has no table 'Item'; did you mean 'item'?" in table.words
    assert "tasks.items.guard_column: table 'item' has no column 'BODY'; did you mean 'body'?" in column.words


@pytest.fixture
def elsewhere(bench: Bench) -> Iterator[str]:
    """A table ``staff`` in another schema, whose name this is; with MariaDB that is another database."""
    schema = {"mariadb": "batchd_test_app"}.get(bench.db.name, "app")
    make = "DATABASE" if bench.db.name == "mariadb" else "SCHEMA"
    bench.db.execute(f"CREATE {make} {schema}")
    bench.db.execute(f"CREATE TABLE {schema}.staff (id INT PRIMARY KEY)")
    yield schema
    bench.db.execute(f"DROP TABLE {schema}.staff")
    bench.db.execute(f"DROP {make} {schema}")


@on()
def test_a_table_of_another_schema_is_named(bench: Bench, elsewhere: str) -> None:
    """Whether the task says no schema, the wrong one, one that is not there, or all of it in one word."""
    plain = bench.run("check-config", table="staff")
    dotted = bench.run("check-config", table=f"{elsewhere}.staff")
    quoted = bench.run("check-config", table=f'"{elsewhere}"."staff"')
    unknown = bench.run("check-config", table="nobody", more='schema = "batchd_test_none"')

    assert {10} == {plain.code, dotted.code, quoted.code, unknown.code}
    assert f'; there is {elsewhere}.staff: say schema = "{elsewhere}"' in plain.words
    assert f'holds more than a name: say table = "staff" and schema = "{elsewhere}"' in dotted.words
    assert f'holds more than a name: say table = "staff" and schema = "{elsewhere}"' in quoted.words
    assert "the database has no schema 'batchd_test_none'; it has: " in unknown.words


@on("postgresql", "mariadb")
@pytest.mark.parametrize(
    ("changes", "lacking"),
    [
        ({"inputs": ()}, "SELECT on body"),
        # What was there is read before it is overwritten.
        ({"written": ("done",)}, "SELECT on answer and UPDATE on answer"),
    ],
    ids=["read", "write"],
)
def test_a_missing_right_on_a_column_is_told_with_its_grant(
    bench: Bench, changes: dict[str, Any], lacking: str
) -> None:
    """Exit code 11 before anything is sent; the GRANT that is printed is the one that helps."""
    _grant(bench, **changes)

    refused = bench.run("check-config", url=bench.login)
    assert refused.code == 11
    assert f"the login lacks rights on table 'item': {lacking}" in refused.words
    for grant in re.findall(r"GRANT [^;]+;", refused.words):
        bench.db.execute(grant)

    assert 0 == bench.run("check-config", url=bench.login).code


def _grant(bench: Bench, *, inputs: tuple[str, ...] = ("body",), written: tuple[str, ...] = ("answer", "done")) -> None:
    """What the task needs, or less."""
    definition = a_definition(inputs=inputs)
    columns = [
        one.model_copy(update={"column": name})
        for one, name in zip(definition.answer.columns * 2, written, strict=False)
    ]
    answer = definition.answer.model_copy(update={"columns": tuple(columns)})
    bench.db.grant(definition.model_copy(update={"answer": answer, "pending_columns": ("answer", "done")}))


WRITE_ELSEWHERE = """
[tasks.items.write]
table = "added"
mode = "insert"
"""


@on("postgresql", "mariadb")
def test_who_may_add_rows_need_not_be_allowed_to_read_them(bench: Bench) -> None:
    """The GRANTs that are printed do for a task that adds rows; INSERT is missed as long as it was not given."""
    bench.db.create_table("added", *ITEM, key=["id"])
    asked = bench.run("db", "grants", "items", more=WRITE_ELSEWHERE)
    grants = re.findall(r"GRANT [^;]+ ON \S*(?:item|added) TO [^;]+;", asked.words)
    adding = [grant for grant in grants if grant.startswith("GRANT INSERT (")]
    for grant in grants:
        if grant not in adding:
            bench.db.execute(grant)

    refused = bench.run("check-config", url=bench.login, more=WRITE_ELSEWHERE)
    for grant in adding:
        bench.db.execute(grant)
    taken = bench.run("check-config", url=bench.login, more=WRITE_ELSEWHERE)

    assert (11, 0) == (refused.code, taken.code), taken.words
    assert re.search(r"lacks rights on table 'added': INSERT on (id|answer|done), ", refused.words), refused.words


@on("mariadb")
def test_a_missing_database_may_be_a_missing_right(bench: Bench) -> None:
    """Of a database that is not there, the server says to a small login that it has no right: both are named."""
    said = bench.run("status", url=bench.login.set(database="batchd_test_nowhere"))

    assert said.code == 11
    assert "the login has no rights in this database, or there is no such database" in said.words
    assert "next: check the name at the end of database.url" in said.words


@on()
def test_init_takes_the_password_from_the_environment(bench: Bench) -> None:
    """The config names the variable, holds no password, and checks."""
    bench.setenv("TEST_PASSWORD", str(bench.owner.password))
    url = bench.owner.set(password=None).render_as_string()
    new = bench.folder / "new.toml"
    asked = ["init", "--url", url, "--table", "item", "--key", "id", "--out", str(new)]

    written = CliRunner().invoke(app, [*asked, "--password-env", "TEST_PASSWORD"])
    checked = CliRunner().invoke(app, ["check-config", "--config", str(new)])

    assert (0, 0) == (written.exit_code, checked.exit_code), written.output + checked.output
    text = new.read_text(encoding="utf-8")
    assert 'password = { env = "TEST_PASSWORD" }' in text
    assert str(bench.owner.password) not in text + written.output + checked.output


@on("postgresql", "mariadb")
def test_a_missing_right_on_the_ledger_is_told_with_its_grant(bench: Bench) -> None:
    """Exit code 11, and nothing else wrong is claimed."""
    _grant(bench)
    bench.db.execute("REVOKE UPDATE ON batchd_gate FROM batchd_runtime")

    said = bench.run("check-config", url=bench.login)

    assert said.code == 11
    assert "PROBLEM ledger: the login lacks rights on batchd's own tables" in said.words
    assert len(re.findall(r"have a DBA run: GRANT UPDATE ON \S*batchd_gate TO \S+;", said.words)) == 1
    assert "1 problem." in said.words


@on("postgresql", "mariadb")
def test_a_login_that_may_not_make_tables_is_told_how_a_ledger_comes_about(bench: Bench) -> None:
    """`db upgrade` as the runtime login ends with 11, and names the installer's rights."""
    for table in ("batchd_v_tasks", "batchd_v_failures"):
        bench.db.execute(f"DROP VIEW {table}")
    bench.db.execute("UPDATE batchd_installation SET ledger_version = 1")

    said = bench.run("db", "upgrade", url=bench.login)

    assert said.code == 11
    assert "roles_installer.sql grants that" in said.words
    assert re.search(r"batchd db upgrade --config \S+ --sql", said.words)


@on("postgresql")
def test_a_server_that_lets_in_and_then_answers_nothing_is_left(bench: Bench) -> None:
    """The connection that could be made is closed too."""

    def refuse(*told: object) -> None:
        if told[2] == "SELECT 1":
            raise sa.exc.OperationalError("SELECT 1", {}, psycopg.errors.InsufficientPrivilege("not today"))

    event.listen(sa.Engine, "before_cursor_execute", refuse)
    try:
        said = bench.run("status")
    finally:
        event.remove(sa.Engine, "before_cursor_execute", refuse)

    assert said.code == 11
    assert "cannot open the database postgresql" in said.words
    assert "not today" not in said.words


@on()
def test_a_ledger_of_a_newer_version_is_left_alone(bench: Bench) -> None:
    """By the upgrade, too: exit code 11, and which program to install."""
    ((version,),) = bench.db.execute("SELECT ledger_version FROM batchd_installation")
    bench.db.execute("UPDATE batchd_installation SET ledger_version = 99")

    said = [bench.run(*command) for command in (["submit"], ["db", "upgrade"])]

    bench.db.execute(f"UPDATE batchd_installation SET ledger_version = {version}")
    assert [11, 11] == [one.code for one in said]
    assert all("version 99, newer than this batchd" in one.words for one in said)
    assert all("install the batchd that wrote it" in one.words for one in said)


@on()
def test_a_view_that_cannot_be_written_is_told_before_anything_is_paid(bench: Bench) -> None:
    """Each column with its line, and no follow-up of the first refusal."""
    bench.db.execute("CREATE VIEW answers AS SELECT DISTINCT id, body, answer, done FROM item")

    said = bench.run("check-config", table="answers")

    assert said.code == 10
    assert len(re.findall("the database lets nobody write (?:answer|done) of table 'answers'", said.words)) == 2
    assert "transaction" not in said.words


@on("mariadb")
@pytest.mark.parametrize("engine", ["MyISAM", "Aria"])
@pytest.mark.parametrize("table", ["item", "seen"])
def test_a_table_without_transactions_is_refused(bench: Bench, engine: str, table: str) -> None:
    """Also behind a view: what is rolled back there stays written. The ALTER TABLE that is printed helps."""
    bench.db.execute(f"ALTER TABLE item ENGINE={engine}")
    bench.db.execute("CREATE VIEW seen AS SELECT * FROM item WHERE id > 0")

    said = [bench.run(command, table=table) for command in ("check-config", "submit")]
    assert [10, 10] == [one.code for one in said]
    assert all(f"table 'item' is kept by the engine {engine}" in one.words for one in said)
    (alter,) = set(re.findall(r"have a DBA run: (ALTER TABLE [^;]+;)", said[0].words))
    bench.db.execute(alter)

    assert 0 == bench.run("check-config", table=table).code


@on("mariadb")
def test_a_login_without_temporary_tables_is_told_the_grant(bench: Bench) -> None:
    """Answers are written by way of one; without it each would be paid for, and the batch held."""
    _grant(bench)
    bench.db.execute("REVOKE CREATE TEMPORARY TABLES ON * FROM batchd_runtime")

    said = bench.run("check-config", url=bench.login)
    assert said.code == 11
    assert "may make no temporary tables" in said.words
    (grant,) = re.findall(r"have a DBA run: (GRANT CREATE TEMPORARY TABLES [^;]+;)", said.words)
    bench.db.execute(grant)

    assert 0 == bench.run("check-config", url=bench.login).code


@on("postgresql")
def test_a_foreign_table_is_refused(bench: Bench) -> None:
    """Its rows are written in a transaction of another server, which may end otherwise than ours."""
    bench.db.execute("CREATE EXTENSION postgres_fdw")
    bench.db.execute("CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw")
    bench.db.execute("CREATE FOREIGN TABLE far (id int, body text, answer text, done text) SERVER other")

    said = bench.run("check-config", table="far")

    assert said.code == 10
    assert "'far' is neither a table nor a view of this database" in said.words


@on("postgresql")
def test_a_view_whose_rows_cannot_be_locked_is_refused(bench: Bench) -> None:
    """A trigger may write it; but what is compared before it is overwritten could change in between."""
    bench.db.execute("CREATE VIEW seen AS SELECT DISTINCT id, body, answer, done FROM item")
    bench.db.execute("CREATE FUNCTION writes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$")
    bench.db.execute("CREATE TRIGGER writes INSTEAD OF UPDATE ON seen FOR EACH ROW EXECUTE FUNCTION writes()")

    said = bench.run("check-config", table="seen")

    assert said.code == 10
    assert "the database lets nobody write answer of table 'seen': FOR UPDATE is not allowed" in said.words


@on("postgresql")
def test_a_server_that_takes_no_writes_is_told(bench: Bench) -> None:
    """A standby, or a login set so: exit code 11 once waiting was in vain."""
    _grant(bench)
    bench.db.execute(f"ALTER ROLE {bench.login.username} SET default_transaction_read_only = on")

    said = bench.run("check-config", url=bench.login)

    bench.db.execute(f"ALTER ROLE {bench.login.username} RESET default_transaction_read_only")
    assert said.code == 11
    assert "the server takes no writes" in said.words
    assert "leads to the primary" in said.words
