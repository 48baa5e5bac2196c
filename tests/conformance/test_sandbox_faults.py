"""The sandbox's faults, seen by the real SDK over HTTP."""

import json
import time
from typing import Any

import httpx2
import openai
import pytest

from tests.conformance.sandbox_calls import Sandbox, chat_line


def fail_route(sandbox: Sandbox, route: str, **rule: Any) -> None:
    """Make the next call of a route go wrong."""
    sandbox.control("PUT", "faults", {"routes": [{"route": route, "times": 1, **rule}]})


def test_a_route_fails_as_often_as_told(sandbox: Sandbox) -> None:
    """A 429 with Retry-After comes once, then the route works again."""
    fail_route(sandbox, "batches.list", status=429, code="rate_limit_exceeded", headers={"Retry-After": "200"})
    with pytest.raises(openai.RateLimitError) as caught:
        sandbox.client.batches.list()

    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.response.headers["retry-after"] == "200"
    assert sandbox.client.batches.list().data == []


def test_a_gateway_page_is_html(sandbox: Sandbox) -> None:
    """A 502 may carry a page in place of the error body."""
    fail_route(sandbox, "batches.list", status=502, html=True)
    with pytest.raises(openai.InternalServerError) as caught:
        sandbox.client.batches.list()

    assert isinstance(caught.value.body, str)


@pytest.mark.parametrize(("after_effect", "made"), [(False, 0), (True, 1)])
def test_a_dropped_create_may_have_made_the_batch(sandbox: Sandbox, after_effect: bool, made: int) -> None:  # noqa: FBT001
    """A connection that drops after the effect leaves an orphan; before it, nothing."""
    file_id = sandbox.upload([chat_line("a")])
    fail_route(sandbox, "batches.create", drop=True, after_effect=after_effect)
    with pytest.raises(openai.APIConnectionError):
        sandbox.client.batches.create(input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h")

    assert made == len(sandbox.client.batches.list().data)


@pytest.mark.parametrize("body", ["[]", "null", '"fine"', ""])
def test_a_reply_may_be_no_object(sandbox: Sandbox, body: str) -> None:
    """A body is sent as it stands, with status 200, though the call was served."""
    file_id = sandbox.upload([chat_line("a")])
    fail_route(sandbox, "batches.create", body=body, after_effect=True)
    reply = sandbox.client.batches.with_raw_response.create(
        input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h"
    )

    assert (200, body) == (reply.status_code, reply.text)
    assert 1 == len(sandbox.client.batches.list().data)


def test_a_429_may_lack_the_usual_body(sandbox: Sandbox) -> None:
    """With a status, the body is sent under that status."""
    fail_route(sandbox, "batches.list", status=429, body="slow down")
    with pytest.raises(openai.RateLimitError) as caught:
        sandbox.client.batches.list()

    assert "slow down" == caught.value.body


def test_a_relay_repeats_a_create(sandbox: Sandbox) -> None:
    """With twice, one call makes two batches."""
    fail_route(sandbox, "batches.create", twice=True)
    sandbox.create([chat_line("a")])

    assert 2 == len(sandbox.client.batches.list().data)


def test_a_hanging_call_outlasts_the_client(sandbox: Sandbox) -> None:
    """A reply that comes too late is a timeout for the client."""
    fail_route(sandbox, "batches.list", hang=1.0)

    with pytest.raises(openai.APITimeoutError):
        sandbox.client.with_options(timeout=0.1).batches.list()


def test_a_create_may_take_effect_when_its_client_has_gone(sandbox: Sandbox) -> None:
    """A hang before the effect delays the effect; nobody being there any more does not undo it."""
    file_id = sandbox.upload([chat_line("a")])
    fail_route(sandbox, "batches.create", hang=0.5)
    with pytest.raises(openai.APITimeoutError):
        sandbox.client.with_options(timeout=0.1).batches.create(
            input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h"
        )

    assert [] == sandbox.client.batches.list().data
    deadline = time.monotonic() + 10
    while not (made := sandbox.client.batches.list().data) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert 1 == len(made)


def test_a_cut_download_breaks_when_its_length_was_told(sandbox: Sandbox) -> None:
    """With the length kept, the client sees a broken connection."""
    file_id = sandbox.upload([chat_line("a")])
    fail_route(sandbox, "files.content", truncate={"bytes": 20, "keep_length": True})

    with (
        pytest.raises(httpx2.RemoteProtocolError),
        sandbox.client.files.with_streaming_response.content(file_id) as reply,
    ):
        reply.read()


def test_a_cut_download_looks_whole_when_no_length_was_told(sandbox: Sandbox) -> None:
    """Without the length, only the file object's size tells that bytes are missing."""
    file_id = sandbox.upload([chat_line("a")])
    fail_route(sandbox, "files.content", truncate={"bytes": 20})
    with sandbox.client.files.with_streaming_response.content(file_id) as reply:
        content = reply.read()

    assert len(content) == 20
    assert "content-length" not in reply.headers


def test_the_list_comes_in_small_pages(sandbox: Sandbox) -> None:
    """A page holds no more than the sandbox wants, whatever was asked for; the cursor leads through all of them."""
    ids = [sandbox.create([chat_line("a")]).id for _ in range(3)]
    sandbox.control("PUT", "faults", {"batches": {"page_size": 1}})
    first = sandbox.client.batches.list(limit=100)

    assert ([ids[2]], True) == ([batch.id for batch in first.data], first.has_more)
    assert ids[::-1] == [batch.id for batch in sandbox.client.batches.list(limit=100)]


def test_the_newest_batch_appears_between_two_pages(sandbox: Sandbox) -> None:
    """Left out of the first page, it is in the second."""
    ids = [sandbox.create([chat_line("a")]).id for _ in range(2)]
    sandbox.control("PUT", "faults", {"batches": {"hide_newest_calls": 1, "page_size": 1, "list_order": "oldest"}})
    first = sandbox.client.batches.list()
    second = sandbox.client.batches.list(after=first.data[-1].id)

    assert (False, ids) == (first.has_more, [first.data[0].id, second.data[0].id])


def test_a_list_may_never_end(sandbox: Sandbox) -> None:
    """It says that there is more after its end, or gives its first page again and again."""
    only = sandbox.create([chat_line("a")]).id
    sandbox.control("PUT", "faults", {"batches": {"list_end": "empty_pages"}})
    beyond = sandbox.client.batches.list(after=only)
    sandbox.control("PUT", "faults", {"batches": {"list_end": "repeats"}})
    again = sandbox.client.batches.list(after=only)

    assert ([], True) == (beyond.data, beyond.has_more)
    assert ([only], True) == ([batch.id for batch in again.data], again.has_more)


def test_counts_are_what_the_faults_say_once_a_batch_has_ended(sandbox: Sandbox) -> None:
    """Counts that fit nothing, or are null, stand in place of the true ones."""
    counts = {"total": None, "completed": 99, "failed": 7}
    sandbox.control("PUT", "faults", {"batches": {"request_counts": counts}})
    created = sandbox.create([chat_line("a")])
    ended = sandbox.wait(created.id)

    assert created.request_counts is not None
    assert ended.request_counts is not None
    assert 0 == created.request_counts.completed
    assert counts == ended.request_counts.model_dump()


def test_a_line_may_be_no_text_at_all(sandbox: Sandbox) -> None:
    """A byte that no UTF-8 has stands within the answer; the other lines can be read."""
    sandbox.control("PUT", "faults", {"lines": {"kind_by_input": [{"contains": "Odd", "kind": "invalid_utf8"}]}})
    batch = sandbox.run([chat_line("a", "Odd One"), chat_line("b", "Fine One")])
    odd, fine, end = sandbox.client.files.content(batch.output_file_id or "").read().split(b"\n")

    assert b'"a"' in odd
    with pytest.raises(UnicodeDecodeError):
        odd.decode()
    assert "b" == json.loads(fine)["custom_id"]
    assert b"" == end


def test_a_line_may_be_in_both_files(sandbox: Sandbox) -> None:
    """The same id is answered in the output file and failed in the error file; it is paid for once."""
    sandbox.control("PUT", "faults", {"lines": {"kind_by_input": [{"contains": "Odd", "kind": "both_files"}]}})
    batch = sandbox.run([chat_line("a", "Odd One")])
    files = (batch.output_file_id, batch.error_file_id)

    assert [["a"], ["a"]] == [[line["custom_id"] for line in sandbox.lines(file)] for file in files]
    assert 1 == sandbox.control("GET", "account")["requests_paid"]


def test_lines_go_wrong_by_their_text(sandbox: Sandbox) -> None:
    """A fault aimed at a text meets that line only; doubled and strange lines are in the output file."""
    aims = [{"contains": kind, "kind": kind} for kind in ("missing", "duplicate_different", "unknown_id", "expired")]
    sandbox.control("PUT", "faults", {"lines": {"kind_by_input": aims}})
    lines = [chat_line(str(n), aim["contains"]) for n, aim in enumerate(aims)]
    batch = sandbox.run([*lines, chat_line("sound")])
    output = sandbox.lines(batch.output_file_id)
    ours = sorted(line["custom_id"] for line in output if not line["custom_id"].startswith("stranger"))

    assert batch.status == "expired"
    assert ours == ["1", "1", "2", "sound"]
    assert len(output) == 5
    assert [line["custom_id"] for line in sandbox.lines(batch.error_file_id)] == ["3"]
    assert sandbox.control("GET", "account")["by_custom_id"] == {"0": 1, "1": 1, "2": 1, "sound": 1}


def test_a_raw_line_separator_and_a_big_line_come_through(sandbox: Sandbox) -> None:
    """U+2028 stands unescaped in a line, and a line may have a megabyte."""
    aims = [{"contains": kind, "kind": kind} for kind in ("u2028", "big_line")]
    sandbox.control("PUT", "faults", {"lines": {"kind_by_input": aims}})
    batch = sandbox.run([chat_line("a", "u2028 Text"), chat_line("b", "big_line Text")])
    content = sandbox.client.files.content(batch.output_file_id or "").read()
    separated, big, end = content.split(b"\n")

    assert "\u2028".encode() in separated
    assert len(big) > 1_000_000
    assert end == b""


def test_a_batch_may_stay_where_it_is(sandbox: Sandbox) -> None:
    """With stay_in, a batch is past its window without an end; freed, it goes on."""
    sandbox.control("PUT", "faults", {"batches": {"stay_in": "finalizing"}})
    batch = sandbox.create([chat_line("a")])
    sandbox.advance(2 * 86_400)
    stuck = sandbox.client.batches.retrieve(batch.id)
    sandbox.control("DELETE", "faults")

    assert stuck.status == "finalizing"
    assert sandbox.client.batches.retrieve(batch.id).status == "completed"


def test_a_batch_fails_with_a_chosen_code_as_often_as_told(sandbox: Sandbox) -> None:
    """fail_with makes the next batches fail in validation, and no others."""
    failure = {"code": "model_not_found", "param": "body.model", "line": 1, "message": "No such model."}
    sandbox.control("PUT", "faults", {"batches": {"fail_with": failure, "times": 1}})
    failed, sound = sandbox.run([chat_line("a")]), sandbox.run([chat_line("a")])

    assert failed.errors is not None
    assert [failure] == [error.model_dump() for error in failed.errors.data or []]
    assert sound.status == "completed"


def test_a_batch_is_shown_in_odd_ways(sandbox: Sandbox) -> None:
    """Empty strings for ids, a hidden output file, an unknown status, a list that lags or is out of order."""
    finished = sandbox.run([chat_line("a")])
    sandbox.control("PUT", "faults", {"batches": {"empty_string_ids": True, "null_output": True}})
    odd = sandbox.client.batches.retrieve(finished.id)
    sandbox.control("PUT", "faults", {"batches": {"unknown_status": "paused", "stay_in": "in_progress"}})
    paused = sandbox.client.batches.retrieve(sandbox.create([chat_line("a")]).id)
    sandbox.control("PUT", "faults", {"batches": {"list_order": "oldest"}})
    oldest = sandbox.client.batches.list().data
    sandbox.control("PUT", "faults", {"batches": {"hide_from_list_seconds": 3600}})
    hidden = sandbox.client.batches.list().data

    assert (odd.output_file_id, odd.error_file_id) == ("", "")
    assert str(paused.status) == "paused"
    assert [finished.id, paused.id] == [batch.id for batch in oldest]
    assert hidden == []


def test_a_cancelled_batch_may_lose_what_had_run(sandbox: Sandbox) -> None:
    """With counts that disagree, lines that ran and are paid for are in neither file."""
    sandbox.control("PUT", "faults", {"batches": {"cancelled_counts_disagree": True}})
    sandbox.control("POST", "clock", {"freeze": True})
    sandbox.control("POST", "settings", {"batch_duration": 100})
    batch = sandbox.create([chat_line(str(n)) for n in range(10)])
    sandbox.advance(50)
    sandbox.client.batches.cancel(batch.id)
    sandbox.advance(50)
    cancelled = sandbox.client.batches.retrieve(batch.id)
    sandbox.control("POST", "settings", {"batch_duration": 0})
    counts = cancelled.request_counts

    assert counts is not None
    assert (counts.total, counts.completed, cancelled.output_file_id) == (10, 0, None)
    assert len(sandbox.lines(cancelled.error_file_id)) == 5
    assert sandbox.control("GET", "account")["requests_paid"] == 5


def test_shuffled_output_has_the_same_lines(sandbox: Sandbox) -> None:
    """The order of the output file says nothing; no line is lost by it."""
    sandbox.control("PUT", "faults", {"batches": {"shuffle_output": True}})
    ids = [str(n) for n in range(30)]
    batch = sandbox.run([chat_line(custom_id) for custom_id in ids])
    shown = [line["custom_id"] for line in sandbox.lines(batch.output_file_id)]

    assert shown != ids
    assert sorted(shown) == sorted(ids)


def test_faults_with_a_wrong_key_are_refused(sandbox: Sandbox) -> None:
    """A misspelt fault is a 400 that names the key, not a fault that never happens."""
    reply = httpx2.put(
        f"{sandbox.url.removesuffix('/v1')}/_sandbox/faults", json={"batches": {"stay_inn": "validating"}}
    )

    assert reply.status_code == 400
    assert "batches.stay_inn" in reply.json()["error"]["message"]
