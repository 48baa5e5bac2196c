"""A vendor's batch object is read leniently: every spelling, every gap, never a crash."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchd.core.model import VendorBatch, VendorFault
from batchd.vendors.wire import batch_from_json, json_from_bytes

SECRET = "Jane Doe, born 1970"


def test_a_standard_batch_is_read_whole() -> None:
    """Every field that batchd uses."""
    batch = batch_from_json(
        {
            "id": "batch_1",
            "status": "completed",
            "input_file_id": "file-1",
            "output_file_id": "file-2",
            "error_file_id": None,
            "created_at": 1_795_132_800,
            "expires_at": 1_795_219_200,
            "request_counts": {"total": 3, "completed": 2, "failed": 1},
            "errors": {"object": "list", "data": [{"code": "invalid_url", "param": "url", "line": 4}]},
            "metadata": {"uid": "u"},
        }
    )

    assert batch == VendorBatch(
        id="batch_1",
        status="completed",
        input_file_id="file-1",
        output_file_id="file-2",
        created_at=1_795_132_800,
        expires_at=1_795_219_200,
        total=3,
        completed=2,
        failed=1,
        faults=(VendorFault("invalid_url", "url", 4),),
        metadata={"uid": "u"},
    )


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"output_file_id": "", "error_file_id": " "},
        {"request_counts": None, "errors": None, "metadata": None},
        {"request_counts": {"total": None, "completed": None}, "errors": {"object": "list", "data": None}},
        {"request_counts": [], "errors": {}, "metadata": [], "created_at": "", "expires_at": 0},
        {"created_at": True, "expires_at": "soon", "request_counts": {"total": -1, "failed": "many"}},
    ],
)
def test_what_says_nothing_is_none(extra: dict[str, Any]) -> None:
    """Missing, null, empty and mistyped are all the same: the vendor doesn't tell."""
    assert batch_from_json({"id": "b", "status": "in_progress", **extra}) == VendorBatch("b", "in_progress")


@pytest.mark.parametrize(
    ("status", "read"),
    [
        ("Completed", "completed"),
        ("InProgress", "in_progress"),
        ("IN_PROGRESS", "in_progress"),
        ("in-progress", "in_progress"),
        ("canceled", "cancelled"),
        ("queued", "queued"),
        (None, ""),
        (7, ""),
    ],
)
def test_statuses_are_read_in_every_spelling(status: Any, read: str) -> None:
    """Unknown ones stay what they are: the batch is still open then."""
    assert batch_from_json({"id": "b", "status": status}).status == read


@pytest.mark.parametrize(
    "moment",
    [
        1_795_132_800,
        1_795_132_800.7,
        "1795132800",
        1_795_132_800_000,
        "2026-11-20T00:00:00Z",
        "2026-11-20T00:00:00",
    ],
)
def test_times_are_read_in_every_form(moment: Any) -> None:
    """Seconds, milliseconds and ISO-8601, as numbers or text."""
    assert batch_from_json({"id": "b", "created_at": moment}).created_at == 1_795_132_800


@pytest.mark.parametrize(
    ("errors", "faults"),
    [
        (["text only"], (VendorFault("", message="text only"),)),
        ({"data": [{"code": SECRET, "line": "3"}]}, (VendorFault("", line=3),)),
        ({"data": [{"code": "a", "line": 0}, None]}, (VendorFault("a"), VendorFault(""))),
    ],
)
def test_faults_are_read_in_every_form(errors: Any, faults: tuple[VendorFault, ...]) -> None:
    """A bare array, lines as text, entries that are none; a code that isn't one is left out."""
    assert batch_from_json({"id": "b", "errors": errors}).faults == faults


@pytest.mark.parametrize("value", [None, [], 5, {}, {"id": ""}, {"id": None}, {"error": {"message": "x"}}])
def test_without_an_id_it_is_no_batch(value: Any) -> None:
    """Such a reply leaves open what happened; it is never guessed."""
    with pytest.raises(ValueError, match="not a batch"):
        batch_from_json(value)


def test_a_reply_may_be_json_in_json() -> None:
    """Some compatible servers encode twice."""
    assert json_from_bytes(json.dumps(json.dumps({"id": "b"})).encode()) == {"id": "b"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
batch_fields = [
    "status",
    "created_at",
    "expires_at",
    "output_file_id",
    "request_counts",
    "errors",
    "metadata",
]


@given(st.dictionaries(st.sampled_from(batch_fields), json_values))
def test_no_batch_object_breaks_the_reader(fields: dict[str, Any]) -> None:
    """With an id, anything can be read."""
    assert batch_from_json({"id": "b", **fields}).id == "b"
