"""A spool in memory, with the same promises as the folder."""

import contextlib
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from batchd.core.model import SpooledFile
from batchd.core.result_index import Place, ResultKind
from batchd.errors import SpoolError
from batchd.ports import InputWriter


class FakeSpool:
    """Files by name in a dict.

    Args:
        folder: where ``input_path`` pretends the files to be; given a real folder, input files are put there
            too, so that a vendor can read them.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.files: dict[str, bytes] = {}
        self.room = 1_000_000_000_000
        self.old: set[str] = set()
        self._folder = folder

    def free_bytes(self) -> int:
        return self.room

    @contextlib.contextmanager
    def write_input(self, uid: str) -> Iterator[InputWriter]:
        yield _Writer(lambda content: self._keep(self.input_path(uid), content))

    def input_path(self, uid: str) -> Path:
        return (self._folder or Path("/fake-spool")) / f"{uid}.input.jsonl"

    def drop_lines(self, uid: str, seqs: frozenset[int]) -> SpooledFile:
        lines = [line for _, line in self._lines(self.input_path(uid).name)]
        kept = [line for line in lines if int(json.loads(line)["custom_id"].rpartition("-")[2]) not in seqs]
        return self._keep(self.input_path(uid), b"".join(line + b"\n" for line in kept))

    def measure_input(self, uid: str) -> SpooledFile | None:
        return self._measured(self.input_path(uid).name)

    def remove_input(self, uid: str) -> None:
        self.files.pop(self.input_path(uid).name, None)

    def remove_files(self, uid: str) -> None:
        for name in [self.input_path(uid).name, _result_name(uid, "output"), _result_name(uid, "error")]:
            self.files.pop(name, None)

    def old_inputs(self, seconds: float) -> list[str]:
        inputs = {name.removesuffix(".input.jsonl") for name in self.files if name.endswith(".input.jsonl")}
        return sorted(inputs if seconds <= 0 else inputs & self.old)

    def store_result(self, uid: str, kind: ResultKind, epoch: int, fill: Callable[[BinaryIO], None]) -> SpooledFile:
        del epoch
        sink = io.BytesIO()
        fill(sink)
        self.files[_result_name(uid, kind)] = sink.getvalue()
        return _measure(sink.getvalue())

    def measure_result(self, uid: str, kind: ResultKind) -> SpooledFile | None:
        return self._measured(_result_name(uid, kind))

    def result_lines(self, uid: str, kind: ResultKind) -> Iterator[tuple[int, bytes]]:
        return self._lines(_result_name(uid, kind))

    def result_lines_at(self, uid: str, places: Sequence[Place]) -> dict[Place, bytes]:
        contents = {place: self._content(_result_name(uid, place.kind)) for place in places}
        return {place: content[place.offset :].split(b"\n", 1)[0] for place, content in contents.items()}

    def _keep(self, path: Path, content: bytes) -> SpooledFile:
        self.files[path.name] = content
        if self._folder:
            path.write_bytes(content)
        return _measure(content)

    def _content(self, name: str) -> bytes:
        if name not in self.files:
            raise SpoolError(f"cannot read {name}: it is not there")
        return self.files[name]

    def _measured(self, name: str) -> SpooledFile | None:
        return _measure(self.files[name]) if name in self.files else None

    def _lines(self, name: str) -> Iterator[tuple[int, bytes]]:
        offset = 0
        for line in self._content(name).split(b"\n"):
            if line.strip():
                yield offset, line
            offset += len(line) + 1


class _Writer:
    def __init__(self, keep: Callable[[bytes], SpooledFile]) -> None:
        self._keep, self._content = keep, bytearray()

    def write(self, line: bytes) -> None:
        self._content += line

    def finish(self) -> SpooledFile:
        return self._keep(bytes(self._content))


def _result_name(uid: str, kind: ResultKind) -> str:
    return f"{uid}.{kind}.jsonl"


def _measure(content: bytes) -> SpooledFile:
    lines = sum(1 for line in content.split(b"\n") if line.strip())
    return SpooledFile(len(content), hashlib.sha256(content).hexdigest(), lines)
