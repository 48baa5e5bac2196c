"""A first pass over both result files, before any row is touched: where each request's answer is, and what is odd."""

import hashlib
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Self

import orjson

from batchd.core.bodies import parse_custom_id
from batchd.core.foreign_json import parsed
from batchd.core.result_lines import ResultLine, read_line

ResultKind = Literal["output", "error"]
_KINDS: tuple[ResultKind, ...] = ("output", "error")


class Place(NamedTuple):
    """Where a line is: which file, and the offset of its first byte."""

    kind: ResultKind
    offset: int


class Places(Mapping[int, Place]):
    """Request number → where its line is: eight bytes each, where objects would take ten times as many.

    Args:
        last: the largest request number.
    """

    def __init__(self, last: int = 0) -> None:
        # Twice the offset, one more for the second kind, and one more so that 0 is none.
        self._codes = array("q", bytes(8 * (last + 1)))
        self._found = 0

    def add(self, seq: int, place: Place) -> None:
        """Where the line of a request that had none is."""
        self._codes[seq] = 2 * place.offset + _KINDS.index(place.kind) + 1
        self._found += 1

    def __getitem__(self, seq: int) -> Place:
        code = self._codes[seq] - 1 if 0 <= seq < len(self._codes) else -1
        if code < 0:
            raise KeyError(seq)
        return Place(_KINDS[code & 1], code >> 1)

    def __contains__(self, seq: object) -> bool:
        return isinstance(seq, int) and 0 <= seq < len(self._codes) and self._codes[seq] > 0

    def __iter__(self) -> Iterator[int]:
        return (seq for seq, code in enumerate(self._codes) if code)

    def __len__(self) -> int:
        return self._found


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
    places: Places = field(default_factory=Places)
    conflicts: dict[int, list[Place]] = field(default_factory=dict)
    strangers: list[Place] = field(default_factory=list)
    repeats: int = 0
    broken_end: bool = False
    # What each line says, hashed, by request number.
    _digests: "array[int]" = field(default_factory=lambda: array("Q"), compare=False)

    @classmethod
    def of(cls, uid: str, seqs: Collection[int]) -> Self:
        """An empty one of a batch with these requests."""
        last = max(seqs, default=0)
        return cls(uid, Places(last), _digests=array("Q", bytes(8 * (last + 1))))

    def add(self, seq: int, place: Place, digest: int) -> None:
        """A line of ours: a request's first, the same once more, or one that says something else."""
        if seq not in self.places:
            self.places.add(seq, place)
            self._digests[seq] = digest
        elif self._digests[seq] == digest:
            self.repeats += 1
        else:
            self.conflicts.setdefault(seq, []).append(place)

    def is_as_found(self, seq: int, raw: bytes, line: ResultLine | None) -> bool:
        """True where a line that is read again is still the answer that was found for this request."""
        named = parse_custom_id(line.custom_id or "") if line is not None else None
        return line is not None and named == (self.uid, seq) and _digest(raw, line) == self._digests[seq]

    @property
    def lines(self) -> int:
        """Requests of ours that are answered, in whatever way."""
        return len(self.places)


def index_results(
    uid: str, seqs: Collection[int], files: Iterable[tuple[ResultKind, Iterable[tuple[int, bytes]]]]
) -> ResultIndex:
    """Indexes the lines of a batch's result files.

    Args:
        uid: the batch's uid, which every id of ours starts with.
        seqs: the requests of the batch.
        files: for each file its kind and its lines, as (offset, bytes).
    """
    index = ResultIndex.of(uid, seqs)
    for kind, lines in files:
        raw = b""
        for offset, raw in lines:
            _add(index, uid, seqs, Place(kind, offset), raw)
        # A file may lack its last newline; what counts is whether its last line is whole.
        index.broken_end |= bool(raw) and not raw.endswith(b"\n") and parsed(raw) is None
    return index


def _add(index: ResultIndex, uid: str, seqs: Collection[int], place: Place, raw: bytes) -> None:
    line = read_line(raw)
    if line is None:
        return
    named = parse_custom_id(line.custom_id or "")
    if named is None or named[0] != uid or named[1] not in seqs:
        index.strangers.append(place)
        return
    index.add(named[1], place, _digest(raw, line))


def _digest(raw: bytes, line: ResultLine) -> int:
    # What the line says; its own id and request id may differ between two deliveries of one answer.
    try:
        said = orjson.dumps([line.status, line.body, line.error], option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # JSON that can be read and not written again: lone surrogates, very deep nesting.
        said = raw
    return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest())
