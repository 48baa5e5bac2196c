"""The moderations endpoint: a category is flagged where the text names it; other texts pass."""

from collections.abc import Iterator
from typing import Any

from batchd.sandbox.embeddings import unknown_parameters
from batchd.sandbox.prompts import input_hash
from batchd.sandbox.source_text import SourceText
from batchd.sandbox.vendor_errors import VendorError, invalid_type, missing_parameter

MODERATIONS = "/v1/moderations"
PARAMETERS = ("model", "input")
USUAL_MODEL = "omni-moderation-latest"
CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
PART_TYPES = ("text", "image_url")
STEPS = 1_000_000


def moderation_problems(body: dict[str, Any]) -> Iterator[VendorError]:
    """Yield the rules that a body breaks."""
    if not isinstance(body.get("model"), str | None):
        yield invalid_type("model", "a string")
    yield from unknown_parameters(body, PARAMETERS)
    given = body.get("input")
    if given is None:
        yield missing_parameter("input")
    elif given == []:
        yield VendorError(400, "'input' is an empty array.", param="input", code="empty_array")
    elif isinstance(given, list):
        for part in given:
            yield from _part_problems(part)
    else:
        yield from _part_problems(given)


def moderation_reply(body: dict[str, Any], kind: str | None, mark: str) -> dict[str, object]:
    """Return the body of a 200 line; the fault ``wrong_schema`` leaves the verdict out."""
    results = [_result(text) for text in _texts(body["input"])]
    if kind == "wrong_schema":
        for result in results:
            del result["flagged"]
    return {"id": f"modr-{mark}", "model": body.get("model") or USUAL_MODEL, "results": results}


def _part_problems(part: object) -> Iterator[VendorError]:
    if isinstance(part, dict):
        if part.get("type") not in PART_TYPES:
            yield VendorError(400, "Invalid value for 'input[].type'.", param="input", code="invalid_value")
    elif not isinstance(part, str):
        yield invalid_type("input", "a string or an array of strings or objects")
    elif not part:
        yield VendorError(400, "'input' cannot be an empty string.", param="input")


def _texts(given: Any) -> list[str]:
    """Return what is judged: each text by itself; texts and images that come as objects are one input."""
    if isinstance(given, str):
        return [given]
    if all(isinstance(part, str) for part in given):
        return list(given)
    return ["\n".join(str(part.get("text") or "") for part in given if isinstance(part, dict))]


def _result(text: str) -> dict[str, object]:
    source = SourceText(text, input_hash({"input": text}))
    flags = {name: source.mentions(name) for name in CATEGORIES}
    return {
        "flagged": any(flags.values()),
        "categories": flags,
        "category_scores": {name: _score(source, name, flagged=flags[name]) for name in CATEGORIES},
        "category_applied_input_types": {name: ["text"] for name in CATEGORIES},
    }


def _score(source: SourceText, name: str, *, flagged: bool) -> float:
    chosen = source.choose(name, STEPS) / STEPS
    return round(0.9 + chosen / 10 if flagged else chosen / 10, 6)
