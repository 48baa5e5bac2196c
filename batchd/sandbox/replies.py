"""The bodies of successful lines: a chat completion, or a response with its output items."""

from dataclasses import dataclass
from typing import Any

from batchd.sandbox.answer_format import CHAT
from batchd.sandbox.batch_view import snapshot
from batchd.sandbox.prompts import BYTES_PER_TOKEN, count_tokens, prompt_tokens

STOP, LENGTH, CONTENT_FILTER = "stop", "length", "content_filter"
INCOMPLETE_REASONS = {LENGTH: "max_output_tokens", CONTENT_FILTER: "content_filter"}


@dataclass(frozen=True)
class Answer:
    """What the model said: its text, why it stopped, and a refusal in place of the text."""

    text: str
    finish: str = STOP
    refusal: str | None = None

    @property
    def tokens(self) -> int:
        """The output tokens of the answer."""
        return count_tokens(self.refusal or self.text)


def cut(answer: Answer, limit: int | None) -> Answer:
    """Cut an answer off at a token limit; a shorter one stays as it is."""
    if limit is None or answer.tokens <= limit:
        return answer
    kept = answer.text.encode()[: limit * BYTES_PER_TOKEN].decode(errors="ignore")
    return Answer(kept, LENGTH)


def reply_body(endpoint: str, body: dict[str, Any], answer: Answer, mark: str, created: int) -> dict[str, object]:
    """Return the body of a 200 line; ``mark`` makes its ids, ``created`` is in Unix seconds."""
    build = _chat_completion if endpoint == CHAT else _response
    return build(body, answer, mark, created)


def _chat_completion(body: dict[str, Any], answer: Answer, mark: str, created: int) -> dict[str, object]:
    asked, said = prompt_tokens(body), answer.tokens
    message: dict[str, object] = {
        "role": "assistant",
        "content": None if answer.refusal else answer.text,
        "refusal": answer.refusal,
        "annotations": [],
    }
    return {
        "id": f"chatcmpl-{mark}",
        "object": "chat.completion",
        "created": created,
        "model": snapshot(body["model"]),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish}],
        "usage": {
            "prompt_tokens": asked,
            "completion_tokens": said,
            "total_tokens": asked + said,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
        "service_tier": "default",
        "system_fingerprint": None,
    }


def _response(body: dict[str, Any], answer: Answer, mark: str, created: int) -> dict[str, object]:
    asked, said = prompt_tokens(body), answer.tokens
    reason = INCOMPLETE_REASONS.get(answer.finish)
    status = "completed" if reason is None else "incomplete"
    return {
        "id": f"resp_{mark}",
        "object": "response",
        "created_at": created,
        "completed_at": created if reason is None else None,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None if reason is None else {"reason": reason},
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": body.get("metadata") or {},
        "model": snapshot(body["model"]),
        "output": [{"type": "reasoning", "id": f"rs_{mark}", "summary": []}, _message(answer, mark, status)],
        "parallel_tool_calls": True,
        "service_tier": "default",
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": asked,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": said,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": asked + said,
        },
    }


def _message(answer: Answer, mark: str, status: str) -> dict[str, object]:
    said: dict[str, object]
    if answer.refusal:
        said = {"type": "refusal", "refusal": answer.refusal}
    else:
        said = {"type": "output_text", "text": answer.text, "annotations": []}
    return {"type": "message", "id": f"msg_{mark}", "role": "assistant", "status": status, "content": [said]}
