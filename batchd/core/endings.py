"""How a request ended at the vendor: with an answer to read, or why without one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batchd.core.foreign_json import mapping, mappings, text, word
from batchd.core.outcomes import Outcome
from batchd.core.vectors import decoded


@dataclass(frozen=True, slots=True)
class Ending:
    """Why there is no answer to read: the outcome, a machine-readable reason, and a sentence of ours."""

    outcome: Outcome
    code: str
    sentence: str


_REFUSED = Ending(Outcome.REFUSED, "refusal", "the model refused to answer")
_FILTERED = Ending(Outcome.REFUSED, "content_filter", "a content filter stopped the request or its answer")
_CUT_OFF = Ending(Outcome.TRUNCATED, "length", "the answer was cut off at the token limit")
_TOOL_CALL = Ending(Outcome.INVALID, "tool_calls", "the model called a tool and did not answer")
_EMPTY = Ending(Outcome.INVALID, "empty", "the answer is empty")
_INCOMPLETE = Ending(Outcome.INVALID, "incomplete", "the answer is incomplete")
_SEVERAL = Ending(Outcome.INVALID, "several", "one input has several answers")
_NO_VERDICT = Ending(Outcome.INVALID, "no_verdict", "the answer does not say whether the input is flagged")
# Nobody knows whether it ran: what may have been paid for is not asked again and again.
NOTHING = Ending(Outcome.INVALID, "no_response", "the line holds neither an answer nor an error; counted as paid")
_UNFINISHED = Ending(Outcome.ERRORED, "not_finished", "the vendor did not finish the request")
_EXPIRED = Ending(Outcome.EXPIRED, "batch_expired", "the vendor's window ended before the request ran")
_CANCELLED = Ending(Outcome.CANCELLED, "batch_cancelled", "the batch was cancelled before the request ran")

_CHAT_ENDINGS = {
    "length": _CUT_OFF,
    "max_tokens": _CUT_OFF,  # what some compatible servers say for "length"
    "content_filter": _FILTERED,
    "tool_calls": _TOOL_CALL,
    "function_call": _TOOL_CALL,
}
_INCOMPLETE_REASONS = {"max_output_tokens": _CUT_OFF, "content_filter": _FILTERED}
_UNFINISHED_STATUSES = frozenset({"queued", "in_progress", "cancelled"})

_CODES = {"content_filter": _FILTERED, "batch_expired": _EXPIRED, "batch_cancelled": _CANCELLED}
_CLIENT_ERRORS = range(400, 500)
_TRANSIENT_STATUSES = frozenset({408, 409, 429})
# These pass, whatever status they come with: a limit, a fault of the vendor, an account without money.
_TRANSIENT_CODES = frozenset(
    {
        "rate_limit_exceeded",
        "server_error",
        "vector_store_timeout",
        "insufficient_quota",
        "billing_hard_limit_reached",
        "organization_usage_limit_exceeded",
    }
)


def chat_end(body: Mapping[str, Any]) -> tuple[str, Ending | str]:
    """A chat completion's finish reason, and the text of its first choice or why there is none."""
    choice = next(iter(mappings(body.get("choices"))), None)
    if choice is None:
        return "", _failure_in(body) if body.get("error") else _EMPTY
    finish, message = word(choice.get("finish_reason")), mapping(choice.get("message"))
    content = message.get("content")
    if text(message.get("refusal")) or _refuses(content):
        return finish, _REFUSED
    return finish, _CHAT_ENDINGS.get(finish) or _answer(text(content) or _joined(content))


def response_end(body: Mapping[str, Any]) -> tuple[str, Ending | str]:
    """A response's status (or why it is incomplete), and the text of its message or why there is none."""
    status = word(body.get("status"))
    if status == "failed" or (body.get("error") and not body.get("output")):
        return status, _failure_in(body)
    items = mappings(body.get("output"))
    # Reasoning and tool items may stand before the message; the answer is what was said last.
    messages = [item.get("content") for item in items if item.get("type") == "message"]
    if any(_refuses(content) for content in messages):
        return status, _REFUSED
    if status == "incomplete":
        reason = word(mapping(body.get("incomplete_details")).get("reason"))
        return reason or status, _INCOMPLETE_REASONS.get(reason, _INCOMPLETE)
    if status in _UNFINISHED_STATUSES:
        return status, _UNFINISHED
    if not messages and any(item.get("type") == "function_call" for item in items):
        return status, _TOOL_CALL
    return status, _answer(_joined(messages[-1]) if messages else "")


def embedding_end(body: Mapping[str, Any]) -> tuple[str, Ending | Any]:
    """No finish reason, and the one vector of an embedding, whatever it holds, or why there is none."""
    found = _only(body, "data")
    if isinstance(found, Ending):
        return "", found
    embedding = found.get("embedding")
    return "", _EMPTY if embedding is None else decoded(embedding)


def moderation_end(body: Mapping[str, Any]) -> tuple[str, Ending | Mapping[str, Any]]:
    """No finish reason, and the one result of a moderation, or why there is none."""
    found = _only(body, "results")
    # A row without a verdict must never look like one that passed.
    if not isinstance(found, Ending) and not isinstance(found.get("flagged"), bool):
        return "", _NO_VERDICT
    return "", found


def _only(body: Mapping[str, Any], name: str) -> Mapping[str, Any] | Ending:
    """The one object in a list: a request holds one input."""
    found = mappings(body.get(name))
    if not found:
        return _failure_in(body) if body.get("error") else _EMPTY
    return found[0] if len(found) == 1 else _SEVERAL


def failure(status: int | None, code: str) -> Ending:
    """The ending of a request that was not answered: its HTTP status and the vendor's code, "" for none."""
    passes = status not in _CLIENT_ERRORS or status in _TRANSIENT_STATUSES
    default = "no_status" if status is None else f"http_{status}"
    return _failed(code or default, passes=passes)


def _failure_in(body: Mapping[str, Any]) -> Ending:
    # HTTP said 200, the body says that it failed. A code that is not known to pass is the request's fault.
    code = word(mapping(body.get("error")).get("code"))
    return _failed(code or "failed", passes=not code)


def _failed(code: str, *, passes: bool) -> Ending:
    if code in _CODES:
        return _CODES[code]
    if passes or code in _TRANSIENT_CODES:
        return Ending(Outcome.ERRORED, code, f"the vendor failed to answer this time ({code})")
    return Ending(Outcome.REJECTED, code, f"the vendor refused the request for good ({code})")


def _answer(answer: str) -> Ending | str:
    return answer if answer.strip() else _EMPTY


def _joined(parts: object) -> str:
    spoken = (part for part in mappings(parts) if part.get("type") in {"output_text", "text"})
    return "".join(text(part.get("text")) for part in spoken)


def _refuses(parts: object) -> bool:
    return any(part.get("type") == "refusal" for part in mappings(parts))
