"""What the suites run on: each database and each vendor in turn, and a sandbox."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchd.core.model import Batch
from batchd.ports import Vendor
from batchd.sandbox_process import start_or_join
from batchd.vendors.connection import Connection
from batchd.vendors.openai import OpenAIVendor
from tests.conformance.ledger_steps import ONE, THREE, TWO
from tests.conformance.sandbox_calls import Sandbox
from tests.conformance.stores import ITEM, Desk, SqliteUnderTest, StoreUnderTest
from tests.conformance.vendor_calls import REQUEST
from tests.fakes.answers import answered
from tests.fakes.http_vendor import HttpVendor, http_vendor
from tests.fakes.vendor import FakeVendor


@pytest.fixture(params=["sqlite"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreUnderTest]:
    """A database with an empty ledger."""
    del request
    under_test = SqliteUnderTest(tmp_path)
    yield under_test
    under_test.close()


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
    return Connection(api_key="sk-test", base_url=server.url, timeout=20.0, create_timeout=5.0)


@pytest.fixture
def adapter(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIVendor]:
    """The SDK's adapter, connected to it."""
    # The SDK's waits between tries are not what is tested here.
    monkeypatch.setattr("openai._base_client.time.sleep", lambda _: None)
    with contextlib.closing(OpenAIVendor(connection)) as vendor:
        yield vendor


@pytest.fixture(params=["fake", "openai"])
def vendor(request: pytest.FixtureRequest) -> Vendor:
    """Each implementation of the port in turn."""
    name = "adapter" if request.param == "openai" else "fake"
    found: Vendor = request.getfixturevalue(name)
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
