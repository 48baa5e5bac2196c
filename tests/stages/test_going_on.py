"""What a person lets go on goes on, only so far as they said; and what a vendor tells late is still heard."""

from collections import deque
from dataclasses import replace

import pytest

from batchd.core.model import VendorBatch
from batchd.errors import VendorError, VendorNotFoundError, VendorRefusedError
from batchd.operations import cancel, resolve, send_again
from batchd.pipeline import BATCH_LANE, SENDING
from tests.fakes.answers import answered, by_seq, nothing
from tests.fakes.vendor import unclear
from tests.stages.bench import GOOD_ANSWER, Bench

RECOVER, CLAIM, SUBMIT, POLL, COLLECT, APPLY, *_ = BATCH_LANE


def send_until_ended(bench: Bench, *resumes: str) -> None:
    """One batch that the vendor has finished."""
    bench.add_people(*resumes)
    bench.run(*SENDING)
    bench.check_until("ended", stages=(POLL,))


def test_letting_a_refused_submit_go_on_waives_no_check_of_its_results(bench: Bench) -> None:
    """A download that is cut short is still looked at again: these lines are paid."""
    bench.vendor.fail_next("upload", VendorRefusedError("no", code="x"))
    bench.add_people("one", "two", "three")
    bench.run()
    resolve(bench.place, "1")
    bench.run(*SENDING)
    bench.check_until("ended", stages=(POLL,))
    file_id = bench.batch()["output_file_id"]
    whole = bench.vendor.files[file_id]

    bench.vendor.download_cut_short(file_id, len(whole) // 2)
    bench.run(COLLECT)
    bench.vendor.files[file_id] = whole
    bench.run_until_quiet()

    assert [(number, "applied") for number in (1, 2, 3)] == bench.outcomes()


@pytest.mark.parametrize("odd", ["gone", "size"])
def test_a_batch_whose_files_stay_odd_goes_on_where_a_person_says_so(bench: Bench, odd: str) -> None:
    """The file is gone at the vendor, or never has the size it is told to have: it does not wait for ever."""
    send_until_ended(bench, "one")
    if odd == "gone":
        del bench.vendor.files[bench.batch()["output_file_id"]]
    else:
        bench.vendor.file_bytes = len  # type: ignore[assignment,method-assign]
    bench.check_until("held", stages=(COLLECT,))

    resolve(bench.place, "1")
    bench.run(COLLECT, APPLY)

    assert ["closed"] == bench.states()
    assert [(1, "missing" if odd == "gone" else "applied")] == bench.outcomes()


def test_a_file_that_is_named_after_the_end_is_fetched_at_the_second_look(bench: Bench) -> None:
    """Some servers report the end first; the rows must not be taken for missing, and paid for again."""
    retrieve = bench.vendor.retrieve_batch
    early = deque([True])

    def late(batch_id: str) -> VendorBatch:
        found = retrieve(batch_id)
        if found.output_file_id and early and early.popleft():
            return replace(found, output_file_id=None, total=None, completed=None, failed=None)
        return found

    bench.vendor.retrieve_batch = late  # type: ignore[method-assign]
    bench.add_people("one")
    bench.run_until_quiet()

    assert [(1, "applied")] == bench.outcomes()


def test_rows_of_a_cancelled_batch_without_lines_wait_for_a_person(bench: Bench) -> None:
    """A vendor may leave out the lines that never ran; nobody wants them sent again by themselves."""
    bench.vendor.script = by_seq({1: answered(GOOD_ANSWER)}, nothing())
    bench.add_people("one", "two")
    bench.run(*SENDING)

    cancel(bench.place, "1")
    bench.check_until("closed")

    assert [(1, "applied"), (2, "cancelled")] == bench.outcomes()
    assert {2: "held"} == bench.gates()


def test_cancelling_a_held_batch_ends_its_finding(bench: Bench) -> None:
    """Nothing is left of it that a person could do."""
    bench.vendor.fail_next("upload", VendorRefusedError("no", code="x"))
    bench.add_people("one")
    bench.run()
    assert [("submit-refused", "batch 1")] == bench.findings()

    cancel(bench.place, "1")

    assert [] == bench.findings()


def test_a_vendor_that_lists_nothing_is_not_asked_for_a_list(bench: Bench) -> None:
    """Also not for a late arrival of a batch that a person had sent again."""
    bench.account(lists=False)
    bench.vendor.fail_next("create_batch", unclear())
    bench.add_people("one")
    bench.run(*SENDING)
    bench.run(RECOVER)

    send_again(bench.place, "1")
    bench.run_until_quiet()

    assert [(1, "applied")] == bench.outcomes()
    assert "list_batches" not in bench.vendor.calls


@pytest.mark.parametrize("stumbles_over", ["the list", "one batch"])
def test_batches_are_seen_though_the_vendor_stumbles(bench: Bench, stumbles_over: str) -> None:
    """A server without a list, or with one batch it can't show, must not keep the others from their end."""
    bench.configure(batch_size=1)
    bench.add_people("one", "two", "three")
    bench.run(*SENDING)
    first = bench.batch(1)["vendor_batch_id"]
    retrieve = bench.vendor.retrieve_batch

    def no_list(since: int) -> None:
        raise VendorNotFoundError(f"no route for a list since {since}", code="http_404")

    def stumble(batch_id: str) -> VendorBatch:
        error: VendorError | None = unclear("http_500") if batch_id == first else None
        if error and stumbles_over == "one batch":
            raise error
        return retrieve(batch_id)

    bench.vendor.list_batches = no_list  # type: ignore[assignment,method-assign]
    bench.vendor.retrieve_batch = stumble  # type: ignore[method-assign]
    seen = ["submitted" if stumbles_over == "one batch" else "closed", "closed", "closed"]

    bench.check_until(*seen)

    assert seen == bench.states()
