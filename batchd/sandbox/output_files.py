"""The two result files of a batch, written and kept; a file without lines is not made, as a rule."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

import orjson

from batchd.sandbox.batches import BatchRecord
from batchd.sandbox.files import BATCH_SECONDS, FileRecord, add_file
from batchd.sandbox.identifiers import new_id
from batchd.sandbox.line_faults import NO_UTF8

PURPOSE = "batch_output"
Envelope = dict[str, object]


def _as_it_is(envelope: Envelope) -> Envelope:
    return envelope


@dataclass(frozen=True)
class Style:
    """How results are written: what a line is made of, and whether there is an error file without lines too."""

    dress: Callable[[Envelope], Envelope] = _as_it_is
    empty_error_file: bool = False


class ResultFiles:
    """Writes envelopes to files whose ids nobody knows yet; ``keep`` makes them known."""

    def __init__(self, folder: Path, style: Style) -> None:
        """Choose the ids; the contents go to ``folder``."""
        self._style = style
        self._output = folder / new_id("file-")
        self._error = folder / new_id("file-")

    def __enter__(self) -> Self:
        self._output_stream = self._output.open("wb")
        self._error_stream = self._error.open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._output_stream.close()
        self._error_stream.close()

    def write(self, output: list[dict[str, object]], error: list[dict[str, object]]) -> None:
        """Append the envelopes of one line."""
        for envelope in output:
            dressed = self._style.dress(envelope)
            self._output_stream.write(orjson.dumps(dressed).replace(NO_UTF8.encode(), b"\xff") + b"\n")
        for envelope in error:
            self._error_stream.write(orjson.dumps(self._style.dress(envelope)) + b"\n")

    def shuffle(self, order: Random) -> None:
        """Put the lines of both files into another order."""
        for path in (self._output, self._error):
            with path.open("rb") as stream:
                lines = list(stream)
            order.shuffle(lines)
            with path.open("wb") as stream:
                stream.writelines(lines)

    def keep(self, connection: sqlite3.Connection, batch: BatchRecord, at: float) -> tuple[str | None, str | None]:
        """Record both files as created at ``at`` and return their ids, None for one without lines."""
        output, error = _record(self._output, batch, "output", at), _record(self._error, batch, "error", at)
        return (
            _keep(connection, self._output, output, keep_empty=False),
            _keep(connection, self._error, error, keep_empty=self._style.empty_error_file),
        )


def _record(path: Path, batch: BatchRecord, kind: str, at: float) -> FileRecord:
    expires_at = at + (batch.created.output_seconds or BATCH_SECONDS)
    return FileRecord(path.name, f"{batch.created.id}_{kind}.jsonl", PURPOSE, path.stat().st_size, at, expires_at)


def _keep(connection: sqlite3.Connection, path: Path, record: FileRecord, *, keep_empty: bool) -> str | None:
    if record.bytes == 0 and not keep_empty:
        path.unlink()
        return None
    add_file(connection, record)
    return record.id
