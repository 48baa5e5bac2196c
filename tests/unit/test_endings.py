"""How a request ended: HTTP 200 is not yet an answer, and each endpoint has its own words for why."""

from typing import Any

import pytest

from batchd.core.fields import FieldSpec
from batchd.core.outcomes import Outcome
from batchd.core.result_lines import LineReader, ResultLine
from batchd.core.schema import answer_from_fields, moderation_answer
from batchd.core.verdicts import Verdict
from tests.unit.examples import a_task, chat, response, said

ANSWER = '{"level": "senior"}'
LEVEL = answer_from_fields({"level": FieldSpec(type="string", enum=("junior", "senior"), column="Level")})
CHAT = LineReader(a_task(answer=LEVEL))
RESPONSES = LineReader(a_task(answer=LEVEL, endpoint="/v1/responses"))
FLAGS = moderation_answer({"flagged": "IsFlagged", "category_scores.violence": "Violence"})
MODERATIONS = LineReader(a_task(answer=FLAGS, endpoint="/v1/moderations"))


def of_body(reader: LineReader, body: Any) -> Verdict:
    return reader.verdict(ResultLine("c-1", 200, body))


@pytest.mark.parametrize(
    ("body", "outcome", "code"),
    [
        (chat('{"level": "sen', "length"), Outcome.TRUNCATED, "length"),
        (chat("", "length"), Outcome.TRUNCATED, "length"),
        (chat(ANSWER, "length"), Outcome.TRUNCATED, "length"),
        (chat(None, refusal="I won't"), Outcome.REFUSED, "refusal"),
        (chat([{"type": "refusal", "refusal": "No"}]), Outcome.REFUSED, "refusal"),
        (chat(None, "content_filter"), Outcome.REFUSED, "content_filter"),
        (chat(None, "tool_calls"), Outcome.INVALID, "tool_calls"),
        (chat("", "stop"), Outcome.INVALID, "empty"),
        (chat(" \n", "stop"), Outcome.INVALID, "empty"),
        (chat(None, "stop"), Outcome.INVALID, "empty"),
        (chat('{"level": "sen', "stop"), Outcome.INVALID, "not_json"),
        (chat('{"level": "boss"}'), Outcome.INVALID, "schema"),
        ({}, Outcome.INVALID, "empty"),
        ({"choices": []}, Outcome.INVALID, "empty"),
        ({"error": {"code": "invalid_prompt"}}, Outcome.REJECTED, "invalid_prompt"),
        ({"error": {"code": "server_error"}}, Outcome.ERRORED, "server_error"),
        ({"error": "boom"}, Outcome.ERRORED, "failed"),
    ],
)
def test_a_useless_chat_answer_says_why(body: Any, outcome: Outcome, code: str) -> None:
    """HTTP 200 is not yet success."""
    found = of_body(CHAT, body)

    assert (found.outcome, found.code, found.values) == (outcome, code, {})
    assert found.sentence


@pytest.mark.parametrize(
    ("body", "outcome", "code", "finish"),
    [
        (
            response(said('{"le'), status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
            Outcome.TRUNCATED, "length", "max_output_tokens",
        ),
        (
            response(status="incomplete", incomplete_details={"reason": "content_filter"}),
            Outcome.REFUSED, "content_filter", "content_filter",
        ),
        (response(said(ANSWER), status="incomplete"), Outcome.INVALID, "incomplete", "incomplete"),
        (response({"type": "refusal", "refusal": "No"}), Outcome.REFUSED, "refusal", "completed"),
        (response(), Outcome.INVALID, "empty", "completed"),
        (response(said("nope")), Outcome.INVALID, "not_json", "completed"),
        ({"status": "completed", "output": None}, Outcome.INVALID, "empty", "completed"),
        (
            {"status": "completed", "output": [{"type": "function_call"}]},
            Outcome.INVALID, "tool_calls", "completed",
        ),
        ({"status": "failed", "error": {"code": "server_error"}}, Outcome.ERRORED, "server_error", "failed"),
        (
            {"status": "failed", "error": {"code": "rate_limit_exceeded"}},
            Outcome.ERRORED, "rate_limit_exceeded", "failed",
        ),
        (
            {"status": "failed", "error": {"code": "invalid_prompt"}},
            Outcome.REJECTED, "invalid_prompt", "failed",
        ),
        ({"status": "failed", "error": None}, Outcome.ERRORED, "failed", "failed"),
        ({"status": "in_progress", "output": []}, Outcome.ERRORED, "not_finished", "in_progress"),
    ],
)  # fmt: skip
def test_a_useless_response_says_why(body: Any, outcome: Outcome, code: str, finish: str) -> None:
    """The Responses endpoint has its own words for the same ends."""
    found = of_body(RESPONSES, body)

    assert (found.outcome, found.code, found.finish_reason, found.values) == (outcome, code, finish, {})


def test_the_last_message_of_a_response_is_the_answer() -> None:
    """What a model says before its answer is not part of it."""
    before = {"type": "message", "content": [said("Let me see.")]}
    body = response(said(ANSWER))

    found = of_body(RESPONSES, {**body, "output": [before, *body["output"]]})

    assert found.values == {"Level": "senior"}


def moderated(*results: Any, **more: Any) -> dict[str, Any]:
    return {"id": "modr-1", "model": "omni-moderation-latest", "results": list(results), **more}


@pytest.mark.parametrize(
    ("result", "values"),
    [
        (
            {"flagged": True, "categories": {"violence": True}, "category_scores": {"violence": 0.97}},
            {"IsFlagged": True, "Violence": 0.97},
        ),
        ({"flagged": False, "category_scores": {}}, {"IsFlagged": False, "Violence": None}),
    ],
)
def test_a_moderation_fills_its_columns(result: Any, values: dict[str, Any]) -> None:
    """The verdict and single scores; a category that the model does not know is NULL."""
    found = of_body(MODERATIONS, moderated(result))

    assert found == Verdict(Outcome.APPLIED, values, model="omni-moderation-latest")


@pytest.mark.parametrize(
    ("body", "outcome", "code"),
    [
        (moderated(), Outcome.INVALID, "empty"),
        (moderated({}), Outcome.INVALID, "no_verdict"),
        (moderated({"flagged": None}), Outcome.INVALID, "no_verdict"),
        (moderated({"flagged": "no"}), Outcome.INVALID, "no_verdict"),
        (moderated({"flagged": False}, {"flagged": True}), Outcome.INVALID, "several"),
        (moderated(error={"code": "server_error"}), Outcome.ERRORED, "server_error"),
        ({"results": "none"}, Outcome.INVALID, "empty"),
    ],
)
def test_a_moderation_without_one_verdict_passes_nothing(body: Any, outcome: Outcome, code: str) -> None:
    """A row never looks checked because the check said nothing."""
    found = of_body(MODERATIONS, body)

    assert (outcome, code, {}) == (found.outcome, found.code, found.values)
