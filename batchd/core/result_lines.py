"""From a line of the vendor's output or error file to a verdict.

Vendors differ in small ways (missing ids, bodies as JSON text, statuses as text, nulls): whatever JSON
comes, a line is read and judged, never a reason to stop.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from batchd.core.answers import AnswerReader, InvalidAnswerError
from batchd.core.endings import (
    NOTHING,
    Ending,
    chat_end,
    embedding_end,
    failure,
    moderation_end,
    response_end,
)
from batchd.core.foreign_json import count, http_status, mapping, model_name, parsed, text, word
from batchd.core.outcomes import Outcome
from batchd.core.tasks import Endpoint, TaskDefinition
from batchd.core.verdicts import Usage, Verdict

_ANSWERED = range(200, 300)
_ENDS: dict[Endpoint, Callable[[Mapping[str, Any]], tuple[str, Ending | Any]]] = {
    "/v1/chat/completions": chat_end,
    "/v1/responses": response_end,
    "/v1/embeddings": embedding_end,
    "/v1/moderations": moderation_end,
}


class ResultLine(NamedTuple):
    """One line of a result file, made uniform.

    Attributes:
        custom_id: the request's name; None where the line is not JSON or names none.
        status: HTTP status of the request, None where it has none.
        body: what the endpoint answered, empty where it answered nothing.
        error: the line's own error, which says that the request never ran; None where there is none.
    """

    custom_id: str | None
    status: int | None = None
    body: Mapping[str, Any] = MappingProxyType({})
    error: Mapping[str, Any] | None = None


def read_line(raw: bytes) -> ResultLine | None:
    """One line, with or without its line break; None for a blank one.

    A line that is not UTF-8, not a JSON object or names no request has no ``custom_id``; it never raises.
    """
    if not raw.strip():
        return None
    envelope = parsed(raw)
    if not isinstance(envelope, dict):
        return ResultLine(None)
    response = mapping(envelope.get("response"))
    error = envelope.get("error")
    return ResultLine(
        custom_id=text(envelope.get("custom_id")) or None,
        status=http_status(response.get("status_code")),
        # Some servers give what the endpoint answered without an envelope of its own.
        body=mapping(response.get("body", response)),
        error=mapping(error) if error else None,
    )


class LineReader:
    """Judges the result lines of one task.

    Raises:
        ConfigError: the answer's schema or a path into it can't be used.
    """

    def __init__(self, definition: TaskDefinition) -> None:
        self._answers = AnswerReader(definition.answer)
        self._end = _ENDS[definition.endpoint]

    def verdict(self, line: ResultLine) -> Verdict:
        """What the line says about its request; ``APPLIED`` carries the values to write. It never raises."""
        finish, end = self._finish_and_end(line)
        usage, model = _usage(line.body), model_name(line.body.get("model"))
        if not isinstance(end, Ending):
            try:
                values = self._answers.read(end)
            except InvalidAnswerError as error:
                end = Ending(Outcome.INVALID, error.code, error.sentence)
            else:
                return Verdict(Outcome.APPLIED, values, usage, finish, model=model)
        return Verdict(end.outcome, {}, usage, finish, end.code, end.sentence, model)

    def _finish_and_end(self, line: ResultLine) -> tuple[str, Ending | Any]:
        if line.status is None and line.error is None and not line.body:
            return "", NOTHING
        only_an_error = line.error is not None and not line.body
        # Some servers give no status; an answer that is there was paid for, and is read.
        answered = line.status in _ANSWERED or (line.status is None and _has_answer(line.body))
        if not answered or only_an_error:
            return "", failure(line.status, _code(line))
        return self._end(line.body)


def _has_answer(body: Mapping[str, Any]) -> bool:
    return any(body.get(name) for name in ("choices", "output", "data", "results"))


def _code(line: ResultLine) -> str:
    return word(mapping(line.body.get("error")).get("code")) or word((line.error or {}).get("code"))


def _usage(body: Mapping[str, Any]) -> Usage:
    usage = mapping(body.get("usage"))
    read = count(usage.get("prompt_tokens")) or count(usage.get("input_tokens"))
    written = count(usage.get("completion_tokens")) or count(usage.get("output_tokens"))
    read_details = mapping(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    written_details = mapping(usage.get("completion_tokens_details") or usage.get("output_tokens_details"))
    return Usage(
        input=read,
        cached=min(read, count(read_details.get("cached_tokens"))),
        output=written,
        reasoning=min(written, count(written_details.get("reasoning_tokens"))),
    )
