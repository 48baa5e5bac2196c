"""One row's request as one line of a batch's input file."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from batchd.core.rendering import RenderedPrompt, UnrenderableError, compile_prompt
from batchd.core.tasks import Endpoint, TaskDefinition
from batchd.errors import ConfigError

# What batchd itself puts into a body, and what a batch can't do: why it can't stand in params.
_NOT_PARAMS = {
    "model": "say model in the task",
    "messages": "the messages are made from prompt and system",
    "input": "the input is made from prompt",
    "instructions": "the instructions are made from system",
    "response_format": "the format is made from the task's fields",
    "text": "the format is made from the task's fields",
    "stream": "a batch can't stream",
    "n": "one answer a row is read; the others would be paid for nothing",
}

_CUSTOM_ID = re.compile(r"([0-9a-f]{32})-(0|[1-9][0-9]{0,9})")


def custom_id(batch_uid: str, seq: int) -> str:
    """The name of a request in the vendor's files: the batch's 32 hex digits, and the request's number."""
    return f"{batch_uid}-{seq}"


def parse_custom_id(text: str) -> tuple[str, int] | None:
    """The batch's uid and the request's number, or None for an id that batchd did not make."""
    match = _CUSTOM_ID.fullmatch(text)
    return (match[1], int(match[2])) if match else None


class RequestBuilder:
    """Makes the lines of one task. What is the same in every line is written once, here.

    Raises:
        ConfigError: a template is wrong, or ``params`` holds what batchd itself puts into a body.
    """

    def __init__(self, definition: TaskDefinition) -> None:
        _check_params(definition)
        self._renderer = compile_prompt(definition)
        self._shape = _SHAPES[definition.endpoint]
        self._same = _same_in_every_line(definition)

    def line(self, custom_id: str, row: Mapping[str, Any]) -> bytes:
        r"""The request of ``row`` as one JSON line in UTF-8, ended by ``\n``.

        Raises:
            UnrenderableError: no prompt can be made of this row.
        """
        text = orjson.dumps(self._shape(self._renderer.render(row)))
        return b'{"custom_id":' + orjson.dumps(custom_id) + self._same + text[1:] + b"}\n"


def _check_params(definition: TaskDefinition) -> None:
    for name in definition.params:
        if name in _NOT_PARAMS:
            raise ConfigError(
                f"task {definition.name}: params can't set {name}: {_NOT_PARAMS[name]}",
                next_command=f"take {name} out of params",
            )


def _same_in_every_line(definition: TaskDefinition) -> bytes:
    """From after the custom_id to within the body, where the row's text follows."""
    body = {"model": definition.model, **definition.params, **_answer_format(definition)}
    try:
        dumped = orjson.dumps({"method": "POST", "url": definition.endpoint, "body": body})
    except TypeError as error:
        raise ConfigError(f"task {definition.name}: params can't be written as JSON") from error
    return b"," + dumped.removeprefix(b"{").removesuffix(b"}}") + b","


def _answer_format(definition: TaskDefinition) -> dict[str, Any]:
    answer = definition.answer
    if answer.json_schema is None:
        return {}
    named = {"name": answer.name, "strict": True, "schema": answer.json_schema}
    if definition.endpoint == "/v1/chat/completions":
        return {"response_format": {"type": "json_schema", "json_schema": named}}
    return {"text": {"format": {"type": "json_schema", **named}}}


def _chat_text(prompt: RenderedPrompt) -> dict[str, Any]:
    user = {"role": "user", "content": prompt.user}
    if prompt.system is None:
        return {"messages": [user]}
    return {"messages": [{"role": "system", "content": prompt.system}, user]}


def _responses_text(prompt: RenderedPrompt) -> dict[str, Any]:
    if prompt.system is None:
        return {"input": prompt.user}
    return {"instructions": prompt.system, "input": prompt.user}


def _input_text(prompt: RenderedPrompt) -> dict[str, Any]:
    if not prompt.user:
        raise UnrenderableError("empty_input", "the prompt is empty, and this endpoint takes no empty input")
    return {"input": prompt.user}


_SHAPES: dict[Endpoint, Callable[[RenderedPrompt], dict[str, Any]]] = {
    "/v1/chat/completions": _chat_text,
    "/v1/responses": _responses_text,
    "/v1/embeddings": _input_text,
    "/v1/moderations": _input_text,
}
