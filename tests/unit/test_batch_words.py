"""What `batchd show` says of where a batch is: nothing that nobody knows."""

from typing import Any

import pytest

from batchd.cli.batch_words import state_words, vendor_id_words

BATCH: dict[str, Any] = {"state": "built", "held_from": None, "vendor_batch_id": None, "outcomes": {}}


@pytest.mark.parametrize(
    ("facts", "state", "vendor"),
    [
        ({}, "built, to be sent", "not sent yet"),
        ({"state": "submitting"}, "being sent", "nobody knows whether it was created there"),
        (
            {"state": "held", "held_from": "submitting"},
            "held at submitting",
            "nobody knows whether it was created there",
        ),
        ({"state": "held", "held_from": "built"}, "held at built", "not sent yet"),
        ({"state": "abandoned", "outcomes": {"unsent": 6}}, "given up, never sent", "never sent"),
        ({"state": "abandoned", "outcomes": {"cancelled": 6}}, "given up, never sent", "never sent"),
        (
            {"state": "abandoned", "outcomes": {"missing": 6}},
            "given up",
            "nobody knows whether it was created there",
        ),
        ({"state": "abandoned", "vendor_batch_id": "batch_1", "outcomes": {"missing": 6}}, "given up", "batch_1"),
    ],
)
def test_a_batch_that_may_be_at_the_vendor_is_not_called_unsent(facts: dict[str, Any], state: str, vendor: str) -> None:
    """Of a create without an answer, and of a batch that was given up after it was sent, the vendor may want money."""
    batch = BATCH | facts

    assert state == state_words(batch)
    assert vendor == vendor_id_words(batch)
