"""A task, and bodies as the vendor sends them, for tests to vary."""

from typing import Any

from batchd.core.schema import plain_text_answer
from batchd.core.tasks import KeyColumn, TaskDefinition


def a_task(**changes: Any) -> TaskDefinition:
    """One column in, plain text out, unless told otherwise."""
    defaults: dict[str, Any] = {
        "name": "t",
        "vendor": "local",
        "table": "people",
        "key": (KeyColumn(name="id", kind="integer"),),
        "inputs": ("cv",),
        "endpoint": "/v1/chat/completions",
        "model": "m",
        "prompt": "{{ cv }}",
        "answer": plain_text_answer("Summary"),
    }
    return TaskDefinition(**(defaults | changes))


def chat(content: Any, finish: Any = "stop", **message: Any) -> dict[str, Any]:
    """A chat completion of one choice."""
    choice = {"finish_reason": finish, "message": {"role": "assistant", "content": content, **message}}
    return {"model": "gpt-6-luna", "choices": [choice]}


def response(*parts: dict[str, Any], status: Any = "completed", **more: Any) -> dict[str, Any]:
    """A response of one message of these parts, after some reasoning."""
    message = {"type": "message", "content": list(parts)}
    return {"status": status, "output": [{"type": "reasoning", "summary": []}, message], **more}


def said(text: str) -> dict[str, Any]:
    """A part of a response's message."""
    return {"type": "output_text", "text": text, "annotations": []}
