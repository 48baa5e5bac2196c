"""The spool as a folder: one input file and at most two result files for each batch."""

import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import orjson

from batchd.core.model import SpooledFile
from batchd.core.result_index import Place, ResultKind
from batchd.errors import SpoolError
from batchd.ports import InputWriter
from batchd.spool.measure import BLOCK, is_blank, measure
from batchd.spool.trouble import explained
from batchd.spool.writing import DurableFile, new_file, sync_folder

_KINDS: tuple[ResultKind, ...] = ("output", "error")
_INPUT = ".input.jsonl"
_MARK = ".ledger"
_PRIVATE_FOLDER = 0o700
_PRIVATE_FILE = 0o600
_ALL_RIGHTS = 0o777
# No write takes this long: an older temporary file is what a crash left behind, and it holds row content.
_LEFTOVER_SECONDS = 2 * 86_400


class FolderSpool:
    """Files ``<uid>.input.jsonl``, ``<uid>.output.jsonl`` and ``<uid>.error.jsonl`` in one private folder.

    The folder is made by the first write (mode 0700), files have mode 0600 whatever the umask says.

    Args:
        folder: where the files are.
        ledger: names the ledger whose files these are; each ledger that writes here leaves its mark.
    """

    def __init__(self, folder: Path, ledger: str = "ledger") -> None:
        self._folder = folder
        self._mark = folder / f".{ledger}{_MARK}"
        self._prepared = False

    def free_bytes(self) -> int:
        """Room for new files of this user. Raises SpoolError where no file could be written at all."""
        self._prepare()
        with explained("use the spool folder", self._folder):
            room = os.statvfs(self._folder)
            if not os.access(self._folder, os.W_OK | os.X_OK):
                raise OSError(errno.EROFS if room.f_flag & os.ST_RDONLY else errno.EACCES, "")
        return room.f_bavail * room.f_frsize

    @contextlib.contextmanager
    def write_input(self, uid: str) -> Iterator[InputWriter]:
        """Opens a batch's input file; a file that was not finished leaves no trace."""
        self._prepare()
        with new_file(self.input_path(uid), secrets.token_hex(8)) as file:
            yield _LineWriter(file)

    def input_path(self, uid: str) -> Path:
        """Where a batch's input file is."""
        return self._folder / f"{uid}{_INPUT}"

    def drop_lines(self, uid: str, seqs: frozenset[int]) -> SpooledFile:
        """Rewrites an input file that was not sent yet without these requests."""
        path = self.input_path(uid)
        with self.write_input(uid) as writer:
            for offset, line in _lines(path):
                if _seq_of(line, path, offset) not in seqs:
                    writer.write(line + b"\n")
            return writer.finish()

    def measure_input(self, uid: str) -> SpooledFile | None:
        """Size and hash of the input file as it is on disk; None where it is missing."""
        return _measured(self.input_path(uid))

    def remove_input(self, uid: str) -> None:
        """Removes an input file that no batch in the ledger knows; one that is not there is no error."""
        path = self.input_path(uid)
        with explained("remove", path), contextlib.suppress(FileNotFoundError):
            path.unlink()
            sync_folder(self._folder)

    def remove_files(self, uid: str) -> None:
        """Removes a batch's input and result files; what is not there is no error."""
        paths = [self.input_path(uid), *(self._result_path(uid, kind) for kind in _KINDS)]
        with explained("remove files of", self._folder), contextlib.suppress(FileNotFoundError):
            for path in paths:
                path.unlink(missing_ok=True)
            sync_folder(self._folder)

    def old_inputs(self, seconds: float) -> list[str]:
        """Uids of input files of at least this age; none where another ledger has left its mark."""
        newest = time.time() - seconds
        with explained("read", self._folder):
            if not self._folder.is_dir() or {path.name for path in self._folder.glob(f".*{_MARK}")} != {
                self._mark.name
            }:
                return []
            return [
                path.name.removesuffix(_INPUT) for path in self._folder.glob(f"*{_INPUT}") if _is_older(path, newest)
            ]

    def store_result(self, uid: str, kind: ResultKind, epoch: int, fill: Callable[[BinaryIO], None]) -> SpooledFile:
        """Writes a result file through ``fill`` under a temporary name that carries the lease's epoch."""
        self._prepare()
        with new_file(self._result_path(uid, kind), str(epoch)) as file:
            fill(cast("BinaryIO", file))
            return file.finish()

    def measure_result(self, uid: str, kind: ResultKind) -> SpooledFile | None:
        """Size and hash of a result file as it is on disk; None where it is missing."""
        return _measured(self._result_path(uid, kind))

    def result_lines(self, uid: str, kind: ResultKind) -> Iterator[tuple[int, bytes]]:
        """Offset and bytes of each line, its newline left out; blank lines are passed over."""
        return _lines(self._result_path(uid, kind))

    def result_lines_at(self, uid: str, places: Sequence[Place]) -> dict[Place, bytes]:
        """The lines that start at these places, newlines left out; each file is opened once and read forwards."""
        found: dict[Place, bytes] = {}
        for kind in dict.fromkeys(place.kind for place in places):
            path = self._result_path(uid, kind)
            here = sorted((place for place in places if place.kind == kind), key=lambda place: place.offset)
            with explained("read", path), path.open("rb") as file:
                for place in here:
                    file.seek(place.offset)
                    found[place] = file.readline().removesuffix(b"\n")
        return found

    def _result_path(self, uid: str, kind: ResultKind) -> Path:
        return self._folder / f"{uid}.{kind}.jsonl"

    def _prepare(self) -> None:
        if self._prepared and self._mark.exists():
            return
        with explained("use the spool folder", self._folder):
            self._folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
            sync_folder(self._folder.parent)
            _make_private(self._folder)
            _remove_leftovers(self._folder)
            if not self._mark.exists():
                self._mark.touch()
                self._mark.chmod(_PRIVATE_FILE)
        self._prepared = True


class _LineWriter:
    """An input file as the claim sees it: lines and an end. They are handed on in blocks, which costs less."""

    def __init__(self, file: DurableFile) -> None:
        self._file = file
        self._lines: list[bytes] = []
        self._bytes = 0

    def write(self, line: bytes) -> None:
        self._lines.append(line)
        self._bytes += len(line)
        if self._bytes >= BLOCK:
            self._hand_on()

    def finish(self) -> SpooledFile:
        self._hand_on()
        return self._file.finish()

    def _hand_on(self) -> None:
        self._file.write(b"".join(self._lines))
        self._lines, self._bytes = [], 0


def _make_private(folder: Path) -> None:
    """Sets the mode of a folder of ours; another user's folder is theirs to set."""
    status = folder.stat()
    if status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) & _ALL_RIGHTS != _PRIVATE_FOLDER:
        folder.chmod(_PRIVATE_FOLDER)


def _remove_leftovers(folder: Path) -> None:
    oldest = time.time() - _LEFTOVER_SECONDS
    for path in folder.glob(".*.part"):
        if _is_older(path, oldest):
            path.unlink(missing_ok=True)


def _is_older(path: Path, moment: float) -> bool:
    try:
        return path.stat().st_mtime <= moment
    except FileNotFoundError:
        # Another process has just removed it.
        return False


def _measured(path: Path) -> SpooledFile | None:
    with explained("read", path):
        try:
            with path.open("rb") as file:
                return measure(file)
        except FileNotFoundError:
            return None


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    offset = 0
    # A binary file is split on newline bytes alone; text would split at U+2028 and the like too.
    with explained("read", path), path.open("rb", buffering=BLOCK) as file:
        for line in file:
            if not is_blank(line):
                yield offset, line.removesuffix(b"\n")
            offset += len(line)


def _seq_of(line: bytes, path: Path, offset: int) -> int:
    """The number at the end of the line's ``custom_id``, ``<uid>-<seq>``."""
    try:
        return int(orjson.loads(line)["custom_id"].rpartition("-")[2])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SpoolError(
            f"{path}, byte {offset}: this line has no custom_id of batchd's; somebody changed the file",
            next_command="leave the spool folder to batchd; the rows of a file that was changed are sent anew",
        ) from error
