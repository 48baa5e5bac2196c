"""The folder of request and result files."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from batchd.core.model import SpooledFile
from batchd.core.result_index import Place, ResultKind


@dataclass(slots=True)
class Coming:
    """How many bytes of files are on their way to the spool, by all threads together."""

    bytes: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)


class InputWriter(Protocol):
    """Writes one batch's input file under a temporary name."""

    def write(self, line: bytes) -> None:
        """Adds one line, its newline included."""

    def finish(self) -> SpooledFile:
        """Flushes to the disk, renames, and makes the rename durable."""


class Spool(Protocol):
    """The folder of request and result files. Raises SpoolError, and SpoolFullError where a file finds no room."""

    def free_bytes(self) -> int:
        """Room for new files. Raises SpoolError where no file could be written at all."""

    def write_input(self, uid: str) -> contextlib.AbstractContextManager[InputWriter]:
        """Opens a batch's input file; a file that was not finished leaves no trace."""

    def input_path(self, uid: str) -> Path:
        """Where a batch's input file is."""

    def drop_lines(self, uid: str, seqs: frozenset[int]) -> SpooledFile:
        """Rewrites an input file that was not sent yet without these requests."""

    def measure_input(self, uid: str) -> SpooledFile | None:
        """Size and hash of the input file as it is on disk; None where it is missing."""

    def remove_input(self, uid: str) -> None:
        """Removes an input file that no batch in the ledger knows."""

    def remove_files(self, uid: str) -> None:
        """Removes a batch's input and result files; what is not there is no error."""

    def old_inputs(self, seconds: float) -> list[str]:
        """Uids of input files of at least this age; none where another ledger's files may be among them."""

    def store_result(self, uid: str, kind: ResultKind, epoch: int, fill: Callable[[BinaryIO], None]) -> SpooledFile:
        """Writes a result file through ``fill`` under a temporary name that carries the lease's epoch."""

    def measure_result(self, uid: str, kind: ResultKind) -> SpooledFile | None:
        """Size and hash of a result file as it is on disk; None where it is missing."""

    def result_lines(self, uid: str, kind: ResultKind) -> Iterator[tuple[int, bytes]]:
        """Offset and bytes of each line, split on newline bytes only; blank lines are passed over."""

    def result_lines_at(self, uid: str, places: Sequence[Place]) -> dict[Place, bytes]:
        """The lines that start at these places, each file opened once."""
