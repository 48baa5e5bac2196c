"""A file to be uploaded within a given time."""

import contextlib
import io
import time
from collections.abc import Iterator
from pathlib import Path

from batchd.errors import SpoolError, VendorUnclearError


class TimedFile(io.BufferedReader):
    """A file that can only be read until a deadline: the transport itself bounds single waits only."""

    def __init__(self, path: Path, deadline: float, where: str) -> None:
        super().__init__(io.FileIO(path))
        self._deadline, self._where = deadline, where

    def read(self, size: int | None = -1, /) -> bytes:
        """Reads like any file; raises VendorUnclearError once the time is up."""
        if time.monotonic() > self._deadline:
            raise VendorUnclearError(
                f"{self._where} did not take the upload in time",
                code="timeout",
                next_command="raise the timeout of this [vendors] section, or lower batch_size of the task",
            )
        return super().read(size)


@contextlib.contextmanager
def opened(path: Path, deadline: float, where: str) -> Iterator[TimedFile]:
    """Opens a file for an upload that must be over at ``deadline`` (monotonic). Raises SpoolError."""
    try:
        file = TimedFile(path, deadline, where)
    except OSError as error:
        raise SpoolError(
            f"cannot read {path} to upload it ({type(error).__name__})", next_command="batchd status"
        ) from error
    with file:
        yield file
