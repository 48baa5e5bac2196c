"""Result lines as a resource of Azure writes them: without ids, in another order, with a filter's findings."""

from collections.abc import Mapping

from batchd.sandbox.batch_view import SNAPSHOT, snapshot
from batchd.sandbox.output_files import Envelope, Style

OK = 200
SAFE = {kind: {"filtered": False, "severity": "safe"} for kind in ("hate", "self_harm", "sexual", "violence")}


def azure_style(deployments: Mapping[str, str]) -> Style:
    """Return how result files are written; there always is an error file, if only of no bytes."""
    return Style(lambda envelope: azure_line(envelope, deployments), empty_error_file=True)


def azure_line(envelope: Envelope, deployments: Mapping[str, str]) -> Envelope:
    """Return a line of the plain API as Azure writes it; replies name the model, not the deployment."""
    response = envelope.get("response")
    if isinstance(response, dict):
        body = response.get("body")
        if response.get("status_code") == OK and isinstance(body, dict):
            body = _filtered(body, deployments)
        response = {
            "body": body,
            "request_id": response.get("request_id"),
            "status_code": response.get("status_code"),
        }
    return {"custom_id": envelope.get("custom_id"), "response": response, "error": envelope.get("error")}


def _filtered(body: Envelope, deployments: Mapping[str, str]) -> Envelope:
    named = {**body, "model": _model_behind(str(body.get("model", "")), deployments)}
    choices = body.get("choices")
    if not isinstance(choices, list):
        return {**named, "content_filters": [{"blocked": False, "source_type": "completion"}]}
    return {
        "choices": [{"content_filter_results": SAFE, **choice} for choice in choices],
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": SAFE}],
        **{key: value for key, value in named.items() if key != "choices"},
    }


def _model_behind(shown: str, deployments: Mapping[str, str]) -> str:
    model = deployments.get(shown.removesuffix(SNAPSHOT))
    return shown if model is None else snapshot(model)
