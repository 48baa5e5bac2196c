"""Each sentence of the design about a create whose outcome is unknown; what is in doubt is never paid for twice."""

import contextlib
import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from batchd.core.model import Listing, VendorBatch
from batchd.errors import VendorBusyError, VendorError
from batchd.operations import abandon, send_again
from batchd.pipeline import SENDING
from batchd.store.reading import ask, waiting_facts
from batchd.vendors.connection import Connection
from batchd.vendors.openai import OpenAIVendor
from tests.fakes.http_vendor import HttpVendor, Scripted, error_body, http_vendor
from tests.fakes.vendor import unclear
from tests.stages.bench import Bench
from tests.stages.test_recover import another_known_batch, leave_unknown

ENDPOINT = "/v1/chat/completions"
RECOVER, CLAIM, SUBMIT = SENDING
LONG_AGO = "2026-01-01 00:00:00.000"


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def server(bench: Bench) -> Iterator[HttpVendor]:
    """The bench's vendor behind HTTP, reached by the real adapter."""
    with http_vendor(bench.vendor) as server:
        connection = Connection("sk-test", server.url, timeout=20.0, create_timeout=1.0)
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


def listing(bench: Bench, monkeypatch: pytest.MonkeyPatch, change: Callable[[Listing], Listing]) -> None:
    """From now on the vendor's list is changed so."""
    list_batches = bench.vendor.list_batches
    monkeypatch.setattr(bench.vendor, "list_batches", lambda since: change(list_batches(since)))


def create_at_vendor(bench: Bench, file_id: str) -> str:
    """A create of this file takes effect now; the batch's id."""
    return bench.vendor.create_batch(file_id, ENDPOINT, {}).id


def statuses(bench: Bench) -> dict[str, str]:
    """Every batch at the vendor, by id."""
    return {one.id: one.status for one in bench.vendor.batches()}


def detail(bench: Bench, kind: str) -> str:
    """What the open finding of this kind says."""
    ((text,),) = bench.execute("SELECT detail FROM batchd_finding WHERE kind = ? AND closed_at IS NULL", kind)
    return str(text)


def let_a_grace_pass(bench: Bench) -> None:
    """The first listing that proves an absence was long ago."""
    bench.execute("UPDATE batchd_batch SET absent_since = ? WHERE absent_since IS NOT NULL", LONG_AGO)


def fence(bench: Bench) -> str:
    """Batch 1's unknown create is given up by two listings; the file it was made from."""
    file_id = str(bench.batch()["vendor_file_id"])
    bench.run(RECOVER)
    assert "submitting" == bench.states()[0]
    bench.run(RECOVER)
    assert "built" == bench.states()[0]
    return file_id


def unknown_and_fenced(bench: Bench) -> str:
    """A create that never happened as far as anybody sees, fenced off and not sent anew yet; its file."""
    bench.account(resubmit="fence")
    leave_unknown(bench, created=False)
    another_known_batch(bench)
    return fence(bench)


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


@pytest.mark.parametrize("taken", [False, True], ids=["refused", "answer lost"])
def test_an_extra_whose_cancel_fails_is_cancelled_later_and_keeps_nothing_waiting(
    bench: Bench,
    taken: bool,  # noqa: FBT001 - a parameter
) -> None:
    """The batch is adopted at once, the finding is there at once, and the cancel is asked for again."""
    bench.vendor.statuses = ("in_progress",)
    leave_unknown(bench, created=True)
    (first,) = bench.vendor.batches()
    extra = create_at_vendor(bench, first.input_file_id or "")
    for _ in range(2):
        bench.vendor.fail_next("cancel_batch", unclear("http_500"), after=taken)

    counts = bench.run(RECOVER)
    assert ["submitted"] == bench.states()
    assert ("extra-batch", "batch 1") in bench.findings()
    assert 12 in counts.causes

    bench.run(RECOVER)
    bench.run(RECOVER)
    (one,) = {first.id, extra} - {bench.batch()["vendor_batch_id"]}
    assert "cancelled" == statuses(bench)[one]
    assert f"{one} is cancelled" in detail(bench, "extra-batch")


def test_an_extra_that_has_run_is_reported_as_paid_twice(bench: Bench) -> None:
    """Nothing can be cancelled any more: the finding names it, its requests and where its results are."""
    bench.vendor.statuses = ("completed",)
    leave_unknown(bench, created=True)
    (first,) = bench.vendor.batches()
    create_at_vendor(bench, first.input_file_id or "")
    for run in bench.vendor._runs.values():
        bench.vendor._work_off(run)

    bench.run(RECOVER)

    (extra,) = [one for one in bench.vendor.batches() if one.id != bench.batch()["vendor_batch_id"]]
    told = f"{extra.id} is completed, 1 of its requests paid for twice, their results stay at the vendor in "
    assert f"{told}{extra.output_file_id}" == detail(bench, "extra-batch")
    assert extra.output_file_id in bench.vendor.files


def test_a_twin_that_the_list_shows_later_is_cancelled_too(bench: Bench) -> None:
    """A lagging list showed one of two; the create stays on watch after the one was adopted."""
    leave_unknown(bench, created=True)
    (first,) = bench.vendor.batches()
    bench.run(RECOVER)
    assert ["submitted"] == bench.states()
    twin = create_at_vendor(bench, first.input_file_id or "")

    bench.run(RECOVER)

    assert "cancelling" == statuses(bench)[twin]
    assert [("extra-batch", "batch 1")] == bench.findings()


def test_what_a_person_has_seen_is_not_told_again(bench: Bench) -> None:
    """The extra batch stays in the vendor's list for ever; only news of it open the finding anew."""
    leave_unknown(bench, created=True)
    (first,) = bench.vendor.batches()
    bench.run(RECOVER)
    create_at_vendor(bench, first.input_file_id or "")
    for _ in range(3):
        bench.run(RECOVER)
    bench.execute("UPDATE batchd_finding SET closed_at = opened_at")

    bench.run(RECOVER)

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


def test_every_fenced_file_stays_on_watch(bench: Bench) -> None:
    """Two fences in a row and a third create that works: both late arrivals are cancelled and named."""
    first = unknown_and_fenced(bench)
    bench.vendor.fail_next("create_batch", unclear())
    bench.run(SUBMIT)
    second = fence(bench)
    bench.run(SUBMIT)
    assert "submitted" == bench.states()[0]
    late = [create_at_vendor(bench, file_id) for file_id in (first, second)]

    bench.run(RECOVER)

    assert {"cancelling"} == {statuses(bench)[one] for one in late}
    assert all(one in detail(bench, "late-batch") for one in late)
    bench.run_until_quiet()
    assert {"applied"} == {outcome for _, outcome in bench.outcomes()}
    assert {1} == set(bench.vendor.paid.values())


@pytest.mark.parametrize("by_hand", [False, True], ids=["fence", "send-again"])
def test_what_comes_late_before_it_is_sent_anew_takes_that_place(
    bench: Bench,
    by_hand: bool,  # noqa: FBT001 - a parameter
) -> None:
    """It is paid for: its answers are applied, and nothing is sent a second time."""
    if by_hand:
        leave_unknown(bench, created=False)
        bench.run(RECOVER)
        file_id = str(bench.batch()["vendor_file_id"])
        content = bench.vendor.files[file_id]
        send_again(bench.place, "1")
    else:
        bench.account(resubmit="fence")
        leave_unknown(bench, created=False)
        another_known_batch(bench)
        content = bench.vendor.files[str(bench.batch()["vendor_file_id"])]
        file_id = fence(bench)
    # The vendor had read the file before it was deleted.
    bench.vendor.files[file_id] = content
    late = create_at_vendor(bench, file_id)

    creates = bench.vendor.calls.count("create_batch")
    bench.run_until_quiet()

    assert late == bench.batch()["vendor_batch_id"]
    assert (1, "applied") in bench.outcomes()
    assert {1} == set(bench.vendor.paid.values())
    assert creates == bench.vendor.calls.count("create_batch")
    assert [] == bench.findings()


def test_what_comes_late_while_the_new_create_is_in_question_counts(bench: Bench) -> None:
    """And what the new create makes after all is cancelled in its turn."""
    first = unknown_and_fenced(bench)
    bench.vendor.fail_next("create_batch", unclear())
    bench.run(SUBMIT)
    second = str(bench.batch()["vendor_file_id"])
    late = create_at_vendor(bench, first)

    bench.run(RECOVER)
    assert ("submitted", late) == (bench.batch()["state"], bench.batch()["vendor_batch_id"])

    later = create_at_vendor(bench, second)
    bench.run(RECOVER)
    assert "cancelling" == statuses(bench)[later]
    assert ("late-batch", "batch 1") in bench.findings()


def test_a_late_arrival_is_left_running_while_another_process_is_in_its_new_create(bench: Bench) -> None:
    """Should that create come to nothing, the late one is the batch that counts."""
    first = unknown_and_fenced(bench)
    bench.vendor.fail_next("create_batch", unclear())
    bench.run(SUBMIT)
    bench.execute(
        "UPDATE batchd_batch SET lease_owner = 'other',"
        " lease_expires_at = strftime('%Y-%m-%d %H:%M:%f','now','+60 seconds') WHERE id = 1"
    )
    create_at_vendor(bench, first)

    bench.run(RECOVER)

    assert "cancel_batch" not in bench.vendor.calls
    assert "submitting" == bench.states()[0]


def test_a_late_arrival_that_has_run_is_reported_with_its_results(bench: Bench) -> None:
    """The batch was sent anew: both are paid for, and a person is told where the others' results are."""
    file_id = unknown_and_fenced(bench)
    bench.run(SUBMIT)
    bench.vendor.statuses = ("completed",)
    late = create_at_vendor(bench, file_id)
    bench.vendor._work_off(bench.vendor._runs[late])
    bench.vendor._runs[late].batch = replace(bench.vendor._runs[late].batch, completed=1, output_file_id="file-late")

    bench.run(RECOVER)

    told = f"{late} is completed, 1 of its requests paid for twice, their results stay at the vendor in file-late"
    assert told == detail(bench, "late-batch")
    assert "cancel_batch" not in bench.vendor.calls


def test_a_late_create_that_fails_for_its_deleted_file_is_as_wanted(bench: Bench) -> None:
    """That is what the deletion is for: nobody is told, nothing is adopted."""
    file_id = unknown_and_fenced(bench)
    bench.vendor.statuses = ("failed",)
    create_at_vendor(bench, file_id)

    bench.run(RECOVER)

    assert "built" == bench.states()[0]
    assert [] == bench.findings()


def test_what_comes_late_of_a_batch_given_up_by_a_person_is_cancelled(bench: Bench) -> None:
    """Its rows are due again: whatever it made would be paid for a second time."""
    leave_unknown(bench, created=False)
    bench.run(RECOVER)
    file_id = str(bench.batch()["vendor_file_id"])
    abandon(bench.place, "1")
    late = create_at_vendor(bench, file_id)

    bench.run(RECOVER)

    assert "cancelling" == statuses(bench)[late]
    assert ("late-batch", "batch 1") in bench.findings()


def sleep_in_create(bench: Bench, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], Any]) -> None:
    """The next create takes effect, and its process sleeps through its lease before it can say so."""
    create = bench.vendor.create_batch

    def slept(file_id: str, endpoint: str, metadata: Mapping[str, str]) -> VendorBatch:
        monkeypatch.setattr(bench.vendor, "create_batch", create)
        bench.execute("UPDATE batchd_batch SET lease_owner = 'other', lease_epoch = lease_epoch + 1")
        meanwhile()
        return create(file_id, endpoint, metadata)

    monkeypatch.setattr(bench.vendor, "create_batch", slept)


def test_an_id_learned_after_the_fence_and_before_it_is_sent_anew_counts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process woke up in its POST: the batch that it made is the one that is followed."""
    bench.add_people("one")
    sleep_in_create(
        bench,
        monkeypatch,
        lambda: bench.execute(
            "UPDATE batchd_batch SET state = 'built', lease_owner = NULL, lease_epoch = lease_epoch + 1"
        ),
    )

    bench.run(*SENDING)
    bench.run_until_quiet()

    assert 1 == bench.vendor.calls.count("create_batch")
    assert [(1, "applied")] == bench.outcomes()


def test_an_id_learned_in_the_middle_of_a_look_is_not_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list was read before the batch was made; what the ledger knows by then wins."""
    bench.account(resubmit="fence")
    leave_unknown(bench, created=False)
    another_known_batch(bench)
    bench.run(RECOVER)

    def learned(found: Listing) -> Listing:
        bench.execute("UPDATE batchd_batch SET vendor_batch_id = 'batch_learned' WHERE id = 1")
        return found

    listing(bench, monkeypatch, learned)
    bench.run(RECOVER)
    bench.run(RECOVER)

    assert [] == bench.vendor.deleted
    assert ("submitted", "batch_learned") == (bench.batch()["state"], bench.batch()["vendor_batch_id"])


def waiting(bench: Bench) -> list[dict[str, Any]]:
    """What `batchd status --json` tells of batches that wait."""
    return ask(bench.database, waiting_facts)


def test_each_wait_tells_what_for_since_when_and_until_when(bench: Bench) -> None:
    """While it is looked for: since the intent, with the next look and the time by which a person is asked."""
    bench.account(submit_grace=900.0)
    bench.place = replace(bench.place, check_interval=60.0)
    leave_unknown(bench, created=False)
    bench.run(RECOVER)

    (one,) = waiting(bench)
    now = dt.datetime.now(dt.UTC)
    assert "the vendor to show whether it was created" == one["waits_for"]
    assert dt.timedelta(seconds=30) > now - one["waits_since"]
    assert dt.timedelta(seconds=30) < one["not_before"] - now <= dt.timedelta(seconds=60)
    assert dt.timedelta(seconds=870) < one["settle_by"] - now <= dt.timedelta(seconds=900)

    bench.execute("UPDATE batchd_batch SET settle_by = ?, not_before = NULL", LONG_AGO)
    bench.run(RECOVER)
    (one,) = waiting(bench)
    assert ("held", "a person, and it is still looked for", None) == (one["state"], one["waits_for"], one["settle_by"])
    assert one["not_before"] > now <= one["waits_since"]


@pytest.mark.parametrize("error", [VendorBusyError("busy", code="rate_limit_exceeded", retry_after=600.0)])
def test_a_batch_that_waits_for_its_next_try_tells_when(bench: Bench, error: VendorError) -> None:
    """A known refusal: nothing is looked for, the next try has its time."""
    bench.add_people("one")
    bench.vendor.fail_next("create_batch", error)
    bench.run(*SENDING)

    (one,) = waiting(bench)
    assert ("built", "the next try to send it", None) == (one["state"], one["waits_for"], one["settle_by"])
    assert one["not_before"] - one["waits_since"] > dt.timedelta(seconds=590)


def test_what_is_on_its_way_waits_for_nothing(bench: Bench) -> None:
    """Sent, running, applied: the list of waits is empty."""
    bench.add_people("one")
    bench.run(*SENDING)
    assert [] == waiting(bench)
    bench.run_until_quiet()
    assert [] == waiting(bench)
