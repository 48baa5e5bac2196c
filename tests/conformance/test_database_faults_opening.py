"""What drivers raise that is no database error to them, where a connection is made: a sentence and exit code 11."""

from pathlib import Path
from typing import Any

import pymysql  # type: ignore[import-untyped]
import pytest

from batchd.errors import DatabaseError
from batchd.store.migrate import upgrade
from batchd.store.opening import open_database

NOBODY = "somebody:pass-word@127.0.0.1:9/app"
PYMYSQL_WITHOUT_LIBRARY = RuntimeError(
    "'cryptography' package is required for sha256_password or caching_sha2_password auth methods"
)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"mysql://{NOBODY}?ssl_ca=/nonexistent/ca.pem", "a file named there is not to be found"),
        (f"mysql://{NOBODY}?nonsense=1", "the driver does not take a setting of database.url"),
        (f"postgresql://{NOBODY}?nonsense=1", "the driver does not take a setting of database.url"),
        (f"mysql://{NOBODY}", "no server answers"),
        (f"postgresql://{NOBODY}", "no server answers"),
    ],
)
def test_a_url_that_the_driver_cannot_use_is_explained(url: str, reason: str) -> None:
    """Not as an internal error, and without the password."""
    with pytest.raises(DatabaseError) as told:
        open_database(url)

    assert 11 == told.value.exit_code
    assert reason in told.value.message
    assert told.value.next_command
    assert "pass-word" not in told.value.message


@pytest.mark.parametrize(("number", "name"), [(1045, "1045 login refused"), (9999, "9999")])
def test_the_words_of_an_error_are_not_shown(monkeypatch: pytest.MonkeyPatch, number: int, name: str) -> None:
    """Known or not, its number is: the words may quote a password."""
    raising(monkeypatch, "pymysql.connect", pymysql.err.OperationalError(number, "it quotes pass-word"))

    with pytest.raises(DatabaseError, match=f"[(]{name}[)]$") as told:
        open_database(f"mysql://{NOBODY}")

    assert "quotes" not in told.value.message + told.value.next_command


def test_a_library_that_the_driver_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyMySQL says so as an error of Python's own."""
    raising(monkeypatch, "pymysql.connect", PYMYSQL_WITHOUT_LIBRARY)

    with pytest.raises(DatabaseError, match="a way to log in that the driver does not have") as told:
        open_database(f"mysql://{NOBODY}")

    assert "pip install" in told.value.next_command


def test_a_connection_that_is_made_anew_meets_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the middle of a run, where the config has been sound until then."""
    database = open_database(f"sqlite:///{tmp_path / 'a.db'}", create=True)
    upgrade(database.engine, database.dialect, database.url)
    store = database.store(actor="tester", is_dead=lambda _: False)
    elsewhere = open_database_of_mysql(monkeypatch)
    raising(monkeypatch, "pymysql.connect", PYMYSQL_WITHOUT_LIBRARY)
    monkeypatch.setattr(store, "engine", elsewhere[0])
    monkeypatch.setattr(store, "dialect", elsewhere[1])

    with pytest.raises(DatabaseError, match="a way to log in that the driver does not have"):
        store.transact(lambda ledger: ledger.installation_id())


def open_database_of_mysql(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """Engine and dialect of a server that is asked for nothing yet."""
    monkeypatch.setattr("batchd.store.opening._check_reachable", lambda *_: None)
    database = open_database(f"mysql://{NOBODY}")
    return database.engine, database.dialect


def test_an_error_that_nobody_knows_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in the program must not look like one of the database."""
    raising(monkeypatch, "pymysql.connect", KeyError("unheard of"))

    with pytest.raises(KeyError):
        open_database(f"mysql://{NOBODY}")


def raising(monkeypatch: pytest.MonkeyPatch, name: str, error: Exception) -> None:
    """Whoever calls this meets an error."""

    def raise_it(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(name, raise_it)
