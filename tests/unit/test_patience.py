"""How long one transaction waits for a server in trouble, whatever other threads of the process do meanwhile."""

import gc
import socket
import ssl
import time

import pytest
import sqlalchemy as sa
import tenacity

from batchd.errors import DatabaseBusyError
from batchd.stop import Stop
from batchd.store import patience
from batchd.store.dialects import dialect_for
from batchd.store.engine import SqlStore


def refused(since: float) -> tenacity.RetryCallState:
    """A try that was refused by a server whose trouble is taken to have begun then."""
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    state.set_exception((patience.TryAgainError, patience.TryAgainError("full", None, since), None))
    return state


def test_what_others_commit_does_not_make_a_wait_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full tablespace refuses one table; a COMMIT elsewhere says that the trouble is over, time and again."""
    monkeypatch.setattr(patience, "_LATER_SECONDS", 0.2)
    enough, begun = patience._Enough(Stop()), time.monotonic()

    while not enough(refused(since=time.monotonic())):
        assert time.monotonic() - begun < 20.0, "it waits for ever"
        time.sleep(0.01)

    assert time.monotonic() - begun >= 0.2


def test_a_wait_counts_from_when_the_trouble_began_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the process has waited for already, no further transaction waits for again."""
    monkeypatch.setattr(patience, "_LATER_SECONDS", 60.0)

    assert patience._Enough(Stop())(refused(since=time.monotonic() - 61.0))


def tls_contexts() -> list[ssl.SSLContext]:
    """All there are in this process."""
    # By its type: a lazy object of the SDK, asked for its class, would make itself a client with one more of them.
    return [one for one in gc.get_objects() if issubclass(type(one), ssl.SSLContext)]


def test_tries_to_connect_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver's error is in a circle with the connection and its megabyte for TLS: a night of them was hundreds."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = sa.make_url(f"mysql+pymysql://somebody@127.0.0.1:{taken.getsockname()[1]}/nowhere")
    dialect, stop = dialect_for(url), Stop()
    store = SqlStore(dialect.create_engine(url, create=False), dialect, actor="test", stop=stop)
    # Each is tried once.
    monkeypatch.setattr(patience, "_STOPPING_SECONDS", 0.0)
    stop.ask()
    gc.collect()
    gc.disable()
    # Other tests of this process may have some of their own.
    before = tls_contexts()
    try:
        for _ in range(5):
            with pytest.raises(DatabaseBusyError):
                store.ask(lambda ledger: ledger.installation_id())
        kept = [one for one in tls_contexts() if not any(one is other for other in before)]
    finally:
        gc.enable()
        store.engine.dispose()

    assert [] == kept
