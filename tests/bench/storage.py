"""Storage to measure on: memory that looks like a disk, and a disk that is one."""

import os
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - only where a folder of an unguessable name is made
_NO_DISK = frozenset({"tmpfs", "ramfs"})


def disk() -> Path | None:
    """A folder for temporary files that is on a disk; on many systems the usual one is in memory."""
    candidates = (Path(tempfile.gettempdir()), Path("/var/tmp"), Path.cwd())  # noqa: S108 - as above
    return next((one for one in candidates if one.is_dir() and file_system(one) not in _NO_DISK), None)


def file_system(folder: Path) -> str:
    """What a folder is on, as the kernel names it; "unknown" where it doesn't tell."""
    real, found = os.path.realpath(folder), ("", "unknown")
    mounts = Path("/proc/mounts")
    for line in mounts.read_text(encoding="utf-8").splitlines() if mounts.exists() else []:
        _, point, kind, *_ = line.split()
        if f"{real}/".startswith(f"{point.rstrip('/')}/") and len(point) >= len(found[0]):
            found = (point, kind)
    return found[1]


def own_folder(storage: Path | None) -> Path:
    """A new temporary folder there."""
    return Path(tempfile.mkdtemp(prefix="batchd-bench-", dir=storage))
