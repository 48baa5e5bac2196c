"""Whether the holder of a lease is provably gone: its work is taken over at once then, and else after the lease."""

import subprocess
import sys

import pytest

from batchd.app import owner

ITSELF = owner.this_owner()


def renamed(part: int, text: str) -> str:
    parts = ITSELF.split("/")
    return "/".join([*parts[:part], text, *parts[part + 1 :]])


def of_a_child(code: str) -> tuple[str, subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    return renamed(2, str(child.pid)), child


def test_this_process_is_alive() -> None:
    """Nobody takes over from themselves."""
    assert not owner.is_provably_dead(ITSELF)


def test_a_process_that_has_ended_is_gone() -> None:
    """Also while its parent has not looked yet, and once its number is nobody's."""
    name, child = of_a_child("")
    child.communicate()

    assert owner.is_provably_dead(name)


def test_another_process_with_the_same_number_is_not_it() -> None:
    """A number is used again; the time of the start is not."""
    assert owner.is_provably_dead(renamed(3, "1"))


@pytest.mark.parametrize("part", [0, 1])
def test_nothing_is_known_of_other_machines(part: int) -> None:
    """Another host, boot or container may have a process that is not seen here."""
    assert not owner.is_provably_dead(renamed(part, "elsewhere"))


def test_a_process_that_is_hidden_is_not_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under ProtectProc=invisible the processes of other users are out of sight, and may hold a lease."""
    name, child = of_a_child("import sys; sys.stdin.read()")
    monkeypatch.setattr(owner, "_started", lambda _: None)
    while_it_runs = owner.is_provably_dead(name)
    child.communicate()

    assert not while_it_runs
    assert owner.is_provably_dead(name)
