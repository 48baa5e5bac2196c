"""What the sandbox finds in an input file before it runs a line."""

import json
from typing import Any

from batchd.sandbox.validation import MOST_ERRORS, FileReport, FileRules, validate_lines

ENDPOINT = "/v1/chat/completions"


def line(custom_id: object = "a", **changes: Any) -> bytes:
    body = {"model": "m", "messages": [{"role": "user", "content": "12345678"}]}
    request = {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": body, **changes}
    return json.dumps(request).encode() + b"\n"


def validate(*lines: bytes, **rules: Any) -> FileReport:
    return validate_lines(lines, FileRules(ENDPOINT, **{"max_lines": 10, **rules}))


def found(report: FileReport) -> list[tuple[object, object, object]]:
    return [(error["code"], error["param"], error["line"]) for error in report.errors]


def test_a_sound_file_is_counted() -> None:
    """Requests, model and prompt tokens are summed up, and nothing is wrong."""
    report = validate(line("a"), line("b"))

    assert (report.total, report.model, report.prompt_tokens, report.errors) == (2, "m", 4, [])


def test_a_blank_end_is_no_line_but_a_blank_line_before_others_is_bad() -> None:
    """Blank lines are forgiven at the end only."""
    assert found(validate(line(), b"\n", b" \n")) == []
    assert found(validate(line(), b"\n", line("b"))) == [("invalid_json_line", None, 2)]


def test_each_missing_part_is_named() -> None:
    """One line may have several findings."""
    assert found(validate(b"{}\n")) == [
        ("missing_required_parameter", name, 1) for name in ("custom_id", "method", "url", "body")
    ]


def test_wrong_types_and_targets_are_found() -> None:
    """Ids that are no strings, another method, a body that is no object, a line that is no object."""
    report = validate(line(7), line("b", method="GET"), line("c", body=[]), b"[]\n", line(""))

    assert found(report) == [
        ("invalid_request", "custom_id", 1),
        ("invalid_request", "method", 2),
        ("invalid_request", "body", 3),
        ("invalid_json_line", None, 4),
        ("invalid_request", "custom_id", 5),
    ]


def test_models_must_be_served_and_the_same() -> None:
    """A missing, an unknown and a second model each have their code."""
    report = validate(
        line("a"),
        line("b", body={"messages": []}),
        line("c", body={"model": "none", "messages": []}),
        line("d", body={"model": "other", "messages": []}),
        unsupported_models=("none",),
    )

    assert found(report) == [
        ("invalid_request", "body.model", 2),
        ("model_not_found", "body.model", 3),
        ("mismatched_model", "body.model", 4),
    ]


def test_too_many_lines_and_too_many_findings_are_bounded() -> None:
    """A file over the limit is one finding; the list of findings has an end."""
    assert found(validate(line("a"), line("b"), max_lines=1)) == [("invalid_request", None, None)]
    assert len(validate(*[b"x\n"] * 2 * MOST_ERRORS, max_lines=10_000).errors) == MOST_ERRORS
