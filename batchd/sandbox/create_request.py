"""Checks the body of POST /v1/batches."""

from dataclasses import dataclass
from typing import Any

from batchd.sandbox.vendor_errors import (
    VendorError,
    invalid_type,
    invalid_value,
    missing_parameter,
    out_of_range,
)

ENDPOINTS = (
    "/v1/responses",
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/completions",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/videos",
)
MOST_PAIRS, LONGEST_KEY, LONGEST_VALUE = 16, 64, 512
SHORTEST_EXPIRY, LONGEST_EXPIRY = 3_600, 2_592_000


@dataclass(frozen=True)
class CreateRequest:
    """A create call that may go ahead; ``output_seconds`` is the lifetime of the result files."""

    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] | None
    output_seconds: int | None


def read_create_request(body: object) -> CreateRequest:
    """Return the checked request; raises VendorError (400) with the parameter that is wrong."""
    if not isinstance(body, dict):
        raise VendorError(400, "The body is not a JSON object.")
    for name in ("input_file_id", "endpoint", "completion_window"):
        if body.get(name) is None:
            raise missing_parameter(name)
        if not isinstance(body[name], str):
            raise invalid_type(name, "a string")
    if body["endpoint"] not in ENDPOINTS:
        raise invalid_value("endpoint", body["endpoint"], ENDPOINTS)
    if body["completion_window"] != "24h":
        raise invalid_value("completion_window", body["completion_window"], ("24h",))
    return CreateRequest(
        body["input_file_id"],
        body["endpoint"],
        body["completion_window"],
        _metadata(body.get("metadata")),
        _output_seconds(body.get("output_expires_after")),
    )


def _metadata(given: Any) -> dict[str, str] | None:
    if given is None:
        return None
    if not isinstance(given, dict):
        raise invalid_type("metadata", "an object")
    if len(given) > MOST_PAIRS:
        message = f"Invalid 'metadata': at most {MOST_PAIRS} pairs."
        raise VendorError(400, message, param="metadata", code="object_above_max_properties")
    for key, value in given.items():
        _check_pair(key, value)
    return given


def _check_pair(key: str, value: object) -> None:
    param = f"metadata.{key}"
    if not isinstance(value, str):
        raise invalid_type(param, "a string")
    if len(key) > LONGEST_KEY or len(value) > LONGEST_VALUE:
        message = f"Invalid 'metadata': keys have at most {LONGEST_KEY} characters, values {LONGEST_VALUE}."
        raise VendorError(400, message, param=param, code="string_above_max_length")


def _output_seconds(given: Any) -> int | None:
    if given is None:
        return None
    if not isinstance(given, dict):
        raise invalid_type("output_expires_after", "an object")
    if given.get("anchor") != "created_at":
        raise invalid_value("output_expires_after.anchor", given.get("anchor"), ("created_at",))
    seconds = given.get("seconds")
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise invalid_type("output_expires_after.seconds", "an integer")
    if not SHORTEST_EXPIRY <= seconds <= LONGEST_EXPIRY:
        raise out_of_range("output_expires_after.seconds", seconds, SHORTEST_EXPIRY, LONGEST_EXPIRY)
    return seconds
