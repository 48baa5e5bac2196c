"""A task, and bodies as the vendor sends them, for tests to vary."""

import dataclasses
import datetime as dt
from typing import Any

from batchd.core.model import Batch
from batchd.core.schema import plain_text_answer
from batchd.core.states import BatchState
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


def a_batch(**changes: Any) -> Batch:
    """A batch as the ledger knows it, just built, unless told otherwise."""
    optional: dict[str, Any] = {field.name: None for field in dataclasses.fields(Batch) if "None" in str(field.type)}
    required: dict[str, Any] = {
        "id": 1,
        "uid": "0" * 31 + "1",
        "task_id": 1,
        "task": "t",
        "version_id": 1,
        "state": BatchState.BUILT,
        "attempt": 0,
        "account": "local",
        "account_fingerprint": "f",
        "requests": 1,
        "input_bytes": 1,
        "input_sha256": "0" * 64,
        "looks": 0,
        "checks_waived": False,
        "created_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    }
    return Batch(**(optional | required | changes))
