"""Whether the result files of a batch may be taken for complete (docs/decisions/0003-short-results.md)."""

from dataclasses import dataclass
from enum import Enum, auto


class Step(Enum):
    """What to do with the files as they are."""

    TAKE = auto()
    LOOK_AGAIN = auto()
    ASK = auto()  # a person


@dataclass(frozen=True, slots=True)
class Look:
    """What one download of both result files showed.

    Attributes:
        requests: requests of the batch.
        answered: requests that a line of ours answers, in whatever way.
        counted: completed plus failed, by the vendor's own count; 0 where it gives none.
        broken_end: a file's last line is cut off.
        sizes_told: the vendor told every file's size, and it fits.
        earlier_looks: downloads before this one that fell short.
        waived: a person has said to take them as they are.
    """

    requests: int
    answered: int
    counted: int
    broken_end: bool
    sizes_told: bool
    earlier_looks: int
    waived: bool

    @property
    def lacking(self) -> int:
        """Requests in neither file."""
        return self.requests - self.answered

    @property
    def is_short(self) -> bool:
        """The files hold fewer results than the vendor itself counted."""
        return self.answered < min(self.counted, self.requests)

    def step(self) -> Step:
        """A shortfall is looked at twice. Then it is taken only where nothing of the files can be lacking.

        Where every size fits and most results are there, it is the vendor that has lost the lines: their rows
        become ``missing``, with a finding. Otherwise the download may be what is short, and a person is asked.
        """
        if self.waived or not (self.lacking or self.broken_end):
            return Step.TAKE
        if not self.earlier_looks:
            return Step.LOOK_AGAIN
        proven = self.sizes_told and self.lacking * 2 <= self.requests
        if self.broken_end or (self.is_short and not proven):
            return Step.ASK
        return Step.TAKE

    def reason(self) -> str:
        """Our sentence for a shortfall."""
        if self.broken_end:
            return "a result file ends in the middle of a line"
        if self.is_short:
            return f"the vendor counted {self.counted} results, the files answer {self.answered} requests"
        return f"{self.lacking} requests are in neither result file"
