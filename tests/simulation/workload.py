"""What there is to do: tasks whose rows have sizes and tokens, drawn once and then repeated."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, cast

from batchd.core.bodies import RequestBuilder
from batchd.core.keys import RowKey
from batchd.core.model import SourceRow

# So many different rows a task has; the next one is the first again.
CYCLE = 4096
_SMALLEST = 200


@dataclass(frozen=True, slots=True)
class SimTask:
    """A task as its owner would configure it, and what its rows are like.

    Attributes:
        row_bytes: median bytes of a line in the batch file.
        rate: what the vendor really counts for a byte, give or take ``noise`` of it.
    """

    name: str
    rows: int
    row_bytes: int
    rate: float
    weight: float = 1.0
    noise: float = 0.2
    batch_size: int = 50_000
    max_open_batches: int = 10


def drawn(seed: int, what: str) -> random.Random:
    """Chances of one kind: the same seed draws the same."""
    return random.Random(f"{seed} {what}")  # noqa: S311 - a simulation's draws, no secret


class _Lines:
    """Stands in for the maker of request lines: a row's line has the right size, and nothing in it."""

    def line(self, custom_id: str, inputs: Any) -> bytes:
        del custom_id
        return cast("bytes", inputs)


@dataclass(slots=True)
class Rows:
    """Rows of one task, taken one after the other."""

    task: SimTask
    chance: random.Random
    taken: int = 0
    _rows: list[SourceRow] = field(default_factory=list)
    _tokens: list[int] = field(default_factory=list)
    _sums: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draws sizes of a long-tailed kind, and tokens that follow them with some noise."""
        blank = b" " * (self.task.row_bytes * 40 + _SMALLEST)
        for number in range(CYCLE):
            size = min(max(int(self.chance.lognormvariate(0, 0.6) * self.task.row_bytes), _SMALLEST), len(blank))
            key = RowKey(number + 1, "", "")
            self._rows.append(SourceRow(key, cast("Any", blank[:size]), "", None))
            self._tokens.append(
                max(round(size * self.task.rate * self.chance.uniform(1 - self.task.noise, 1 + self.task.noise)), 1)
            )
        self._sums = [0, *accumulate(self._tokens)]

    def builder(self) -> RequestBuilder:
        """What packs them."""
        return cast("RequestBuilder", _Lines())

    def ahead(self) -> Iterator[SourceRow]:
        """The rows from where the last batch ended, for ever; ``took`` says how many of them were taken."""
        at = self.taken
        while True:
            yield self._rows[at % CYCLE]
            at += 1

    def took(self, number: int) -> int:
        """So many rows were packed; returns what the vendor will count for them."""
        tokens = self._sum(self.taken + number) - self._sum(self.taken)
        self.taken += number
        return tokens

    def _sum(self, at: int) -> int:
        return at // CYCLE * self._sums[-1] + self._sums[at % CYCLE]

    @property
    def mean_tokens(self) -> float:
        """Of a row."""
        return self._sums[-1] / CYCLE
