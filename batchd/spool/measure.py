"""Size, SHA-256 and number of lines of a file, taken while its bytes pass by."""

import hashlib
from typing import BinaryIO

from batchd.core.model import SpooledFile

BLOCK = 1 << 20


class Measure:
    """Adds up blocks of a file. Blank lines are not counted, a last line without a newline is."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._bytes = 0
        self._lines = 0
        self._line_begun = False

    def add(self, block: bytes) -> None:
        """Adds the next bytes of the file, however they are cut."""
        self._hash.update(block)
        self._bytes += len(block)
        *ended, rest = block.split(b"\n")
        if ended:
            self._lines += self._line_begun or not is_blank(ended[0])
            self._lines += sum(not is_blank(line) for line in ended[1:])
            self._line_begun = False
        self._line_begun = self._line_begun or not is_blank(rest)

    def result(self) -> SpooledFile:
        """What has been added so far, as a finished file."""
        return SpooledFile(self._bytes, self._hash.hexdigest(), self._lines + self._line_begun)


def is_blank(line: bytes) -> bool:
    """True for a line that carries nothing."""
    return not line or line.isspace()


def measure(file: BinaryIO) -> SpooledFile:
    """Measures a file from where it stands to its end."""
    total = Measure()
    while block := file.read(BLOCK):
        total.add(block)
    return total.result()
