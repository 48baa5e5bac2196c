"""What the suites run on: each database and each vendor in turn, and a sandbox."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from batchd.core.model import Batch
from batchd.ports import Vendor
from batchd.sandbox_process import start_or_join
from batchd.vendors.connection import Connection
from batchd.vendors.openai import OpenAIVendor
from tests.conformance.azure_vendor import azure_adapter, azure_connection  # noqa: F401 - fixtures, found by name
from tests.conformance.ledger_steps import ONE, THREE, TWO
from tests.conformance.mssql_lane import Lane
from tests.conformance.sandbox_calls import Sandbox
from tests.conformance.stores import ITEM, Desk, StoreUnderTest
from tests.conformance.stores_mariadb import MariadbServer, MariadbUnderTest
from tests.conformance.stores_mssql import MssqlServer, MssqlUnderTest
from tests.conformance.stores_postgresql import PostgresqlServer, PostgresqlUnderTest
from tests.conformance.stores_sqlite import SqliteUnderTest
from tests.conformance.vendor_calls import REQUEST
from tests.fakes.answers import answered
from tests.fakes.http_vendor import HttpVendor, http_vendor
from tests.fakes.vendor import FakeVendor
from tests.planted import KEY
from tests.servers.given import MARIADB, MSSQL, MSSQL_FREETDS, POSTGRESQL, Given


def _asked(given: Given) -> str:
    """The URL of a server that is given. Skips the test where none is."""
    if given.url is None:
        pytest.skip(given.why_not)
    return given.url


@pytest.fixture(scope="session")
def _postgresql() -> Iterator[PostgresqlServer]:
    with contextlib.closing(PostgresqlServer(_asked(POSTGRESQL))) as server:
        server.prepare()
        yield server


@pytest.fixture(scope="session")
def _mariadb() -> Iterator[MariadbServer]:
    with contextlib.closing(MariadbServer(_asked(MARIADB))) as server:
        server.prepare()
        yield server


@pytest.fixture(scope="session")
def _mssql_odbc18() -> Iterator[MssqlServer]:
    with contextlib.closing(MssqlServer(_asked(MSSQL))) as server:
        server.prepare()
        yield server


@pytest.fixture(scope="session")
def _mssql_freetds() -> Iterator[MssqlServer]:
    with contextlib.closing(MssqlServer(_asked(MSSQL_FREETDS))) as server:
        server.prepare()
        yield server


@pytest.fixture(params=["sqlite", "postgresql", "mariadb", "mssql-odbc18", "mssql-freetds"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreUnderTest]:
    """Each database in turn, with an empty ledger."""
    kinds: dict[str, Callable[[], StoreUnderTest]] = {
        "sqlite": lambda: SqliteUnderTest(tmp_path),
        "postgresql": lambda: PostgresqlUnderTest(request.getfixturevalue("_postgresql")),
        "mariadb": lambda: MariadbUnderTest(request.getfixturevalue("_mariadb")),
        "mssql-odbc18": lambda: MssqlUnderTest(request.getfixturevalue("_mssql_odbc18")),
        "mssql-freetds": lambda: MssqlUnderTest(request.getfixturevalue("_mssql_freetds")),
    }
    with contextlib.closing(kinds[request.param]()) as under_test:
        under_test.prepare()
        why = under_test.differs(request.function.__name__) if isinstance(under_test, MssqlUnderTest) else ""
        if why:
            pytest.skip(f"Babelfish is no SQL Server: {why}")
        yield under_test


@pytest.fixture(params=["odbc18", "freetds"])
def lane(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lane]:
    """SQL Server by each driver in turn, with an empty ledger, for tasks of a whole config."""
    server: MssqlServer = request.getfixturevalue(f"_mssql_{request.param}")
    server.empty()
    with contextlib.closing(Lane(server, tmp_path)) as under_test:
        yield under_test


@pytest.fixture
def desk(db: StoreUnderTest) -> Desk:
    """The task ``items`` over five pending rows."""
    db.create_table("item", *ITEM, key=["id"])
    for number in range(1, 6):
        db.execute("INSERT INTO item (id, body) VALUES (?, ?)", number, f"text {number}")
    return Desk(db)


@pytest.fixture
def batch(desk: Desk) -> Batch:
    """A built batch of the first three rows."""
    return desk.build([ONE, TWO, THREE])


@pytest.fixture
def fake() -> FakeVendor:
    """A vendor in memory, that answers ``yes``."""
    return FakeVendor(answered("yes"))


@pytest.fixture
def server(fake: FakeVendor) -> Iterator[HttpVendor]:
    """The same behind real HTTP, with replies to order."""
    with http_vendor(fake) as running:
        yield running


@pytest.fixture
def connection(server: HttpVendor) -> Connection:
    """The way to that server."""
    return Connection(api_key=KEY, base_url=server.url, timeout=20.0, create_timeout=5.0)


@pytest.fixture
def adapter(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIVendor]:
    """The SDK's adapter, connected to it."""
    # The SDK's waits between tries are not what is tested here.
    monkeypatch.setattr("openai._base_client.time.sleep", lambda _: None)
    with contextlib.closing(OpenAIVendor(connection)) as vendor:
        yield vendor


@pytest.fixture(params=["fake", "openai", "azure"])
def vendor(request: pytest.FixtureRequest) -> Vendor:
    """Each implementation of the port in turn."""
    names = {"fake": "fake", "openai": "adapter", "azure": "azure_adapter"}
    found: Vendor = request.getfixturevalue(names[request.param])
    return found


@pytest.fixture
def request_file(tmp_path: Path) -> Path:
    """A file of one request."""
    path = tmp_path / "u.input.jsonl"
    path.write_bytes(REQUEST)
    return path


@pytest.fixture(scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    state = tmp_path_factory.mktemp("sandbox") / "state.db"
    with start_or_join(state, batch_duration=0) as handle:
        yield Sandbox(handle.url)


@pytest.fixture
def sandbox(_running: Sandbox) -> Sandbox:
    """A sandbox without a past, whose batches complete at once."""
    _running.control("POST", "reset")
    _running.control("POST", "settings", {"batch_duration": 0, "token_limit": None})
    return _running
