"""What a resource of Azure checks in an input file; its findings have codes of their own."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path

import orjson

from batchd.sandbox.validation import FileReport, FileRules, batch_error, validate_lines

MOST_LINES = 100_000
# A file says by its lines which API is meant, with or without the version in the path.
ENDPOINTS = {
    "/chat/completions": "/v1/chat/completions",
    "/v1/chat/completions": "/v1/chat/completions",
    "/responses": "/v1/responses",
    "/v1/responses": "/v1/responses",
}
CODES = {
    "invalid_url": "url_mismatch",
    "mismatched_model": "model_mismatch",
    "missing_required_parameter": "invalid_request",
    "streaming_unsupported": "invalid_request",
}


def read_file(path: Path, rules: FileRules, deployments: Mapping[str, str]) -> tuple[str, FileReport]:
    """Return the endpoint that the lines of a file are for, and what is wrong with the file.

    ``rules.endpoint`` holds for a file whose first line names none. Without ``deployments`` every name is one.
    """
    with path.open("rb") as lines:
        first = lines.readline()
        url = _url_of(first) or rules.endpoint
        report = validate_lines(chain([first], lines), replace(rules, endpoint=url, max_lines=MOST_LINES))
    report.errors = [{**error, "code": CODES.get(str(error["code"]), error["code"])} for error in report.errors]
    if report.total == 0:
        report.errors = [batch_error("empty_file", "The input file is empty.")]
    elif report.total > MOST_LINES:
        report.errors[0] = batch_error("too_many_tasks", f"A file has {MOST_LINES} requests at most.")
    elif url not in ENDPOINTS:
        report.errors.insert(0, batch_error("url_mismatch", f"Batches do not serve '{url}'.", param="url", line=1))
    elif deployments and report.model is not None and report.model not in deployments:
        message = "The model is not the name of a batch deployment of this resource."
        report.errors.append(batch_error("model_not_found", message, param="body.model", line=1))
    return ENDPOINTS.get(url, rules.endpoint), report


def _url_of(line: bytes) -> str | None:
    try:
        request = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    url = request.get("url") if isinstance(request, dict) else None
    return url if isinstance(url, str) else None
