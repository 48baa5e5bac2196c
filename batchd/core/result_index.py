"""A first pass over both result files, before any row is touched: where each request's answer is, and what is odd."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import orjson

from batchd.core.bodies import parse_custom_id
from batchd.core.foreign_json import parsed
from batchd.core.result_lines import ResultLine, read_line

ResultKind = Literal["output", "error"]


class Place(NamedTuple):
    """Where a line is: which file, and the offset of its first byte."""

    kind: ResultKind
    offset: int


@dataclass(slots=True)
class ResultIndex:
    """What the result files of one batch hold.

    Attributes:
        uid: the batch's uid.
        places: request number → its line; the first one where the same line came again.
        conflicts: request number → the other lines that say something else.
        strangers: lines with an id that is not ours, or with none.
        repeats: lines that said the same again.
        broken_end: the last line of a file is cut off.
    """

    uid: str
    places: dict[int, Place] = field(default_factory=dict)
    conflicts: dict[int, list[Place]] = field(default_factory=dict)
    strangers: list[Place] = field(default_factory=list)
    repeats: int = 0
    broken_end: bool = False
    _digests: dict[int, bytes] = field(default_factory=dict)

    def is_as_found(self, seq: int, raw: bytes, line: ResultLine | None) -> bool:
        """True where a line that is read again is still the answer that was found for this request."""
        named = parse_custom_id(line.custom_id or "") if line is not None else None
        return line is not None and named == (self.uid, seq) and _digest(raw, line) == self._digests[seq]

    @property
    def lines(self) -> int:
        """Requests of ours that are answered, in whatever way."""
        return len(self.places)


def index_results(
    uid: str, seqs: frozenset[int], files: Iterable[tuple[ResultKind, Iterable[tuple[int, bytes]]]]
) -> ResultIndex:
    """Indexes the lines of a batch's result files.

    Args:
        uid: the batch's uid, which every id of ours starts with.
        seqs: the requests of the batch.
        files: for each file its kind and its lines, as (offset, bytes).
    """
    index = ResultIndex(uid)
    for kind, lines in files:
        raw = b""
        for offset, raw in lines:
            _add(index, uid, seqs, Place(kind, offset), raw)
        # A file may lack its last newline; what counts is whether its last line is whole.
        index.broken_end |= bool(raw) and not raw.endswith(b"\n") and parsed(raw) is None
    return index


def _add(index: ResultIndex, uid: str, seqs: frozenset[int], place: Place, raw: bytes) -> None:
    line = read_line(raw)
    if line is None:
        return
    named = parse_custom_id(line.custom_id or "")
    if named is None or named[0] != uid or named[1] not in seqs:
        index.strangers.append(place)
        return
    seq, digest = named[1], _digest(raw, line)
    if seq not in index.places:
        index.places[seq], index._digests[seq] = place, digest  # noqa: SLF001 - the index's own builder
    elif index._digests[seq] == digest:  # noqa: SLF001
        index.repeats += 1
    else:
        index.conflicts.setdefault(seq, []).append(place)


def _digest(raw: bytes, line: ResultLine) -> bytes:
    # What the line says; its own id and request id may differ between two deliveries of one answer.
    try:
        said = orjson.dumps([line.status, line.body, line.error], option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # JSON that can be read and not written again: lone surrogates, very deep nesting.
        said = raw
    return hashlib.blake2b(said, digest_size=16).digest()
