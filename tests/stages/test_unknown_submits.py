"""Each sentence of the design about a create whose outcome is unknown; what is in doubt is never paid for twice."""

import contextlib
import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from batchd.core.model import Listing, VendorBatch
from batchd.pipeline import SENDING
from batchd.vendors.connection import Connection
from batchd.vendors.openai import OpenAIVendor
from tests.fakes.http_vendor import HttpVendor, Scripted, error_body, http_vendor
from tests.fakes.vendor import unclear
from tests.planted import KEY
from tests.stages.bench import Bench
from tests.stages.unknown_creates import (
    LONG_AGO,
    RECOVER,
    SUBMIT,
    another_known_batch,
    create_at_vendor,
    leave_unknown,
    let_a_grace_pass,
    listing,
)


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def server(bench: Bench) -> Iterator[HttpVendor]:
    """The bench's vendor behind HTTP, reached by the real adapter."""
    with http_vendor(bench.vendor) as server:
        connection = Connection(KEY, server.url, timeout=20.0, create_timeout=1.0)
        with contextlib.closing(OpenAIVendor(connection)) as adapter:
            bench.account(vendor=adapter)
            yield server


def answer_create(bench: Bench, server: HttpVendor, reply: Scripted) -> None:
    """The next create gets this reply; what comes before it is answered as usual."""
    adapter = bench.place.accounts["fake"].vendor
    create = adapter.create_batch

    def scripted(file_id: str, endpoint: str, metadata: Mapping[str, str]) -> VendorBatch:
        server.script(reply)
        adapter.create_batch = create  # type: ignore[method-assign]
        return create(file_id, endpoint, metadata)

    adapter.create_batch = scripted  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("status", "state"), [(400, "held"), (401, "built"), (403, "built"), (404, "held"), (422, "held"), (429, "built")]
)
def test_a_standard_refusal_is_known_not_to_have_created_anything(
    bench: Bench, server: HttpVendor, status: int, state: str
) -> None:
    """Back to built with a delay, or held; no row's try is charged, nothing is looked for."""
    bench.configure()
    bench.place = replace(bench.place, check_interval=60.0)
    bench.add_people("one")
    answer_create(bench, server, Scripted(status, error_body("some_code")))

    bench.run(*SENDING)
    bench.run(*SENDING)

    batch = bench.batch()
    assert (state, "built") == (batch["state"], batch["held_from"] or batch["state"])
    assert batch["not_before"] > dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
    assert [(0, 0)] == bench.execute("SELECT paid_tries, unpaid_tries FROM batchd_gate")
    assert 1 == len(server.posts("/batches"))


@pytest.mark.parametrize(
    "reply",
    [
        Scripted(408, error_body(), act=True),
        Scripted(409, error_body(), act=True),
        Scripted(429, b"slow down", act=True),
        Scripted(500, error_body(), act=True),
        Scripted(502, b"<html>bad gateway</html>", act=True),
        Scripted(503, error_body(), act=True),
        Scripted(200, b"not json", act=True),
        Scripted(200, b'{"id": "batch_1"}', cut=5, act=True),
        Scripted(drop=True, act=True),
        Scripted(delay=10, act=True),
    ],
    ids=["408", "409", "429-bare", "500", "502-html", "503", "unparsable", "cut", "dropped", "timeout"],
)
def test_everything_else_is_unknown_and_settled_by_looking(bench: Bench, server: HttpVendor, reply: Scripted) -> None:
    """However often submit runs there is one POST; what it made is found and paid for once."""
    bench.add_people("one")
    answer_create(bench, server, reply)

    bench.run(*SENDING)
    bench.run(SUBMIT)
    assert ["submitting"] == bench.states()
    assert [(0, 0)] == bench.execute("SELECT paid_tries, unpaid_tries FROM batchd_gate")

    bench.run_until_quiet()
    assert [(1, "applied")] == bench.outcomes()
    assert 1 == len(server.posts("/batches"))
    assert 1 == sum(bench.vendor.paid.values())


@pytest.mark.parametrize("created", [False, True], ids=["before the create", "before the record"])
def test_a_crash_after_the_intent_is_an_unknown_create(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    created: bool,  # noqa: FBT001 - a parameter
) -> None:
    """The next process looks for it, and does not send it again of its own accord."""
    bench.add_people("one")
    create = bench.vendor.create_batch

    def killed(file_id: str, endpoint: str, metadata: Mapping[str, str]) -> VendorBatch:
        if created:
            create(file_id, endpoint, metadata)
        raise Killed

    monkeypatch.setattr(bench.vendor, "create_batch", killed)
    with pytest.raises(Killed):
        bench.run(*SENDING)
    monkeypatch.undo()

    bench.run(*SENDING)
    bench.run(*SENDING)

    assert ["submitted" if created else "held"] == bench.states()
    assert created is (1 == bench.vendor.calls.count("create_batch"))


@pytest.mark.parametrize("minutes", [-59, 59])
def test_a_vendors_clock_may_be_an_hour_off(bench: Bench, minutes: int) -> None:
    """The list is read back to the intent's time less an hour."""
    bench.vendor.now = lambda: int(time.time()) + minutes * 60
    leave_unknown(bench, created=True)

    bench.run(RECOVER)

    assert ["submitted"] == bench.states()


def test_clocks_that_disagree_by_more_prove_no_absence(bench: Bench) -> None:
    """The list was cut off in the wrong place: what it shows was sent later than it says, so ours may be older."""
    bench.account(resubmit="fence")
    bench.vendor.now = lambda: int(time.time()) - 7200
    leave_unknown(bench, created=True)
    bench.vendor.now = lambda: int(time.time()) - 1800
    another_known_batch(bench)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=5400)
    bench.execute("UPDATE batchd_batch SET intent_at = ? WHERE id = 2", later.strftime("%Y-%m-%d %H:%M:%S.000"))

    for _ in range(4):
        bench.run(RECOVER)
        let_a_grace_pass(bench)

    assert "held" == bench.states()[0]
    assert [] == bench.vendor.deleted


def test_a_failed_batch_is_adopted_last(bench: Bench) -> None:
    """Of three for one create the one that is under way counts; the failed one is nobody's business."""
    leave_unknown(bench, created=True)
    (first,) = bench.vendor.batches()
    bench.vendor._runs[first.id].batch = replace(first, status="failed")
    bench.vendor._runs[first.id].ahead.clear()
    running = create_at_vendor(bench, first.input_file_id or "")

    bench.run(RECOVER)

    assert running == bench.batch()["vendor_batch_id"]
    assert [] == bench.findings()


def foreign(found: Listing) -> Listing:
    """Another project's list: complete, and nothing of it is ours."""
    return Listing((VendorBatch("batch_x", "in_progress", "file-x", created_at=int(time.time())),), found.complete)


def cut(found: Listing) -> Listing:
    """A page was cut off: what is here is true, what is absent may be on that page."""
    return Listing(found.batches, complete=False)


@pytest.mark.parametrize("change", [foreign, cut])
def test_a_list_that_proves_nothing_is_no_absence(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, change: Callable[[Listing], Listing]
) -> None:
    """However often it is read: it is held for a person, and neither deleted nor sent again."""
    bench.account(resubmit="fence")
    leave_unknown(bench, created=True)
    another_known_batch(bench)
    ours = bench.batch()["vendor_file_id"]
    listing(bench, monkeypatch, lambda found: change(Listing(tuple(
        one for one in found.batches if one.input_file_id != ours), found.complete)))  # fmt: skip

    for _ in range(4):
        bench.run(RECOVER)
        let_a_grace_pass(bench)

    assert "held" == bench.states()[0]
    assert bench.batch()["absent_since"] is None
    assert [] == bench.vendor.deleted
    assert 2 == bench.vendor.calls.count("create_batch")


def test_two_listings_need_the_grace_between_them(bench: Bench) -> None:
    """A day after the intent, two listings in a row are one look: the second must come a grace later."""
    bench.account(resubmit="fence", submit_grace=3600.0)
    leave_unknown(bench, created=False)
    another_known_batch(bench)
    bench.execute("UPDATE batchd_batch SET intent_at = ?, settle_by = ? WHERE id = 1", LONG_AGO, LONG_AGO)

    for _ in range(3):
        bench.run(RECOVER)
    assert "submitting" == bench.states()[0]
    assert [] == bench.vendor.deleted

    let_a_grace_pass(bench)
    bench.run(RECOVER)
    assert "built" == bench.states()[0]


def test_the_grace_is_longer_than_the_post_may_take(bench: Bench) -> None:
    """With a shorter one configured, the create's own time-out counts."""
    bench.account(resubmit="fence", submit_grace=0.0, create_seconds=3600.0)
    leave_unknown(bench, created=False)
    another_known_batch(bench)

    for _ in range(3):
        bench.run(RECOVER)

    assert "submitting" == bench.states()[0]
    assert [] == bench.vendor.deleted


def test_a_list_that_cannot_be_read_is_not_waited_for_without_end(bench: Bench) -> None:
    """After the grace a person is asked; once it can be read, the batch is found all the same."""
    leave_unknown(bench, created=True)
    bench.vendor.fail_next("list_batches", unclear())

    counts = bench.run(RECOVER)
    assert 12 in counts.causes
    assert ["held"] == bench.states()
    assert [("unknown-submit", "batch 1")] == bench.findings()

    bench.check_until("submitted", stages=(RECOVER,))
    assert [] == bench.findings()


def test_what_a_person_was_asked_about_is_not_sent_anew_behind_their_back(bench: Bench) -> None:
    """Held because its list could not be read; that later lists prove its absence leaves it to the person."""
    bench.account(resubmit="fence")
    leave_unknown(bench, created=False)
    another_known_batch(bench)
    bench.vendor.fail_next("list_batches", unclear())
    bench.run(RECOVER)
    assert "held" == bench.states()[0]

    for _ in range(3):
        bench.execute("UPDATE batchd_batch SET not_before = NULL")
        bench.run(RECOVER)
        let_a_grace_pass(bench)

    assert bench.batch()["absent_since"] is not None
    assert "held" == bench.states()[0]
    assert [] == bench.vendor.deleted


def test_a_file_that_cannot_be_deleted_is_not_sent_anew(bench: Bench) -> None:
    """The fence is the deletion: without it a late create could succeed."""
    bench.account(resubmit="fence")
    leave_unknown(bench, created=False)
    another_known_batch(bench)
    bench.run(RECOVER)
    bench.vendor.fail_next("delete_file", unclear())

    bench.run(RECOVER)
    assert "submitting" == bench.states()[0]

    bench.run(RECOVER)
    assert "built" == bench.states()[0]
