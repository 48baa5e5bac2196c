"""Calls to a vendor, in short forms for the tests of the vendor port."""

import io

from batchd.ports import Vendor

REQUEST = b'{"custom_id": "u-0", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m"}}\n'
ENDPOINT = "/v1/chat/completions"


def downloaded(vendor: Vendor, file_id: str) -> bytes:
    """A file's content."""
    sink = io.BytesIO()
    vendor.download(file_id, sink)
    return sink.getvalue()


def create(vendor: Vendor) -> str:
    """Creates a batch; returns its id."""
    return vendor.create_batch("file-1", ENDPOINT, {"uid": "u"}).id
