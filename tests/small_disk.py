"""A small disk of its own: a size-limited tmpfs, mounted where a drill wants it."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Self

import pytest

from tests.servers.given import NOT_RUN

_FILLER = "filler"
_MOUNT = shutil.which("mount") or "mount"
_UMOUNT = shutil.which("umount") or "umount"


class SmallDisk:
    """A file system of so many bytes at ``folder``; unmounted at the end of the block."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._mount("-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Lazily: a process that is being ended may still hold a file.
        subprocess.run([_UMOUNT, "--lazy", str(self.folder)], check=True)

    def fill(self) -> None:
        """Takes all room there is."""
        with (self.folder / _FILLER).open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(4096))

    def free(self) -> int:
        """Bytes that are free."""
        room = os.statvfs(self.folder)
        return room.f_bavail * room.f_frsize

    def make_room(self) -> None:
        """Gives back what ``fill`` took."""
        (self.folder / _FILLER).unlink()

    def enlarge(self, size: int) -> None:
        """Makes the file system larger."""
        self._mount("-o", f"remount,size={size}", str(self.folder))

    def make(self, *, writable: bool) -> None:
        """Makes the file system read-only, or writable again."""
        self._mount("-o", f"remount,{'rw' if writable else 'ro'}", str(self.folder))

    def _mount(self, *arguments: str) -> None:
        done = subprocess.run([_MOUNT, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            not_run(f"this machine mounts no tmpfs: {done.stderr.strip()}", refused=True)


def not_run(why: str, *, refused: bool = False) -> None:
    """Says that a drill was not run, which the last lines count; CI must run what its machine does not refuse."""
    if os.environ.get("CI") == "true" and not refused:
        pytest.fail(why)
    pytest.skip(f"{NOT_RUN}{why}")
