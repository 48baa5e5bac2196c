"""A database without a ledger, and who makes one there: a person with the printed SQL, or the installer's login."""

import contextlib
import re
from collections.abc import Iterator

from batchd.store.by_hand import texts_for
from batchd.store.opening import Database, open_database
from batchd.store.sql_folder import sql_root
from tests.conformance.stores import StoreUnderTest, runtime_role
from tests.conformance.stores_mariadb import MariadbUnderTest
from tests.conformance.stores_postgresql import PostgresqlUnderTest

_PASSWORD = "of-a-test"
_OBJECTS = "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = DATABASE()"
_IN_FILE = "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')"


def remove_ledger(db: StoreUnderTest) -> None:
    """As before the first installation."""
    if isinstance(db, PostgresqlUnderTest):
        db.execute("DROP SCHEMA batchd CASCADE")
        return
    if isinstance(db, MariadbUnderTest):
        db.execute("SET foreign_key_checks = 0")
    for name, kind in db.execute(_OBJECTS if isinstance(db, MariadbUnderTest) else _IN_FILE):
        if name.startswith("batchd_"):
            db.execute(f"DROP {'VIEW' if 'view' in kind.lower() else 'TABLE'} {name}")
    if isinstance(db, MariadbUnderTest):
        db.execute("SET foreign_key_checks = 1")


def printed_for(database: Database) -> list[str]:
    """The statements of what ``db upgrade --sql`` prints, as the database's client tells them apart."""
    texts = texts_for(database.url.render_as_string(hide_password=False), None)
    return [statement for text in texts for statement in database.dialect.statements(text.sql, None)]


def give_runtime_its_rights(db: StoreUnderTest, database: Database) -> None:
    """What an administrator does once the tables are there."""
    if db.name != "sqlite":
        for statement in runtime_role(database):
            db.execute(statement)


@contextlib.contextmanager
def installers_login(db: StoreUnderTest) -> Iterator[Database]:
    """Made as the head of roles_installer.sql says, by an administrator; it has this one role."""
    owner = db.open_as_owner()
    script = (sql_root() / owner.dialect.name / "roles_installer.sql").read_text(encoding="utf-8")
    role = owner.dialect.statements(script, owner.dialect.default_schema)
    if isinstance(db, PostgresqlUnderTest):
        made = _on_postgresql(db, role)
    else:
        assert isinstance(db, MariadbUnderTest)
        made = _on_mariadb(db, role)
    with made as login:
        url = owner.url.set(username=login, password=_PASSWORD)
        database = open_database(url.render_as_string(hide_password=False))
        try:
            yield database
        finally:
            database.engine.dispose()


@contextlib.contextmanager
def _on_postgresql(db: PostgresqlUnderTest, role: list[str]) -> Iterator[str]:
    login = f"{db._server.login}_install"
    with db._server._alone():
        for statement in role:
            db.execute(statement)
        db.execute(f"CREATE ROLE {login} LOGIN PASSWORD '{_PASSWORD}'")
        db.execute(f"GRANT batchd_installer TO {login}")
    db.execute(f"ALTER ROLE {login} IN DATABASE {db._database} SET role = 'batchd_installer'")
    try:
        yield login
    finally:
        db.execute(f"DROP ROLE {login}")


@contextlib.contextmanager
def _on_mariadb(db: MariadbUnderTest, role: list[str]) -> Iterator[str]:
    login = f"{db._server.database}_install"
    for statement in role:
        db.execute(statement)
    db.execute(f"CREATE OR REPLACE USER {login} IDENTIFIED BY '{_PASSWORD}'")
    db.execute(f"GRANT batchd_installer TO {login}")
    db.execute(f"SET DEFAULT ROLE batchd_installer FOR {login}")
    try:
        yield login
    finally:
        db.execute(f"DROP USER {login}")


def is_an_id(text: str) -> bool:
    """As every installation has one."""
    return re.fullmatch("[0-9a-f]{32}", text) is not None
