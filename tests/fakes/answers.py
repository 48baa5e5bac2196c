"""Result lines as a vendor writes them, for the fake vendor's scripts."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from batchd.core.result_index import ResultKind


@dataclass(frozen=True, slots=True)
class ResultLine:
    """One line of a result file: which file, its bytes without newline, and whether the vendor bills it."""

    kind: ResultKind
    raw: bytes
    billed: bool = False


# Given a request's line, the lines that answer it: none is a missing one, two may be a conflict.
Script = Callable[[dict[str, Any]], list[ResultLine]]


def answered(content: str, *, finish_reason: str = "stop", refusal: str | None = None) -> Script:
    """Every request is answered with this text, on either endpoint."""

    def script(request: dict[str, Any]) -> list[ResultLine]:
        model = request["body"]["model"]
        body = (
            _response(content, model)
            if request["url"].endswith("/responses")
            else _completion(content, model, finish_reason, refusal)
        )
        return [_line(request, "output", {"status_code": 200, "request_id": "req-1", "body": body}, None)]

    return script


def http_error(status: int, code: str | None = None) -> Script:
    """Every request fails by itself with this status."""
    error = {"message": "a text that may quote the row", "type": "x", "param": None, "code": code}
    reply = {"status_code": status, "request_id": "req-1", "body": {"error": error}}
    return lambda request: [_line(request, "error", reply, None)]


def never_run(code: str = "batch_expired") -> Script:
    """No request ran: ``batch_expired`` or ``batch_cancelled``."""
    return lambda request: [_line(request, "error", None, {"code": code, "message": "not executed"})]


def nothing() -> Script:
    """The requests are in neither file."""
    return lambda _: []


def both(first: Script, second: Script) -> Script:
    """Every request is answered twice."""
    return lambda request: first(request) + second(request)


def by_seq(scripts: dict[int, Script], otherwise: Script) -> Script:
    """Some requests, by the number at the end of their custom_id, are answered in their own way."""
    return lambda request: scripts.get(int(request["custom_id"].rpartition("-")[2]), otherwise)(request)


def _line(
    request: dict[str, Any], kind: ResultKind, response: dict[str, Any] | None, error: dict[str, Any] | None
) -> ResultLine:
    line = {"id": "batch_req_1", "custom_id": request["custom_id"], "response": response, "error": error}
    return ResultLine(kind, json.dumps(line).encode(), billed=kind == "output")


def _completion(content: str, model: str, finish_reason: str, refusal: str | None) -> dict[str, Any]:
    message = {"role": "assistant", "content": None if refusal else content, "refusal": refusal}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_795_132_900,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }


def _response(content: str, model: str) -> dict[str, Any]:
    text = {"type": "output_text", "text": content, "annotations": []}
    return {
        "id": "resp-1",
        "object": "response",
        "status": "completed",
        "model": model,
        "output": [
            {"type": "reasoning", "id": "rs-1", "summary": []},
            {"type": "message", "id": "msg-1", "role": "assistant", "status": "completed", "content": [text]},
        ],
        "usage": {
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 10,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 110,
        },
    }
