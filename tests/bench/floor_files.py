"""The floor's files: written, hashed, and made as durable as batchd's spool makes them."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

_BLOCK = 1 << 20


def kept(path: Path, blocks: Iterable[bytes]) -> tuple[int, str]:
    """Writes a file, fsynced under a temporary name, renamed, its folder fsynced; returns its size and SHA-256."""
    digest, size = hashlib.sha256(), 0
    temporary = path.with_suffix(".part")
    with temporary.open("wb", buffering=_BLOCK) as file:
        for block in blocks:
            file.write(block)
            digest.update(block)
            size += len(block)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return size, digest.hexdigest()
