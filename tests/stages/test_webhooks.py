"""A webhook wakes the next look at a batch and nothing else, however it comes: over real HTTP, down to the rows."""

import http.client
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from batchd.errors import DatabaseError
from batchd.pipeline import BY_ACCOUNT, CHECKING, SENDING
from batchd.ports import Store
from batchd.webhooks.front import LARGEST
from batchd.webhooks.looks import LOOKS
from tests.stages.bench import Bench
from tests.stages.webhook_bench import Receiver, receiver_at

(POLL,) = BY_ACCOUNT["poll"]
HOUR = "strftime('%Y-%m-%d %H:%M:%f', 'now', '+1 hour')"


@pytest.fixture
def sent(bench: Bench) -> Bench:
    """Two batches that ended at the vendor a moment ago, and that the ledger looks at in an hour."""
    bench.configure(batch_size=1)
    bench.add_people("one", "two")
    bench.run(*SENDING)
    put_off(bench)
    bench.vendor.statuses = ("completed",)
    for _ in range(3):
        for batch in bench.vendor.batches():
            bench.vendor.retrieve_batch(batch.id)
    bench.vendor.calls.clear()
    return bench


@pytest.fixture
def receiver(sent: Bench) -> Iterator[Receiver]:
    with receiver_at(sent) as at_work:
        yield at_work


def put_off(bench: Bench) -> None:
    bench.execute(f"UPDATE batchd_batch SET not_before = {HOUR}")


def first(bench: Bench) -> str:
    return bench.vendor.batches()[0].id


def last(bench: Bench) -> str:
    return bench.vendor.batches()[-1].id


def is_put_off(bench: Bench, number: int = 1) -> bool:
    return bench.batch(number)["not_before"] is not None


def everything(bench: Bench) -> dict[str, list[Any]]:
    """All rows of all tables, save what tells of the second batch: by that one a test sees that time has passed."""
    tables = [name for (name,) in bench.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    shown = {name: bench.execute(f"SELECT * FROM {name}") for name in tables}
    shown["batchd_batch"] = bench.execute("SELECT * FROM batchd_batch WHERE id <> 2")
    return shown


def test_a_good_one_brings_the_next_look_forward(sent: Bench, receiver: Receiver) -> None:
    """Only that of its batch; and rows, outcomes and gates are what a look would have made of them later."""
    status = receiver.send(first(sent))
    receiver.wait_for_wakes(1)
    put_off_then = [is_put_off(sent, 1), is_put_off(sent, 2)]
    sent.run(*CHECKING)

    assert (200, ["fake"], [False, True]) == (status, receiver.woken, put_off_then)
    assert ["closed", "submitted"] == sent.states()
    assert [(1, "Ada", "senior", 1), (2, None, None, 0)] == sent.people()


def test_a_lost_one_costs_time_alone(sent: Bench) -> None:
    """Without it the batch is looked at when its turn comes."""
    sent.run(*CHECKING)
    before = sent.states()
    sent.execute("UPDATE batchd_batch SET not_before = NULL")
    sent.run(*CHECKING)

    assert ["submitted", "submitted"] == before
    assert ["closed", "closed"] == sent.states()


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ({"secret": "whsec_QUFBQQ=="}, 400),
        ({"sent_body": b'{"type":"batch.completed","data":{"id":"batch_1"}}'}, 400),
        ({"sent_body": b"x" * (LARGEST + 1)}, 413),
        ({"away": -302}, 400),
        ({"away": 302}, 400),
        ({"kind": "batch.in_progress"}, 200),
        ({"kind": "response.completed"}, 200),
    ],
)
def test_a_forged_one_changes_nothing(sent: Bench, receiver: Receiver, made: dict[str, Any], expected: int) -> None:
    """Another key, another body, another time; nor does one that is right and tells of no end."""
    before = everything(sent)
    status = receiver.send(first(sent), **made)
    receiver.settle(last(sent))

    assert expected == status
    assert before == everything(sent)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/webhooks", 405),
        ("PUT", "/webhooks", 405),
        ("POST", "/", 404),
        ("POST", "/webhooks/", 404),
        ("POST", "/webhooks", 400),
    ],
)
def test_nothing_else_is_answered(receiver: Receiver, method: str, path: str, expected: int) -> None:
    """One method on one path, and no hint of what is missing."""
    parts = urlsplit(receiver.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    connection.request(method, path, b"{}")
    reply = connection.getresponse()
    said = reply.read()
    connection.close()

    assert expected == reply.status
    assert expected != 400 or said == b""


def test_a_repeated_one_changes_nothing(sent: Bench, receiver: Receiver) -> None:
    """Neither the vendor's own repeats nor somebody's replay look again; they are answered as the first was."""
    receiver.send(first(sent))
    receiver.wait_for_wakes(1)
    put_off(sent)
    before = everything(sent)
    statuses = [receiver.send(first(sent)) for _ in range(3)]
    receiver.settle(last(sent))

    assert [200, 200, 200] == statuses
    assert before == everything(sent)


def test_one_about_a_closed_batch_changes_nothing(sent: Bench, receiver: Receiver) -> None:
    """Out of order, or told anew: its end is known."""
    sent.execute("UPDATE batchd_batch SET not_before = NULL WHERE id = 1")
    sent.run(*CHECKING)
    before = everything(sent)
    statuses = [receiver.send(first(sent), event_id=f"evt_{number}", kind="batch.failed") for number in range(3)]
    receiver.settle(last(sent))

    assert [200, 200, 200] == statuses
    assert before == everything(sent)


def test_one_about_a_batch_of_somebody_else_changes_nothing(sent: Bench, receiver: Receiver) -> None:
    """A project has other batches too: no look, no finding, no line in the log."""
    before = everything(sent)
    with capture_logs() as logs:
        statuses = [receiver.send(name, event_id=name) for name in ("batch_unknown", "x", "1")]
        receiver.settle(last(sent))

    assert [200, 200, 200] == statuses
    assert before == everything(sent)
    assert ["webhooks.heard"] == [line["event"] for line in logs]


def test_one_about_a_held_batch_changes_nothing(sent: Bench, receiver: Receiver) -> None:
    """It waits for a person, or for its next turn."""
    sent.execute("UPDATE batchd_batch SET state = 'held', held_from = 'submitted' WHERE id = 1")
    before = everything(sent)
    receiver.send(first(sent))
    receiver.settle(last(sent))

    assert before == everything(sent)


def test_an_account_wakes_its_own_batches_alone(sent: Bench, receiver: Receiver) -> None:
    """An id of another account, told by this one's secret."""
    sent.execute("UPDATE batchd_batch SET account = 'other' WHERE id = 1")
    before = everything(sent)
    receiver.send(first(sent))
    receiver.settle(last(sent))

    assert before == everything(sent)


def test_an_early_one_is_looked_at_again_soon_and_not_all_the_time(bench: Bench) -> None:
    """The vendor's answers know of no end yet: a few looks, each pause twice the one before, and the last sees it."""
    bench.add_people("one")
    bench.vendor.statuses = ("in_progress",)
    bench.run(*SENDING)
    seldom = replace(bench.place, check_interval=3600.0)
    bench.run(POLL, place=seldom)
    bench.vendor.calls.clear()
    with receiver_at(bench, check_interval=0.1) as receiver:
        receiver.send(first(bench))
        for number in range(1, 4):
            receiver.wait_for_wakes(number)
            bench.run(POLL, place=seldom)
        early = bench.states()
        bench.vendor._runs[first(bench)].ahead.append("completed")
        receiver.wait_for_wakes(4)
        bench.run(*CHECKING, place=seldom)

    assert ["submitted"] == early
    assert [(1, "Ada", "senior", 1)] == bench.people()
    assert bench.vendor.calls.count("retrieve_batch") <= len(receiver.woken) <= LOOKS


class FailingOnce:
    """A store whose next transaction fails."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._fails = True

    def transact(self, *arguments: Any, **named: Any) -> Any:
        if self._fails:
            self._fails = False
            raise DatabaseError("no connection", next_command="")
        return self._store.transact(*arguments, **named)


def test_one_that_the_ledger_could_not_take_is_tried_again(sent: Bench) -> None:
    """The vendor has its answer already; the listening goes on."""
    with receiver_at(sent, FailingOnce(sent.place.store), check_interval=0.05) as receiver:  # type: ignore[arg-type]
        status = receiver.send(first(sent))
        receiver.wait_for_wakes(1)

    assert 200 == status
    assert not is_put_off(sent)


def test_a_sender_is_answered_while_the_database_is_busy(sent: Bench, receiver: Receiver) -> None:
    """Or the vendor would take it for lost, and send it again."""
    with closing(sqlite3.connect(sent.path, isolation_level=None)) as person:
        person.execute("BEGIN IMMEDIATE")
        status = receiver.send(first(sent))
        busy = is_put_off(sent)
        person.execute("ROLLBACK")
    receiver.wait_for_wakes(1)

    assert (200, True) == (status, busy)


def test_neither_secret_nor_body_is_logged(sent: Bench, receiver: Receiver) -> None:
    """Of what was turned away only the number is told."""
    with capture_logs() as logs:
        for number in range(50):
            receiver.send(first(sent), event_id=f"PLANTED_{number}", sent_body=b"PLANTED")
        receiver.settle(last(sent))

    assert [("webhooks.refused", 1)] == [(line["event"], line.get("unsigned")) for line in logs[:1]]
    assert 2 == len(logs)
    assert "PLANTED" not in str(logs)
