"""The sandbox's embeddings and moderations against the real SDK's types."""

from typing import Any

from openai.types import CreateEmbeddingResponse, ModerationCreateResponse

from tests.conformance.sandbox_calls import Sandbox


def line(url: str, **body: Any) -> dict[str, Any]:
    return {"custom_id": "a", "method": "POST", "url": url, "body": body}


def test_embeddings_parse_as_the_sdks_type(sandbox: Sandbox) -> None:
    """Vectors, indexes and usage; the batch counts the same tokens."""
    body = {"model": "text-embedding-3-small", "input": ["one", "two"], "dimensions": 8}
    batch = sandbox.run([line("/v1/embeddings", **body)], "/v1/embeddings")

    (answered,) = sandbox.lines(batch.output_file_id)
    found = CreateEmbeddingResponse.model_validate(answered["response"]["body"], strict=True)
    assert [(0, 8), (1, 8)] == [(one.index, len(one.embedding)) for one in found.data]
    assert batch.usage is not None
    assert (found.usage.total_tokens, 0) == (batch.usage.total_tokens, batch.usage.output_tokens)


def test_moderations_parse_as_the_sdks_type(sandbox: Sandbox) -> None:
    """Every category that the type knows is there, and the model may be left out."""
    batch = sandbox.run([line("/v1/moderations", input="violence")], "/v1/moderations")

    (answered,) = sandbox.lines(batch.output_file_id)
    found = ModerationCreateResponse.model_validate(answered["response"]["body"], strict=True)
    assert (True, True, False) == (
        found.results[0].flagged, found.results[0].categories.violence, found.results[0].categories.hate
    )  # fmt: skip
    assert set(answered["response"]["body"]["results"][0]["categories"]) == {
        field.alias or name for name, field in type(found.results[0].categories).model_fields.items()
    }


def test_a_line_for_another_endpoint_fails_the_batch(sandbox: Sandbox) -> None:
    """A moderation in a batch of embeddings is found in validation."""
    batch = sandbox.run([line("/v1/moderations", model="m", input="x")], "/v1/embeddings")

    assert batch.errors is not None
    assert [("invalid_url", 1)] == [(error.code, error.line) for error in batch.errors.data or []]
