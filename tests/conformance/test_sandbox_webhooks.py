"""The sandbox's webhooks: as the vendor's SDK takes them for right, and each way in which they go wrong to order."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batchd.sandbox_process import Webhooks, start_or_join
from tests.conformance.sandbox_calls import Sandbox, chat_line
from tests.conformance.webhook_ear import SECRET, Ear, ear, wait_until


@pytest.fixture
def hears() -> Iterator[Ear]:
    with ear() as at_work:
        yield at_work


@pytest.fixture
def telling(tmp_path: Path, hears: Ear) -> Iterator[Sandbox]:
    """A sandbox that tells the receiver, of batches that end at once."""
    with start_or_join(tmp_path / "s.db", batch_duration=0, webhooks=Webhooks(hears.url, [SECRET])) as handle:
        yield Sandbox(handle.url)


def order(sandbox: Sandbox, *rules: dict[str, Any]) -> None:
    sandbox.control("PUT", "faults", {"webhooks": list(rules)})


def sent(sandbox: Sandbox) -> list[tuple[Any, ...]]:
    """(fault, tries, last status, whether more tries come) of each webhook."""
    return [
        tuple(one[key] for key in ("fault", "tries", "status", "waiting")) for one in sandbox.control("GET", "webhooks")
    ]


def test_the_end_of_a_batch_is_told_as_the_vendor_tells_it(telling: Sandbox, hears: Ear) -> None:
    """Once, signed, with the batch's id and nothing of its rows; nobody has to look at the batch for it."""
    batch = telling.create([chat_line("a")])
    (came,) = hears.wait(1)
    event = came.event()
    wait_until(lambda: [(None, 1, 200, False)] == sent(telling))

    assert ("batch.completed", batch.id) == (event.type, event.data.id)
    assert ("event", came.id) == (event.object, event.id)
    assert came.headers["user-agent"].startswith("OpenAI/")
    assert abs(time.time() - int(came.headers["webhook-timestamp"])) < 10
    assert 1 == len(hears.came)


def test_each_end_has_its_event(telling: Sandbox, hears: Ear) -> None:
    """Failed, cancelled and expired."""
    failed = telling.create([chat_line("a"), b"no json"])
    hears.wait(1)
    telling.control("POST", "settings", {"batch_duration": 200_000})
    cancelled, expired = telling.create([chat_line("b")]), telling.create([chat_line("c")])
    telling.client.batches.cancel(cancelled.id)
    telling.advance(86_401)
    hears.wait(3)

    assert [("batch.failed", failed.id)] == hears.told()[:1]
    assert {("batch.cancelled", cancelled.id), ("batch.expired", expired.id)} == set(hears.told()[1:])


def test_two_secrets_sign_both(telling: Sandbox, hears: Ear) -> None:
    """As while a secret is being changed."""
    told = {"url": hears.url, "secrets": [SECRET, "another"]}
    telling.control("POST", "settings", {"webhooks": told})
    telling.create([chat_line("a")])
    (came,) = hears.wait(1)

    assert came.is_believed()
    assert came.is_believed("another")
    assert not came.is_believed("a third")


def test_a_secret_is_not_shown(telling: Sandbox, hears: Ear) -> None:
    """The settings tell the address alone."""
    shown = telling.control("GET", "settings")

    assert hears.url == shown["webhook_url"]
    assert SECRET not in str(shown)


def test_a_lost_one_never_comes(telling: Sandbox, hears: Ear) -> None:
    """The next one does."""
    order(telling, {"kind": "lost", "times": 1})
    telling.run([chat_line("a")])
    wait_until(lambda: 1 == len(sent(telling)))
    second = telling.create([chat_line("b")])
    hears.wait(1)

    assert [("batch.completed", second.id)] == hears.told()
    assert ("lost", 0, None, False) == sent(telling)[0]


def test_a_repeated_one_comes_three_times_the_same(telling: Sandbox, hears: Ear) -> None:
    """To the byte, as a replay is."""
    order(telling, {"kind": "repeated", "times": 1})
    telling.create([chat_line("a")])
    came = hears.wait(3)

    assert [came[0]] * 3 == came


def test_one_out_of_order_comes_behind_the_next(telling: Sandbox, hears: Ear) -> None:
    """Both are right."""
    order(telling, {"kind": "out_of_order", "times": 1})
    first = telling.run([chat_line("a")])
    wait_until(lambda: 1 == len(sent(telling)))
    second = telling.create([chat_line("b")])
    hears.wait(2)

    assert [second.id, first.id] == [batch_id for _, batch_id in hears.told()]


def test_a_badly_signed_one_is_believed_by_nobody(telling: Sandbox, hears: Ear) -> None:
    """And is tried again, as badly signed, when it is refused."""
    order(telling, {"kind": "badly_signed", "times": 1})
    hears.statuses = [400, 400]
    telling.create([chat_line("a")])
    came = hears.wait(2)

    assert [False, False] == [one.is_believed() for one in came]


def test_an_old_one_is_signed_right(telling: Sandbox, hears: Ear) -> None:
    """Its time alone is wrong."""
    order(telling, {"kind": "old", "times": 1})
    telling.create([chat_line("a")])
    (came,) = hears.wait(1)

    assert time.time() - int(came.headers["webhook-timestamp"]) > 3_500
    assert not came.is_believed()


def test_an_early_one_comes_while_the_batch_runs(telling: Sandbox, hears: Ear) -> None:
    """It says completed; the vendor's own answers say in_progress; and none comes at the end."""
    order(telling, {"kind": "early", "times": 1})
    telling.control("POST", "clock", {"freeze": True})
    telling.control("POST", "settings", {"batch_duration": 100})
    batch = telling.create([chat_line("a")])
    telling.advance(50)
    hears.wait(1)
    status = telling.client.batches.retrieve(batch.id).status
    telling.advance(60)
    telling.wait(batch.id)
    other = telling.create([chat_line("b")])
    telling.advance(110)
    hears.wait(2)

    assert "in_progress" == status
    assert [("batch.completed", batch.id), ("batch.completed", other.id)] == hears.told()


def test_a_late_one_comes_late(telling: Sandbox, hears: Ear) -> None:
    """By as many seconds as ordered."""
    order(telling, {"kind": "late", "times": 1, "seconds": 0.5})
    batch = telling.run([chat_line("a")])
    ended = time.monotonic()
    hears.wait(1)

    assert time.monotonic() - ended > 0.3
    assert [("batch.completed", batch.id)] == hears.told()


@pytest.mark.parametrize("status", [400, 500, 302, 410])
def test_what_nobody_took_is_sent_again(telling: Sandbox, hears: Ear, status: int) -> None:
    """The same event with its id, until it is taken; a redirect is not followed."""
    hears.statuses = [status]
    telling.create([chat_line("a")])
    came = hears.wait(2)
    wait_until(lambda: [(None, 2, 200, False)] == sent(telling))

    assert came[0].id == came[1].id
    assert 2 == len(hears.came)


def test_a_receiver_that_is_away_is_told_once_it_is_back(telling: Sandbox) -> None:
    """Nothing is lost meanwhile."""
    with ear() as away:
        port = int(away.url.split(":")[2].partition("/")[0])
    telling.control("POST", "settings", {"webhooks": {"url": away.url, "secrets": [SECRET]}})
    batch = telling.create([chat_line("a")])
    wait_until(lambda: [(None, None)] == [(fault, status) for fault, tries, status, _ in sent(telling) if tries])
    with ear(port) as back:
        back.wait(1)
        told = back.told()

    assert [("batch.completed", batch.id)] == told


def test_a_slow_receiver_holds_up_nobody(telling: Sandbox, hears: Ear) -> None:
    """The API answers meanwhile; the sender gives up waiting, and sends it again."""
    hears.delay = threading.Event()
    telling.control("POST", "settings", {"webhooks": {"url": hears.url, "secrets": [SECRET], "patience": 0.3}})
    telling.create([chat_line("a")])
    hears.wait(1)
    begun = time.monotonic()
    telling.client.batches.list()
    took = time.monotonic() - begun
    came = hears.wait(2)

    assert took < 0.3
    assert came[0].id == came[1].id


def test_what_was_not_taken_is_sent_by_the_next_start(tmp_path: Path, hears: Ear) -> None:
    """Webhooks are kept in the sandbox's state."""
    webhooks = Webhooks(hears.url, [SECRET])
    hears.statuses = [500]
    with start_or_join(tmp_path / "s.db", batch_duration=0, webhooks=webhooks) as handle:
        sandbox = Sandbox(handle.url)
        batch = sandbox.create([chat_line("a")])
        wait_until(lambda: [(None, 1, 500, True)] == sent(sandbox))
    with start_or_join(tmp_path / "s.db", batch_duration=0, webhooks=webhooks):
        hears.wait(2)

    assert [("batch.completed", batch.id)] * 2 == hears.told()


@pytest.mark.parametrize(
    ("rule", "key"),
    [({"kind": "odd"}, "webhooks[0].kind"), ({"kind": "lost", "much": 1}, "webhooks[0].much"), ({}, "webhooks[0]")],
)
def test_faults_that_nobody_knows_are_refused(telling: Sandbox, rule: dict[str, Any], key: str) -> None:
    """With the name of the key."""
    with pytest.raises(OSError, match="400") as refused:
        order(telling, rule)

    assert key in refused.value.read().decode()  # type: ignore[attr-defined]
