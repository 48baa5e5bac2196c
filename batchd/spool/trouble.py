"""What a failed file operation means to a person: the border between ``OSError`` and ``SpoolError``."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from batchd.errors import SpoolError, SpoolFullError

_NO_SPACE = ("no space is left on the device", "free some space there, then run the command again")
_NO_RIGHT = ("this user may not", "make the folder and its files this user's own, or set [daemon] spool")
_NO_FOLDER = ("there is something other than a folder on its path", "set [daemon] spool to a folder")
_OTHER = (
    "the operating system refused",
    "check the folder and the disk it is on, then run the command again",
)

_CAUSES: dict[int | None, tuple[str, str]] = {
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: ("the disk quota is used up", _NO_SPACE[1]),
    errno.EFBIG: (
        "the file is larger than this disk takes",
        "move the spool to another disk ([daemon] spool)",
    ),
    errno.EACCES: _NO_RIGHT,
    errno.EPERM: _NO_RIGHT,
    errno.EROFS: ("the file system is read-only", "set [daemon] spool to a folder that can be written"),
    errno.ENOTDIR: _NO_FOLDER,
    errno.EEXIST: _NO_FOLDER,
    errno.ENOENT: ("it is not there", "batchd status"),
}
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextlib.contextmanager
def explained(doing: str, path: Path) -> Iterator[None]:
    """Turns an ``OSError`` of the block into a SpoolError that says what, where, why and what next."""
    try:
        yield
    except OSError as error:
        why, next_command = _CAUSES.get(error.errno, _OTHER)
        name = errno.errorcode.get(error.errno or 0, "unknown error")
        kind = SpoolFullError if error.errno in _FULL else SpoolError
        raise kind(f"cannot {doing} {path}: {why} ({name})", next_command=next_command) from error
