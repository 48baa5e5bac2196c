"""How long one transaction waits for a server in trouble, whatever other threads of the process do meanwhile."""

import time

import pytest
import tenacity

from batchd.stop import Stop
from batchd.store import engine


def refused(since: float) -> tenacity.RetryCallState:
    """A try that was refused by a server whose trouble is taken to have begun then."""
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    state.set_exception((engine._TryAgainError, engine._TryAgainError("full", None, since), None))
    return state


def test_what_others_commit_does_not_make_a_wait_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full tablespace refuses one table; a COMMIT elsewhere says that the trouble is over, time and again."""
    monkeypatch.setattr(engine, "_LATER_SECONDS", 0.2)
    enough, begun = engine._Enough(Stop()), time.monotonic()

    while not enough(refused(since=time.monotonic())):
        assert time.monotonic() - begun < 20.0, "it waits for ever"
        time.sleep(0.01)

    assert time.monotonic() - begun >= 0.2


def test_a_wait_counts_from_when_the_trouble_began_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the process has waited for already, no further transaction waits for again."""
    monkeypatch.setattr(engine, "_LATER_SECONDS", 60.0)

    assert engine._Enough(Stop())(refused(since=time.monotonic() - 61.0))
