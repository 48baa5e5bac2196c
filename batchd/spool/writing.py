"""Writing a file so that it is there whole or not at all, also after a power cut."""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from batchd.core.model import SpooledFile
from batchd.failpoints import step
from batchd.spool.measure import BLOCK, Measure
from batchd.spool.trouble import explained

_PRIVATE = 0o600


@contextlib.contextmanager
def new_file(target: Path, mark: str) -> Iterator["DurableFile"]:
    """Opens a file under a temporary name; unless ``finish`` is called, it leaves no trace.

    Args:
        target: the name the finished file gets.
        mark: what tells the temporary names of several writers apart.
    """
    temporary = target.with_name(f".{target.name}.{mark}.part")
    with explained("write", target):
        file = DurableFile(temporary, target)
    try:
        yield file
    finally:
        file.discard()


class DurableFile(io.BufferedIOBase):
    """A file being written: measured on the way, private, and made durable by ``finish``."""

    def __init__(self, temporary: Path, target: Path) -> None:
        super().__init__()
        self._temporary, self._target = temporary, target
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, _PRIVATE)
        # A umask can take rights away from the owner, and an old leftover can have too many.
        os.fchmod(descriptor, _PRIVATE)
        self._file = os.fdopen(descriptor, "wb", buffering=BLOCK)
        self._measure = Measure()

    def writable(self) -> bool:
        """Always: the file is there to be written."""
        return True

    def write(self, data: Any, /) -> int:
        """Adds bytes, or anything that is one block of them; returns how many."""
        block = bytes(data)
        with explained("write", self._target):
            self._file.write(block)
        self._measure.add(block)
        return len(block)

    def finish(self) -> SpooledFile:
        """Flushes to the disk, renames, and makes the rename durable."""
        with explained("write", self._target):
            with step("spool.fsync"):
                self._file.flush()
                os.fsync(self._file.fileno())
                self._file.close()
            with step("spool.rename"):
                self._temporary.replace(self._target)
            with step("spool.sync_folder"):
                sync_folder(self._target.parent)
        return self._measure.result()

    def discard(self) -> None:
        """Removes what is left of an unfinished file; after ``finish`` there is nothing to do."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Makes renames and removals in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
