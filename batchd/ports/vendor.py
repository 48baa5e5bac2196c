"""A server that speaks the Batch API, and the account batchd has there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from batchd.core.model import Listing, VendorBatch
from batchd.ports.link import Link


class Vendor(Protocol):
    """A server that speaks the Batch API. Every method raises members of the VendorError tree only."""

    def upload(self, path: Path, filename: str) -> str:
        """Uploads a batch input file; returns the vendor's file id. A repeat costs nothing."""

    def create_batch(self, file_id: str, endpoint: str, metadata: Mapping[str, str]) -> VendorBatch:
        """Creates a batch, with one single POST: a repeated POST is a second paid batch."""

    def retrieve_batch(self, batch_id: str) -> VendorBatch:
        """The batch as it is now. Raises VendorNotFoundError for an id the vendor does not know."""

    def list_batches(self, since: int) -> Listing:
        """Batches created at or after ``since`` (Unix seconds), as many pages as it takes."""

    def cancel_batch(self, batch_id: str) -> VendorBatch:
        """Asks the vendor to cancel; one that has ended already is returned as it is."""

    def file_bytes(self, file_id: str) -> int | None:
        """The size of a file in bytes, None where the vendor does not tell."""

    def download(self, file_id: str, sink: BinaryIO) -> None:
        """Streams a file's bytes. Raises VendorUnclearError where the stream ends early."""

    def delete_file(self, file_id: str) -> None:
        """Deletes a file; one that is gone already is no error."""

    def close(self) -> None:
        """Lets go of the connections."""


@dataclass(frozen=True, slots=True)
class Account:
    """A configured vendor account.

    Attributes:
        fingerprint: over kind, URL and project: what must not move while batches are open.
        max_requests: lines a file may have.
        max_bytes: bytes a file may have.
        upload_seconds: longest an upload may take; leases are made longer than that.
        create_seconds: longest a create may take.
        resubmit: what to do when an unknown create cannot be found: wait for a person, or fence it off.
        lists: the vendor can list its batches.
        enqueued_tokens: by model, how many tokens the vendor lets wait in its open batches.
        max_batches_per_hour: how many batches it lets be created in an hour.
        link: what all uploads and downloads there share.
    """

    name: str
    vendor: Vendor
    fingerprint: str
    max_requests: int = 50_000
    max_bytes: int = 200_000_000
    upload_seconds: float = 600.0
    create_seconds: float = 60.0
    resubmit: Literal["hold", "fence"] = "hold"
    submit_grace: float = 900.0
    lists: bool = True
    enqueued_tokens: Mapping[str, int] = field(default_factory=dict)
    max_batches_per_hour: int | None = None
    link: Link = field(default_factory=Link)

    @property
    def patience(self) -> float:
        """Seconds that an unknown create is given to show: a list may lag, and the POST itself be on its way."""
        return max(self.submit_grace, self.create_seconds)
