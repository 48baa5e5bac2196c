"""Runs one line of an input file: from its request to the lines of the output and error files."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

from batchd.sandbox.answer_format import TEXT, AnswerFormat, answer_format
from batchd.sandbox.answers import answer_text
from batchd.sandbox.body_rules import body_problem, token_limit
from batchd.sandbox.embeddings import EMBEDDINGS, embedding_reply
from batchd.sandbox.line_faults import INSTEAD_OF_RUNNING, LineFaults, altered, choose_kind, distort
from batchd.sandbox.moderations import MODERATIONS, moderation_reply
from batchd.sandbox.prompts import input_hash, user_text
from batchd.sandbox.replies import Answer, cut, reply_body
from batchd.sandbox.source_text import SourceText
from batchd.sandbox.vendor_errors import VendorError, error_body

BROKEN_SCHEMA = (TypeError, ValueError, ArithmeticError, AttributeError, LookupError, RecursionError)
EXPIRED = ("batch_expired", "This request was not run before the completion window was over.")
CANCELLED = ("batch_cancelled", "This request was not run because the batch was cancelled.")


@dataclass(frozen=True)
class LinePlace:
    """Where a line stands: its batch, its number from 1 on, and the time it is run at (Unix seconds)."""

    batch_id: str
    number: int
    at: float

    @property
    def mark(self) -> str:
        """Twenty-four hex digits that name this line's run."""
        return hashlib.sha256(f"{self.batch_id}/{self.number}".encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Payment:
    """What is billed for a line that was answered with 200."""

    custom_id: str
    input_hash: str
    input_tokens: int
    output_tokens: int


Envelope = dict[str, object]

# Endpoints that answer with no text: their replies are made from the body alone.
DIRECT_REPLIES = {EMBEDDINGS: embedding_reply, MODERATIONS: moderation_reply}


@dataclass(frozen=True)
class LineResult:
    """The envelopes a line leaves in each file, its bill, and how it counts in the batch."""

    output: list[Envelope] = field(default_factory=list)
    error: list[Envelope] = field(default_factory=list)
    payment: Payment | None = None
    completed: bool = False
    failed: bool = False
    expired: bool = False


def run_line(endpoint: str, request: dict[str, Any], place: LinePlace, faults: LineFaults) -> LineResult:
    """Answer a line, or fail it: by its own fault, or because the faults say so."""
    body, custom_id = request["body"], request["custom_id"]
    problem = body_problem(endpoint, body)
    if problem is not None:
        return failed_line(custom_id, place, problem.status, problem.body)
    text = user_text(body)
    kind = choose_kind(faults, custom_id, text)
    if kind in INSTEAD_OF_RUNNING:
        return _not_run(custom_id, place, kind)
    try:
        reply = _reply(endpoint, body, kind, place)
    except BROKEN_SCHEMA:
        unusable = VendorError(400, "The schema cannot be used.", param="schema", code="invalid_json_schema")
        return failed_line(custom_id, place, unusable.status, unusable.body)
    result = answered_line(custom_id, place, reply, body)
    if kind == "duplicate_different":
        other = _reply(endpoint, body, kind, place, otherwise=True)
        return replace(result, output=[*result.output, _envelope(custom_id, place, 200, other)])
    return _surrounded(result, kind, place)


def answered_line(custom_id: str, place: LinePlace, reply: dict[str, Any], body: dict[str, Any]) -> LineResult:
    """Return the result of a line that was answered with 200; its usage is what the reply says."""
    usage = reply.get("usage") or {}
    payment = Payment(
        custom_id,
        input_hash(body),
        usage.get("prompt_tokens") or usage.get("input_tokens") or 0,
        usage.get("completion_tokens") or usage.get("output_tokens") or 0,
    )
    return LineResult(output=[_envelope(custom_id, place, 200, reply)], payment=payment, completed=True)


def failed_line(custom_id: str, place: LinePlace, status: int, body: object) -> LineResult:
    """Return the result of a line that was answered with an error status."""
    return LineResult(error=[_envelope(custom_id, place, status, body)], failed=True)


def unrun_line(custom_id: str, place: LinePlace, reason: tuple[str, str]) -> LineResult:
    """Return the result of a line that was never run; ``reason`` is a code and a message."""
    code, message = reason
    envelope = {**_envelope(custom_id, place, 0, None), "response": None}
    envelope["error"] = {"code": code, "message": message}
    return LineResult(error=[envelope], expired=reason == EXPIRED)


def _reply(
    endpoint: str, body: dict[str, Any], kind: str | None, place: LinePlace, *, otherwise: bool = False
) -> Envelope:
    """Return the body of a 200 line; ``otherwise`` gives another answer to the same question."""
    direct = DIRECT_REPLIES.get(endpoint)
    if direct is not None:
        asked = {**body, "input": f"{body['input']} (again)"} if otherwise else body
        return direct(asked, kind, place.mark)
    said = cut(distort(_answer(endpoint, body), kind), token_limit(endpoint, body))
    return reply_body(endpoint, body, altered(said) if otherwise else said, place.mark, int(place.at))


def _answer(endpoint: str, body: dict[str, Any]) -> Answer:
    source = SourceText(user_text(body), input_hash(body))
    return Answer(answer_text(answer_format(endpoint, body) or AnswerFormat(TEXT), source))


def _not_run(custom_id: str, place: LinePlace, kind: str) -> LineResult:
    match kind:
        case "expired":
            return unrun_line(custom_id, place, EXPIRED)
        case "status_0":
            return LineResult(output=[_envelope(custom_id, place, 0, None)], completed=True)
        case "errored_429":
            body = error_body("Too many requests.", kind="requests", code="rate_limit_exceeded")
            return failed_line(custom_id, place, 429, body)
        case "errored_500":
            return _server_failed(custom_id, place)
    body = error_body("The sandbox was told to reject this line.", param="messages", code="invalid_value")
    return failed_line(custom_id, place, 400, body)


def _server_failed(custom_id: str, place: LinePlace) -> LineResult:
    body = error_body("The server had an error.", kind="server_error", code="server_error")
    return failed_line(custom_id, place, 500, body)


def _surrounded(result: LineResult, kind: str | None, place: LinePlace) -> LineResult:
    line = result.output[0]
    match kind:
        case "missing":
            return replace(result, output=[])
        case "duplicate_same":
            return replace(result, output=[line, line])
        case "both_files":
            return replace(result, error=_server_failed(str(line["custom_id"]), place).error)
        case "unknown_id":
            return replace(result, output=[line, {**line, "custom_id": f"stranger-{place.mark}"}])
    return result


def _envelope(custom_id: str, place: LinePlace, status: int, body: object) -> Envelope:
    return {
        "id": f"batch_req_{place.mark}",
        "custom_id": custom_id,
        "response": {"status_code": status, "request_id": f"req_{place.mark}", "body": body},
        "error": None,
    }
