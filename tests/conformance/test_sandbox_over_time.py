"""What time does to batches, and what they cost: states, cancelling, expiry, tokens, the account."""

from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from tests.conformance.sandbox_calls import Sandbox, chat_line


def slow(sandbox: Sandbox, seconds: float = 100) -> None:
    """Freeze the clock and make batches take some virtual seconds."""
    sandbox.control("POST", "clock", {"freeze": True})
    sandbox.control("POST", "settings", {"batch_duration": seconds})


def test_a_batch_moves_through_its_states_with_the_clock(sandbox: Sandbox) -> None:
    """Validating, in progress with growing counts, finalizing, completed: by the virtual time alone."""
    slow(sandbox)
    batch = sandbox.create([chat_line(f"r-{n}") for n in range(10)])
    seen = []
    for seconds in (0, 10, 40, 40, 10):
        sandbox.advance(seconds)
        shown = sandbox.client.batches.retrieve(batch.id)
        counts = shown.request_counts
        seen.append((shown.status, counts.total if counts else 0, counts.completed if counts else 0))

    assert seen == [
        ("validating", 0, 0),
        ("in_progress", 10, 0),
        ("in_progress", 10, 5),
        ("finalizing", 10, 10),
        ("completed", 10, 10),
    ]


def test_cancelling_keeps_what_had_run(sandbox: Sandbox) -> None:
    """A cancel at half time keeps half the answers, the rest is batch_cancelled; a second changes nothing."""
    slow(sandbox)
    batch = sandbox.create([chat_line(f"r-{n}") for n in range(10)])
    sandbox.advance(50)
    cancelling = sandbox.client.batches.cancel(batch.id)
    sandbox.advance(20)
    cancelled = sandbox.client.batches.retrieve(batch.id)
    again = sandbox.client.batches.cancel(batch.id)
    codes = [line["error"]["code"] for line in sandbox.lines(cancelled.error_file_id)]

    assert (cancelling.status, cancelled.status, again.status) == ("cancelling", "cancelled", "cancelled")
    assert cancelling.cancelling_at is not None
    assert len(sandbox.lines(cancelled.output_file_id)) == 5
    assert codes == ["batch_cancelled"] * 5


def test_a_completed_batch_cannot_be_cancelled(sandbox: Sandbox) -> None:
    """Cancelling after the end is a 409."""
    batch = sandbox.run([chat_line("a")])

    with pytest.raises(openai.ConflictError, match="'completed'"):
        sandbox.client.batches.cancel(batch.id)


def test_a_batch_past_its_window_expires_with_partial_results(sandbox: Sandbox) -> None:
    """What ran within 24 hours is in the output file, the rest in the error file as batch_expired."""
    slow(sandbox, 2 * 86_400)
    batch = sandbox.create([chat_line(f"r-{n}") for n in range(10)])
    sandbox.advance(86_401)
    expired = sandbox.client.batches.retrieve(batch.id)
    unrun = sandbox.lines(expired.error_file_id)

    assert expired.status == "expired"
    assert expired.expired_at == expired.expires_at
    assert len(sandbox.lines(expired.output_file_id)) == 5
    assert {"batch_expired"} == {line["error"]["code"] for line in unrun}
    assert {None} == {line["response"] for line in unrun}


def test_enqueued_tokens_are_reserved_and_freed(sandbox: Sandbox) -> None:
    """A batch over the model's limit fails with token_limit_exceeded; it may go once others have ended."""
    slow(sandbox)
    sandbox.control("POST", "settings", {"token_limit": 150})
    first = sandbox.create([chat_line("a")])
    second = sandbox.create([chat_line("b")])
    other = sandbox.create([chat_line("c", model="gpt-6-sol")])
    sandbox.advance(10)
    refused = sandbox.client.batches.retrieve(second.id)
    sandbox.advance(100)
    third = sandbox.create([chat_line("d")])
    sandbox.advance(100)

    assert refused.status == "failed"
    assert refused.errors is not None
    assert [error.code for error in refused.errors.data or []] == ["token_limit_exceeded"]
    assert [sandbox.client.batches.retrieve(b.id).status for b in (first, other, third)] == ["completed"] * 3


def test_the_account_knows_what_was_paid_twice(sandbox: Sandbox) -> None:
    """Inputs are known by their text: the same text under two ids is paid twice, failed lines not at all."""
    sandbox.run([chat_line("a", "same"), chat_line("b", "other"), chat_line("c", "bad", max_completion_tokens=0)])
    sandbox.run([chat_line("d", "same")])
    account = sandbox.control("GET", "account")

    assert (account["batches"], account["requests_paid"], account["inputs_paid"]) == (2, 3, 2)
    assert account["max_paid_per_input"] == 2
    assert [sorted(twice["custom_ids"]) for twice in account["paid_more_than_once"]] == [["a", "d"]]
    assert account["by_custom_id"] == {"a": 1, "b": 1, "d": 1}


def test_many_pollers_at_once_end_a_batch_once(sandbox: Sandbox) -> None:
    """However many calls see the end of a batch first, its lines are run and billed once."""
    batch = sandbox.create([chat_line(str(n), f"text {n}") for n in range(50)])
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda _: sandbox.client.batches.retrieve(batch.id).output_file_id, range(16)))

    assert len(set(seen)) == 1
    assert len(sandbox.lines(seen[0])) == 50
    assert sandbox.control("GET", "account")["max_paid_per_input"] == 1
