"""From sent to on disk: statuses that mean nothing new, batches that vanish, files that fall short, refusals."""

from dataclasses import replace
from typing import BinaryIO

import pytest

from batchd.core.model import VendorFault
from batchd.core.pacing import SUBMIT_TRIES
from batchd.errors import VendorAuthError, VendorNotFoundError
from batchd.operations import cancel, resolve
from batchd.pipeline import CHECKING, SENDING, StageMaker
from batchd.ports import Scope
from tests.fakes.answers import answered, by_seq, never_run, nothing
from tests.fakes.vendor import unclear
from tests.stages.bench import GOOD_ANSWER, Bench

POLL: tuple[StageMaker, ...] = (CHECKING[1],)


def send(bench: Bench, *resumes: str) -> None:
    """Adds rows and sends them."""
    bench.add_people(*(resumes or ("one",)))
    bench.run(*SENDING)


def test_a_status_nobody_knows_leaves_the_batch_open_with_a_finding(bench: Bench) -> None:
    """Never a crash and never an end; the finding goes when the status is known again."""
    bench.vendor.statuses = ("validating", "paused_by_moon", "completed")
    send(bench)

    bench.run(*POLL)
    assert ["submitted"] == bench.states()
    assert [("unknown-status", "batch 1")] == bench.findings()

    bench.run_until_quiet()
    assert [(1, "applied")] == bench.outcomes()
    assert [] == bench.findings()


def test_a_batch_the_vendor_does_not_know_is_held_and_no_row_is_settled(bench: Bench) -> None:
    """A 404 is never an outcome."""
    send(bench)
    bench.vendor.fail_next("retrieve_batch", VendorNotFoundError("gone", code="http_404"))

    bench.run(*POLL)

    assert ["held"] == bench.states()
    assert [("batch-vanished", "batch 1")] == bench.findings()
    assert {1: "open"} == bench.gates()


def test_a_vanished_batch_that_comes_back_goes_on_by_itself(bench: Bench) -> None:
    """A relay answered 404 right after the creation; polling goes on while held."""
    send(bench)
    bench.vendor.fail_next("retrieve_batch", VendorNotFoundError("gone", code="http_404"))
    bench.run(*POLL)

    bench.check_until("closed")

    assert [(1, "applied")] == bench.outcomes()
    assert [] == bench.findings()


def test_one_listing_serves_many_batches(bench: Bench) -> None:
    """Five open batches cost one call, not five."""
    bench.configure(batch_size=1)
    send(bench, *("text",) * 5)
    bench.vendor.calls.clear()

    bench.run(*POLL)

    assert ["list_batches"] == bench.vendor.calls


def test_a_vendor_that_cannot_list_is_asked_batch_by_batch(bench: Bench) -> None:
    """``listing = false``."""
    bench.account(lists=False)
    bench.configure(batch_size=1)
    send(bench, *("text",) * 4)
    bench.vendor.calls.clear()

    bench.run(*POLL)

    assert ["retrieve_batch"] * 4 == bench.vendor.calls


@pytest.mark.parametrize(("error", "cause"), [(unclear(), 12), (VendorAuthError("no", code="x"), 4)])
def test_a_vendor_that_does_not_answer_changes_nothing(bench: Bench, error: Exception, cause: int) -> None:
    """The batch is looked at again later."""
    send(bench)
    bench.vendor.fail_next("retrieve_batch", error)  # type: ignore[arg-type]

    counts = bench.run(*POLL)

    assert ["submitted"] == bench.states()
    assert cause in counts.causes
    bench.run_until_quiet()
    assert [(1, "applied")] == bench.outcomes()
    assert [] == bench.findings()


def test_a_batch_past_its_window_is_reported_and_stays_open(bench: Bench) -> None:
    """Some vendors run on; the results may still come."""
    bench.vendor.statuses = ("validating", "finalizing")
    bench.vendor.now = lambda: 1_000_000_000
    send(bench)

    bench.run(*POLL)

    assert ["submitted"] == bench.states()
    assert [("overdue", "batch 1")] == bench.findings()


def test_asking_for_one_batch_does_not_wait_for_its_turn(bench: Bench) -> None:
    """``check ID`` looks now, whatever the pace says."""
    send(bench)
    bench.execute("UPDATE batchd_batch SET not_before = '2999-01-01 00:00:00.000'")

    for _ in range(4):
        bench.run(*CHECKING, scope=Scope(batch_id=1))

    assert ["closed"] == bench.states()


def test_a_download_that_breaks_off_touches_no_row(bench: Bench) -> None:
    """The next pass fetches the whole file again."""
    send(bench)
    bench.vendor.fail_next("download", unclear("short_download"))

    bench.check_until("ended")
    assert [(1, None)] == bench.outcomes()
    assert [] == list((bench.folder / "spool").glob("*.output.jsonl"))

    bench.run_until_quiet()
    assert [(1, "applied")] == bench.outcomes()


def test_results_that_cannot_be_fetched_for_an_hour_are_reported(bench: Bench) -> None:
    """The vendor keeps failing: it is asked on and on, and a person hears of it before its copy expires."""
    send(bench)
    bench.check_until("ended", stages=POLL)
    bench.execute("UPDATE batchd_batch SET ended_at = strftime('%Y-%m-%d %H:%M:%f', 'now', '-2 hours')")
    bench.vendor.fail_next("file_bytes", unclear("http_500"))

    bench.run(CHECKING[2])
    assert [("results-unread", "batch 1")] == bench.findings()

    bench.run_until_quiet()
    assert [(1, "applied")] == bench.outcomes()
    assert [] == bench.findings()


def test_a_file_shorter_than_told_is_looked_at_again_and_then_held(bench: Bench) -> None:
    """Nobody says that the stream ended early; the size does."""
    send(bench, "one", "two")
    bench.check_until("ended", stages=POLL)
    told = bench.vendor.files[bench.batch()["output_file_id"]]
    bench.vendor.file_bytes = lambda _: len(told)  # type: ignore[method-assign,assignment]
    bench.vendor.download_cut_short(bench.batch()["output_file_id"], 10)

    bench.check_until("held")

    assert [("short-results", "batch 1")] == bench.findings()
    assert [(1, None), (2, None)] == bench.outcomes()


def test_a_file_that_lacks_whole_lines_is_caught_by_its_size(bench: Bench) -> None:
    """It was cut off behind a line break, and the vendor counts nothing: the told size alone shows it."""
    send(bench, "one", "two", "three")
    whole = keep_lines(bench, 2)
    bench.execute("UPDATE batchd_batch SET counted_completed = NULL, counted_failed = NULL")
    bench.vendor.file_bytes = lambda _: len(whole)  # type: ignore[method-assign,assignment]

    bench.check_until("held")

    assert [("short-results", "batch 1")] == bench.findings()
    assert {None} == {outcome for _, outcome in bench.outcomes()}


def keep_lines(bench: Bench, number: int) -> bytes:
    """The vendor's output file keeps only its first lines; returns the whole of it."""
    bench.check_until("ended", stages=POLL)
    output = bench.batch()["output_file_id"]
    whole = bench.vendor.files[output]
    bench.vendor.files[output] = b"".join(whole.splitlines(keepends=True)[:number])
    return whole


def test_a_line_the_vendor_lost_is_missing_and_reported_not_quietly(bench: Bench) -> None:
    """The sizes fit, so the file is whole: one row is missing, its siblings are applied, a finding says so."""
    send(bench, "one", "two", "three")
    keep_lines(bench, 2)

    bench.check_until("closed")

    assert [(1, "applied"), (2, "applied"), (3, "missing")] == bench.outcomes()
    assert [("missing-lines", "batch 1")] == bench.findings()

    resolve(bench.place, "1")
    assert [] == bench.findings()


@pytest.mark.parametrize(("lines", "size_told"), [(1, True), (2, False)])
def test_a_shortfall_that_may_be_the_downloads_own_is_held(bench: Bench, lines: int, *, size_told: bool) -> None:
    """Most of it is lacking, or nobody told the size: a person is asked, then the rest is missing."""
    send(bench, "one", "two", "three")
    keep_lines(bench, lines)
    if not size_told:
        bench.vendor.file_bytes = lambda _: None  # type: ignore[method-assign,assignment]

    bench.check_until("held")
    assert [("short-results", "batch 1")] == bench.findings()
    assert {None} == {outcome for _, outcome in bench.outcomes()}

    resolve(bench.place, "1")
    bench.check_until("closed")
    assert ["applied"] * lines + ["missing"] * (3 - lines) == [outcome for _, outcome in bench.outcomes()]


def test_results_that_arrive_late_end_the_hold_by_themselves(bench: Bench) -> None:
    """Collecting goes on while held, since the vendor's copy expires."""
    send(bench, "one", "two", "three")
    whole = keep_lines(bench, 1)
    bench.check_until("held")

    bench.vendor.files[bench.batch()["output_file_id"]] = whole
    bench.check_until("closed")

    assert [(1, "applied"), (2, "applied"), (3, "applied")] == bench.outcomes()
    assert [] == bench.findings()


def test_null_outputs_with_all_lines_failed_are_accounted_for(bench: Bench) -> None:
    """``completed`` says nothing of success: no output file at all."""
    bench.vendor.script = by_seq({1: nothing(), 2: nothing()}, answered(GOOD_ANSWER))
    send(bench, "one", "two")

    bench.check_until("closed")

    assert [(1, "missing"), (2, "missing")] == bench.outcomes()


@pytest.mark.parametrize(
    "fault",
    [VendorFault("token_limit_exceeded"), VendorFault("invalid_request", param="file_id")],
)
def test_a_batch_refused_for_a_passing_reason_is_sent_again_whole(bench: Bench, fault: VendorFault) -> None:
    """Nothing is wrong with the file: no row's try is charged, and in the end each is paid for once."""
    bench.vendor.statuses, bench.vendor.faults = ("validating", "failed"), (fault,)
    send(bench, "one", "two")
    bench.run(*CHECKING)
    assert ["built"] == bench.states()

    bench.vendor.statuses = ("validating", "completed")
    bench.run_until_quiet()

    assert [(1, "applied"), (2, "applied")] == bench.outcomes()
    assert 1 == len(bench.states())
    assert 2 == sum(bench.vendor.paid.values())


def test_a_passing_reason_that_does_not_pass_ends_with_a_person(bench: Bench) -> None:
    """Bounded: so many tries, then a hold."""
    bench.vendor.statuses, bench.vendor.faults = ("failed",), (VendorFault("token_limit_exceeded"),)
    bench.vendor.statuses = ("validating", "failed")
    send(bench)

    bench.run_until_quiet(passes=200)

    assert ["held"] == bench.states()
    assert SUBMIT_TRIES == bench.vendor.calls.count("create_batch")
    assert [("batch-refused", "batch 1")] == bench.findings()


def test_a_refused_line_sets_its_row_aside_and_the_rest_goes_again(bench: Bench) -> None:
    """Line 2 of the file is row 20: it is rejected, its siblings are sent in a new batch and paid once."""
    bench.add_people("a", first=10)
    bench.add_people("b", first=20)
    bench.add_people("c", first=30)
    bench.vendor.statuses = ("validating", "failed")
    bench.vendor.faults = (VendorFault("invalid_request", param="body.messages", line=2, message="quotes the row"),)
    bench.run(*SENDING)
    bench.check_until("failed")

    assert [(10, "unsent"), (20, "rejected"), (30, "unsent")] == bench.outcomes()
    assert {10: "retry", 20: "failed", 30: "retry"} == bench.gates()
    assert "quotes the row" not in str(bench.execute("SELECT * FROM batchd_batch"))

    bench.vendor.statuses = ("validating", "completed")
    bench.run_until_quiet()
    assert [(10, "applied"), (30, "applied")] == bench.outcomes()[3:]
    assert {1} == set(bench.vendor.paid.values())


def test_a_refusal_that_no_row_explains_asks_for_a_person(bench: Bench) -> None:
    """A model that does not exist would refuse every line in turn."""
    bench.vendor.statuses = ("validating", "failed")
    bench.vendor.faults = (VendorFault("model_not_found", param="body.model", line=1),)
    send(bench, "one", "two")

    bench.check_until("held")

    assert [("batch-refused", "batch 1")] == bench.findings()
    assert {1: "open", 2: "open"} == bench.gates()


def test_a_cancelled_batch_keeps_what_was_finished_and_holds_the_rest(bench: Bench) -> None:
    """Partial results are applied; the others wait for a person's retry."""
    bench.vendor.script = by_seq({1: answered(GOOD_ANSWER)}, never_run("batch_cancelled"))
    send(bench, "one", "two")

    cancel(bench.place, "1")
    bench.check_until("closed")

    assert [(1, "applied"), (2, "cancelled")] == bench.outcomes()
    assert {2: "held"} == bench.gates()


def test_a_batch_that_was_not_sent_is_cancelled_here(bench: Bench) -> None:
    """No vendor is asked; the rows wait for a person."""
    bench.add_people("one")
    bench.run(SENDING[1])

    cancel(bench.place, "1")

    assert ["abandoned"] == bench.states()
    assert {1: "held"} == bench.gates()
    assert [] == bench.vendor.calls


def test_open_batches_of_an_account_that_changed_stop_with_a_finding(bench: Bench) -> None:
    """They are another account's: not polled here, and not claimed for, until the config fits again."""
    send(bench)
    bench.account(fingerprint="account-2")
    bench.vendor.calls.clear()

    bench.run()
    assert [("account-moved", "vendor fake")] == bench.findings()
    assert [] == [call for call in bench.vendor.calls if call != "list_batches"]

    bench.account(fingerprint="account-1")
    bench.run_until_quiet()
    assert [(1, "applied")] == bench.outcomes()
    assert [] == bench.findings()


def test_each_piece_of_a_download_is_a_sign_of_life(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file by a slow way takes longer than a standstill: started anew for that, it would never be there."""
    send(bench)
    beats, heard = [0], list[int]()

    def beat() -> None:
        beats[0] += 1

    def in_pieces(file_id: str, sink: BinaryIO) -> None:
        whole = bench.vendor.files[file_id]
        for piece in (whole[:10], whole[10:20], whole[20:]):
            sink.writelines([piece])
            heard.append(beats[0])

    monkeypatch.setattr(bench.vendor, "download", in_pieces)
    bench.place = replace(bench.place, beat=beat)
    bench.run_until_quiet()

    assert [(1, "applied")] == bench.outcomes()
    assert 3 == len(set(heard))
