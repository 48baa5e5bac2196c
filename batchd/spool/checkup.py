"""A look at the spool folder that changes nothing in it, and one file that is written there and removed again."""

import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from batchd.spool.trouble import explained
from batchd.spool.writing import sync_folder

_PRIVATE_FOLDER, _PRIVATE_FILE, _ALL_RIGHTS = 0o700, 0o600, 0o777


@dataclass(frozen=True, slots=True)
class SpoolState:
    """What a spool folder looks like.

    Attributes:
        mode: its permissions; ``open_files``: how many files in it more than their owner may read or write.
        is_ours: it belongs to the user who looks.
        owner: number of the user whom it belongs to.
        free: bytes that this user may still write.
    """

    mode: int
    open_files: int
    is_ours: bool
    owner: int
    free: int

    @property
    def is_private(self) -> bool:
        """Only its owner may enter it."""
        return self.mode == _PRIVATE_FOLDER


def state_of(folder: Path) -> SpoolState | None:
    """How the folder stands; None where it is not there yet. Raises SpoolError."""
    with explained("read", folder):
        if not folder.exists():
            return None
        found, room = folder.stat(), os.statvfs(folder)
        open_files = sum(_is_open(Path(one.path)) for one in os.scandir(folder))
        return SpoolState(
            stat.S_IMODE(found.st_mode) & _ALL_RIGHTS,
            open_files,
            found.st_uid == os.geteuid(),
            found.st_uid,
            room.f_bavail * room.f_frsize,
        )


def try_out(folder: Path) -> None:
    """Writes a file as batch files are written: fsync, rename, fsync of the folder; then removes it. Raises SpoolError.

    Should the process end in between, the spool takes it for what a crash left behind, and removes it two days later.
    """
    first = folder / f".doctor.{secrets.token_hex(8)}.part"
    second = first.with_name(first.name.replace(".doctor.", ".doctor-renamed."))
    with explained("write a trial file in", folder):
        try:
            descriptor = os.open(first, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _PRIVATE_FILE)
            try:
                os.write(descriptor, b"batchd doctor\n")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            first.rename(second)
            sync_folder(folder)
        finally:
            first.unlink(missing_ok=True)
            second.unlink(missing_ok=True)


def _is_open(path: Path) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:
        # Another process has just removed it.
        return False
    return stat.S_ISREG(found.st_mode) and bool(found.st_mode & 0o077)
