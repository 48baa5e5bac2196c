"""What was measured, as it is kept in JSON, and the ratios that tell what it means."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

BATCHD, BASELINE, FLOOR = "batchd", "baseline", "floor"
CONTESTANTS = (BASELINE, FLOOR, BATCHD)


@dataclass(frozen=True, slots=True)
class Run:
    """One process from its start to its end.

    Attributes:
        wall: seconds.
        cpu: seconds of processor time, user and system, of this process alone.
        peak: bytes of resident memory at most.
        bytes_up: bytes of batch files sent.
        bytes_down: bytes of result files received.
        vendor_cpu: seconds of processor time that the vendor took meanwhile.
        vendor_answering: seconds that the vendor took to make its answers, within ``wall``.
    """

    wall: float
    cpu: float
    peak: int
    bytes_up: int = 0
    bytes_down: int = 0
    vendor_cpu: float = 0.0
    vendor_answering: float = 0.0


@dataclass(frozen=True, slots=True)
class Question:
    """What a cycle is measured for: ``place`` is a database on a storage, ``shape`` what its rows hold."""

    place: str
    shape: str
    rows: int


@dataclass(frozen=True, slots=True)
class Figure:
    """One contestant's runs for one question."""

    question: Question
    contestant: str
    runs: tuple[Run, ...]

    def median(self, name: str) -> float:
        """The median of one attribute of the runs."""
        return float(statistics.median(getattr(run, name) for run in self.runs))

    @property
    def peak(self) -> int:
        """The largest peak of all runs."""
        return max(run.peak for run in self.runs)


@dataclass(frozen=True, slots=True)
class Statements:
    """What a contestant sends for each row, and for a whole cycle beside that; counted in runs of their own."""

    place: str
    contestant: str
    per_row: float
    fixed: float
    round_trips_per_row: float | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """batchd's cycle over a link with this round trip to the database, and without one."""

    rows: int
    milliseconds: float
    wall: float
    local: float

    @property
    def ratio(self) -> float:
        """How many times the local time it took."""
        return self.wall / self.local


@dataclass(frozen=True, slots=True)
class Flat:
    """batchd on a table of ``rows``, of which this share is done.

    Attributes:
        claimed: rows that the measured run took from pending to applied; 0 for a pass that finds nothing to do.
        wall: seconds of the whole command.
        cpu: seconds of its processor time.
    """

    place: str
    rows: int
    done_percent: int
    claimed: int
    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Status:
    """``batchd status`` with so many rows in the table and so many requests in the ledger.

    Attributes:
        wall: seconds of the whole command.
        cpu: seconds of its processor time.
        before: seconds of the whole command with one batch in the ledger: what is left is what the past costs.
    """

    place: str
    rows: int
    requests: int
    wall: float
    cpu: float
    before: float


@dataclass(slots=True)
class Results:
    """Everything one call has measured."""

    machine: dict[str, str]
    figures: list[Figure] = field(default_factory=list)
    statements: list[Statements] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    flat: list[Flat] = field(default_factory=list)
    status: list[Status] = field(default_factory=list)
    help_cpu: float | None = None

    def figure(self, question: Question, contestant: str) -> Figure | None:
        """What was measured, None where it was not."""
        return next((one for one in self.figures if (one.question, one.contestant) == (question, contestant)), None)

    def ratio(self, question: Question, to: str) -> float | None:
        """The wall time of batchd as a multiple of another contestant's, from runs that took turns."""
        ours, theirs = self.figure(question, BATCHD), self.figure(question, to)
        return ours.median("wall") / theirs.median("wall") if ours and theirs else None

    def questions(self) -> list[Question]:
        """In the order in which they were asked."""
        return list(dict.fromkeys(one.question for one in self.figures))

    def counted(self, place: str, contestant: str) -> Statements | None:
        """Statements of a contestant at a place, None where they were not counted."""
        return next((one for one in self.statements if (one.place, one.contestant) == (place, contestant)), None)


def to_json(results: Results) -> dict[str, Any]:
    """Plain values; ``from_json`` reads them."""
    return asdict(results)


def from_json(value: dict[str, Any]) -> Results:
    """Results as ``to_json`` wrote them."""
    return Results(
        machine=value["machine"],
        figures=[
            Figure(Question(**one["question"]), one["contestant"], tuple(Run(**run) for run in one["runs"]))
            for one in value["figures"]
        ],
        statements=[Statements(**one) for one in value["statements"]],
        links=[Link(**one) for one in value["links"]],
        flat=[Flat(**one) for one in value["flat"]],
        status=[Status(**one) for one in value["status"]],
        help_cpu=value["help_cpu"],
    )


def slope(counts: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """What each row adds, and what is there without any, of counts at two numbers of rows."""
    (fewer, low), (more, high) = counts
    each = (high - low) / (more - fewer)
    return each, low - each * fewer
