"""What the Vendor port promises, held against the fake and against the SDK's adapter over real HTTP."""

import json
from pathlib import Path

import pytest

from batchd.core.model import VendorFault
from batchd.errors import (
    VendorNotFoundError,
)
from batchd.ports import Vendor
from tests.conformance.vendor_calls import ENDPOINT, REQUEST, create, downloaded
from tests.fakes.vendor import FakeVendor


def test_a_batch_goes_from_upload_to_its_answers(vendor: Vendor, fake: FakeVendor, request_file: Path) -> None:
    """Upload, create, look until it ends, download: every step hands on what the next one needs."""
    file_id = vendor.upload(request_file, "batchd-u-1.jsonl")
    created = vendor.create_batch(file_id, ENDPOINT, {"uid": "u"})
    vendor.retrieve_batch(created.id)
    ended = vendor.retrieve_batch(created.id)

    assert (fake.filenames[file_id], fake.files[file_id]) == ("batchd-u-1.jsonl", REQUEST)
    assert (created.status, created.input_file_id, created.metadata) == ("validating", file_id, {"uid": "u"})
    assert (ended.status, ended.total, ended.completed, ended.failed) == ("completed", 1, 1, 0)
    assert ended.error_file_id is None
    assert ended.output_file_id is not None
    content = downloaded(vendor, ended.output_file_id)
    assert json.loads(content)["custom_id"] == "u-0"
    assert vendor.file_bytes(ended.output_file_id) == len(content)


def test_ids_nobody_knows_are_not_found(vendor: Vendor) -> None:
    """An unknown batch or file is told apart from a vendor in trouble."""
    with pytest.raises(VendorNotFoundError):
        vendor.retrieve_batch("batch_nobody")
    with pytest.raises(VendorNotFoundError):
        vendor.cancel_batch("batch_nobody")
    with pytest.raises(VendorNotFoundError):
        downloaded(vendor, "file-nobody")
    assert vendor.file_bytes("file-nobody") is None


def test_deleting_twice_is_no_error(vendor: Vendor, fake: FakeVendor) -> None:
    """What is to be gone may be gone already."""
    file_id = fake.add_file(b"x")

    vendor.delete_file(file_id)
    vendor.delete_file(file_id)

    assert file_id not in fake.files


def test_cancelling_an_open_batch_starts_its_end(vendor: Vendor) -> None:
    """The reply says ``cancelling``, a later look ``cancelled``."""
    batch_id = create(vendor)

    cancelling = vendor.cancel_batch(batch_id)

    assert cancelling.status == "cancelling"
    assert vendor.retrieve_batch(batch_id).status == "cancelled"


def test_cancelling_an_ended_batch_returns_it_as_it_is(vendor: Vendor, fake: FakeVendor) -> None:
    """The vendor's 409 is no trouble: the batch has ended, as was wanted."""
    fake.statuses = ("completed",)
    batch_id = create(vendor)
    vendor.retrieve_batch(batch_id)

    assert vendor.cancel_batch(batch_id).status == "completed"


def test_listing_leaves_out_what_is_older(vendor: Vendor, fake: FakeVendor) -> None:
    """Batches created at or after the moment asked for, and a word on whether all pages were read."""
    ids = []
    for moment in (100, 200, 300):
        fake.now = lambda moment=moment: moment  # type: ignore[misc]
        ids.append(create(vendor))

    listing = vendor.list_batches(200)

    assert {batch.id for batch in listing.batches} == set(ids[1:])
    assert listing.complete


def test_a_failed_batch_tells_its_faults(vendor: Vendor, fake: FakeVendor) -> None:
    """Code and line of each fault come through."""
    fake.statuses = ("validating", "failed")
    fake.faults = (VendorFault("invalid_url", param="url", line=3), VendorFault("token_limit_exceeded"))
    batch_id = create(vendor)

    failed = vendor.retrieve_batch(batch_id)

    assert [(found.code, found.line) for found in failed.faults] == [
        ("invalid_url", 3),
        ("token_limit_exceeded", None),
    ]
