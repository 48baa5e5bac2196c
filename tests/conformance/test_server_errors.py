"""The errors of real servers, as their real drivers raise them, and what batchd makes of each."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from batchd.store.dialects.base import Fault
from tests.conformance.failing_servers import FailingServer
from tests.conformance.raising import raised
from tests.servers.given import MARIADB, POSTGRESQL, Given

AGAIN, LATER, DUPLICATE, DATA, FATAL = Fault.AGAIN, Fault.LATER, Fault.DUPLICATE, Fault.DATA, Fault.FATAL


@pytest.fixture(scope="module", params=[POSTGRESQL, MARIADB], ids=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> Iterator[FailingServer]:
    """Each server that is given."""
    given: Given = request.param
    if given.url is None:
        pytest.skip(given.why_not)
    with contextlib.closing(FailingServer(given.url)) as found:
        found.prepare()
        yield found


def run(server: FailingServer, *statements: str) -> None:
    """Statements of one transaction."""
    with server.transaction() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


# What is said: as PostgreSQL tells it, as MariaDB does.
REFUSED = {
    "UPDATE item SET name = 'abcdefgh' WHERE id = 1": ("22001 value too long", "1406 value too long", DATA),
    "UPDATE item SET amount = NULL WHERE id = 1": ("23502 NULL not allowed", "1048 NULL not allowed", DATA),
    "INSERT INTO item (id) VALUES (3)": ("23502 NULL not allowed", "1364 column needs a value", DATA),
    "UPDATE item SET parent = 99": ("23503 foreign key", "1452 foreign key: no parent row", DATA),
    "DELETE FROM parent": ("23503 foreign key", "1451 foreign key: row is referred to", DATA),
    "UPDATE item SET kind = -1": ("23514 check constraint", "4025 check constraint", DATA),
    "UPDATE item SET small = 99999": ("22003 number out of range", "1264 number out of range", DATA),
    "UPDATE item SET amount = 'abc'": (
        "22P02 value does not fit the type", "1366 value does not fit the type", DATA,
    ),
    "UPDATE item SET born = '2026-13-45'": ("22008 time out of range", "1292 value does not fit the type", DATA),
    "UPDATE item SET amount = amount / 0": ("22012 division by zero", "1365 division by zero", DATA),
    "UPDATE item SET doc = '{'": ("22P02 value does not fit the type", "4025 check constraint", DATA),
    "UPDATE guarded SET amount = 2": ("P0001 refused by a trigger", "1644 refused by a trigger", DATA),
    "UPDATE item SET sole = 2 WHERE id = 1": ("23505 unique key taken", "1062 unique key taken", DUPLICATE),
    "UPDATE item SET nothing = 1": ("42703 column missing", "1054 column missing", FATAL),
    "UPDATE nothing SET amount = 1": ("42P01 table missing", "1146 table missing", FATAL),
    "UPDATE item SET SET amount = 1": ("42601 syntax", "1064 syntax", FATAL),
    "UPDATE item SET twice = 1": ("428C9 column cannot be written", "1906 column cannot be written", FATAL),
    "UPDATE sums SET amount = 1": ("55000 object not in the needed state", "1288 view cannot be written", FATAL),
    "SELECT nothing(1)": ("42883 function or operator missing", "1305 function missing", FATAL),
}  # fmt: skip


@pytest.mark.parametrize("statement", REFUSED)
def test_a_refused_statement_is_told_by_its_number(server: FailingServer, statement: str) -> None:
    """Values that are refused are the row's own, a statement that cannot work needs a person, who gets a sentence."""
    in_postgresql, in_mariadb, fault = REFUSED[statement]
    error = raised(run, server, statement)

    assert (in_postgresql if server.name == "postgresql" else in_mariadb, fault) == server.told(error), error
    assert (fault is FATAL) == (server.dialect.refusal(error) is not None)


@pytest.mark.parametrize("value", ["\ud800", "a\0b"], ids=["half a character", "NUL"])
def test_a_value_that_the_driver_refuses_is_the_rows_own(server: FailingServer, value: str) -> None:
    """No server sees it; what MariaDB can keep is no error."""
    update = sa.text("UPDATE item SET name = :name WHERE id = 1")

    def write() -> None:
        with server.transaction() as connection:
            connection.execute(update, {"name": value})

    if server.name == "mysql" and value == "a\0b":
        write()
        return
    error = raised(write)

    assert ("value the driver cannot send", DATA) == server.told(error), error


def test_what_is_no_number_is_the_rows_own(server: FailingServer) -> None:
    """PyMySQL writes literals, and has none for it; PostgreSQL has, but not for its integers."""

    def write() -> None:
        with server.transaction() as connection:
            connection.execute(sa.text("UPDATE item SET amount = :amount"), {"amount": float("nan")})

    expected = "22003 number out of range" if server.name == "postgresql" else "value the driver cannot send"

    assert (expected, DATA) == server.told(raised(write))


def test_a_deadlock_runs_again(server: FailingServer) -> None:
    """Two transactions that take two rows crosswise: one of them is told so."""
    both_have_a_row = threading.Barrier(2, timeout=30)

    def crosswise(first: int, second: int) -> None:
        with server.transaction() as connection:
            connection.exec_driver_sql(f"UPDATE item SET small = 1 WHERE id = {first}")
            both_have_a_row.wait()
            connection.exec_driver_sql(f"UPDATE item SET small = 1 WHERE id = {second}")

    with ThreadPoolExecutor(2) as side_by_side:
        running = [side_by_side.submit(crosswise, 1, 2), side_by_side.submit(crosswise, 2, 1)]
        errors = [one.exception() for one in running]
    expected = "40P01 deadlock" if server.name == "postgresql" else "1213 deadlock"

    assert [(expected, AGAIN)] == [server.told(error) for error in errors if isinstance(error, DBAPIError)], errors


def test_a_lock_that_others_keep_runs_again(server: FailingServer) -> None:
    """After the time that the session waits for locks."""
    update = "UPDATE item SET small = 2 WHERE id = 1"
    impatient = {
        "postgresql": ("SET LOCAL lock_timeout = '50ms'", update),
        "mysql": (f"SET STATEMENT innodb_lock_wait_timeout = 1 FOR {update}",),
    }[server.name]
    with server.transaction() as keeper:
        keeper.exec_driver_sql("UPDATE item SET small = 1 WHERE id = 1")
        error = raised(run, server, *impatient)
    expected = "55P03 lock wait timeout" if server.name == "postgresql" else "1205 lock wait timeout"

    assert (expected, AGAIN) == server.told(error), error


def test_a_row_that_changed_under_the_snapshot_runs_again(server: FailingServer) -> None:
    """PostgreSQL under REPEATABLE READ, MariaDB with its snapshot isolation."""
    level = {
        "postgresql": ["SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"],
        "mysql": ["SET SESSION innodb_snapshot_isolation = ON", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"],
    }[server.name]

    def late() -> None:
        with server.transaction() as connection:
            if server.name == "mysql":
                connection.exec_driver_sql("COMMIT")
            for statement in (*level, "SELECT * FROM item"):
                connection.exec_driver_sql(statement)
            run(server, "UPDATE item SET small = 7 WHERE id = 1")
            connection.exec_driver_sql("UPDATE item SET small = 8 WHERE id = 1")

    error = raised(late)
    expected = "40001 serialization conflict" if server.name == "postgresql" else "1020 row changed under the snapshot"
    # The session is not to be used by other tests.
    run(server, *(["SET SESSION innodb_snapshot_isolation = OFF"] if server.name == "mysql" else []))

    assert (expected, AGAIN) == server.told(error), error


@pytest.mark.parametrize("ending", ["end_session", "cancel"])
def test_what_an_administrator_ends_runs_again(server: FailingServer, ending: str) -> None:
    """A connection or statement that a DBA killed while it waited."""

    def ended() -> None:
        with server.transaction() as connection:
            session = server.session(connection)

            def end() -> None:
                server.wait_for_waiting(session)
                getattr(server, ending)(session)

            administrator = threading.Thread(target=end)
            administrator.start()
            try:
                connection.exec_driver_sql("UPDATE item SET small = 2 WHERE id = 1")
            finally:
                administrator.join()

    with server.transaction() as keeper:
        keeper.exec_driver_sql("UPDATE item SET small = 1 WHERE id = 1")
        error = raised(ended)

    assert AGAIN is server.dialect.fault(error), error


@pytest.mark.parametrize("act", ["statement", "commit"])
def test_a_connection_killed_while_idle_runs_again(server: FailingServer, act: str) -> None:
    """A killed session is noticed at the next statement, or at the COMMIT."""

    def transaction() -> None:
        with server.transaction() as connection:
            connection.exec_driver_sql("UPDATE item SET small = 3 WHERE id = 1")
            server.end_session(server.session(connection))
            if act == "statement":
                connection.exec_driver_sql("SELECT 1")

    error = raised(transaction)

    assert AGAIN is server.dialect.fault(error), error


def test_a_statement_beyond_its_time_runs_again(server: FailingServer) -> None:
    """A limit that a DBA has set for the login."""
    limit, slow, expected = {
        "postgresql": (
            "SET LOCAL statement_timeout = '50ms'", "SELECT pg_sleep(30)",
            "57014 statement cancelled or over its time limit",
        ),
        "mysql": ("SET STATEMENT max_statement_time = 0.05 FOR SELECT SLEEP(30)", "", "1969 statement time limit"),
    }[server.name]  # fmt: skip
    error = raised(run, server, *filter(None, (limit, slow)))

    assert (expected, AGAIN) == server.told(error), error


def test_a_read_only_transaction_waits_for_a_server_that_writes(server: FailingServer) -> None:
    """A standby that a cluster has led to; the sentence says where to look."""
    statements, expected = {
        "postgresql": (["SET TRANSACTION READ ONLY"], "25006 server is read-only"),
        "mysql": (["COMMIT", "START TRANSACTION READ ONLY"], "1792 transaction is read-only"),
    }[server.name]
    error = raised(run, server, *statements, "UPDATE item SET small = 1")
    refusal = server.dialect.refusal(error)

    assert (expected, LATER) == server.told(error), error
    assert refusal is not None
    assert "takes no writes" in refusal.reason


@pytest.mark.parametrize(
    ("grants", "in_postgresql", "in_mariadb"),
    [
        (["SELECT ON parent"], "42501 right missing", "1142 no right on a table"),
        (["SELECT ON item", "UPDATE (name) ON item"], "42501 right missing", "1143 no right on a column"),
    ],
    ids=["table", "column"],
)
def test_a_missing_right_names_the_command_that_prints_it(
    server: FailingServer, grants: list[str], in_postgresql: str, in_mariadb: str
) -> None:
    """It needs a DBA; nothing is blamed on rows."""

    def write(url: sa.URL) -> None:
        with server.connection(url) as connection, connection.begin():
            connection.exec_driver_sql("UPDATE item SET amount = 5 WHERE id = 1")

    with server.login(*grants) as url:
        error = raised(write, url)
    refusal = server.dialect.refusal(error)

    assert (in_postgresql if server.name == "postgresql" else in_mariadb, FATAL) == server.told(error), error
    assert refusal is not None
    assert "batchd db grants TASK" in refusal.next_command


def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port: int = gone.getsockname()[1]
        return port


UNREACHABLE: dict[str, tuple[Callable[[sa.URL], sa.URL], str, Fault]] = {
    "password": (lambda url: url.set(password="wrong"), "refused the login", FATAL),
    "user": (lambda url: url.set(username="nobody_at_all"), "refused the login", FATAL),
    "database": (lambda url: url.set(database="nowhere_at_all"), "no such database", FATAL),
    "port": (lambda url: url.set(port=closed_port()), "no server answers", LATER),
}  # fmt: skip


@pytest.mark.parametrize("wrong", UNREACHABLE)
def test_a_url_that_leads_nowhere_is_explained(server: FailingServer, wrong: str) -> None:
    """What is wrong with it, in our words; a server that is down is waited for."""
    change, reason, fault = UNREACHABLE[wrong]
    error = raised(server.connect, change(server.url))
    refusal = server.dialect.refusal(error)

    assert fault is server.dialect.fault(error), error
    assert refusal is not None, error
    assert reason in refusal.reason


def test_an_unknown_host_is_told_as_such(server: FailingServer) -> None:
    """Names are resolved before anybody is asked."""
    error = raised(server.connect, server.url.set(host="nowhere.invalid"))
    refusal = server.dialect.refusal(error)

    assert LATER is server.dialect.fault(error), error
    assert refusal is not None, error
    assert "host name" in refusal.reason


def test_a_login_that_is_locked_is_explained(server: FailingServer) -> None:
    """The password is right, and the server keeps the account out."""
    with server.login() as url:
        server.administer(
            f"ALTER ROLE {url.username} NOLOGIN"
            if server.name == "postgresql"
            else f"ALTER USER {url.username}@'127.0.0.1' ACCOUNT LOCK"
        )
        error = raised(server.connect, url)

    assert FATAL is server.dialect.fault(error), error
    assert server.dialect.refusal(error) is not None


def test_a_database_that_the_login_may_not_open_is_explained(server: FailingServer) -> None:
    """It is there, and not for this login."""
    with server.login() as url:
        if server.name == "postgresql":
            server.administer(f"REVOKE CONNECT ON DATABASE {url.database} FROM PUBLIC")
        error = raised(server.connect, url)
        if server.name == "postgresql":
            server.administer(f"GRANT CONNECT ON DATABASE {url.database} TO PUBLIC")
    refusal = server.dialect.refusal(error)

    assert FATAL is server.dialect.fault(error), error
    assert refusal is not None, error
    assert "right" in refusal.reason


def test_a_login_without_connections_left_is_waited_for(server: FailingServer) -> None:
    """Others' connections end; the sentence is for when they don't."""
    with server.login("SELECT ON item") as url:
        server.administer(
            f"ALTER ROLE {url.username} CONNECTION LIMIT 0"
            if server.name == "postgresql"
            else f"ALTER USER {url.username}@'127.0.0.1' WITH MAX_QUERIES_PER_HOUR 1"
        )

        def often() -> None:
            for _ in range(3):
                server.connect(url)

        error = raised(often)
    refusal = server.dialect.refusal(error)

    assert LATER is server.dialect.fault(error), error
    assert refusal is not None, error
    assert "no connection left" in refusal.reason


def test_encryption_that_the_server_does_not_have_is_explained(server: FailingServer) -> None:
    """Waiting does not bring it."""
    query = {"sslmode": "require"} if server.name == "postgresql" else {"ssl_check_hostname": "false", "ssl_ca": ""}
    error = raised(server.connect, server.url.update_query_dict(query))

    assert FATAL is server.dialect.fault(error), error
    assert server.dialect.refusal(error) is not None


@pytest.mark.parametrize(
    "query",
    [{"sslmode": "perhaps", "ssl_ca": "/nonexistent/ca.pem"}, {"nonsense": "1"}],
    ids=["value", "name"],
)
def test_a_setting_that_the_driver_does_not_take_is_explained(server: FailingServer, query: dict[str, str]) -> None:
    """Each driver says so in another way, some with errors that are no database's."""
    known = {"postgresql": "sslmode", "mysql": "ssl_ca"}[server.name]
    error = raised(
        server.connect, server.url.update_query_dict({key: query[key] for key in query if key in {known, "nonsense"}})
    )
    refusal = server.dialect.refusal(error)

    assert ("setting of the driver", FATAL) == server.told(error), error
    assert refusal is not None
    assert "a setting of database.url" in refusal.reason
