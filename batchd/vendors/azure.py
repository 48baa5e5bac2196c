"""Azure OpenAI: an uploaded file is processed first, and a batch may be made of it only then.

The rest is the Batch API as the plain adapter speaks it; what else differs in Azure's replies, ``vendors.wire`` reads.
"""

import contextlib
import time
from functools import partial
from pathlib import Path

from batchd.errors import VendorBusyError, VendorError, VendorRefusedError, VendorUnclearError
from batchd.vendors import wire
from batchd.vendors.connection import AzureConnection
from batchd.vendors.errors import Call
from batchd.vendors.openai import OpenAIVendor
from batchd.vendors.sdk import azure_client

# A resource holds 500 files that live for ever, and 10,000 that don't; 30 days is the longest life there is.
_SECONDS = "2592000"
# Azure documents dots. What the SDK writes, brackets, was seen to work too; what a version doesn't know, it ignores.
_LIFETIME = {
    "expires_after.anchor": "created_at",
    "expires_after.seconds": _SECONDS,
    "expires_after[anchor]": "created_at",
    "expires_after[seconds]": _SECONDS,
}
_READY = frozenset({"processed", ""})
_USELESS = frozenset({"error", "failed", "cancelled", "deleting", "deleted"})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 15.0


class AzureVendor(OpenAIVendor):
    """An Azure OpenAI resource; implements the ``Vendor`` port."""

    def __init__(self, connection: AzureConnection) -> None:
        super().__init__(connection, partial(azure_client, connection))
        self._file_seconds = connection.file_timeout

    def upload(self, path: Path, filename: str) -> str:
        """Uploads a batch input file and waits until it is processed; returns the vendor's file id.

        Raises:
            VendorBusyError: it is still not processed when the time for that is over; it is deleted again.
            VendorRefusedError: the resource could not process it.
        """
        file = self._send(path, filename, _LIFETIME)
        status = self._settled(file)
        if status in _READY:
            return file.id
        with contextlib.suppress(VendorError):
            # Nobody will ask for it again, and there is only so much room.
            self.delete_file(file.id)
        if status in _USELESS:
            raise VendorRefusedError(
                f"{self._where} took an upload and could not process it (status {status})",
                code=f"file_{status}",
                next_command="look at the file in the Azure portal; then: batchd resume TASK",
            )
        raise VendorBusyError(
            f"{self._where} did not process an upload within {self._file_seconds:g} s", code="file_pending"
        )

    def _settled(self, file: wire.UploadedFile) -> str:
        """The status that a file comes to, or the one it still has when the time is over."""
        deadline, pause, status = time.monotonic() + self._file_seconds, _FIRST_PAUSE, file.status
        while status not in _READY | _USELESS and time.monotonic() + pause < deadline:
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            # A look that fails tells nothing; the next one may.
            with contextlib.suppress(VendorUnclearError, VendorBusyError):
                status = self._status_of(file.id)
        return status

    def _status_of(self, file_id: str) -> str:
        files = self._once.files.with_raw_response
        return self._ask(Call.FILE, lambda: files.retrieve(file_id), wire.file_from_json).status
