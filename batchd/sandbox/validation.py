"""What the vendor checks in an input file before it runs a line; all findings, each with its line."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import orjson

from batchd.sandbox.embeddings import EMBEDDINGS, MOST_INPUTS_OF_A_BATCH, embedding_inputs
from batchd.sandbox.prompts import prompt_tokens

MOST_ERRORS = 1_000
MODEL_FREE_ENDPOINTS = ("/v1/moderations",)


@dataclass
class FileReport:
    """What was found in an input file: requests, model, tokens, inputs to embed, and errors (none if it is sound)."""

    total: int = 0
    model: str | None = None
    prompt_tokens: int = 0
    embedding_inputs: int = 0
    errors: list[dict[str, object]] = field(default_factory=list)


@dataclass(frozen=True)
class FileRules:
    """What a file must keep to: the batch's endpoint, the most lines, and models that are not served."""

    endpoint: str
    max_lines: int
    unsupported_models: tuple[str, ...] = ()


def validate_lines(lines: Iterable[bytes], rules: FileRules) -> FileReport:
    """Read all lines of an input file once and report what is wrong; a blank end of the file is no line."""
    report = FileReport()
    seen: set[str] = set()
    blank: list[int] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            blank.append(number)
            continue
        for skipped in blank:
            _add(report, invalid_json(skipped))
        blank.clear()
        report.total += 1
        for error in _check_line(line, number, rules, report, seen):
            _add(report, error)
    if report.total > rules.max_lines:
        message = f"The file has {report.total} requests; a batch takes {rules.max_lines}."
        report.errors.insert(0, batch_error("invalid_request", message))
    if report.embedding_inputs > MOST_INPUTS_OF_A_BATCH:
        message = f"The file has {report.embedding_inputs} inputs; a batch takes {MOST_INPUTS_OF_A_BATCH}."
        report.errors.insert(0, batch_error("invalid_request", message))
    return report


def batch_error(code: str, message: str, *, param: str | None = None, line: int | None = None) -> dict[str, object]:
    """Return one entry of a batch's ``errors.data``."""
    return {"code": code, "message": message, "param": param, "line": line}


def invalid_json(line: int) -> dict[str, object]:
    """Return the entry for a line that is no JSON object."""
    return batch_error("invalid_json_line", "This line is not a JSON object.", line=line)


def _add(report: FileReport, error: dict[str, object]) -> None:
    if len(report.errors) < MOST_ERRORS:
        report.errors.append(error)


def _check_line(
    line: bytes, number: int, rules: FileRules, report: FileReport, seen: set[str]
) -> list[dict[str, object]]:
    try:
        request = orjson.loads(line)
    except orjson.JSONDecodeError:
        return [invalid_json(number)]
    if not isinstance(request, dict):
        return [invalid_json(number)]
    errors = _missing(request, number) + _check_id(request, number, seen) + _check_target(request, number, rules)
    body = request.get("body")
    if body is None:
        return errors
    if not isinstance(body, dict):
        return [
            *errors,
            batch_error("invalid_request", "The body is not an object.", param="body", line=number),
        ]
    report.prompt_tokens += prompt_tokens(body)
    if rules.endpoint == EMBEDDINGS:
        report.embedding_inputs += len(embedding_inputs(body))
    return errors + _check_model(body, number, rules, report) + _check_body(body, number, rules)


def _missing(request: dict[str, object], number: int) -> list[dict[str, object]]:
    return [
        batch_error("missing_required_parameter", f"Missing required parameter: '{name}'.", param=name, line=number)
        for name in ("custom_id", "method", "url", "body")
        if request.get(name) is None
    ]


def _check_id(request: dict[str, object], number: int, seen: set[str]) -> list[dict[str, object]]:
    custom_id = request.get("custom_id")
    if custom_id is None:
        return []
    if not isinstance(custom_id, str) or not custom_id:
        message = "The custom_id is not a string with something in it."
        return [batch_error("invalid_request", message, param="custom_id", line=number)]
    if custom_id in seen:
        message = f"The custom_id '{custom_id}' was used on an earlier line."
        return [batch_error("duplicate_custom_id", message, param="custom_id", line=number)]
    seen.add(custom_id)
    return []


def _check_target(request: dict[str, object], number: int, rules: FileRules) -> list[dict[str, object]]:
    errors = []
    if request.get("method") not in (None, "POST"):
        errors.append(batch_error("invalid_request", "The method must be POST.", param="method", line=number))
    if request.get("url") not in (None, rules.endpoint):
        message = f"The url is not the endpoint of the batch, '{rules.endpoint}'."
        errors.append(batch_error("invalid_url", message, param="url", line=number))
    return errors


def _check_model(body: dict[str, object], number: int, rules: FileRules, report: FileReport) -> list[dict[str, object]]:
    model = body.get("model")
    if model is None and rules.endpoint in MODEL_FREE_ENDPOINTS:
        return []
    if not isinstance(model, str) or not model:
        message = "Model parameter is required."
        return [batch_error("invalid_request", message, param="body.model", line=number)]
    if model in rules.unsupported_models:
        message = f"The model '{model}' is not supported by the Batch API."
        return [batch_error("model_not_found", message, param="body.model", line=number)]
    if report.model is None:
        report.model = model
    if model != report.model:
        message = f"The model '{model}' differs from '{report.model}' on an earlier line."
        return [batch_error("mismatched_model", message, param="body.model", line=number)]
    return []


def _check_body(body: dict[str, object], number: int, rules: FileRules) -> list[dict[str, object]]:
    errors = []
    if rules.endpoint == "/v1/chat/completions" and body.get("messages") is None:
        message = "Messages parameter is required."
        errors.append(batch_error("invalid_request", message, param="body.messages", line=number))
    if body.get("stream") is True:
        message = "Streaming is not supported in the Batch API."
        errors.append(batch_error("streaming_unsupported", message, param="body.stream", line=number))
    return errors
