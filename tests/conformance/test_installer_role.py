"""Who has the role of roles_installer.sql, and no other right, makes the ledger and brings it up to date."""

import pytest
import sqlalchemy as sa

from batchd.store import migrate
from batchd.store.dialects.base import LedgerDialect
from batchd.store.installation import adopt_moved
from batchd.store.migrate import upgrade
from batchd.store.opening import Database
from batchd.store.sql_folder import Script
from tests.conformance.installer import give_runtime_its_rights, installers_login, printed_for, remove_ledger
from tests.conformance.stores import ITEM, Desk, StoreUnderTest

pytestmark = pytest.mark.parametrize("db", ["postgresql", "mariadb"], indirect=True)
# The first that had every view; all that came later is made by upgrades.
OLDER = 2


def works(db: StoreUnderTest, database: Database) -> bool:
    """The runtime login claims rows with it."""
    give_runtime_its_rights(db, database)
    db.create_table("item", *ITEM, key=["id"])
    db.execute("INSERT INTO item (id, body) VALUES (1, 'text')")
    desk = Desk(db)
    desk.build(desk.claimable())
    return not desk.claimable()


def known_then(monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    """The program of an older version, as far as its scripts go."""
    all_of_them = migrate.scripts

    def older(dialect: LedgerDialect) -> list[Script]:
        return [script for script in all_of_them(dialect) if script.number <= version]

    monkeypatch.setattr(migrate, "scripts", older)


def test_it_makes_the_ledger(db: StoreUnderTest) -> None:
    """By `db upgrade`, with all that is in it; a second one has nothing to do."""
    remove_ledger(db)
    with installers_login(db) as login:
        ran = upgrade(login.engine, login.dialect, login.url)
        again = upgrade(login.engine, login.dialect, login.url)

        assert [one.name for one in migrate.scripts(login.dialect)] == ran
        assert [] == again
        assert works(db, login)


def test_it_makes_the_ledger_by_hand(db: StoreUnderTest) -> None:
    """By what `db upgrade --sql` prints, which may be run again."""
    remove_ledger(db)
    with installers_login(db) as login:
        for _ in range(2):
            run_all(login, printed_for(login))

        assert [] == upgrade(login.engine, login.dialect, login.url)
        assert works(db, login)


@pytest.mark.parametrize("by_hand", [False, True], ids=["command", "hand"])
def test_it_brings_an_older_ledger_up_to_date(
    db: StoreUnderTest, monkeypatch: pytest.MonkeyPatch, *, by_hand: bool
) -> None:
    """One that it has made; all that came since then is within its rights."""
    remove_ledger(db)
    with installers_login(db) as login:
        with monkeypatch.context() as then:
            known_then(then, OLDER)
            upgrade(login.engine, login.dialect, login.url)
        assert [(OLDER,)] == db.execute("SELECT ledger_version FROM batchd_installation")

        if by_hand:
            run_all(login, printed_for(login))
        ran = upgrade(login.engine, login.dialect, login.url)

        later = [one.name for one in migrate.scripts(login.dialect) if one.number > OLDER]
        assert ([] if by_hand else later) == ran
        assert works(db, login)


def test_it_may_adopt_and_see_no_table_of_others(db: StoreUnderTest) -> None:
    """What `db adopt` writes is its to write; a user's table is out of its reach."""
    remove_ledger(db)
    db.create_table("item", *ITEM, key=["id"])
    with installers_login(db) as login:
        upgrade(login.engine, login.dialect, login.url)
        db.execute("UPDATE batchd_installation SET bound_to = 'elsewhere'")
        adopt_moved(login.engine, login.dialect, login.url)

        assert [(login.dialect.binding(login.url),)] == db.execute("SELECT bound_to FROM batchd_installation")
        for statement in ("SELECT id FROM {}item", "DROP TABLE {}item"):
            schema = "public." if db.name == "postgresql" else ""
            with (
                pytest.raises(sa.exc.DBAPIError, match=r"(?i)denied|must be owner"),
                login.engine.begin() as connection,
            ):
                connection.exec_driver_sql(statement.format(schema))


def run_all(database: Database, statements: list[str]) -> None:
    """As this login, one after the other."""
    with database.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
