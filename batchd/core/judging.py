"""A verdict for each request of a batch: from its result lines, or from the vendor's refusal of the whole batch."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from batchd.core.outcomes import RULES, Outcome
from batchd.core.refusals import Refusal
from batchd.core.result_index import Place, ResultIndex
from batchd.core.result_lines import LineReader, ResultLine, read_line
from batchd.core.verdicts import Verdict
from batchd.errors import SpoolError

LinesAt = Callable[[Sequence[Place]], Mapping[Place, bytes]]


class Judged(NamedTuple):
    """A request's verdict, with the lines it came from as text, to be kept where they are not applied."""

    seq: int
    verdict: Verdict
    lines: tuple[str, ...] = ()

    @property
    def is_answer(self) -> bool:
        """True where it holds values that fit to be written."""
        return self.verdict.outcome is Outcome.APPLIED

    def poisoned(self, sentence: str) -> "Judged":
        """The same request, once the database has refused its values on their own."""
        verdict = self.verdict._replace(outcome=Outcome.POISON, values={}, code="poison", sentence=sentence)
        return self._replace(verdict=verdict)


class Answers(Protocol):
    """What became of a batch's requests at the vendor."""

    def judge(self, seqs: Sequence[int]) -> list[Judged]:
        """A verdict for each of these requests, in their order."""

    def strangers(self) -> list[str]:
        """Lines that belong to no request of this batch, as text."""


class FileAnswers:
    """Answers from the indexed result files.

    Args:
        index: where each request's line is.
        reader: judges a line.
        lines_at: fetches lines from the spool.
        absent: the outcome of a request that is in neither file.
    """

    def __init__(
        self, index: ResultIndex, reader: LineReader, lines_at: LinesAt, *, absent: Outcome = Outcome.MISSING
    ) -> None:
        self._absent = absent
        self._index = index
        self._reader = reader
        self._lines_at = lines_at

    def judge(self, seqs: Sequence[int]) -> list[Judged]:
        """Reads the lines of a chunk together, then judges one after the other.

        Raises:
            SpoolError: a file is not what was indexed.
        """
        lines = self._lines_at([place for seq in seqs for place in self._places(seq)])
        return [self._judge(seq, [lines[place] for place in self._places(seq)]) for seq in seqs]

    def strangers(self) -> list[str]:
        """Lines with an id that is not ours."""
        lines = self._lines_at(self._index.strangers)
        return [_text(lines[place]) for place in self._index.strangers]

    def _places(self, seq: int) -> list[Place]:
        first = self._index.places.get(seq)
        return [] if first is None else [first, *self._index.conflicts.get(seq, [])]

    def _judge(self, seq: int, lines: Sequence[bytes]) -> Judged:
        if not lines:
            return _plain(seq, self._absent)
        line = read_line(lines[0])
        if not self._index.is_as_found(seq, lines[0], line):
            # Whoever changed the file, another row's answer could stand here now.
            raise SpoolError(
                "a result file was altered while it was applied; nothing of it is taken, and it is fetched again",
                next_command="leave the spool folder to batchd",
            )
        verdict = self._reader.verdict(line or ResultLine(None))
        if len(lines) > 1:
            sentence = RULES[Outcome.CONFLICT].meaning
            verdict = verdict._replace(outcome=Outcome.CONFLICT, values={}, code="conflict", sentence=sentence)
        return Judged(seq, verdict, tuple(_text(line) for line in lines))


class RefusedAnswers:
    """Answers where the vendor refused the batch in its validation: nothing ran.

    Args:
        refusal: the lines it named, counted from 1 in the order of the input file.
        seqs: the batch's requests; the file holds them in this order.
    """

    def __init__(self, refusal: Refusal, seqs: Sequence[int]) -> None:
        self._codes = {seq: refusal.lines[line] for line, seq in enumerate(sorted(seqs), 1) if line in refusal.lines}

    def judge(self, seqs: Sequence[int]) -> list[Judged]:
        """Named lines are rejected, their siblings were not sent."""
        return [self._judge(seq) for seq in seqs]

    def strangers(self) -> list[str]:
        """A refused batch has no lines."""
        return []

    def _judge(self, seq: int) -> Judged:
        if seq not in self._codes:
            return _plain(seq, Outcome.UNSENT)
        sentence = "the vendor's validation refused this line"
        return Judged(seq, Verdict(Outcome.REJECTED, code=self._codes[seq], sentence=sentence))


def _plain(seq: int, outcome: Outcome) -> Judged:
    return Judged(seq, Verdict(outcome, code=outcome.value, sentence=RULES[outcome].meaning))


def _text(raw: bytes) -> str:
    # Not every database keeps a NUL, and a line that is kept must not hold up its batch.
    return raw.decode("utf-8", "replace").rstrip("\n").replace("\x00", "\ufffd")
